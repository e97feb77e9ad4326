# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="Makes a toy spectrum, fits its peak and writes it as a FITS file"
HOMEPAGE="https://example.org/hep-spectrum"
S="${WORKDIR}/${PN}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
IUSE="fftw +fits"

RDEPEND="
	sci-libs/gsl:=
	fftw? ( sci-libs/fftw:3.0= )
	fits? ( sci-libs/cfitsio:=[threads(+)] )
"
# Headers only: whoever installs the package needs none of them.
DEPEND="
	${RDEPEND}
	dev-cpp/eigen:3
	sci-libs/vdt
"
BDEPEND="virtual/pkgconfig"

src_unpack() {
	cp -r "${FILESDIR}/src" "${S}" || die
}

src_configure() {
	local mycmakeargs=(
		-DWITH_CFITSIO=$(usex fits)
		-DWITH_FFTW=$(usex fftw)
	)
	cmake_src_configure
}
