#!/bin/sh
# Makes the libraries that abi.rs compares, in the folder of this script: `sh make.sh`, with GCC and binutils on amd64.
#
# They are one library, libx.so.1, and what becomes of it: each file is named after what was changed. Small on purpose:
# without a C library, without symbols for debuggers, and with code and data in one page.
set -e
cd "$(dirname "$0")"
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

cat >"$work/map" <<'END'
X_1 { global: f; g; d; t; local: *; };
X_2 { global: h; } X_1;
END
cat >"$work/f.c" <<'END'
static int hidden(int x) { return x + 1; }
int f(int x) { return hidden(x) * 2; }
__attribute__((weak)) int g(void) { return 3; }
END
cat >"$work/d.c" <<'END'
int d[2] = {1, 2};
__thread int t = 4;
int h(void) { return d[1] + 5; }
END

# link NAME [FLAG...]: with the sources as they are.
link() {
    name=$1
    shift
    for source in f d; do
        gcc -O2 -fPIC -c "$work/$source.c" -o "$work/$source.o" -fcf-protection=none -fno-asynchronous-unwind-tables
    done
    gcc -nostdlib -shared -s -o "$name" -Wl,--build-id=sha1 -Wl,-z,noseparate-code -Wl,-z,max-page-size=16 \
        -Wl,-z,norelro -Wl,--version-script="$work/map" "$@"
    chmod 644 "$name"
}
both="$work/f.o $work/d.o"
change() { sed -i "$2" "$work/$1"; }

link plain.so -Wl,-soname,libx.so.1 $both
link soname.so -Wl,-soname,libx.so.2 $both
link nameless.so $both

cp "$work/f.c" "$work/f.old"
change f.c 's/x + 1/(x ^ 99) + x * x * x/; s/return 3/return 30000/'
link code.so -Wl,-soname,libx.so.1 "$work/d.o" "$work/f.o"
mv "$work/f.old" "$work/f.c"

cp "$work/d.c" "$work/d.old"
change d.c 's/d\[2\]/d[3]/'
link size.so -Wl,-soname,libx.so.1 $both
mv "$work/d.old" "$work/d.c"

cp "$work/f.c" "$work/f.old"
change f.c 's/__attribute__((weak)) //'
link binding.so -Wl,-soname,libx.so.1 $both
mv "$work/f.old" "$work/f.c"

cp "$work/map" "$work/map.old"
change map 's/ g;//'
link removed.so -Wl,-soname,libx.so.1 $both
change map 's/ h; / h; g; /'
link version.so -Wl,-soname,libx.so.1 $both
mv "$work/map.old" "$work/map"

change map 's/ g;/ g; added;/'
echo 'int added(void) { return 6; }' >>"$work/f.c"
link added.so -Wl,-soname,libx.so.1 $both
