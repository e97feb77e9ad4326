# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="Event record for Monte Carlo generators in high energy physics"
HOMEPAGE="https://hepmc.web.cern.ch/hepmc/"
SRC_URI="mirror://debian/pool/main/h/hepmc3/hepmc3_${PV}.orig.tar.gz -> ${P}.tar.gz"
S="${WORKDIR}/HepMC3-${PV}"

LICENSE="LGPL-3"
# The number in the name of libHepMC3.so.
SLOT="3/2"
KEYWORDS="amd64"
IUSE="examples +search static-libs"

src_configure() {
	local mycmakeargs=(
		-DHEPMC3_BUILD_EXAMPLES=OFF
		-DHEPMC3_ENABLE_ROOTIO=OFF
		-DHEPMC3_ENABLE_SEARCH=$(usex search)
		-DHEPMC3_ENABLE_TEST=OFF
		-DHEPMC3_INSTALL_INTERFACES=OFF
	)
	cmake_src_configure
}

src_install() {
	cmake_src_install

	# Upstream installs its whole build folder of the search library.
	rm -f "${ED}/usr/$(get_libdir)/cmake_install.cmake" || die
	use static-libs || find "${ED}" -name '*.a' -delete || die
	if use examples; then
		dodoc -r examples
		docompress -x /usr/share/doc/${PF}/examples
	fi
}
