# Distributed under the terms of the licence of this project

# @ECLASS: flag-o-matic.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: adds compiler flags and takes them away
# @DESCRIPTION:
# The functions have the names and results of the eclass of the same name in
# ::gentoo, so that an ebuild works over either repository.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

if [[ -z ${_FLAG_O_MATIC_ECLASS} ]]; then
_FLAG_O_MATIC_ECLASS=1

inherit toolchain-funcs

# @FUNCTION: append-cppflags
# @USAGE: <flags>
append-cppflags() { export CPPFLAGS+=" $*"; }
# @FUNCTION: append-cflags
# @USAGE: <flags>
append-cflags() { export CFLAGS+=" $*"; }
# @FUNCTION: append-cxxflags
# @USAGE: <flags>
append-cxxflags() { export CXXFLAGS+=" $*"; }
# @FUNCTION: append-fflags
# @USAGE: <flags>
append-fflags() { export FFLAGS+=" $*" FCFLAGS+=" $*"; }
# @FUNCTION: append-ldflags
# @USAGE: <flags>
append-ldflags() { export LDFLAGS+=" $*"; }

# @FUNCTION: append-flags
# @USAGE: <flags>
# @DESCRIPTION:
# Adds flags for every compiled language.
append-flags() {
	append-cflags "$@"
	append-cxxflags "$@"
	append-fflags "$@"
}

# @FUNCTION: filter-flags
# @USAGE: <patterns>
# @DESCRIPTION:
# Takes away each flag that matches one of the shell patterns.
filter-flags() {
	local variable pattern flag
	for variable in CFLAGS CPPFLAGS CXXFLAGS FFLAGS FCFLAGS LDFLAGS; do
		local -a kept=()
		for flag in ${!variable}; do
			for pattern; do
				[[ ${flag} == ${pattern} ]] && continue 2
			done
			kept+=( "${flag}" )
		done
		export "${variable}=${kept[*]}"
	done
}

# @FUNCTION: replace-flags
# @USAGE: <pattern> <new flag>
# @DESCRIPTION:
# Puts the new flag in the place of each flag that matches the shell pattern.
replace-flags() {
	[[ $# -eq 2 ]] || die "replace-flags takes a pattern and a flag"
	local variable flag
	for variable in CFLAGS CXXFLAGS FFLAGS FCFLAGS; do
		local -a flags=()
		for flag in ${!variable}; do
			[[ ${flag} == ${1} ]] && flag=${2}
			flags+=( "${flag}" )
		done
		export "${variable}=${flags[*]}"
	done
}

# @FUNCTION: filter-lto
# @DESCRIPTION:
# Takes away link time optimisation.
filter-lto() { filter-flags '-flto*' '-fwhole-program-vtables' '-fsplit-lto-unit'; }

# @FUNCTION: is-flagq
# @USAGE: <pattern>
# @RETURN: success if a compiler flag matches the shell pattern
is-flagq() {
	local flag
	for flag in ${CFLAGS} ${CXXFLAGS} ${FFLAGS} ${FCFLAGS}; do
		[[ ${flag} == ${1} ]] && return 0
	done
	return 1
}

fi
