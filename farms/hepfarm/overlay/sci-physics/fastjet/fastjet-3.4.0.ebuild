# Distributed under the terms of the licence of this project

EAPI=8

inherit autotools toolchain-funcs

DESCRIPTION="Finds jets in pp and e+e- collisions"
HOMEPAGE="https://fastjet.fr/"
SRC_URI="mirror://debian/pool/main/f/fastjet/fastjet_${PV}+dfsg.orig.tar.xz -> ${P}+dfsg.tar.xz"

LICENSE="GPL-2"
SLOT="0/${PV}"
KEYWORDS="amd64"
IUSE="plugins static-libs"

src_prepare() {
	default

	# The source of SISCone is not in Debian's tarball.
	sed -i -e '/^AC_CONFIG_SUBDIRS(plugins\/SISCone\/siscone)/d' configure.ac || die
	sed -i -e '/^SUBDIRS =/s/ siscone / /' plugins/SISCone/Makefile.am || die
	# Of no use to those who only install the library, and half of the time it takes.
	sed -i -e '/^SUBDIRS =/s/ example fortran_wrapper doc//' Makefile.am || die
	eautoreconf
}

src_configure() {
	tc-export AR CC CXX RANLIB
	# SISCone and PxCone need what is not there: a source and a Fortran compiler.
	econf \
		--enable-shared \
		--disable-auto-ptr \
		--disable-debug \
		$(use_enable plugins allcxxplugins) \
		--disable-siscone \
		--disable-pxcone \
		$(use_enable static-libs static)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
