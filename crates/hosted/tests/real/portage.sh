# Run by bash in a container of a hosted root: uses the real Portage there, and fails at the first thing that is not as
# it should be. Every line that Portage writes and that looks like a complaint is a failure.
set -eu
fail() { echo "FAILED: $*"; exit 1; }

touch /tmp/start

# A repository with a profile, a library that others link to, and a program that needs it.
R=/var/db/repos/toy
mkdir -p $R/metadata $R/profiles/toy $R/licenses $R/app-misc/libtoy $R/app-misc/toy
printf 'masters =\nprofile-formats = portage-2\nthin-manifests = true\nsign-manifests = false\n' > $R/metadata/layout.conf
echo toy > $R/profiles/repo_name
echo amd64 > $R/profiles/arch.list
printf 'app-misc\n' > $R/profiles/categories
echo 'amd64 toy stable' > $R/profiles/profiles.desc
echo 8 > $R/profiles/eapi
echo 8 > $R/profiles/toy/eapi
echo 'placeholder' > $R/licenses/GPL-2
cat > $R/profiles/toy/make.defaults <<'EOF'
ARCH="amd64"
CHOST="x86_64-linux-gnu"
ACCEPT_KEYWORDS="amd64"
CFLAGS="-O2 -g"
ELIBC="glibc"
KERNEL="linux"
USE_EXPAND="ELIBC KERNEL"
USE_EXPAND_IMPLICIT="ELIBC KERNEL"
USE_EXPAND_VALUES_ELIBC="glibc"
USE_EXPAND_VALUES_KERNEL="linux"
IUSE_IMPLICIT="amd64"
ABI="amd64"
DEFAULT_ABI="amd64"
LIBDIR_amd64="lib64"
EOF
cat > $R/profiles/toy/packages <<'EOF'
*sys-libs/glibc
*sys-devel/gcc
*sys-apps/portage
EOF
cat > $R/app-misc/libtoy/libtoy-1.ebuild <<'EOF'
EAPI=8
DESCRIPTION="A toy library"
LICENSE="GPL-2"
SLOT="0/1"
KEYWORDS="amd64"
S=${WORKDIR}
BDEPEND="sys-devel/gcc[cxx(-)] virtual/pkgconfig"
src_compile() {
	has_version 'dev-lang/python:3.11[ssl(+)]' || die "python is not known"
	has_version '>=sys-devel/gcc-99' && die "gcc is too new"
	echo '#include <math.h>
	double toy(double x) { return sin(x); }' > toy.c || die
	${CHOST}-gcc ${CFLAGS} -fPIC -shared -Wl,-soname,libtoy.so.1 ${LDFLAGS} toy.c -o libtoy.so.1 -lm || die
}
src_install() { dolib.so libtoy.so.1; dosym libtoy.so.1 /usr/lib64/libtoy.so; doenvd "${FILESDIR}"/90toy; }
EOF
mkdir $R/app-misc/libtoy/files
echo 'PATH="/opt/toy/bin"' > $R/app-misc/libtoy/files/90toy
cat > $R/app-misc/toy/toy-1.ebuild <<'EOF'
EAPI=8
DESCRIPTION="A toy"
LICENSE="GPL-2"
SLOT="0"
KEYWORDS="amd64"
S=${WORKDIR}
DEPEND="app-misc/libtoy:="
RDEPEND="${DEPEND}"
src_compile() {
	echo '#include <stdio.h>
	double toy(double); int main(int n, char **v) { printf("%.1f\n", toy(n - 1)); return 0; }' > toy.c || die
	${CHOST}-gcc ${CFLAGS} ${LDFLAGS} toy.c -o toy -L/usr/lib64 -ltoy || die
}
src_install() { dobin toy; }
EOF
mkdir -p /etc/portage/repos.conf
printf '[DEFAULT]\nmain-repo = toy\n[toy]\nlocation = %s\nauto-sync = no\n' $R > /etc/portage/repos.conf/toy.conf
ln -s $R/profiles/toy /etc/portage/make.profile
# Debian has no sandbox program; the other four need rights that a plain container does not have.
cat > /etc/portage/make.conf <<'EOF'
FEATURES="-sandbox -usersandbox -ipc-sandbox -network-sandbox -pid-sandbox -mount-sandbox"
EOF

run() {
	echo "# $*"
	"$@" > /tmp/out 2>&1 || { cat /tmp/out; fail "exit status $?"; }
	cat /tmp/out
	! grep -nE '!!!|QA Notice|[Ww]arning|WARNING|Unable to|not found|Unresolved|Traceback|deprecated' /tmp/out ||
		fail "a complaint in the output of $*"
}
expect() { [ "$1" = "$2" ] || fail "$3: $1 instead of $2"; }

run emerge --version
grep -q "^Portage $PORTAGE " /tmp/out || fail "not Portage $PORTAGE"
run emerge --info
grep -q '^PKGDIR="/var/cache/binpkgs"' /tmp/out || fail "PKGDIR"
grep -q '^sys-devel/gcc: *12\.' /tmp/out || grep -q 'x86_64' /tmp/out || fail "emerge --info does not know the toolchain"

run emerge --pretend --verbose app-misc/toy
expect "$(grep -c '^\[ebuild ' /tmp/out)" 2 "packages in the plan"
run emerge --pretend --deep --with-bdeps=y --newuse --changed-deps=n --autounmask=n app-misc/toy
expect "$(grep -c '^\[ebuild ' /tmp/out)" 2 "packages in the deep plan"

run emerge --oneshot --nodeps --buildpkg app-misc/libtoy
run emerge --oneshot --nodeps --buildpkgonly app-misc/toy
set -- /var/cache/binpkgs/app-misc/toy/toy-1-1.gpkg.tar
[ -s "$1" ] || fail "no package was packed"
run emerge --oneshot --usepkgonly app-misc/toy
grep -q libtoy.so.1 /var/db/pkg/app-misc/toy-1/NEEDED.ELF.2 || fail "scanelf recorded nothing"
grep -q 'libtoy:0/1=' /var/db/pkg/app-misc/toy-1/RDEPEND || fail "the subslot is not bound"
expect "$(toy)" 0.0 "what the program says"

# The merges made Portage write the environment anew: Debian's places must still be there.
grep -q /usr/lib/x86_64-linux-gnu /etc/ld.so.conf || fail "ld.so.conf lost Debian's folders"
( . /etc/profile.env && case ":$PATH:" in *:/usr/bin:*:/opt/toy/bin:*) ;; *) fail "PATH is $PATH" ;; esac )
ldconfig -p | grep -q 'libmpfr.so.6.*x86_64-linux-gnu' || fail "the loader lost Debian's folders"

expect "$(portageq match / sys-devel/gcc)" "$(cd /var/db/pkg && echo sys-devel/gcc-[0-9]*)" "portageq match"
portageq has_version / 'virtual/libc' || fail "virtual/libc is not installed"
portageq has_version / 'dev-lang/python:3.11' || fail "python is not in its slot"
for id in -u -g; do expect "$(id $id portage)" 250 "id $id of portage"; done

# A module compiled now would be compiled at every start, and lie in every layer.
stale=$(find / -xdev -path /proc -prune -o -name '*.pyc' -newer /tmp/start -print | head -n 5)
[ -z "$stale" ] || fail "modules were compiled: $stale"
echo "ALL IS WELL"
