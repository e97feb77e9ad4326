# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="Makes one event and says with which libraries it was made"
HOMEPAGE="https://example.org/hep-hello"
S="${WORKDIR}/${PN}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
IUSE="clhep +fastjet log"

RDEPEND="
	sci-physics/hepmc:=[search]
	sci-physics/particle-data
	sys-libs/zlib:=
	clhep? ( sci-physics/clhep:= )
	fastjet? ( sci-physics/fastjet:= )
	log? ( dev-libs/log4cpp:= )
"
DEPEND="${RDEPEND}"
BDEPEND="
	dev-util/gperf
	virtual/pkgconfig
"

src_unpack() {
	cp -r "${FILESDIR}/src" "${S}" || die
}

src_configure() {
	local mycmakeargs=(
		-DWITH_CLHEP=$(usex clhep)
		-DWITH_FASTJET=$(usex fastjet)
		-DWITH_LOG4CPP=$(usex log)
	)
	cmake_src_configure
}
