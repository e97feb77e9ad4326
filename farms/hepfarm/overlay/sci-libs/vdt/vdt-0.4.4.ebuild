# Distributed under the terms of the licence of this project

EAPI=8

DESCRIPTION="Fast mathematical functions that a compiler can vectorise"
HOMEPAGE="https://github.com/dpiparo/vdt"
# The library is its headers. They come from Debian's binary package, because
# not every mirror of Debian carries the tarball of the source.
SRC_URI="mirror://debian/pool/main/v/vdt/libvdt-dev_${PV}-3_amd64.deb -> ${P}.deb"
S="${WORKDIR}/usr"

LICENSE="LGPL-3+"
SLOT="0"
KEYWORDS="amd64"
IUSE="examples"

src_unpack() {
	default
	unpack ./data.tar.xz
}

src_install() {
	doheader -r include/vdt

	cd share/doc/libvdt-dev || die
	gunzip ReadMe.md.gz || die
	dodoc ReadMe.md
	if use examples; then
		dodoc -r examples
		docompress -x /usr/share/doc/${PF}/examples
	fi
}
