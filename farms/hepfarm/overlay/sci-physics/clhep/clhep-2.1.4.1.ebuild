# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="Class library for high energy physics: vectors, random numbers, units"
HOMEPAGE="https://proj-clhep.web.cern.ch/"
SRC_URI="mirror://debian/pool/main/c/clhep/clhep_${PV}+dfsg.orig.tar.gz -> ${P}+dfsg.tar.gz"
S="${WORKDIR}/${P}.orig"

LICENSE="GPL-3 LGPL-3"
# The names of the libraries hold the whole version.
SLOT="2/${PV}"
KEYWORDS="amd64"
IUSE="static-libs test"
RESTRICT="!test? ( test )"
REQUIRED_USE="test? ( static-libs )"

PATCHES=(
	"${FILESDIR}/${P}-compile-once.patch"
	"${FILESDIR}/${P}-show-status.patch"
)

src_configure() {
	local mycmakeargs=(
		-DCLHEP_STATIC=$(usex static-libs)
		-DCLHEP_TESTS=$(usex test)
	)
	cmake_src_configure
}

src_install() {
	cmake_src_install

	# A script for each part, with names as general as Vector-config: clhep-config
	# has all that they know.
	rm "${ED}"/usr/bin/[A-Z]*-config || die
}
