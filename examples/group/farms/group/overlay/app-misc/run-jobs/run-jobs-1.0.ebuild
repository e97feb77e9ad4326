# Distributed under the terms of the licence of this project

EAPI=8

DESCRIPTION="Runs one command for each line of a list of jobs"
HOMEPAGE="https://example.org/run-jobs"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

RDEPEND="app-shells/bash"

src_install() {
	dobin "${FILESDIR}/run-jobs"
}
