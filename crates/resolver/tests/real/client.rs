//! What clients get of a profile, held against the profile itself by Portage.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::support::{Toy, toy};

/// Nodes of every kind that Portage knows: with directories and without, with formats that a profile outside of repositories lacks, and
/// what a root keeps in /etc/portage/profile. In some of them stands what is nobody's business.
const CHAIN: &str = r#"
-- etc/portage/repos.conf --
[DEFAULT]
main-repo = gentoo
[gentoo]
location = /var/db/repos/gentoo
[extra]
location = /var/db/repos/extra
[strict]
location = /var/db/repos/strict
[formats]
location = /var/db/repos/formats
-- etc/portage/profile/package.use.mask --
# Only here may atoms have wildcards.
dev-libs/* cycle
-- etc/portage/profile/make.defaults --
USE="late"
DISTDIR="/srv/SECRET"
-- var/db/repos/strict/metadata/layout.conf --
masters = gentoo
profile-formats = pms
-- var/db/repos/strict/profiles/repo_name --
strict
-- var/db/repos/strict/profiles/eapi --
5
-- var/db/repos/strict/profiles/plain/eapi --
5
-- var/db/repos/strict/profiles/plain/package.use --
dev-libs/use-parent -flag # a comment with a SECRET
-- var/db/repos/strict/profiles/plain/package.mask --
dev-libs/leaf
dev-libs/testing
-- var/db/repos/strict/profiles/plain/package.unmask --
dev-libs/testing
-- var/db/repos/strict/profiles/plain/use.stable.mask --
other
-- var/db/repos/strict/profiles/plain/package.provided --
dev-libs/somewhere-1
-- var/db/repos/formats/metadata/layout.conf --
masters = gentoo
profile-formats = portage-2 profile-repo-deps build-id profile-license
-- var/db/repos/formats/profiles/repo_name --
formats
-- var/db/repos/formats/profiles/eapi --
8
-- var/db/repos/formats/profiles/all/parent --
gentoo:base
strict:plain
-- var/db/repos/formats/profiles/all/package.use/10-one --
dev-libs/inheriting -doc
-- var/db/repos/formats/profiles/all/package.use/20-two --
dev-libs/inheriting doc
dev-libs/environment::gentoo doc
-- var/db/repos/formats/profiles/all/package.mask --
-dev-libs/leaf
dev-libs/plain::nowhere
-- var/db/repos/formats/profiles/all/package.accept_keywords --
dev-libs/testing
-- var/db/repos/formats/profiles/all/package.license --
dev-libs/proprietary @EULA EULA -@OSI
-- var/db/repos/formats/profiles/all/use.force/forced --
prefix
-- var/db/repos/formats/profiles/all/packages --
-*sys-devel/compiler
*sys-libs/libc
-- var/db/repos/formats/profiles/all/make.defaults --
BASE="farm"
USE="${BASE} -loud"
KERNEL="linux"
USE_EXPAND="${USE_EXPAND} CARDS"
CARDS="red -blue green"
ACCEPT_LICENSE="-* @FREE"
MAKEOPTS="-j64"
PKGDIR="/srv/SECRET"
FETCHCOMMAND="curl --header 'Token: SECRET' -o \"\${DISTDIR}/\${FILE}\" \"\${URI}\""
CFLAGS="-O3 -I/srv/SECRET"
"#;

fn with_chain() -> Toy {
    let toy = Toy::with(CHAIN);
    toy.exec(
        &[
            "ln",
            "-sfn",
            "../../var/db/repos/formats/profiles/all",
            "/etc/portage/make.profile",
        ],
        b"",
    );
    toy
}

fn both(toy: &Toy, texts: &BTreeMap<String, String>) -> [Value; 2] {
    let texts = serde_json::to_vec(texts).expect("texts are JSON");
    let printed = toy.exec(&["python3", "-c", include_str!("client.py")], &texts);
    serde_json::from_slice(&printed).expect("the script prints JSON")
}

/// What is different, a line each: an assertion of the whole would say nothing.
fn differences(path: &str, [one, other]: [&Value; 2]) -> Vec<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) if one.keys().eq(other.keys()) => one
            .iter()
            .flat_map(|(key, value)| differences(&format!("{path}/{key}"), [value, &other[key]]))
            .collect(),
        _ if one == other => Vec::new(),
        _ => vec![format!("{path}: {one} and {other}")],
    }
}

#[test]
fn a_flattened_profile_says_the_same_of_every_package() {
    let toy = with_chain();
    let plan = toy.plan(&["dev-libs/plain"]);
    let texts = &plan.profile.client;
    let [own, client] = both(&toy, texts);
    // So that the comparison is one of something.
    let of = |cpv: &str, key: &str| own["packages"][cpv][key].to_string();
    assert!(of("dev-libs/inheriting-1", "use").contains("doc"), "{own:#}");
    assert!(of("dev-libs/use-parent-1", "use").contains("flag"));
    assert!(of("dev-libs/environment-1", "use").contains("doc"));
    assert_eq!(of("dev-libs/testing-1", "mask"), "\"dev-libs/testing\"");
    assert_eq!(of("dev-libs/masked-1", "mask"), "\"dev-libs/masked::gentoo\"");
    assert_eq!(own["system"], serde_json::json!(["*sys-libs/libc"]));
    assert_eq!(of("dev-libs/leaf-1", "mask"), "\"None\"");
    assert_eq!(of("dev-libs/plain-1", "mask"), "\"None\"");
    assert_eq!(of("dev-libs/testing-1", "keywords"), "[]");
    assert_eq!(of("dev-libs/leaf-3", "keywords"), "[\"~amd64\"]");
    assert_eq!(of("dev-libs/proprietary-1", "licenses"), "[]");
    assert!(of("dev-libs/use-parent-1", "usemask").contains("other"));
    assert_eq!(own["settings"]["CARDS"], serde_json::json!(["green", "red"]));
    assert_eq!(differences("", [&own, &client]), [""; 0], "{texts:#?}");
}

#[test]
fn nothing_of_the_machine_is_in_it() {
    let toy = with_chain();
    let plan = toy.plan(&["dev-libs/plain"]);
    let texts = &plan.profile.client;
    for (path, text) in texts {
        assert!(!text.contains("CFLAGS=\"") && !text.contains('@'), "{path}:\n{text}");
        for word in ["SECRET", "/srv", "/var", "/etc", "MAKEOPTS", "curl", "FEATURES", "#"] {
            assert!(!text.contains(word), "{word} in {path}:\n{text}");
        }
    }
    assert_eq!(
        texts["profile/parent"],
        "0001-gentoo-base\n0002-strict-plain\n0003-formats-all\n"
    );
    assert_eq!(
        texts["profile/0003-formats-all/make.defaults"],
        "ACCEPT_LICENSE=\"-* MIT\"\nCARDS=\"red -blue green\"\nKERNEL=\"linux\"\nUSE=\"farm -loud\"\n\
         USE_EXPAND=\"ELIBC KERNEL CARDS\"\n"
    );
    assert_eq!(texts["profile/0002-strict-plain/eapi"], "5\n");
    assert!(!texts.contains_key("profile/0002-strict-plain/package.unmask"));
    assert_eq!(texts["user-profile/package.use"], "dev-libs/environment::gentoo doc\n");
    assert_eq!(
        texts["package.license/0003-formats-all"],
        "dev-libs/proprietary MIT Secret EULA -MIT\n"
    );
    assert_eq!(
        texts["make.conf"],
        "ACCEPT_KEYWORDS=\"amd64\"\nACCEPT_LICENSE=\"MIT\"\nCHOST=\"x86_64-pc-linux-gnu\"\n\
         USE=\"elibc_glibc kernel_linux amd64 farm -loud late\"\nCARDS=\"green red\"\n"
    );
}

#[test]
fn the_same_root_gives_the_same_texts() {
    let [one, other] = [0, 1].map(|_| toy().plan(&["dev-libs/plain"]).profile.client);
    assert_eq!(one, other);
    assert_eq!(one["profile/parent"], "0001-gentoo-base\n");
}
