//! Whole folders: the manifests and the reports that come out, and that no file gets lost.

mod support;

use farm_import::{Entry, Files, ImportError, Imported, NoteKind, Options, Repository, gentoomuch, hep_soft};
use farm_portage::updates::Moves;

use crate::support::files;

const HEP_SOFT: &str = include_str!("fixtures/hep-soft.txtar");
const GENTOOMUCH: &str = include_str!("fixtures/gentoomuch.txtar");

fn named(name: &str) -> Options {
    Options {
        name: name.to_owned(),
        ..Options::default()
    }
}

fn text<'a>(imported: &'a Imported, path: &str) -> &'a str {
    let entry = imported.files.get(camino::Utf8Path::new(path));
    entry
        .and_then(Entry::as_text)
        .unwrap_or_else(|| panic!("{path} in {:?}", imported.files.keys()))
}

/// The paths of what came out, those of repositories left out.
fn paths(imported: &Imported) -> String {
    let paths = imported
        .files
        .keys()
        .filter(|path| !path.as_str().contains("/overlay/"));
    paths.map(|path| format!("{path}\n")).collect()
}

/// What the report says with a word in it, a line each.
fn told(imported: &Imported, word: &str) -> Vec<String> {
    let notes = imported.report.sorted().into_iter().map(ToString::to_string);
    notes.filter(|note| note.contains(word)).collect()
}

fn presets(spec: &str) -> Files {
    files(&format!("-- Makefile --\n-- presets/spec-hepsoft.yaml --\n{spec}"))
}

fn import(spec: &str) -> Imported {
    hep_soft(&presets(spec), &named("hep")).expect("the preset can be read")
}

#[test]
fn a_hep_soft_folder() {
    let imported = hep_soft(&files(HEP_SOFT), &named("hep")).unwrap();
    insta::assert_snapshot!("hep_soft_manifest", text(&imported, "farms/hep/farm.yaml"));
    insta::assert_snapshot!("hep_soft_report", imported.report);
    insta::assert_snapshot!("hep_soft_paths", paths(&imported));
    assert!(imported.files.contains_key(camino::Utf8Path::new(
        "farms/hep/overlay/q-crypt-hep/profiles/repo_name"
    )));
    assert!(!imported.files.keys().any(|path| path.as_str().contains("/.git")));
}

#[test]
fn a_gentoomuch_configuration() {
    let imported = gentoomuch(&files(GENTOOMUCH), &named("much")).unwrap();
    insta::assert_snapshot!("gentoomuch_manifest", text(&imported, "farms/much/farm.yaml"));
    insta::assert_snapshot!("gentoomuch_report", imported.report);
    insta::assert_snapshot!("gentoomuch_paths", paths(&imported));
    assert!(
        text(&imported, "profiles/much/local-desktop/package.use/desktop")
            .starts_with("net-misc/rsync -gpg curl # !override\n")
    );
    assert!(text(&imported, "profiles/much/global/package.use/global").contains("VIDEO_CARDS: -* amdgpu radeonsi\n"));
}

#[test]
fn an_older_configuration_lies_a_folder_deeper() {
    let source = files(GENTOOMUCH);
    let deeper: Files = source
        .into_iter()
        .map(|(path, entry)| (format!("config/{path}").into(), entry))
        .collect();
    let imported = gentoomuch(&deeper, &named("much")).unwrap();
    let plain = gentoomuch(&files(GENTOOMUCH), &named("much")).unwrap();
    assert_eq!(imported.files, plain.files);
}

#[test]
fn definitions_that_differ_are_farms_of_their_own() {
    let more = "-- stage3.defines/old/cpu --\nancient\n-- stage3.defines/old/packages --\nstorage\n";
    let imported = gentoomuch(&files(&format!("{GENTOOMUCH}{more}")), &named("much")).unwrap();
    assert_eq!(imported.farms, ["much-old", "much-workstation"]);
    let old = text(&imported, "farms/much-old/farm.yaml");
    assert!(
        old.contains("config: [much/cpu-ancient, much/global, much/sets, much/patches]"),
        "{old}"
    );
    assert!(!old.contains("laptop"));
    assert_eq!(told(&imported, "flags hold for a whole farm").len(), 2);
}

/// Every odd input that HEP-Soft's users have met: a right result, or a line in the report.
#[test]
fn odd_inputs_are_never_lost_in_silence() {
    // The preset, what the manifest must have, what the report must say.
    let table = [
        (
            "s:\n  a/bb:\n    use: foo\n",
            "a/bb: { use: [foo] }",
            ":3: `use: foo` is a text, of which HEP-Soft wrote the letters: `f o o`",
        ),
        (
            "s:\n  a/bb:\n    use: foo, -bar\n",
            "a/bb: { use: [foo, -bar] }",
            "it is `use: [foo, -bar]` now",
        ),
        (
            "s:\n  a/bb:\n    bogus: [x]\n",
            "# bogus: HEP-Soft did not know this key",
            ":3: `bogus` under `a/bb` is no key",
        ),
        ("s:\n  a/bb: {}\nt:\n", "a/bb: {}", ":3: the set `t` has no members"),
        (
            "s:\n  a/bb: {use: [x]}\n  c/dd:\n  a/bb: {use: [y]}\n",
            "a/bb: { use: [y] }",
            ":2: the atom `a/bb` stands again at line 4, which counted alone",
        ),
        (
            "s:\n  a/bb:\ns:\n  c/dd:\n",
            "c/dd: {}",
            ":1: the set `s` stands again at line 3",
        ),
        (
            "s:\n  a/bb:\n    mask: [x]\n",
            "a/bb: {}",
            ":3: `mask: [x]` of `a/bb` was the line `a/bb x`, which Portage does not take",
        ),
        ("s:\n  a/bb:\n    mask: []\n", "a/bb: { mask: true }", ""),
        (
            "s:\n  =sci-physics/geant-4.10.6_p2:\n",
            "\"=sci-physics/geant-4.10.6_p2\": {}",
            "",
        ),
        (
            "s:\n  a/bb:0/2=:\n",
            "\"a/bb:0/2\": {}",
            ":2: `a/bb:0/2=` is `a/bb:0/2`: a slot operator",
        ),
        (
            "s:\n  ~a/bb-1:\n",
            "\"~a/bb-1\": {}",
            "which HEP-Soft refused; farm takes it",
        ),
        (
            "s:\n  c/dd:\n  '!a/bb':\n",
            "c/dd: {}",
            ":3: `!a/bb`: a blocker cannot be merged",
        ),
        (
            "s:\n  '*/*': {use: [x]}\n",
            "\"*/*\": { use: [x] }",
            "which HEP-Soft refused",
        ),
        ("s:\n  '@world':\n", "\"@world\": {}", "which HEP-Soft refused"),
        ("s:\n  acct-user/x:\n", "acct-user/x: {}", "which HEP-Soft refused"),
        (
            "s:\n  a/bb[x,-y]:\n    use: [z]\n",
            "a/bb: { use: [x, -y, z] }",
            "USE dependencies of an atom are flags",
        ),
        ("s:\n  a/bb::repo:\n", "\"a/bb::repo\": {}", ""),
        ("s:\n  c/dd:\n  4.10: {}\n", "c/dd: {}", ":3: `4.10`: "),
        ("s:\n  c/dd:\n  geant:\n", "# geant: ", ":3: `geant`: "),
        (
            "s: [a/bb, c/dd]\n",
            "c/dd: {}",
            ":1: the set `s` is a list, with which HEP-Soft stopped",
        ),
        (
            "s:\n  a/bb: [x]\n",
            "a/bb: {}",
            ":2: under `a/bb` stands a list, not a map",
        ),
        (
            "s:\n  a/bb:\n    use: [x, +y, z]\n",
            "a/bb: { use: [x, z] }",
            ":3: `+y` is no USE flag",
        ),
        (
            "s:\n  a/bb:\n    accept_keywords: ['~ amd64']\n",
            "a/bb",
            "is no keyword",
        ),
        (
            "s:\n  a/bb:\n    env: [none]\n",
            "a/bb: {}",
            ":3: no root has the file etc/portage/env/none",
        ),
        (
            "s:\n  a/bb:\n    deps: {c/dd: {}}\n",
            "a/bb: {}",
            ":3: nothing is set for `c/dd`",
        ),
        ("s:\n  a/bb:\n    deps: [c/dd]\n", "a/bb: {}", ":3: `deps` is a list"),
        (
            "s:\n  a/bb: {use: [x]}\nt:\n  a/bb: {use: [-x]}\n",
            "a/bb: { use: [-x] }",
            ":2: `x` of `a/bb` contradicts presets/spec-hepsoft.yaml:4",
        ),
        (
            "t:\n  a/bb: {use: [x]}\ns:\n  a/bb: {use: [-x]}\n",
            "a/bb: { use: [x] }",
            ":4: `-x` of `a/bb` contradicts presets/spec-hepsoft.yaml:2",
        ),
        ("s t:\n  a/bb:\n", "s-t:", ":1: the set `s t` is no name for a subject"),
        ("s:\n  a/bb:\n    use: [\"${X}\"]\n", "a/bb: {}", "is no USE flag"),
        (
            "s: text\nt:\n  a/bb:\n",
            "a/bb: {}",
            ":1: the set `s` is the text `text`",
        ),
    ];
    for (spec, manifest, report) in table {
        let imported = import(spec);
        let found = text(&imported, "farms/hep/farm.yaml");
        assert!(found.contains(manifest), "{spec}\n{found}");
        let lines = imported.report.to_string();
        assert!(lines.contains(report), "{spec}\n{lines}");
    }
}

#[test]
fn what_is_right_needs_no_word() {
    let imported =
        import("s:\n  =a/bb-1:\n    use: [x]\n    mask: []\n    deps:\n      c/dd: {accept_keywords: [~amd64]}\n");
    assert_eq!(told(&imported, "presets/spec-hepsoft.yaml"), [""; 0]);
}

#[test]
fn every_comment_stays_in_its_place() {
    let spec = "# a\ns: # b\n  # c\n  a/bb: # d\n    # e\n    use: [x, # f\n      y]\n    deps: # g\n      # h\n      c/dd: {use: [z]}\n      # i\n  # j\nt:\n  # k\n  e/ff:\n# l\n";
    let imported = import(spec);
    let manifest = text(&imported, "farms/hep/farm.yaml");
    let (_, subjects) = manifest.split_once("profile:").unwrap();
    let letters: String = subjects
        .lines()
        .filter_map(|line| line.trim().strip_prefix("# "))
        .collect();
    assert_eq!(letters, "abcdefghijkl", "{manifest}");
}

#[test]
fn a_file_where_a_folder_was_needed_is_kept_beside_what_the_presets_say() {
    let tree = "-- root.hepsoft.d/etc/portage/package.license --\na/bb L1\n-- presets/spec-hepsoft.yaml --\ns:\n  a/bb: {license: [L2]}\n";
    let imported = hep_soft(&files(tree), &named("hep")).unwrap();
    assert_eq!(text(&imported, "profiles/hep/package.license"), "a/bb L1\n");
    assert!(text(&imported, "farms/hep/farm.yaml").contains("a/bb: { license: [L2] }"));
    assert_eq!(told(&imported, "is a file where HEP-Soft needed a folder").len(), 1);
}

fn tree_of_today() -> Repository {
    Repository {
        name: "gentoo".to_owned(),
        moves: Moves::read([("1Q-2024", "move dev-util/cmake dev-build/cmake\nmove a/stays b/gone\n")]),
        packages: ["dev-build/cmake", "a/stays", "x/yy"].map(str::to_owned).into(),
    }
}

#[test]
fn packages_have_their_names_of_today() {
    let tree = "-- presets/spec-hepsoft.yaml --\ns:\n  # builds\n  '>=dev-util/cmake-3':\n  a/stays:\n  no/where:\n  x/yy:\n\
                -- root.hepsoft.d/etc/portage/package.use/u --\ndev-util/cmake gui\nno/where x\n";
    let options = Options {
        name: "hep".to_owned(),
        repositories: vec![tree_of_today()],
    };
    let imported = hep_soft(&files(tree), &options).unwrap();
    let manifest = text(&imported, "farms/hep/farm.yaml");
    assert!(
        manifest
            .contains("      # dev-util/cmake until 1Q-2024\n      \">=dev-build/cmake-3\": {}\n      a/stays: {}\n"),
        "{manifest}"
    );
    assert_eq!(
        text(&imported, "profiles/hep/package.use/u"),
        "dev-build/cmake gui # dev-util/cmake until 1Q-2024\nno/where x\n"
    );
    let moved: Vec<_> = imported
        .report
        .sorted()
        .into_iter()
        .filter(|note| note.kind == NoteKind::Moved)
        .collect();
    let lines: Vec<_> = moved
        .iter()
        .map(|note| format!("{}:{} {}", note.file, note.line.unwrap(), note.message))
        .collect();
    assert_eq!(
        lines,
        [
            "presets/spec-hepsoft.yaml:3 `>=dev-util/cmake-3` is `>=dev-build/cmake-3` today, says profiles/updates/1Q-2024:1 of gentoo",
            "presets/spec-hepsoft.yaml:5 no repository that was looked at has `no/where` (gentoo)",
            "root.hepsoft.d/etc/portage/package.use/u:1 `dev-util/cmake` is `dev-build/cmake` today, says profiles/updates/1Q-2024:1 of gentoo",
        ]
    );
}

#[test]
fn a_repository_in_the_folder_knows_names_too() {
    let tree = "-- presets/spec-hepsoft.yaml --\ns:\n  old/name:\n  else/where:\n\
                -- root.hepsoft.d/var/db/repos/own/profiles/repo_name --\nown\n\
                -- root.hepsoft.d/var/db/repos/own/profiles/updates/2Q-2019 --\nmove old/name new/name\n";
    let imported = hep_soft(&files(tree), &named("hep")).unwrap();
    assert!(text(&imported, "farms/hep/farm.yaml").contains("new/name: {}"));
    assert_eq!(told(&imported, "else/where"), [""; 0]);
    assert_eq!(told(&imported, "nobody looked").len(), 1);
}

#[test]
fn another_folder_is_refused() {
    let error = hep_soft(&files("-- README --\n"), &named("x")).unwrap_err();
    assert_eq!(
        error.to_string(),
        "this is no folder of HEP-Soft: there is no presets/spec-NAME.yaml"
    );
    assert!(matches!(
        gentoomuch(&files("-- README --\n"), &named("x")),
        Err(ImportError::Foreign { .. })
    ));
    let error = hep_soft(&presets("s: [\n"), &named("x")).unwrap_err();
    assert!(error.to_string().starts_with("presets/spec-hepsoft.yaml:"), "{error}");
}

#[test]
fn every_file_has_a_place_or_a_line() {
    for (name, source) in [("hep", HEP_SOFT), ("much", GENTOOMUCH)] {
        let folder = files(&format!("{source}-- deep/er/unheard.of --\nx\n"));
        let imported = if name == "hep" {
            hep_soft(&folder, &named(name))
        } else {
            gentoomuch(&folder, &named(name))
        }
        .unwrap();
        let written: Vec<&Entry> = imported.files.values().collect();
        for (path, entry) in &folder {
            let kept = written.contains(&entry);
            let told = imported.report.notes.iter().any(|note| note.file == path.as_str());
            let read = [
                "presets/",
                "Makefile",
                ".keep",
                "package.",
                "stage3.defines/",
                "stage4.defines/",
                "user.removes/",
                "env/arch",
                "repo_name",
                ".git",
                "context.hepsoft.d",
            ];
            assert!(
                kept || told || read.iter().any(|part| path.as_str().contains(part)),
                "{path}"
            );
        }
        assert_eq!(told(&imported, "deep/er/unheard.of: is not known").len(), 1);
    }
}
