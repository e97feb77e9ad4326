// Throws a Gaussian peak over a falling background with GSL's random numbers,
// finds the peak again by linear least squares and, if asked to, writes the
// spectrum as a FITS file. The same seed gives the same spectrum everywhere.

#include <cmath>
#include <iostream>
#include <string>
#include <vector>

#include <Eigen/Dense>
#include <gsl/gsl_randist.h>
#include <gsl/gsl_rng.h>
#include <gsl/gsl_version.h>
#include <vdt/exp.h>

#ifdef WITH_CFITSIO
#include <fitsio.h>
#endif
#ifdef WITH_FFTW
#include <fftw3.h>
#endif

namespace {

constexpr int bins = 128;
constexpr double peak = 91.2;
constexpr double width = 2.5;

double centre(int bin) { return 60.0 + 0.5 * bin; }

std::vector<double> throw_spectrum() {
  std::vector<double> counts(bins);
  gsl_rng* random = gsl_rng_alloc(gsl_rng_mt19937);
  gsl_rng_set(random, 20251101);
  for (int event = 0; event < 20000; ++event) {
    const double mass =
        event % 4 == 0 ? 60 + gsl_ran_exponential(random, 40) : peak + gsl_ran_gaussian(random, width);
    const int bin = static_cast<int>((mass - 59.75) / 0.5);
    if (bin >= 0 && bin < bins) counts[bin] += 1;
  }
  gsl_rng_free(random);
  return counts;
}

/// Height of the peak and of the background, by least squares.
Eigen::Vector2d fit(const std::vector<double>& counts) {
  Eigen::MatrixXd shape(bins, 2);
  Eigen::VectorXd seen(bins);
  for (int bin = 0; bin < bins; ++bin) {
    const double pull = (centre(bin) - peak) / width;
    shape(bin, 0) = vdt::fast_exp(-0.5 * pull * pull);
    shape(bin, 1) = vdt::fast_exp(-(centre(bin) - 60) / 40);
    seen(bin) = counts[bin];
  }
  return shape.colPivHouseholderQr().solve(seen);
}

#ifdef WITH_FFTW
/// Keeps the lowest eighth of the frequencies.
void smooth(std::vector<double>& counts) {
  std::vector<fftw_complex> modes(bins / 2 + 1);
  fftw_plan there = fftw_plan_dft_r2c_1d(bins, counts.data(), modes.data(), FFTW_ESTIMATE);
  fftw_execute(there);
  for (std::size_t mode = bins / 16; mode < modes.size(); ++mode) modes[mode][0] = modes[mode][1] = 0;
  fftw_plan back = fftw_plan_dft_c2r_1d(bins, modes.data(), counts.data(), FFTW_ESTIMATE);
  fftw_execute(back);
  for (double& count : counts) count /= bins;
  fftw_destroy_plan(there);
  fftw_destroy_plan(back);
}
#endif

#ifdef WITH_CFITSIO
bool write_fits(const std::string& path, std::vector<double> counts) {
  fitsfile* file = nullptr;
  int status = 0;
  long size = bins;
  fits_create_file(&file, ("!" + path).c_str(), &status);
  fits_create_img(file, DOUBLE_IMG, 1, &size, &status);
  fits_write_img(file, TDOUBLE, 1, bins, counts.data(), &status);
  fits_close_file(file, &status);
  fits_report_error(stderr, status);
  return status == 0;
}
#endif

}  // namespace

int main(int argc, char** argv) {
  std::vector<double> counts = throw_spectrum();
  std::cout << "gsl " << gsl_version << '\n';
#ifdef WITH_FFTW
  smooth(counts);
  std::cout << "fftw " << std::string(fftw_version).substr(0, 11) << '\n';
#endif
  const Eigen::Vector2d heights = fit(counts);
  std::cout << "peak " << std::lround(heights(0)) << " background " << std::lround(heights(1)) << '\n';
#ifdef WITH_CFITSIO
  if (argc > 1) {
    if (!write_fits(argv[1], counts)) return 1;
    std::cout << "written " << argv[1] << '\n';
  }
#else
  if (argc > 1) {
    std::cerr << "hep-spectrum: built without cfitsio: " << argv[1] << " is not written\n";
    return 2;
  }
#endif
  return 0;
}
