//! Random manifests, written in random ways, with random changes.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::super::{Change, EditError, Holder, Setting, Text, edit};
use crate::convert::packages;
use crate::model::{Dep, PackageSettings};

/// A statement: keys, and a value.
type Fact = (Vec<String>, String);

#[derive(Debug, Clone)]
struct Package {
    flags: Vec<&'static str>,
    keywords: bool,
    deps: Vec<(usize, Vec<&'static str>)>,
}

const MEMBERS: [&str; 5] = ["a/b", "=c/d-1.2", ">=e/f-1:0", "g/h", "@set"];
const DEPS: [&str; 4] = ["i/j", "=k/l-2", "m/n:3", "a/b"];
const FLAGS: [&str; 5] = ["one", "-two", "three", "-four", "on"];
const COMMENTS: [&str; 4] = ["", "  # why, [so] { }", " # x: y", "   #"];

/// Says how something is to be written, one decision after the other.
struct Whims<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl Whims<'_> {
    fn of(&mut self, count: usize) -> usize {
        self.at += 1;
        usize::from(self.bytes[self.at % self.bytes.len()]) % count
    }

    fn comment(&mut self) -> &'static str {
        COMMENTS[self.of(COMMENTS.len())]
    }

    /// An atom, in quotes where it needs them and sometimes where it does not.
    fn word(&mut self, text: &str) -> String {
        let must = !text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '-') || text == "on";
        match self.of(4) {
            0 => format!("'{text}'"),
            1 => format!("\"{text}\""),
            _ if must => format!("\"{text}\""),
            _ => text.to_owned(),
        }
    }

    fn lines_between(&mut self, indent: usize) -> String {
        match self.of(5) {
            0 => "\n".to_owned(),
            1 => format!("{:indent$}# between\n", ""),
            _ => String::new(),
        }
    }

    /// A list: in brackets on one line or several, or with dashes.
    fn list(&mut self, items: &[String], indent: usize) -> String {
        match self.of(4) {
            0 => {
                let mut text = format!("{}\n", self.comment());
                for item in items {
                    text += &self.lines_between(indent);
                    text += &format!("{:indent$}- {item}{}\n", "", self.comment());
                }
                text
            }
            1 => {
                let mut text = format!(" [{}\n", self.comment());
                for (index, item) in items.iter().enumerate() {
                    let comma = if index + 1 < items.len() || self.of(2) == 0 {
                        ","
                    } else {
                        ""
                    };
                    text += &format!("{:indent$}{item}{comma}{}\n", "", self.comment());
                }
                text + &format!("{:indent$}]{}\n", "", self.comment())
            }
            2 => format!(" [ {} ]{}\n", items.join(" , "), self.comment()),
            _ => format!(" [{}]{}\n", items.join(", "), self.comment()),
        }
    }

    /// A map: in braces on one line, or a line an entry. Each value begins with what parts it from its key.
    fn map(&mut self, entries: &[(String, String, String)], indent: usize) -> String {
        if self.of(3) == 0 {
            let inside: Vec<String> = entries.iter().map(|(key, flat, _)| format!("{key}: {flat}")).collect();
            return format!(" {{ {} }}{}\n", inside.join(", "), self.comment());
        }
        let mut text = format!("{}\n", self.comment());
        for (key, _, lines) in entries {
            text += &self.lines_between(indent);
            text += &format!("{:indent$}{key}:{lines}", "");
        }
        text
    }
}

/// `{ use: [...] }` and its forms of several lines, for each of which `rest` may have more keys.
fn settings(whims: &mut Whims<'_>, package: &Package, indent: usize) -> (String, String) {
    let mut entries = Vec::new();
    let flags: Vec<String> = package.flags.iter().map(|flag| whims.word(flag)).collect();
    if !flags.is_empty() {
        entries.push((
            "use".to_owned(),
            format!("[{}]", flags.join(", ")),
            whims.list(&flags, indent + 2),
        ));
    }
    if package.keywords {
        let keyword = ["\"~amd64\"".to_owned()];
        entries.push((
            "accept_keywords".to_owned(),
            format!("[{}]", keyword[0]),
            whims.list(&keyword, indent + 2),
        ));
    }
    let deps: Vec<(String, String, String)> = package
        .deps
        .iter()
        .map(|(atom, flags)| {
            let only = Package {
                flags: flags.clone(),
                keywords: false,
                deps: Vec::new(),
            };
            let (flat, lines) = settings(whims, &only, indent + 4);
            (whims.word(DEPS[*atom]), flat, lines)
        })
        .collect();
    if !deps.is_empty() {
        let flat: Vec<String> = deps.iter().map(|(key, flat, _)| format!("{key}: {flat}")).collect();
        entries.push((
            "deps".to_owned(),
            format!("{{ {} }}", flat.join(", ")),
            whims.map(&deps, indent + 2),
        ));
    }
    if entries.is_empty() {
        let lines = match whims.of(3) {
            0 => format!("{}\n", whims.comment()),
            1 => format!(" ~{}\n", whims.comment()),
            _ => format!(" {{}}{}\n", whims.comment()),
        };
        return ("{}".to_owned(), lines);
    }
    let flat: Vec<String> = entries.iter().map(|(key, flat, _)| format!("{key}: {flat}")).collect();
    let lines = whims.map(&entries, indent);
    (format!("{{ {} }}", flat.join(", ")), lines)
}

fn manifest(packages: &[(usize, Package)], whims: &mut Whims<'_>) -> String {
    let head = format!(
        "farm: x\nsubjects:{}\n  t: {{ packages: [a/b] }}\n  s:\n    packages:",
        whims.comment()
    );
    let words_do = packages.iter().all(|(_, package)| package.deps.is_empty());
    let line = |(member, package): &(usize, Package)| {
        let mut words = vec![MEMBERS[*member]];
        words.extend(&package.flags);
        words.extend(package.keywords.then_some("~amd64"));
        words.join(" ")
    };
    let body = match whims.of(4) {
        0 if words_do => {
            let mut text = format!(" |{}\n", whims.comment());
            for package in packages {
                text += &whims.lines_between(6);
                text += &format!("      {}{}\n", line(package), whims.comment());
            }
            text
        }
        1 if words_do => {
            let items: Vec<String> = packages
                .iter()
                .map(|package| match line(package) {
                    line if line.starts_with(['@', '>', '=']) => format!("\"{line}\""),
                    line => line,
                })
                .collect();
            let indent = [4, 6][whims.of(2)];
            whims.list(&items, indent)
        }
        _ => {
            let entries: Vec<(String, String, String)> = packages
                .iter()
                .map(|(member, package)| {
                    let (flat, lines) = settings(whims, package, 8);
                    (whims.word(MEMBERS[*member]), flat, lines)
                })
                .collect();
            whims.map(&entries, 6)
        }
    };
    let tail = whims.lines_between(2);
    format!("{head}{body}{tail}images: {{}}{}\n", whims.comment())
}

/// Everything that a text says of its packages.
fn facts(text: &str) -> BTreeSet<Fact> {
    let text = Text::read(text, &BTreeMap::new()).unwrap_or_else(|| panic!("not YAML:\n{text}"));
    let mut reader = text.reader();
    let packages = packages(
        &mut reader,
        &text.packages(&Holder::Subject("s".to_owned())).unwrap().value,
        "packages",
    );
    assert_eq!(reader.diagnostics, [], "{}", text.sources.text(crate::FileId(0)));
    let mut found = BTreeSet::new();
    for entry in &packages.entries {
        let path = vec![entry.member.value.to_string()];
        found.insert((path.clone(), String::new()));
        collect(&path, &entry.settings, &entry.deps, &mut found);
    }
    found
}

fn collect(path: &[String], settings: &PackageSettings, deps: &[Dep], found: &mut BTreeSet<Fact>) {
    let mut add = |key: &str, value: String| found.insert(([path, &[key.to_owned()]].concat(), value));
    for flag in &settings.use_flags {
        add("use", flag.to_string());
    }
    for keyword in &settings.accept_keywords {
        add("accept_keywords", keyword.value.clone());
    }
    for license in &settings.license {
        add("license", license.value.clone());
    }
    for atom in &settings.unmask {
        add("unmask", atom.value.to_string());
    }
    for dep in deps {
        let path = [path, &[dep.atom.value.to_string()]].concat();
        collect(&path, &dep.settings, &dep.deps, found);
    }
}

/// The lines of `old` that `new` does not have, when both are read in order.
fn lost<'a>(old: &'a str, new: &str) -> Vec<&'a str> {
    let mut rest: Vec<&str> = new.lines().collect();
    old.lines()
        .filter(|line| match rest.iter().position(|other| other == line) {
            Some(at) => {
                rest.drain(..=at);
                false
            }
            None => true,
        })
        .collect()
}

fn comments(text: &str) -> Vec<&str> {
    text.lines()
        .filter_map(|line| line.split_once('#').map(|(_, comment)| comment))
        .collect()
}

fn package() -> impl Strategy<Value = Package> {
    let flags = proptest::sample::subsequence(FLAGS.to_vec(), 0..4);
    let some = proptest::sample::subsequence(FLAGS.to_vec(), 1..4);
    let deps = proptest::collection::btree_map(0..DEPS.len(), some, 0..3);
    (flags, any::<bool>(), deps, 0..2_u8).prop_map(|(flags, keywords, deps, with_deps)| Package {
        flags,
        keywords,
        deps: if with_deps == 0 {
            Vec::new()
        } else {
            deps.into_iter().collect()
        },
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn an_edit_says_one_thing_more_and_moves_nothing(
        chosen in proptest::collection::btree_map(0..MEMBERS.len(), package(), 1..5),
        bytes in proptest::collection::vec(any::<u8>(), 64),
        member in any::<prop::sample::Index>(),
        atom in 0..=DEPS.len(),
        setting in 0..4_usize,
        values in proptest::sample::subsequence(vec!["one", "two", "-three", "-five", "six"], 1..3),
    ) {
        let packages: Vec<(usize, Package)> = chosen
            .into_iter()
            .map(|(at, package)| match MEMBERS[at] {
                // Nothing is set for a set.
                "@set" => (at, Package { flags: Vec::new(), keywords: false, deps: Vec::new() }),
                _ => (at, package),
            })
            .collect();
        let old = manifest(&packages, &mut Whims { bytes: &bytes, at: 0 });
        let member = MEMBERS[member.get(&packages).0];
        let atom = DEPS.get(atom).copied().unwrap_or(member);
        let (setting, values) = match setting {
            0 | 1 => (Setting::Use, values),
            2 => (Setting::AcceptKeywords, vec!["~amd64"]),
            _ if atom == member => (Setting::License, vec!["EULA"]),
            _ => (Setting::Unmask, Vec::new()),
        };
        let values: Vec<String> = values.iter().map(ToString::to_string).collect();
        let change = Change::Set { member: member.to_owned(), atom: atom.to_owned(), setting, values: values.clone() };
        let before = facts(&old);
        let mut path = vec![member.to_owned()];
        path.extend((atom != member).then(|| atom.to_owned()));
        path.push(setting.key().to_owned());
        let fact = |value: &str| (path.clone(), value.to_owned());
        let new = match edit(&old, &BTreeMap::new(), &Holder::Subject("s".to_owned()), &change) {
            Ok(new) => new,
            Err(EditError::Set(name)) => {
                prop_assert_eq!(name, "@set");
                return Ok(());
            }
            Err(EditError::Contradicts { written, .. }) => {
                prop_assert!(before.contains(&fact(&written)), "{}", old);
                return Ok(());
            }
            Err(EditError::Already) => {
                prop_assert!(values.iter().all(|value| before.contains(&fact(value))), "{}", old);
                return Ok(());
            }
            Err(error) => panic!("{error}:\n{change:?}\n{old}"),
        };
        let mut wanted = before;
        if setting == Setting::Unmask {
            wanted.insert(fact(atom));
        }
        wanted.extend(values.iter().map(|value| fact(value)));
        prop_assert_eq!(facts(&new), wanted, "\n{}\n{}", old, new);
        prop_assert_eq!(comments(&old), comments(&new), "\n{}\n{}", old, new);
        let first = |text: &str| text.split_once("packages:").map(|(_, rest)| rest.split_once("packages:").unwrap().1.trim_start().to_owned()).unwrap();
        let is_map = |text: &str| matches!(Text::read(text, &BTreeMap::new()).unwrap().packages(&Holder::Subject("s".to_owned())).unwrap().value.kind, crate::yaml::Kind::Mapping(_));
        if is_map(&old) == is_map(&new) {
            prop_assert!(lost(&old, &new).len() <= 1, "{:?}\n{}\n{}", lost(&old, &new), old, new);
        } else {
            // The list became a map: what stands around it is as it was.
            let outside = |text: &str| (text.split("packages:").take(2).map(str::to_owned).collect::<Vec<_>>(), text.rsplit_once("images:").map(|(_, tail)| tail.to_owned()));
            prop_assert_eq!(outside(&old), outside(&new));
            prop_assert_ne!(first(&old), first(&new));
        }
    }
}
