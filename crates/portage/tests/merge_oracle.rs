//! Rules of a merge held against the real Portage: `env-update` with random files in `/etc/env.d`, CONFIG_PROTECT with random rules,
//! and the record of a package that was merged.

mod oracle;

use std::collections::{BTreeMap, BTreeSet};

use farm_portage::config_protect::{ConfigProtect, Found, protected_name};
use farm_portage::env_update::Environment;
use farm_portage::gpkg::Metadata;
use farm_portage::vdb::{Merged, merged_record};
use serde_json::json;

use crate::oracle::ask;
use crate::oracle::random::Random;

const CASES: usize = 1_000;

const NAMES: [&str; 12] = [
    "PATH",
    "LDPATH",
    "MANPATH",
    "CONFIG_PROTECT",
    "CONFIG_PROTECT_MASK",
    "ROOTSYS",
    "EDITOR",
    "MY_PATH",
    "SPACE_SEPARATED",
    "COLON_SEPARATED",
    "GCC_SPECS",
    "PYTHONPATH",
];

const VALUES: [&str; 16] = [
    "/opt/a",
    "\"/opt/a:/opt/b\"",
    "/opt/b::/opt/a",
    "'/usr/lib64 /opt/lib'",
    "\"\"",
    "$HOME",
    "'${HOME}/x'",
    "\"$'a'\"",
    "\"two\nlines\"",
    "MY_PATH",
    "'MY_PATH LDPATH'",
    "\"a # b\"",
    "plain#word",
    "\"back\\\\slash \\\" quote\"",
    "ä",
    "x=y",
];

fn line(random: &mut Random) -> String {
    match random.below(40) {
        0 => "# a comment\n".to_owned(),
        1 => "source /etc/other\n".to_owned(),
        2 => format!("{}\n", random.pick(&NAMES)),
        3 => "QUOTE='open\n".to_owned(),
        4 => "1BAD=x\n".to_owned(),
        5 => "\n".to_owned(),
        _ => {
            let export = if random.chance(10) { "export " } else { "" };
            format!("{export}{}={}\n", random.pick(&NAMES), random.pick(&VALUES))
        }
    }
}

fn question(random: &mut Random) -> (BTreeMap<String, String>, Option<String>) {
    const FILES: [&str; 10] = [
        "00basic", "05gcc", "10ld", "50root", "99last", "readme", "7one", "20no~", "30no.bak", "12",
    ];
    let mut files = BTreeMap::new();
    for _ in 0..random.below(5) {
        let text: String = (0..random.below(5)).map(|_| line(random)).collect();
        files.insert(random.pick(&FILES).to_owned(), text);
    }
    let present = random.chance(60).then(|| {
        let texts: [&str; 5] = [
            "",
            "# nothing\n",
            "/opt/a\n",
            "/opt/a\n/opt/b # and why\n",
            "include ld.so.conf.d/*.conf\n",
        ];
        random.pick(&texts).to_owned()
    });
    (files, present)
}

#[test]
fn the_same_files_are_written_as_by_portage() {
    let mut random = Random::new(71);
    let cases: Vec<_> = (0..CASES).map(|_| question(&mut random)).collect();
    let questions: Vec<String> = cases
        .iter()
        .map(|(files, present)| json!({"files": files, "ld_so_conf": present}).to_string())
        .collect();
    let (mut left_out, mut written, mut kept) = (0, 0, 0);
    for ((files, present), answer) in cases.iter().zip(ask("env_update", &questions)) {
        let theirs: Option<[Option<String>; 4]> = serde_json::from_str(&answer).expect("an answer of four files");
        let ours = Environment::of(files.iter().map(|(name, text)| (name.as_str(), text.as_str())));
        left_out += usize::from(!ours.left_out.is_empty());
        let Some([profile, csh, systemd, linker]) = theirs else {
            // An open quote is an exception that env-update does not expect; all else goes on without the file.
            assert!(!ours.left_out.is_empty(), "{files:?}");
            continue;
        };
        assert_eq!(Some(ours.profile_env()), profile, "{files:?}");
        assert_eq!(Some(ours.csh_env()), csh, "{files:?}");
        assert_eq!(Some(ours.systemd_env()), systemd, "{files:?}");
        let made = ours.ld_so_conf(present.as_deref());
        kept += usize::from(made.is_none());
        assert_eq!(made.or_else(|| present.clone()), linker, "{files:?} over {present:?}");
        written += usize::from(!ours.variables.is_empty());
    }
    assert!(
        written > CASES / 3 && left_out > CASES / 20 && kept > CASES / 20,
        "{written} written, {left_out} left out, {kept} kept"
    );
}

#[test]
fn the_same_files_are_protected_as_in_portage() {
    // The root itself is left out: its rule has another meaning in a tree that is not the system's own.
    const PATHS: [&str; 13] = [
        "/etc",
        "/etc/",
        "/etc/a",
        "/etc/a/b",
        "/etc/a/b/c",
        "/etc//a/./b",
        "/etc/ab",
        "/etcetera",
        "/usr/share",
        "/usr/share/a",
        "/usr/share/../share/b",
        "/opt",
        "/opt/x",
    ];
    const NAMES: [&str; 9] = [
        "._cfg0000_a",
        "._cfg0001_a",
        "._cfg0010_a",
        "._cfg9998_a",
        "._cfg0003_b",
        "._cfg00x1_a",
        "._cfg_a",
        "a",
        "b",
    ];
    let mut random = Random::new(72);
    let some = |random: &mut Random, from: &[&'static str], most: usize| -> Vec<&'static str> {
        (0..random.below(most + 1))
            .map(|_| from[random.below(from.len())])
            .collect()
    };
    let plain: Vec<&'static str> = PATHS
        .iter()
        .copied()
        .filter(|path| !path.contains("//") && !path.contains("..") && !path.ends_with('/'))
        .collect();
    let cases: Vec<_> = (0..CASES)
        .map(|_| {
            let folders = some(&mut random, &plain, 4);
            let files = some(&mut random, &plain, 4);
            let (protect, mask) = (some(&mut random, &PATHS, 4), some(&mut random, &PATHS, 3));
            let names: BTreeSet<&str> = some(&mut random, &NAMES, 5).into_iter().collect();
            (folders, files, protect, mask, names)
        })
        .collect();
    let questions: Vec<String> = cases
        .iter()
        .map(|(folders, files, protect, mask, names)| {
            json!({"folders": folders, "files": files, "protect": protect, "mask": mask, "paths": plain, "name": "a", "names": names})
                .to_string()
        })
        .collect();
    let mut protected = 0;
    for (case, answer) in cases.iter().zip(ask("config_protect", &questions)) {
        let (folders, files, protect, mask, names) = case;
        let (theirs, name): (Vec<bool>, String) = serde_json::from_str(&answer).expect("two answers");
        let is_folder = |path: &str| {
            let below =
                |folder: &&str| **folder == *path || folder.starts_with(&format!("{}/", path.trim_end_matches('/')));
            path == "/" || folders.iter().any(below)
        };
        let look = |path: &str| {
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if is_folder(path) {
                Some(Found::Folder)
            } else {
                let lies = is_folder(if parent.is_empty() { "/" } else { parent });
                (lies && files.contains(&path)).then_some(Found::Other)
            }
        };
        let rules = ConfigProtect::new(protect.iter().copied(), mask.iter().copied(), look);
        let ours: Vec<bool> = plain.iter().map(|path| rules.is_protected(path)).collect();
        assert_eq!(ours, theirs, "{case:?}");
        assert_eq!(protected_name("a", names.iter().copied(), |_| false), name, "{names:?}");
        protected += ours.iter().filter(|protected| **protected).count();
    }
    assert!(protected > CASES, "{protected} paths were protected");
}

#[test]
fn portage_believes_what_is_recorded_of_a_package() {
    const VALUES: [&str; 6] = ["", "\n", "one\n", "a/b  c/d\n\te/f\n", "ä = ö\n", "#x\n"];
    const KEYS: [&str; 10] = [
        "SLOT",
        "USE",
        "IUSE",
        "RDEPEND",
        "EAPI",
        "repository",
        "BUILD_ID",
        "CFLAGS",
        "NEEDED",
        "PROVIDES",
    ];
    let mut random = Random::new(73);
    let records: Vec<Metadata> = (0..200)
        .map(|number| {
            let mut metadata = Metadata::new();
            for _ in 0..random.below(8) {
                metadata.insert(random.pick(&KEYS).to_owned(), random.pick(&VALUES).as_bytes().to_vec());
            }
            let merged = Merged {
                category: "c",
                pf: "p-1",
                contents: &[],
                counter: number,
                package_md5: "0",
                changed: 1_700_000_000,
            };
            merged_record(&metadata, &merged)
        })
        .collect();
    let questions: Vec<String> = records
        .iter()
        .map(|files| {
            let files: BTreeMap<&str, String> = files
                .iter()
                .map(|(name, bytes)| (name.as_str(), String::from_utf8_lossy(bytes).into_owned()))
                .collect();
            json!({"files": files, "changed": 1_700_000_000}).to_string()
        })
        .collect();
    for (record, answer) in records.iter().zip(ask("vdb_metadata", &questions)) {
        let (read, theirs): (Option<BTreeMap<String, String>>, String) =
            serde_json::from_str(&answer).expect("two answers");
        let read = read.expect("Portage takes the file for true");
        let ours = String::from_utf8_lossy(&record["metadata"]).into_owned();
        let body = ours.split("#dir_mtime=").next().unwrap_or_default();
        assert_eq!(body, theirs, "{record:?}");
        assert_eq!(read["COUNTER"].as_bytes(), record["COUNTER"]);
    }
}
