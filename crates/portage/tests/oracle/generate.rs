//! Texts that are nearly always almost right: each follows the grammar, and some are then damaged.

use super::random::Random;

pub(crate) fn version(random: &mut Random) -> String {
    const NUMBERS: [&str; 14] = [
        "0",
        "1",
        "2",
        "9",
        "10",
        "00",
        "01",
        "010",
        "001",
        "100",
        "20200815",
        "99999999999999999999",
        "099",
        "5",
    ];
    let mut text = random.pick(&NUMBERS).to_owned();
    for _ in 0..random.below(4) {
        text.push('.');
        text.push_str(random.pick(&NUMBERS));
    }
    if random.chance(20) {
        text.push_str(random.pick(&["a", "b", "z"]));
    }
    while random.chance(25) {
        text.push('_');
        text.push_str(random.pick(&["alpha", "beta", "pre", "rc", "p"]));
        if random.chance(60) {
            text.push_str(random.pick(&NUMBERS));
        }
    }
    if random.chance(30) {
        text.push_str("-r");
        text.push_str(random.pick(&["0", "1", "01", "2", "10", "00", "123456789012345678901"]));
    }
    text
}

/// Two versions; mostly the second comes from the first by a small change, so that they are equal up to some part.
pub(crate) fn version_pair(random: &mut Random) -> (String, String) {
    let first = version(random);
    let second = match random.below(10) {
        0..3 => version(random),
        3 => format!("{first}-r0"),
        4 => format!("0{first}"),
        5 => first.replacen('.', ".0", 1),
        6 => format!("{}.0", first.split(['_', '-']).next().unwrap_or("1")),
        7 => format!("{}_p", first.split('-').next().unwrap_or("1")),
        _ => damage(random, &first, "0123456789.ab_pr-"),
    };
    if random.chance(50) {
        (first, second)
    } else {
        (second, first)
    }
}

/// Removes, inserts or replaces one or two characters.
pub(crate) fn damage(random: &mut Random, text: &str, alphabet: &str) -> String {
    let mut chars: Vec<char> = text.chars().collect();
    let alphabet: Vec<char> = alphabet.chars().collect();
    for _ in 0..1 + random.below(2) {
        let at = random.below(chars.len() + 1);
        let new = alphabet[random.below(alphabet.len())];
        match random.below(4) {
            0 if at < chars.len() => {
                chars.remove(at);
            }
            1 if at < chars.len() => chars[at] = new,
            2 if at + 1 < chars.len() => chars.swap(at, at + 1),
            _ => chars.insert(at, new),
        }
    }
    chars.into_iter().collect()
}

/// One of `usual`, or, if faults are wanted, sometimes one of `odd`.
fn usual_or_odd(random: &mut Random, odd_ones: bool, usual: &[&'static str], odd: &[&'static str]) -> &'static str {
    if odd_ones && random.chance(40) {
        random.pick(odd)
    } else {
        random.pick(usual)
    }
}

fn use_dep(random: &mut Random, odd: bool) -> String {
    let (prefix, suffix) = match random.below(if odd { 10 } else { 7 }) {
        0 | 1 => ("", ""),
        2 => ("-", ""),
        3 => ("", "?"),
        4 => ("!", "?"),
        5 => ("", "="),
        6 => ("!", "="),
        _ => (random.pick(&["", "-", "!"]), random.pick(&["", "?", "="])),
    };
    let flag = usual_or_odd(
        random,
        odd,
        &["a", "b", "c", "static-libs", "a_b", "x+y", "z@q", "1a"],
        &["-bad", "+bad", ""],
    );
    let default = usual_or_odd(random, odd, &["", "", "", "", "", "(+)", "(-)"], &["(*)", "(+)(-)"]);
    format!("{prefix}{flag}{default}{suffix}")
}

/// An atom from the whole grammar; rather more than half of them are none.
pub(crate) fn atom(random: &mut Random) -> String {
    let odd = random.chance(50);
    let mut text = usual_or_odd(random, odd, &["", "", "", "", "!", "!!"], &["!!!"]).to_owned();
    let operator = usual_or_odd(
        random,
        odd,
        &["", "", "", "=", "=", "~", "<", "<=", ">", ">="],
        &["==", "=>"],
    );
    text.push_str(operator);
    let plain = ["dev-libs", "sci-physics", "a", "_x", "x.y", "virtual", "c+"];
    text.push_str(usual_or_odd(random, odd, &plain, &["*", "dev-*", "*-libs", "+c", "-c"]));
    text.push('/');
    let plain = [
        "R", "mysql++", "hepmc", "foo-bar", "foo-", "a--b", "gtk+", "f_1", "9base", "foo-r1",
    ];
    let strange = [
        "foo-1", "foo-1-2", "foo-1-r1", "+x", "*", "foo*", "x-*", "foo-1.2", "**",
    ];
    text.push_str(usual_or_odd(random, odd, &plain, &strange));
    let misplaced = odd && random.chance(10);
    if operator.is_empty() == misplaced {
        text.push('-');
        match random.below(20) {
            0 => text.push_str(random.pick(&["*9999*", "*1*", "**", "*1.2*", "*a", "a*"])),
            1 => text.push_str(random.pick(&["1-2", "1.0-03", "1-r1-7", "1-0", "1-2-3", "2-1-r1", "1-1.0"])),
            _ => text.push_str(&version(random)),
        }
        if operator == "=" && random.chance(35) || odd && random.chance(5) {
            text.push('*');
        }
    }
    if random.chance(40) {
        text.push(':');
        let plain = ["0", "0/2", "=", "*", "0=", "0/2=", "3.11", "_a", "x+y/1.2-3"];
        text.push_str(usual_or_odd(
            random,
            odd,
            &plain,
            &["0*", "-a", "/2", "a/b/c", "", "+", "0/", "0/2*"],
        ));
    }
    if random.chance(25) {
        text.push_str("::");
        text.push_str(usual_or_odd(
            random,
            odd,
            &["gentoo", "hep", "x-1", "_q"],
            &["-x", "", "a.b"],
        ));
    }
    if random.chance(35) {
        let deps: Vec<String> = (usize::from(odd)..2 + random.below(2))
            .map(|_| use_dep(random, odd))
            .collect();
        text.push_str(&format!("[{}]", deps.join(",")));
    }
    if random.chance(20) {
        text = damage(random, &text, "/:*=<>~![]()-+?,.@_ 0aZr1");
    }
    text
}

/// A version from a small set, so that atoms and candidates meet.
fn near_version(random: &mut Random) -> &'static str {
    random.pick(&[
        "1", "1.0", "01", "1-r0", "1-r1", "1.0-r1", "1.2", "1.20", "1.2a", "1.2_p1", "1.2_p10", "10", "010.1", "1.02",
        "1.1", "0", "00", "2_rc1", "2", "9999",
    ])
}

/// An atom that may match what [`candidate`] makes.
pub(crate) fn near_atom(random: &mut Random) -> String {
    let operator = random.pick(&["", "", "=", "=", "=*", "=*", "~", "<", "<=", ">", ">="]);
    let name = random.pick(&["a/x", "a/x", "a/x", "a/x-y", "b/mysql++"]);
    let mut text = match operator {
        "" if random.chance(40) => random
            .pick(&[
                "*/*",
                "a/*",
                "*/x",
                "*/x*",
                "a*/*y",
                "*/*-*",
                "b/mysql+*",
                "*a/x",
                "+/x",
            ])
            .to_owned(),
        "" => name.to_owned(),
        "=*" if random.chance(20) => format!(
            "={}-*{}*",
            random.pick(&["*/*", "a/*", "a/x"]),
            random.pick(&["9", "1", "r1", "_p"])
        ),
        "=*" => format!("={name}-{}*", near_version(random)),
        _ => format!("{operator}{name}-{}", near_version(random)),
    };
    if operator == "=" && random.chance(15) {
        text.push_str(random.pick(&["-1", "-2"]));
    }
    if random.chance(10) {
        text.insert_str(0, random.pick(&["!", "!!"]));
    }
    if random.chance(40) {
        text.push(':');
        text.push_str(random.pick(&["0", "0", "1", "0/2", "0/0", "=", "*", "0=", "0/2="]));
    }
    if random.chance(30) {
        text.push_str(random.pick(&["::gentoo", "::hep"]));
    }
    if random.chance(60) && !text.contains('*') {
        let deps: Vec<String> = (0..1 + random.below(3))
            .map(|_| {
                let (prefix, suffix) = [
                    ("", ""),
                    ("", ""),
                    ("-", ""),
                    ("-", ""),
                    ("", "?"),
                    ("!", "?"),
                    ("", "="),
                    ("!", "="),
                ][random.below(8)];
                let flag = random.pick(&["a", "b", "c", "d"]);
                format!("{prefix}{flag}{}{suffix}", random.pick(&["", "", "(+)", "(-)"]))
            })
            .collect();
        text.push_str(&format!("[{}]", deps.join(",")));
    }
    text
}

/// An atom with any version and a candidate whose version is near it.
pub(crate) fn versioned_pair(random: &mut Random) -> (String, String) {
    let (wanted, found) = version_pair(random);
    let (operator, star) = random.pick(&[
        &("=", ""),
        &("=", "*"),
        &("~", ""),
        &("<", ""),
        &("<=", ""),
        &(">", ""),
        &(">=", ""),
    ]);
    // A prefix is mostly none of a version that was made apart from it.
    let wanted = if *star == "*" && random.chance(60) {
        let end = 1 + random.below(found.len());
        found.get(..end).unwrap_or(&found).to_owned()
    } else {
        wanted
    };
    (format!("{operator}a/x-{wanted}{star}"), format!("a/x-{found}"))
}

/// What an atom is held against.
#[derive(Debug, serde::Serialize)]
pub(crate) struct RandomCandidate {
    pub(crate) cpv: String,
    pub(crate) slot: String,
    pub(crate) repository: Option<&'static str>,
    pub(crate) build_id: Option<u64>,
    pub(crate) enabled: Vec<&'static str>,
    pub(crate) iuse: Vec<&'static str>,
}

pub(crate) fn candidate(random: &mut Random) -> RandomCandidate {
    let iuse: Vec<&str> = ["a", "b", "c"].into_iter().filter(|_| random.chance(70)).collect();
    RandomCandidate {
        cpv: format!(
            "{}-{}",
            random.pick(&["a/x", "a/x", "a/x-y", "b/mysql++"]),
            near_version(random)
        ),
        slot: random.pick(&["0", "0", "1", "0/2", "1/2"]).to_owned(),
        repository: [None, Some("gentoo"), Some("gentoo"), Some("hep")][random.below(4)],
        build_id: [None, Some(1), Some(2)][random.below(3)],
        enabled: iuse.iter().copied().filter(|_| random.chance(50)).collect(),
        iuse,
    }
}

/// A `package.use` file with comments, groups and, sometimes, words that are no flags.
pub(crate) fn package_use(random: &mut Random, faults: bool) -> String {
    let mut text = String::new();
    for _ in 0..1 + random.below(6) {
        if random.chance(15) {
            text.push_str(random.pick(&["\n", "# a comment\n", "   # indented\n", "\t\n", "#a/b x\n"]));
        }
        text.push_str(random.pick(&["", "", "  ", "\t"]));
        text.push_str(random.pick(&["a/b", "a/b", "c/d", ">=c/d-1", "a/b:0", "=x/y-2*"]));
        if faults && random.chance(20) {
            text.push_str(random.pick(&["[x]", "::gentoo", "-1", "*", ":*:", "/z"]));
        }
        for _ in 0..random.below(5) {
            text.push_str(random.pick(&[" ", " ", "  ", "\t", "\u{a0}"]));
            text.push_str(
                random
                    .pick(&["x", "-x", "static-libs", "-foo_bar", "y#z", "lua5-1", "q+"])
                    .trim_end_matches("#z"),
            );
            if faults && random.chance(20) {
                text.push_str(random.pick(&[" +x", " -*", " LLVM_SLOT: 15", " --x", " ~amd64", " a,b", " y#z"]));
            }
        }
        if !faults && random.chance(30) {
            text.push_str(random.pick(&[
                " VIDEO_CARDS: -* amdgpu",
                " L10N: en-US -de PYTHON_TARGETS: python3_11",
                " CPU_FLAGS_X86: sse4_2 -avx",
            ]));
        }
        text.push_str(random.pick(&["\n", "\n", " # the end\n", " #the end\n", "\r\n"]));
    }
    text
}

/// A make.conf put together from pieces, not all of which fit.
pub(crate) fn make_conf(random: &mut Random) -> String {
    const PIECES: [&str; 36] = [
        "FOO",
        "BAR",
        "USE",
        "=",
        "=",
        "=",
        "=\"a b\"",
        "=\"a\\\nb\"",
        "=\"a\nb\"",
        "='a $b \"c\"'",
        "=x",
        "=\"\"",
        "=-O2",
        "=\"${FOO} -c\"",
        "=a\"b c\"d",
        "=\"a\\\"b\"",
        "=\"a\\$b\"",
        "=\"a\\\\b\"",
        "=a\\ b",
        "=${FOO}",
        "\n",
        "\n",
        "\n",
        "\n",
        " ",
        "# comment\n",
        "#c\"\n",
        "export ",
        "\t",
        "=\"x # y\"",
        "=x#y\n",
        "=(a)",
        "\"",
        "1A",
        "=a/b:c",
        "=\"ü\"",
    ];
    let mut text = String::new();
    for _ in 0..1 + random.below(4) {
        if random.chance(70) {
            text.push_str(random.pick(&["FOO", "BAR", "USE", "export CFLAGS", "_X1"]));
            text.push_str(random.pick(&PIECES[6..20]));
            text.push_str(random.pick(&["\n", "\n", " # c\n", "\n\n"]));
        } else {
            text.push_str(random.pick(&PIECES));
        }
    }
    text
}
