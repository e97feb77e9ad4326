# Distributed under the terms of the licence of this project

EAPI=8

inherit tiny

DESCRIPTION="A shared library that counts"
HOMEPAGE="https://example.org/libfoo"

LICENSE="MIT"
SLOT="0/1"
KEYWORDS="amd64"
IUSE="loud"

src_compile() {
	use loud && local CPPFLAGS="${CPPFLAGS} -DFOO_LOUD"
	tiny_library foo 1
}

src_install() {
	dolib.so libfoo.so libfoo.so.1
	doheader foo.h
}

pkg_postinst() {
	mkdir -p "${EROOT}/var/lib/libfoo" || die
	echo "${PVR}" > "${EROOT}/var/lib/libfoo/ready" || die
}
