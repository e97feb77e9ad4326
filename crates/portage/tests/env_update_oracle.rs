//! `env-update` held against the real Portage, with random files in `/etc/env.d`.

mod oracle;

use std::collections::BTreeMap;

use farm_portage::env_update::Environment;
use serde_json::json;

use crate::oracle::ask;
use crate::oracle::random::Random;

const CASES: usize = 3_000;

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
