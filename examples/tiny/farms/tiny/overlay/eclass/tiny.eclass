# Distributed under the terms of the licence of this project

# @ECLASS: tiny.eclass
# @SUPPORTED_EAPIS: 8
# @BLURB: sources that lie in files/, compiled by one call of the compiler

case ${EAPI} in
	8) ;;
	*) die "${ECLASS}: EAPI ${EAPI:-0} is not supported" ;;
esac

S="${WORKDIR}/${PN}"

# @FUNCTION: tiny_src_unpack
tiny_src_unpack() {
	mkdir "${S}" || die
	cp "${FILESDIR}"/*.[ch] "${S}" || die
}

# @FUNCTION: tiny_library
# @USAGE: <name> <number in its soname> [arguments of the compiler]
tiny_library() {
	local name=lib${1}.so soname=lib${1}.so.${2}
	shift 2
	gcc ${CPPFLAGS} ${CFLAGS} ${LDFLAGS} -fPIC -shared -Wl,-soname,${soname} -o ${soname} *.c "$@" \
		|| die "cannot compile ${soname}"
	ln -s ${soname} ${name} || die
}

# @FUNCTION: tiny_program
# @USAGE: <name> [arguments of the compiler]
tiny_program() {
	local name=${1}
	shift
	gcc ${CPPFLAGS} ${CFLAGS} ${LDFLAGS} -o ${name} *.c "$@" || die "cannot compile ${name}"
}

EXPORT_FUNCTIONS src_unpack
