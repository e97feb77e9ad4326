//! No input makes the reader panic, and every message can be shown.

mod support;

use proptest::prelude::*;
use support::Workspace;

/// Pieces that manifests are made of, and a few that they should not.
const PIECES: &[&str] = &[
    "farm: hep\n",
    "binfarm:\n",
    "  base: { image: \"a:1\" }\n",
    "subjects:\n",
    "  mc:\n",
    "    packages:\n",
    "    packages: |\n",
    "      a/b: { use: [x, -x] }\n",
    "      c/d ~amd64 x -y\n",
    "- ",
    ": ",
    "[",
    "]",
    "{",
    "}",
    "\"",
    "'",
    "|",
    ">",
    "&a ",
    "*a",
    "!x ",
    "${A}",
    "${",
    "$${",
    "\n",
    "  ",
    "\t",
    "# c\n",
    "é",
    "\u{feff}",
    "\u{1}",
    "---\n",
    "vars: { A: 1 }\n",
    "tasks: { t: { run: x } }\n",
    "images:\n",
    "publish: { images: { to: \"a/${image}\" } }\n",
    "include: [hep, x]\n",
    "? ",
    "~",
    "null",
    "use: foo",
    "deps: ",
    ">=a/b-1",
    "@set",
    "*/*",
    "    packages: [é x, \"é\"]\n",
    "      é/ü \n",
];

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn pieces_of_manifests(pieces in prop::collection::vec(prop::sample::select(PIECES), 0..40)) {
        try_to_load(&pieces.concat());
    }

    #[test]
    fn a_manifest_cut_anywhere_with_something_put_in(cut in 0_usize..600, junk in prop::sample::select(PIECES)) {
        let manifest = "farm: hep\nvars: { A: x, B: \"${A}\" }\nflavour: ${A}.${B}\nbinfarm:\n  base: { image: \"a:1\" }\n  config: [type/${A}]\n\
            subjects:\n  mc:\n    packages:\n      \"=a/b-1\": { use: [x], accept_keywords: [\"~amd64\"], deps: { c/d: { use: [-y] } } }\n  \
            two:\n    needs: [mc]\n    packages: |\n      =a/c-1* ~amd64 x -y\n\n        # comment\n      @set\nimages: { i: { from: base, subjects: [mc] } }\n\
            tasks: { t: { in: image/i, inputs: [\"a/*.C\"], run: [a, b], outputs: [p/] } }\npublish: { images: { to: \"r/${image}\" } }\n";
        let cut = cut.min(manifest.len());
        try_to_load(&format!("{}{junk}{}", &manifest[..cut], &manifest[cut..]));
        try_to_load(&format!("{}{junk}", &manifest[..cut]));
    }

    #[test]
    fn any_text(text in "\\PC*") {
        try_to_load(&text);
    }
}

fn try_to_load(manifest: &str) {
    if let Err(farm_manifest::LoadError::Invalid {
        diagnostics, sources, ..
    }) = Workspace::with(manifest).load()
    {
        assert!(diagnostics.has_errors());
        assert!(!diagnostics.render(&sources, false).is_empty());
        assert!(!diagnostics.render(&sources, true).is_empty());
    }
}

#[test]
fn deep_nesting_is_refused_and_not_followed() {
    let deep = format!("farm: hep\nvars: {}{}\n", "[".repeat(10_000), "]".repeat(10_000));
    assert!(support::bad(&deep).contains("not YAML"));
}
