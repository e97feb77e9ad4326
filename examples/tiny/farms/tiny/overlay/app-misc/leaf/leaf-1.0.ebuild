# Distributed under the terms of the licence of this project

EAPI=8

inherit tiny

DESCRIPTION="A program that nothing depends on"
HOMEPAGE="https://example.org/leaf"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"
IUSE="upper"

RDEPEND="dev-libs/bar:="
DEPEND="${RDEPEND}"
BDEPEND="dev-util/tool"

src_compile() {
	tool "$(usex upper HELLO hello)" > greeting.h || die
	tiny_program leaf -lbar
}

src_install() {
	dobin leaf
}
