# Distributed under the terms of the licence of this project

EAPI=8

inherit tiny

DESCRIPTION="Writes a header: needed to build others, never to run them"
HOMEPAGE="https://example.org/tool"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_compile() {
	tiny_program tool
}

src_install() {
	dobin tool
}
