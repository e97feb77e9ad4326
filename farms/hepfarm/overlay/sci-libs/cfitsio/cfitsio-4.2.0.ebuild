# Distributed under the terms of the licence of this project

EAPI=8

inherit cmake

DESCRIPTION="Library that reads and writes FITS data files"
HOMEPAGE="https://heasarc.gsfc.nasa.gov/fitsio/"
SRC_URI="mirror://debian/pool/main/c/cfitsio/cfitsio_${PV}.orig.tar.gz -> ${P}.tar.gz"

LICENSE="ISC"
# The number in the name of libcfitsio.so.
SLOT="0/4"
KEYWORDS="amd64"
IUSE="cpu_flags_x86_sse2 +threads tools"

RDEPEND="sys-libs/zlib:="
DEPEND="${RDEPEND}"

src_configure() {
	local mycmakeargs=(
		-DTESTS=OFF
		-DUSE_BZIP2=OFF
		-DUSE_CURL=OFF
		-DUSE_PTHREADS=$(usex threads)
		-DUSE_SSE2=$(usex cpu_flags_x86_sse2)
		-DUTILS=$(usex tools)
	)
	cmake_src_configure
}
