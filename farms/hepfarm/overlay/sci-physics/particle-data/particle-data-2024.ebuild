# Distributed under the terms of the licence of this project

EAPI=8

DESCRIPTION="Table of particles: number, name, mass, charge"
HOMEPAGE="https://pdg.lbl.gov/"
S="${WORKDIR}"

LICENSE="MIT"
SLOT="0"
KEYWORDS="amd64"

src_install() {
	insinto /usr/share/particle-data
	doins "${FILESDIR}/standard.tbl"
	keepdir /var/lib/particle-data
}

pkg_postinst() {
	# Other packages and people put tables of their own beside this one: the index
	# can only be made where all of them are.
	local index=${EROOT}/var/lib/particle-data/index
	LC_ALL=C sort -n -u -k1,1 "${EROOT}"/usr/share/particle-data/*.tbl | sed -e '/^#/d' > "${index}" \
		|| die "cannot write ${index}"
	elog "${index} lists $(wc -l < "${index}") particles."
}

pkg_postrm() {
	[[ -n ${REPLACED_BY_VERSION} ]] || rm -f "${EROOT}/var/lib/particle-data/index"
}
