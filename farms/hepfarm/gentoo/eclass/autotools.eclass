# Distributed under the terms of the licence of this project

# @ECLASS: autotools.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: makes the configure script anew
# @DESCRIPTION:
# eautoreconf is for sources that come without a configure script, or whose
# configure.ac was patched. The interface is that of the eclass of the same name
# in ::gentoo, so that an ebuild works over either repository.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

if [[ -z ${_AUTOTOOLS_ECLASS} ]]; then
_AUTOTOOLS_ECLASS=1

# @ECLASS_VARIABLE: AUTOTOOLS_DEPEND
# @OUTPUT_VARIABLE
# @DESCRIPTION:
# What BDEPEND must hold to call eautoreconf.
AUTOTOOLS_DEPEND="
	dev-build/autoconf
	dev-build/automake
	dev-build/libtool
	sys-devel/m4
"
# @ECLASS_VARIABLE: AUTOTOOLS_AUTO_DEPEND
# @PRE_INHERIT
# @DESCRIPTION:
# "no": the ebuild itself puts AUTOTOOLS_DEPEND where it needs it.
[[ ${AUTOTOOLS_AUTO_DEPEND} == no ]] || BDEPEND=${AUTOTOOLS_DEPEND}

# @FUNCTION: eautoreconf
# @DESCRIPTION:
# Runs all the autotools in the current folder and in the folders that
# AC_CONFIG_SUBDIRS names.
eautoreconf() {
	local -a include=()
	[[ -d m4 ]] && include=( -I m4 )
	einfo "Running autoreconf in '${PWD#"${WORKDIR}"/}'"
	autoreconf --force --install "${include[@]}" || die "autoreconf failed"
}

fi
