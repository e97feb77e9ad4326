//! emerge's marks for what is installed, and farm's for what was built before: the same.

use std::collections::BTreeSet;

use farm_resolver::mergelist::{Before, Colour, Former, Known, render};
use farm_resolver::{Plan, Request};

use crate::support::{Toy, request};

/// A package as it is now, and as it was: version, slot, IUSE, USE, repository.
struct Case {
    name: &'static str,
    now: (&'static str, &'static str, &'static str),
    was: &'static [(&'static str, &'static str, &'static str, &'static str, &'static str)],
}

/// Flags of `HUES` are a group of their own, and `fast` is forced by the profile.
const CASES: [Case; 8] = [
    Case {
        name: "same",
        now: ("1", "0", "ssl doc"),
        was: &[("1", "0", "ssl doc", "ssl", "gentoo")],
    },
    Case {
        name: "newer",
        now: ("2-r1", "0/3", "ssl doc +fresh late fast hues_red +hues_blue p10 p9"),
        was: &[(
            "1",
            "0/2",
            "ssl doc gone old fast hues_red hues_green",
            "ssl gone hues_red",
            "gentoo",
        )],
    },
    Case {
        name: "older",
        now: ("1.9", "0", "doc"),
        was: &[("1.10", "0", "", "", "gentoo")],
    },
    Case {
        name: "rebuilt",
        now: ("1", "0", "+doc fast"),
        was: &[("1", "0", "doc", "", "extra")],
    },
    Case {
        name: "subslot",
        now: ("1", "0/2", ""),
        was: &[("1", "0/1", "", "", "gentoo")],
    },
    Case {
        name: "slot",
        now: ("3", "3/4", "doc"),
        was: &[("1", "1", "doc", "doc", "gentoo"), ("2", "2/7", "", "", "gentoo")],
    },
    Case {
        name: "moved",
        now: ("2", "5", ""),
        was: &[("1", "5", "doc", "doc", "gentoo")],
    },
    Case {
        name: "unseen",
        now: ("1", "0", "+doc"),
        was: &[],
    },
];

fn ebuilds() -> String {
    let mut files = String::from(
        "-- etc/portage/package.use/marks --\ndev-libs/newer hues_red\n\
         -- var/db/repos/gentoo/profiles/base/use.force --\nfast\n\
         -- etc/portage/make.conf --\nUSE_EXPAND=\"HUES\"\n",
    );
    for case in &CASES {
        let (name, (version, slot, iuse)) = (case.name, case.now);
        files.push_str(&format!(
            "-- var/db/repos/gentoo/dev-libs/{name}/{name}-{version}.ebuild --\nEAPI=8\nDESCRIPTION=\"x\"\nIUSE=\"{iuse}\"\n\
             KEYWORDS=\"amd64\"\nLICENSE=\"MIT\"\nSLOT=\"{slot}\"\n"
        ));
    }
    files
}

fn installed() -> String {
    let mut files = String::new();
    for case in &CASES {
        for (version, slot, iuse, used, repository) in case.was {
            let pf = format!("{}-{version}", case.name);
            let entries = [
                ("PF", pf.as_str()),
                ("CATEGORY", "dev-libs"),
                ("EAPI", "8"),
                ("SLOT", slot),
                ("IUSE", iuse),
                ("USE", used),
                ("repository", repository),
                ("KEYWORDS", "amd64"),
                ("LICENSE", "MIT"),
                ("DESCRIPTION", "x"),
                ("BUILD_TIME", "1"),
                ("COUNTER", "1"),
                ("CONTENTS", ""),
            ];
            for (entry, value) in entries {
                files.push_str(&format!("-- var/db/pkg/dev-libs/{pf}/{entry} --\n{value}\n"));
            }
        }
    }
    files
}

fn members() -> Request {
    let members: Vec<String> = CASES
        .iter()
        .map(|case| format!("=dev-libs/{}-{}", case.name, case.now.0))
        .collect();
    request(&members.iter().map(String::as_str).collect::<Vec<_>>())
}

fn plan(toy: &Toy) -> Plan {
    match toy.answer(&members()).outcome {
        farm_resolver::Outcome::Plan(mut plan) => {
            plan.packages.sort_by(|one, other| one.cpv.cmp(&other.cpv));
            *plan
        }
        other => panic!("no plan: {other:?}"),
    }
}

#[test]
fn what_was_built_before_has_the_marks_of_what_is_installed() {
    let bare = plan(&Toy::with(&ebuilds()));
    let with = plan(&Toy::with(&(ebuilds() + &installed())));
    let known: Vec<Known> = bare
        .packages
        .iter()
        .map(|package| {
            let case = CASES.iter().find(|case| case.name == package.name).unwrap();
            let former = |was: &(&str, &str, &str, &str, &str)| {
                let (version, slot, iuse, used, repository) = was;
                let words = |text: &str| -> BTreeSet<String> { text.split_whitespace().map(str::to_owned).collect() };
                Former {
                    version: (*version).to_owned(),
                    slot: slot.split('/').next().unwrap().to_owned(),
                    subslot: slot.rsplit('/').next().unwrap().to_owned(),
                    repository: (*repository).to_owned(),
                    // What every package has besides.
                    iuse: Some(words(&format!("{iuse} amd64 elibc_glibc kernel_linux prefix"))),
                    use_flags: words(&format!("{used} amd64 elibc_glibc kernel_linux")),
                }
            };
            let in_slot =
                |was: &&(&str, &str, &str, &str, &str)| was.1.split('/').next() == Some(package.slot.as_str());
            let before = match case.was.iter().find(in_slot) {
                Some(was) => Before::Slot(former(was)),
                None if case.was.is_empty() => Before::Root,
                None => Before::OtherSlots(case.was.iter().map(former).collect()),
            };
            Known {
                before,
                ..Known::default()
            }
        })
        .collect();
    let of_emerge = render(&with.packages, &[], Colour::Never);
    assert_eq!(render(&bare.packages, &known, Colour::Never), of_emerge);
    // Something would be missing if all of it were of one kind.
    for mark in [
        "NS   ",
        " U  ",
        " UD ",
        " R   ",
        "%*",
        "*",
        "(-gone%*)",
        "(-old%)",
        "HUES=",
        ":0/2::gentoo]",
    ] {
        assert!(of_emerge.contains(mark), "no {mark:?} in {of_emerge}");
    }
}
