# Distributed under the terms of the licence of this project

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Fast discrete Fourier transforms"
HOMEPAGE="https://www.fftw.org/"
SRC_URI="mirror://debian/pool/main/f/fftw3/fftw3_${PV}.orig.tar.gz -> ${P}.tar.gz"

LICENSE="GPL-2+"
SLOT="3.0/3"
KEYWORDS="amd64"
IUSE="cpu_flags_x86_avx cpu_flags_x86_avx2 cpu_flags_x86_sse2 openmp static-libs threads"

# A test of the configure script asks for the timer of another compiler: it is meant to fail.
QA_CONFIG_IMPL_DECL_SKIP=( _rtc )

src_configure() {
	tc-export AR CC RANLIB
	econf \
		--disable-fortran \
		--disable-doc \
		--enable-shared \
		$(use_enable cpu_flags_x86_avx avx) \
		$(use_enable cpu_flags_x86_avx2 avx2) \
		$(use_enable cpu_flags_x86_sse2 sse2) \
		$(use_enable openmp) \
		$(use_enable static-libs static) \
		$(use_enable threads)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# It reads a file that only a build by CMake installs.
	rm -r "${ED}/usr/$(get_libdir)/cmake" || die
}
