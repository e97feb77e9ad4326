# Distributed under the terms of the licence of this project

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Makes perfect hash functions out of lists of words"
HOMEPAGE="https://www.gnu.org/software/gperf/"
SRC_URI="mirror://debian/pool/main/g/gperf/gperf_${PV}.orig.tar.gz -> ${P}.tar.gz"

LICENSE="GPL-3+"
SLOT="0"
KEYWORDS="amd64"

src_configure() {
	tc-export AR CC CXX RANLIB
	econf
}

src_install() {
	# The documentation is installed into the folder of another version otherwise.
	emake DESTDIR="${D}" docdir="${EPREFIX}/usr/share/doc/${PF}/html" install
	einstalldocs
}
