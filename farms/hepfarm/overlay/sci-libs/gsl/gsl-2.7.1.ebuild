# Distributed under the terms of the licence of this project

EAPI=8

inherit toolchain-funcs

DESCRIPTION="GNU Scientific Library: numerical routines for C and C++"
HOMEPAGE="https://www.gnu.org/software/gsl/"
SRC_URI="mirror://debian/pool/main/g/gsl/gsl_${PV}+dfsg.orig.tar.gz -> ${P}+dfsg.tar.gz"
S="${WORKDIR}/${PN}"

LICENSE="GPL-3+"
# The number in the name of libgsl.so.
SLOT="0/27"
KEYWORDS="amd64"
IUSE="+deprecated static-libs"

# A test of the configure script calls exit without its header.
QA_CONFIG_IMPL_DECL_SKIP=( exit )

src_prepare() {
	default

	# Debian's tarball lacks the manual, which is not free.
	sed -i -e '/^SUBDIRS =/s/ doc$//' Makefile.in || die
	use deprecated || sed -i -e '/^#undef GSL_DISABLE_DEPRECATED/s/undef\(.*\)/define\1 1/' config.h.in || die
}

src_configure() {
	tc-export AR CC RANLIB
	econf $(use_enable static-libs static)
}

src_install() {
	default
	find "${ED}" -name '*.la' -delete || die
}
