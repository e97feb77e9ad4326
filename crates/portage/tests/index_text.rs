//! Texts of `Packages` files, sound and odd ones, are read and written again as Portage's own class does it.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use farm_portage::index::Index;
use gpkg_support::Lab;
use gpkg_support::random::Random;

/// Keys that Portage knows in a package, in the words of the file and its own. Others it drops; here they are kept.
const KEYS: [&str; 20] = [
    "CPV",
    "CPV",
    "CPV",
    "BUILD_ID",
    "CHOST",
    "DESC",
    "DESCRIPTION",
    "DEPEND",
    "EAPI",
    "IUSE",
    "MD5",
    "MTIME",
    "_mtime_",
    "PATH",
    "REPO",
    "repository",
    "SIZE",
    "SLOT",
    "USE",
    "USE",
];
const VALUES: [&str; 16] = [
    "",
    "0",
    "8",
    "a/b-1",
    "a/b-1",
    "a/b-10",
    "a/B-2",
    "a/b+c-1",
    "x",
    "x y",
    " x ",
    "hep",
    "a: b",
    "\u{e4}\u{2028}",
    "\t",
    ":",
];
const BETWEEN: [&str; 6] = [": ", ": ", ": ", ":", ":\t", ":  "];
const ENDS: [&str; 12] = [
    "\n", "\n", "\n", "\n", "\n", "\n\n", "\n\n", "\n\n\n", "\r\n", "\r", "\n\r\n", "",
];

fn text(random: &mut Random) -> String {
    let mut text = String::new();
    // Without a CHOST, Portage takes that of its own settings.
    text.push_str(random.pick(&["CHOST: x\n", "CHOST:\n"]));
    text.push_str(random.pick(&["", "REPO: hep\n", "REPO:  x \n", "no colon\n"]));
    text.push_str("TIMESTAMP: 5\nVERSION: 0\n");
    text.push_str(random.pick(&["\n", "\n", "\r\n", "\r\r"]));
    for _ in 0..random.below(20) {
        if random.chance(5) {
            text.push_str(random.pick(&["no colon\n", "\u{e4}\r\n", "#\n"]));
        } else {
            text.push_str(random.pick(&KEYS));
            text.push_str(random.pick(&BETWEEN));
            text.push_str(random.pick(&VALUES));
        }
        text.push_str(random.pick(&ENDS));
    }
    text
}

#[test]
fn texts_are_read_and_written_as_in_portage() {
    let mut random = Random::new(9);
    let texts: Vec<String> = (0..5_000).map(|_| text(&mut random)).collect();
    let printed = Lab::new().python("rewrite_index.py", &[], &serde_json::to_string(&texts).unwrap());
    let theirs: Vec<String> = serde_json::from_str(&printed).unwrap();
    assert_eq!(theirs.len(), texts.len());
    let mut packages = 0;
    for (text, theirs) in texts.iter().zip(&theirs) {
        let index = Index::parse(text).unwrap();
        assert_eq!(index.render(), *theirs, "{text:?}");
        packages += index.packages.len();
    }
    assert!(packages > texts.len() / 3, "{packages} packages");
}
