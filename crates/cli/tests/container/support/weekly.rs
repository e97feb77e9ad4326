//! A base as a weekly stage3 is one: more than twenty packages with their files, as Portage would have merged them, two of which are built
//! with each other; and the repository that they came from.

use std::sync::OnceLock;

use super::base::{git_image, kept_variant};
use super::parts::Part;
use super::{FarmSpace, base_image};

/// Puts the packages of [`base_image`] there that [`weekly_base`] has besides.
///
/// `part CATEGORY NAME SLOT RDEPEND BDEPEND FLAG CONTENT` registers a version 1.0, as [`Part`] makes them, and adds it to the world file.
const WEEKLY: &str = r#"
part() {
  entry=/var/db/pkg/$1/$2-1.0; file=/usr/share/parts/$2
  mkdir -p "$entry" /usr/share/parts
  printf '%b' "$7" > "$file"
  printf 'dir /usr\ndir /usr/share\ndir /usr/share/parts\nobj %s %s %s\n' "$file" "$(md5sum < "$file" | cut -c1-32)" "$(stat -c %Y "$file")" > "$entry/CONTENTS"
  echo "$1" > "$entry/CATEGORY"; echo "$2-1.0" > "$entry/PF"; echo 8 > "$entry/EAPI"; echo "$3" > "$entry/SLOT"
  echo tiny > "$entry/repository"; echo amd64 > "$entry/KEYWORDS"; echo MIT > "$entry/LICENSE"
  [ -z "$4" ] || { echo "$4" > "$entry/RDEPEND"; echo "$4" > "$entry/DEPEND"; }
  [ -z "$5" ] || echo "$5" > "$entry/BDEPEND"
  [ -z "$6" ] || { echo "+$6" > "$entry/IUSE"; echo "$6" > "$entry/USE"; }
  echo "$1/$2" >> /var/lib/portage/world
}
mkdir -p /var/lib/portage
part dev-libs l00 0/1 '' '' '' 'l00 1.0\n'
part dev-libs l01 0 dev-libs/l00:0/1= '' '' 'l01 1.0\nl00 1.0\n'
part dev-libs l02 0 dev-libs/l01 '' '' 'l02 1.0\nl01 1.0\nl00 1.0\n'
for number in 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 19; do
  part dev-libs l$number 0 '' '' '' "l$number 1.0\n"
done
part dev-util aa 0 '' 'full? ( dev-util/cc )' full 'aa 1.0\n'
part dev-util cc 0 '' dev-util/aa '' 'cc 1.0\naa 1.0\n'
env-update > /dev/null
"#;

/// The name of a local image: [`base_image`] with twenty libraries of which the first binds the second, and the third needs that; and two
/// tools that are built with each other. All are in the world file. Kept from run to run, like what it is made of.
pub(crate) fn weekly_base() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| kept_variant(base_image(), WEEKLY))
}

/// The same on [`git_image`], for what is built from git.
pub(crate) fn weekly_git_base() -> &'static str {
    static NAME: OnceLock<String> = OnceLock::new();
    NAME.get_or_init(|| kept_variant(git_image(), WEEKLY))
}

/// What [`weekly_base`] becomes when `script` ran in it as root; likewise kept.
pub(crate) fn weekly_variant(script: &str) -> String {
    kept_variant(weekly_base(), script)
}

/// The packages that [`weekly_base`] has besides those of [`base_image`].
pub(super) fn weekly_parts() -> Vec<Part> {
    let mut parts = vec![
        Part::new("dev-libs/l00-1.0").head("SLOT=\"0/1\""),
        Part::new("dev-libs/l01-1.0")
            .uses("dev-libs/l00:=")
            .built_from(&["l00"]),
        Part::new("dev-libs/l02-1.0").uses("dev-libs/l01").built_from(&["l01"]),
        Part::new("dev-util/aa-1.0")
            .head("IUSE=\"+full\"")
            .built_with("full? ( dev-util/cc )"),
        Part::new("dev-util/cc-1.0")
            .built_with("dev-util/aa")
            .built_from(&["aa"]),
    ];
    parts.extend((3..20).map(|number| Part::new(&format!("dev-libs/l{number:02}-1.0"))));
    parts
}

/// The manifest of a farm called `tiny` on a base: its flavour and its repositories, then these lines of `binfarm`, and then the `rest`.
pub(crate) fn weekly_manifest(space: &FarmSpace, base: &str, binfarm: &str, rest: &str) -> String {
    format!(
        "farm: tiny\nflavour: {}.opt\nbinfarm:\n  base: {{ image: \"{base}\" }}\n  \
         repos: {{ gentoo: {{ path: gentoo }}, tiny: {{ path: overlay }} }}\n  \
         profile: tiny:binfarm/opt\n  config: [common]\n{binfarm}{rest}",
        space.flavour()
    )
}
