# Distributed under the terms of the licence of this project

# @ECLASS: toolchain-funcs.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: names the compilers and binary tools an ebuild is to call
# @DESCRIPTION:
# The functions have the names and results of the eclass of the same name in
# ::gentoo, so that an ebuild works over either repository. A tool is, in this
# order: what its variable holds, the tool with the CHOST prefix, the plain tool.

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

if [[ -z ${_TOOLCHAIN_FUNCS_ECLASS} ]]; then
_TOOLCHAIN_FUNCS_ECLASS=1

# @FUNCTION: _tc_find
# @USAGE: <variable> <default tool> [prefix]
# @INTERNAL
# @DESCRIPTION:
# Exports the variable and prints its value.
_tc_find() {
	local variable=${1} tool=${2} prefix=${3:-${CHOST}}

	if [[ -z ${!variable} ]]; then
		local found=${tool}
		[[ -n ${prefix} ]] && type -P "${prefix}-${tool}" >/dev/null && found=${prefix}-${tool}
		export "${variable}=${found}"
	fi
	echo "${!variable}"
}

# @FUNCTION: _tc_find_build
# @USAGE: <variable> <default tool>
# @INTERNAL
# @DESCRIPTION:
# The same for a tool that makes programs which run during the build.
_tc_find_build() {
	local variable=${1} tool=${2}

	if [[ -n ${CBUILD} && ${CBUILD} != "${CHOST}" ]]; then
		_tc_find "BUILD_${variable}" "${tool}" "${CBUILD}"
	else
		_tc_find "${variable}" "${tool}"
	fi
}

# @FUNCTION: tc-getAR
tc-getAR() { _tc_find AR ar; }
# @FUNCTION: tc-getAS
tc-getAS() { _tc_find AS as; }
# @FUNCTION: tc-getCC
tc-getCC() { _tc_find CC gcc; }
# @FUNCTION: tc-getCPP
tc-getCPP() { _tc_find CPP cpp; }
# @FUNCTION: tc-getCXX
tc-getCXX() { _tc_find CXX g++; }
# @FUNCTION: tc-getLD
tc-getLD() { _tc_find LD ld; }
# @FUNCTION: tc-getNM
tc-getNM() { _tc_find NM nm; }
# @FUNCTION: tc-getOBJCOPY
tc-getOBJCOPY() { _tc_find OBJCOPY objcopy; }
# @FUNCTION: tc-getOBJDUMP
tc-getOBJDUMP() { _tc_find OBJDUMP objdump; }
# @FUNCTION: tc-getPKG_CONFIG
tc-getPKG_CONFIG() { _tc_find PKG_CONFIG pkg-config; }
# @FUNCTION: tc-getRANLIB
tc-getRANLIB() { _tc_find RANLIB ranlib; }
# @FUNCTION: tc-getSTRIP
tc-getSTRIP() { _tc_find STRIP strip; }
# @FUNCTION: tc-getBUILD_CC
tc-getBUILD_CC() { _tc_find_build CC gcc; }
# @FUNCTION: tc-getBUILD_CXX
tc-getBUILD_CXX() { _tc_find_build CXX g++; }

# @FUNCTION: tc-export
# @USAGE: <variables>
# @DESCRIPTION:
# Exports each of the named variables (CC, CXX, AR...).
tc-export() {
	local variable
	for variable; do
		declare -F "tc-get${variable}" >/dev/null || die "tc-export: unknown tool ${variable}"
		"tc-get${variable}" >/dev/null
	done
}

# @FUNCTION: tc-is-cross-compiler
# @RETURN: success if programs are made for another kind of machine
tc-is-cross-compiler() {
	[[ ${CBUILD:-${CHOST}} != "${CHOST}" ]]
}

# @FUNCTION: tc-is-gcc
# @RETURN: success if the C compiler is GCC
tc-is-gcc() {
	local macros
	macros=$($(tc-getCC) ${CPPFLAGS} -E -dM - </dev/null 2>/dev/null)
	[[ ${macros} == *__GNUC__* && ${macros} != *__clang__* ]]
}

fi
