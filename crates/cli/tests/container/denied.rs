//! Packages that are not published for their licence.

use fs_err as fs;

use crate::support::FarmSpace;

const MANIFEST: &str = "farms/tiny/farm.yaml";
const GROUPS: &str = "NOT-FREE @SECRET\nSECRET Closed Hidden\n";

#[test]
fn a_denied_licence_group_is_what_the_repositories_say() {
    let space = FarmSpace::ready();
    let leaf = "farms/tiny/overlay/app-misc/leaf/leaf-1.0.ebuild";
    space.edit(leaf, "LICENSE=\"MIT\"", "LICENSE=\"Closed\"");
    space.write("farms/tiny/gentoo/licenses/Closed", "Nobody may do anything.\n");
    space.write("farms/tiny/gentoo/profiles/license_groups", GROUPS);
    let place = "pkgs: { to: \"${PKGS}\"";
    space.edit(MANIFEST, place, &format!("{place}, deny: [\"@NOTFREE\"]"));
    let folder = space.folder().join("published");
    let words = [
        "publish-pkgs",
        "tiny",
        "--unsigned",
        &format!("PKGS=file://{}", folder.display()),
    ];

    // Said before anything is built.
    let refused = space.farm(&words).ended(2);
    let stderr = &refused.stderr;
    assert!(
        stderr.contains("no repository has the licence group @NOTFREE"),
        "{refused}"
    );
    assert!(stderr.contains("they have @NOT-FREE, @SECRET"), "{refused}");
    assert!(!stderr.contains("leaf-1.0"), "{refused}");
    assert!(!folder.exists());

    space.edit(MANIFEST, "@NOTFREE", "@NOT-FREE");
    let published = space.farm(&words).succeeded();
    let why = "app-misc/leaf-1.0 is not published: its licence is denied: Closed (@NOT-FREE)";
    assert!(published.stderr.contains(why), "{published}");
    let listed = || -> Vec<String> {
        let index = folder.join(format!("{}.opt/Packages", space.flavour()));
        let text = fs::read_to_string(index).unwrap();
        text.lines()
            .filter_map(|line| Some(line.strip_prefix("CPV: ")?.to_owned()))
            .collect()
    };
    let without = listed();
    assert!(without.contains(&"dev-libs/bar-2.0".to_owned()), "{without:?}");
    assert!(!without.contains(&"app-misc/leaf-1.0".to_owned()), "{without:?}");

    // Nothing is built for it, when the group says something else.
    space.edit("farms/tiny/gentoo/profiles/license_groups", "Closed ", "");
    let all = space.farm(&[&words[..], &["--json"]].concat()).succeeded();
    let built: Vec<_> = all
        .results()
        .into_iter()
        .filter(|(name, result)| name.starts_with("tiny:pkg/") && result == "built")
        .collect();
    assert!(built.is_empty(), "{built:?}");
    assert!(listed().contains(&"app-misc/leaf-1.0".to_owned()));
}
