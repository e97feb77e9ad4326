# Distributed under the terms of the licence of this project

EAPI=8

inherit toolchain-funcs

DESCRIPTION="Flexible logging to files, syslog and other places for C++"
HOMEPAGE="https://log4cpp.sourceforge.net/"
SRC_URI="mirror://debian/pool/main/l/log4cpp/log4cpp_${PV}.orig.tar.gz -> ${P}.tar.gz"
S="${WORKDIR}/${PN}"

LICENSE="LGPL-2.1"
SLOT="0/5"
KEYWORDS="amd64"
IUSE="static-libs"

src_configure() {
	tc-export AR CC CXX RANLIB
	econf \
		--disable-doxygen \
		--disable-dot \
		--disable-html-docs \
		--without-idsa \
		$(use_enable static-libs static)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
	# The flags of this build are nothing for those who use the library.
	sed -i -e '/^Cflags:/s/}.*/}/' "${ED}/usr/$(get_libdir)/pkgconfig/log4cpp.pc" || die
}
