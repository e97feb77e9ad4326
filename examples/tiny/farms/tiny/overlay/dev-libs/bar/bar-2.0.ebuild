# Distributed under the terms of the licence of this project

EAPI=8

inherit tiny

DESCRIPTION="A shared library over libfoo"
HOMEPAGE="https://example.org/bar"

LICENSE="MIT"
SLOT="0/7"
KEYWORDS="amd64"
IUSE="noise"

# Bound to the subslot: another number in libfoo's soname and this is built anew.
RDEPEND="
	dev-libs/libfoo:=
	noise? ( dev-libs/libfoo:=[loud] )
"
DEPEND="${RDEPEND}"

src_compile() {
	tiny_library bar 7 -lfoo
}

src_install() {
	dolib.so libbar.so libbar.so.7
	doheader bar.h
}
