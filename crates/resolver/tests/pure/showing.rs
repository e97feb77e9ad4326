use std::collections::BTreeSet;

use farm_resolver::mergelist::{Before, Colour, Former, Known, render};
use farm_resolver::suggest::{Section, manifest_lines};
use farm_resolver::{
    Cycle, CycleSolution, DistFile, Keywords, Licenses, Operation, Refusal, UseChange, WantedBy, unsound,
};

use crate::builder::plan;

#[test]
fn a_merge_list_with_what_is_known_of_each_package() {
    let mut plan = plan(&["a", "b", "c"]);
    plan.packages[1].operation = Operation::Rebuild;
    plan.packages[1].line = r#"[ebuild   R    ] c/b-1:2/3::r  USE="ssl (-static) -doc*" ABI="x86" 12 KiB"#.into();
    let notes = ["cached", "build: USE changed"].map(|note| Known {
        note: note.to_owned(),
        ..Known::default()
    });
    insta::assert_snapshot!(render(&plan.packages, &notes, Colour::Never), @r#"
    [ebuild  N     ] c/a-1::r  0 KiB  (cached)
    [ebuild   R    ] c/b-1:2/3::r  USE="ssl (-static) -doc*" ABI="x86" 12 KiB  (build: USE changed)
    [ebuild  N     ] c/c-1::r  0 KiB
    Total: 3 packages (2 new, 1 reinstall)
    "#);
    let coloured = render(&plan.packages, &notes, Colour::Ansi);
    insta::assert_snapshot!(coloured.replace('\x1b', "^"), @r#"
    [^[32mebuild  N     ^[0m] ^[32mc/a-1::r^[0m  0 KiB  ^[2m(cached)^[0m
    [^[32mebuild   R    ^[0m] ^[32mc/b-1:2/3::r^[0m  USE="^[31mssl^[0m ^[34m(-static)^[0m ^[34m-doc*^[0m" ABI="^[31mx86^[0m" 12 KiB  ^[2m(build: USE changed)^[0m
    [^[32mebuild  N     ^[0m] ^[32mc/c-1::r^[0m  0 KiB
    Total: 3 packages (2 new, 1 reinstall)
    "#);
    let mut plain = String::new();
    let mut rest = coloured.as_str();
    while let Some((before, after)) = rest.split_once('\x1b') {
        plain.push_str(before);
        rest = after.split_once('m').unwrap().1;
    }
    plain.push_str(rest);
    assert_eq!(plain, render(&plan.packages, &notes, Colour::Never));
}

fn flags(flags: &[&str]) -> BTreeSet<String> {
    flags.iter().map(ToString::to_string).collect()
}

fn former(version: &str, subslot: &str, iuse: &[&str], use_flags: &[&str]) -> Former {
    Former {
        version: version.into(),
        slot: subslot.split('/').next().unwrap_or_default().into(),
        subslot: subslot.rsplit('/').next().unwrap_or_default().into(),
        repository: "r".into(),
        iuse: Some(flags(iuse)),
        use_flags: flags(use_flags),
    }
}

#[test]
fn what_was_built_before_is_shown_as_emerge_shows_what_is_installed() {
    let mut plan = plan(&["a", "b", "c", "d"]);
    let lines = [
        r#"[ebuild  N     ] c/a-2:2/3::r  USE="ssl -doc (-static)" VIDEO_CARDS="i915 -vesa" 12 KiB"#,
        r#"[ebuild     U ~] c/b-1::r [0::r] USE="ssl* -doc%""#,
        r#"[ebuild  N F   ] c/c-1:0/5::r  USE="-doc" 3 KiB"#,
        r"[ebuild  N     ] c/d-1:7::r  0 KiB",
    ];
    for (package, line) in plan.packages.iter_mut().zip(lines) {
        package.line = line.into();
        package.repository = "r".into();
        (package.version, package.slot, package.subslot) = ("1".into(), "0".into(), "0".into());
        let expand = ("USE_EXPAND".to_owned(), "VIDEO_CARDS ELIBC".to_owned());
        let implicit = ("IUSE_EFFECTIVE".to_owned(), "amd64 doc elibc_glibc".to_owned());
        package.environment = [expand, implicit].into();
    }
    (plan.packages[0].version, plan.packages[0].slot) = ("2".into(), "2".into());
    plan.packages[0].subslot = "3".into();
    plan.packages[2].subslot = "5".into();
    plan.packages[2].restrict = vec!["fetch".into()];
    (plan.packages[3].slot, plan.packages[3].subslot) = ("7".into(), "7".into());
    let of_a = [
        "static",
        "doc",
        "old",
        "gone",
        "amd64",
        "elibc_glibc",
        "video_cards_i915",
        "video_cards_vga",
    ];
    let known = [
        Before::Slot(former(
            "1-r3",
            "2/2",
            &of_a,
            &["static", "doc", "gone", "video_cards_i915"],
        )),
        Before::Slot(former("1.5", "0", &["doc"], &["doc"])),
        Before::Slot(former("1", "0/4", &["doc"], &[])),
        Before::OtherSlots(vec![former("1", "5", &[], &[]), former("2", "6/1", &[], &[])]),
    ];
    let known = known.map(|before| Known {
        before,
        has_files: true,
        ..Known::default()
    });
    let shown = render(&plan.packages, &known, Colour::Never);
    insta::assert_snapshot!(shown, @r#"
    [ebuild     U  ] c/a-2:2/3::r [1-r3:2/2::r] USE="ssl%* -doc* (-static*) (-gone%*) (-old%)" VIDEO_CARDS="i915 -vesa% (-vga%)" 12 KiB
    [ebuild     UD~] c/b-1::r [1.5::r] USE="ssl%* -doc*"
    [ebuild   Rf   ] c/c-1:0/5::r [1:0/4::r] USE="-doc" 3 KiB
    [ebuild  NS    ] c/d-1:7::r [1:5::r, 2:6/1::r] 0 KiB
    Total: 4 packages (1 upgrade, 1 downgrade, 1 in new slot, 1 reinstall)
    Fetch Restriction: 1 package
    "#);
    let rest = render(&plan.packages[2..3], &[], Colour::Never);
    assert!(rest.starts_with(lines[2]), "{rest}");
    assert!(
        rest.ends_with("Fetch Restriction: 1 package (1 unsatisfied)\n"),
        "{rest}"
    );
    // The same again is the same line, but that it replaces.
    let same = former(
        "2",
        "2/3",
        &["ssl", "static", "doc", "video_cards_i915", "video_cards_vesa"],
        &["ssl", "video_cards_i915"],
    );
    let known = Known {
        before: Before::Slot(same),
        ..Known::default()
    };
    let shown = render(&plan.packages[..1], &[known], Colour::Never);
    let wanted = plan.packages[0].line.replace("  N     ]", "   R    ]");
    assert!(shown.starts_with(&wanted), "{shown}");
}

#[test]
fn changes_of_one_package_are_one_line_and_texts_are_quoted_where_yaml_needs_it() {
    let wanted = vec![WantedBy {
        parent: "c/parent-1".into(),
        atom: "c/child[x]".into(),
    }];
    let refusal = Refusal {
        use_changes: vec![
            UseChange {
                cpv: "c/child-1.2-r3".into(),
                slot: "2".into(),
                flags: vec!["x".into(), "-y".into()],
                wanted_by: wanted.clone(),
                ..UseChange::default()
            },
            UseChange {
                cpv: "dev-db/mysql++-5".into(),
                slot: "0".into(),
                flags: vec!["on".into(), "1".into()],
                ..UseChange::default()
            },
        ],
        keywords: vec![Keywords {
            cpv: "c/child-1.2-r3".into(),
            keyword: "~amd64".into(),
            wanted_by: wanted,
            ..Keywords::default()
        }],
        licenses: vec![Licenses {
            cpv: "c/child-1.2-r3".into(),
            licenses: vec!["Apache-2.0".into(), "GPL-2+".into()],
            ..Licenses::default()
        }],
        cycle: Some(Cycle {
            edges: vec![],
            solutions: vec![CycleSolution {
                cpv: "c/egg-1".into(),
                slot: "0".into(),
                flags: vec!["-hen".into()],
                wanted_by: vec![],
                members: vec![],
            }],
        }),
        ..Refusal::default()
    };
    let lines = manifest_lines(&refusal);
    assert_eq!(
        lines.iter().map(|line| line.text.as_str()).collect::<Vec<_>>(),
        [
            r#""=c/child-1.2-r3": { accept_keywords: ["~amd64"], license: [Apache-2.0, GPL-2+] }"#,
            "c/child:2: { use: [x, -y] }",
            r#"dev-db/mysql++: { use: ["on", "1"] }"#,
            "c/egg: { use: [-hen] }",
        ]
    );
    assert_eq!(lines[3].section, Section::Bootstrap);
    assert_eq!(lines[0].wanted_by[0].parent, "c/parent-1");
}

#[test]
fn what_must_not_be_built_is_named() {
    let mut plan = plan(&["a", "b"]);
    plan.packages[0].properties = vec!["live".into()];
    plan.packages[1].distfiles = vec![DistFile {
        name: "b.tar.gz".into(),
        ..DistFile::default()
    }];
    let found: Vec<_> = unsound(&plan).iter().map(ToString::to_string).collect();
    assert_eq!(
        found,
        [
            "c/a-1 is a live ebuild that cannot be pinned: nobody asked it for its source",
            "the Manifest of c/b-1 has no size and hash of b.tar.gz",
        ]
    );
}
