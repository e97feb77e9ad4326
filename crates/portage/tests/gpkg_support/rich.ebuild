EAPI=8
# The comment that a test replaces.
DESCRIPTION="many kinds of entries"
HOMEPAGE="https://example.org"
LICENSE="MIT test? ( || ( MIT ( MIT ) ) )"
SLOT="0/1"
KEYWORDS="amd64"
IUSE="+foo bar test"
S="${WORKDIR}"
MULTI="first
declare -x MAKEOPTS=\"-j9\"
it's 'quoted' \$HOME"
ARR=( "a b" $'c\nd' )
RDEPEND="foo? ( app-misc/other[bar?] ) bar? ( || ( app-misc/none app-misc/more ) )"
own_function() {
	cat <<EOF
}
declare -x GNUMAKEFLAGS="inside"
EOF
	echo $(( 1 << 2 )) <<< "x"
}
src_install() {
	mkdir -p "${D}/usr/lib/a" "${D}/etc/skel" || die
	echo 'int x(void){return 1;}' > "${T}/x.c"
	gcc -shared -fPIC -Wl,-soname,librich.so.1 -o "${D}/usr/lib/librich.so.1" "${T}/x.c" || die
	echo hello > "${D}/usr/lib/a/hello"; ln "${D}/usr/lib/a/hello" "${D}/usr/lib/a/world"
	gcc -shared -fPIC -Wl,-soname,libpoor.so.1 -o "${D}/usr/lib/libpoor.so.1" "${T}/x.c" || die
	ln -s ../a "${D}/usr/lib/a/link"; ln -s /abs/target "${D}/etc/abs"
	local l=$(printf 'n%.0s' {1..120}); echo long > "${D}/etc/${l}"; ln -s "${l}${l}" "${D}/etc/ll"
	echo deep > "${D}/etc/a+b"; mkdir "${D}/etc/a"; echo c > "${D}/etc/a/c"
	chmod 4711 "${D}/usr/lib/a/hello"
	keepdir /var/empty
}
pkg_postinst() { einfo "postinst"; own_function; }
