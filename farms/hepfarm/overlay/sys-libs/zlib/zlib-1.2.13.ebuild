# Distributed under the terms of the licence of this project

EAPI=8

inherit toolchain-funcs

DESCRIPTION="General purpose lossless compression library"
HOMEPAGE="https://zlib.net/"
SRC_URI="mirror://debian/pool/main/z/zlib/zlib_${PV}.dfsg.orig.tar.bz2 -> ${P}.dfsg.tar.bz2"
S="${WORKDIR}/${P}.dfsg"

LICENSE="ZLIB"
SLOT="0/1"
KEYWORDS="amd64"
IUSE="static-libs"

src_configure() {
	tc-export AR CC RANLIB

	# A configure script of its own kind: it knows none of econf's options.
	uname=Linux ./configure \
		--shared \
		--prefix="${EPREFIX}/usr" \
		--libdir="${EPREFIX}/usr/$(get_libdir)" \
		|| die "configure failed"
}

src_install() {
	emake DESTDIR="${D}" LDCONFIG=: install
	einstalldocs
	use static-libs || rm "${ED}/usr/$(get_libdir)/libz.a" || die
}
