// Makes one event out of the particles named on the command line, reads its
// record back and prints with which libraries all this was done.

#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include <HepMC3/GenEvent.h>
#include <HepMC3/GenParticle.h>
#include <HepMC3/GenVertex.h>
#include <HepMC3/Selector.h>
#include <HepMC3/Version.h>
#include <HepMC3/WriterAscii.h>
#include <zlib.h>

#ifdef WITH_CLHEP
#include <CLHEP/Random/MTwistEngine.h>
#endif
#ifdef WITH_FASTJET
#include <fastjet/ClusterSequence.hh>
#endif

#include "report.hh"
#include "words.hh"

namespace {

/// The masses that the package particle-data has put together, by particle number.
std::map<int, double> read_masses(const char* path) {
  std::map<int, double> masses;
  std::ifstream table(path);
  int number;
  std::string name, mass, charge;
  while (table >> number >> name >> mass >> charge) masses[number] = std::atof(mass.c_str());
  return masses;
}

/// The particles fly off at equal angles, 10 GeV each, so that the total is at rest.
HepMC3::GenEvent make_event(const std::vector<int>& numbers, const std::map<int, double>& masses) {
  HepMC3::GenEvent event(HepMC3::Units::GEV, HepMC3::Units::MM);
  auto vertex = std::make_shared<HepMC3::GenVertex>();
  vertex->add_particle_in(std::make_shared<HepMC3::GenParticle>(
      HepMC3::FourVector(0, 0, 0, 10.0 * numbers.size()), 23, 4));
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double angle = 2 * M_PI * i / numbers.size();
    const auto known = masses.find(numbers[i]);
    const double mass = known == masses.end() ? 0 : known->second;
    const double momentum = std::sqrt(100 - mass * mass);
    vertex->add_particle_out(std::make_shared<HepMC3::GenParticle>(
        HepMC3::FourVector(momentum * std::cos(angle), momentum * std::sin(angle), 0, 10), numbers[i], 1));
  }
  event.add_vertex(vertex);
  return event;
}

}  // namespace

int main(int argc, char** argv) {
  std::vector<int> numbers;
  for (int i = 1; i < argc; ++i) {
    const Word* word = Words::find(argv[i], std::strlen(argv[i]));
    if (word == nullptr) {
      std::cerr << "hep-hello: unknown particle " << argv[i] << '\n';
      return 2;
    }
    numbers.push_back(word->number);
  }
  if (numbers.empty()) numbers = {211, 211, 321, 2212};

  std::cout << "HepMC3 " << HepMC3::version() << '\n';
  std::cout << "zlib " << zlibVersion() << '\n';

  const std::map<int, double> masses = read_masses("/var/lib/particle-data/index");
  std::cout << "particle-data " << masses.size() << " particles\n";

  const HepMC3::GenEvent event = make_event(numbers, masses);
  std::ostringstream record;
  {
    HepMC3::WriterAscii writer(record);
    writer.write_event(event);
  }
  const std::string text = record.str();
  const uLong check = crc32(0, reinterpret_cast<const Bytef*>(text.data()), text.size());
  std::cout << "event " << event.particles().size() << " particles, " << event.vertices().size()
            << " vertex, record of " << text.size() << " bytes, crc32 " << std::hex << check << std::dec << '\n';

#ifdef WITH_FASTJET
  std::vector<fastjet::PseudoJet> inputs;
  for (const auto& particle : event.particles()) {
    if (particle->status() != 1) continue;
    const HepMC3::FourVector& p = particle->momentum();
    inputs.emplace_back(p.px(), p.py(), p.pz(), p.e());
  }
  fastjet::ClusterSequence::print_banner();
  const fastjet::ClusterSequence jets(inputs, fastjet::JetDefinition(fastjet::antikt_algorithm, 0.4));
  std::cout << "fastjet " << jets.inclusive_jets(1.0).size() << " jets\n";
#endif
#ifdef WITH_CLHEP
  CLHEP::MTwistEngine engine(1234567);
  std::cout << "clhep " << engine.name() << ' ' << engine.flat() << '\n';
#endif
  report("done");
  return 0;
}
