//! emerge's marks, against what was built before in place of what is installed.
//!
//! The rules are those of Portage's `_emerge/resolver/output.py` and `output_helpers.py`; a test holds them against what emerge prints.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};

use farm_portage::version::Version;

use super::{Before, Former};
use crate::{Operation, Package};

/// What merging a package does to what was built before; where nothing was, to the root.
pub(super) fn operation(package: &Package, before: &Before) -> Operation {
    let former = match before {
        Before::Root => return package.operation,
        Before::OtherSlots(_) => return Operation::NewSlot,
        Before::Slot(former) => former,
    };
    match order(&package.version, &former.version) {
        Ordering::Equal => Operation::Rebuild,
        Ordering::Greater => Operation::Upgrade,
        Ordering::Less => Operation::Downgrade,
    }
}

fn order(one: &str, other: &str) -> Ordering {
    match (Version::parse(one), Version::parse(other)) {
        (Ok(one), Ok(other)) => one.vercmp(&other),
        _ => one.cmp(other),
    }
}

/// A package's line with what was built before in place of what is installed, and with `f` where its files are there.
pub(super) fn marked(package: &Package, before: &Before, has_files: bool) -> String {
    let Some(line) = Line::parse(&package.line) else {
        return package.line.clone();
    };
    let mut marks: Vec<char> = line.marks.chars().collect();
    if has_files && marks.get(FETCH) == Some(&'F') {
        marks[FETCH] = 'f';
    }
    let (old, flags) = match before {
        Before::Root => return format!("[{}{}] {}", line.kind, String::from_iter(marks), line.rest),
        Before::Slot(former) => (vec![former.clone()], Some(former.clone())),
        Before::OtherSlots(others) => {
            let mut others = others.clone();
            others.sort_by(|one, other| order(&one.version, &other.version));
            let highest = others.last().cloned();
            (others, highest)
        }
    };
    let operation = operation(package, before);
    let says: [(usize, char, &[Operation]); 5] = [
        (1, 'N', &[Operation::New, Operation::NewSlot]),
        (2, 'S', &[Operation::NewSlot]),
        (2, 'R', &[Operation::Rebuild]),
        (4, 'U', &[Operation::Upgrade, Operation::Downgrade]),
        (5, 'D', &[Operation::Downgrade]),
    ];
    for at in [1, 2, 4, 5] {
        if let Some(mark) = marks.get_mut(at) {
            let said = says
                .iter()
                .find(|(place, _, when)| *place == at && when.contains(&operation));
            *mark = said.map_or(' ', |(_, letter, _)| *letter);
        }
    }
    let (name, use_flags) = line.split();
    let cpv = name.split(':').next().unwrap_or(name);
    let shown = match operation {
        // Where the version is the same, only what else changed is worth words.
        Operation::Rebuild => old
            .iter()
            .filter(|former| {
                former.slot != package.slot
                    || former.subslot != package.subslot
                    || former.repository != package.repository
            })
            .cloned()
            .collect(),
        _ => old,
    };
    let is_new_slot = operation == Operation::NewSlot;
    let versions: Vec<String> = shown
        .iter()
        .map(|former| old_version(package, former, &shown, is_new_slot))
        .collect();
    let versions = if versions.is_empty() {
        String::new()
    } else {
        format!("[{}]", versions.join(", "))
    };
    format!(
        "[{}{}] {cpv}{}::{} {versions} {}",
        line.kind,
        String::from_iter(marks),
        slot(package, &shown, is_new_slot),
        package.repository,
        groups(package, use_flags, flags.as_ref())
    )
    .trim_end()
    .to_owned()
}

/// The place of `F` and `f` among the marks.
const FETCH: usize = 3;

/// A line of emerge's, cut.
struct Line<'a> {
    /// `ebuild `.
    kind: &'a str,
    /// One place each: interactive, new, slot or replace, fetch, update, downgrade; then the mask's.
    marks: &'a str,
    /// The name and what follows.
    rest: &'a str,
}

impl<'a> Line<'a> {
    fn parse(line: &'a str) -> Option<Self> {
        let (inside, rest) = line.strip_prefix('[')?.split_once("] ")?;
        let end = inside.find(' ')? + 1;
        Some(Self {
            kind: &inside[..end],
            marks: &inside[end..],
            rest,
        })
    }

    /// The name, and what follows the versions in brackets.
    fn split(&self) -> (&'a str, &'a str) {
        let (name, rest) = self.rest.split_once(' ').unwrap_or((self.rest, ""));
        let rest = rest.trim_start();
        let behind = rest.strip_prefix('[').and_then(|inside| inside.split_once(']'));
        (name, behind.map_or(rest, |(_, behind)| behind.trim_start()))
    }
}

fn is_plain(slot: &str, subslot: &str) -> bool {
    (slot, subslot) == ("0", "0")
}

/// `:SLOT` or `:SLOT/SUBSLOT`, where it tells something.
fn slot(package: &Package, old: &[Former], is_new_slot: bool) -> String {
    let mut text = format!(":{}", package.slot);
    let tells = package.slot != package.subslot;
    let plain =
        is_plain(&package.slot, &package.subslot) && old.iter().all(|former| is_plain(&former.slot, &former.subslot));
    if is_new_slot {
        if tells {
            text.push_str(&format!("/{}", package.subslot));
        }
        return text;
    }
    if plain {
        return String::new();
    }
    let differs = |former: &Former| former.slot == package.slot && former.subslot != package.subslot;
    if tells || old.iter().any(differs) {
        text.push_str(&format!("/{}", package.subslot));
    }
    text
}

/// `VERSION:SLOT/SUBSLOT::REPOSITORY`.
fn old_version(package: &Package, former: &Former, old: &[Former], is_new_slot: bool) -> String {
    let mut text = former.version.clone();
    let tells = former.slot != former.subslot;
    let plain = is_plain(&package.slot, &package.subslot) && old.iter().all(|one| is_plain(&one.slot, &one.subslot));
    if is_new_slot || !plain {
        text.push_str(&format!(":{}", former.slot));
        let differs = !is_new_slot && former.slot == package.slot && former.subslot != package.subslot;
        if tells || differs {
            text.push_str(&format!("/{}", former.subslot));
        }
    }
    format!("{text}::{}", former.repository)
}

/// The groups of flags, and what follows them, with marks for what is otherwise than in `former`; without one, as of a package that is new.
fn groups(package: &Package, text: &str, former: Option<&Former>) -> String {
    let expand = package.environment.get("USE_EXPAND").map_or("", String::as_str);
    let expand: BTreeSet<String> = expand.split_whitespace().map(str::to_owned).collect();
    let (shown, rest) = parse_groups(text);
    let expanded: BTreeSet<String> = expand.into_iter().chain(shown.keys().cloned()).collect();
    let prefixes: Vec<String> = expanded
        .iter()
        .filter(|name| *name != "USE")
        .map(|name| format!("{}_", name.to_lowercase()))
        .collect();
    let implicit: BTreeSet<&str> = package
        .environment
        .get("IUSE_EFFECTIVE")
        .map_or("", String::as_str)
        .split_whitespace()
        .collect();
    // The line leaves out flags that are hidden, and with them their groups; a group that only the former build has stays hidden as well.
    let mut shown = shown;
    shown.entry("USE".to_owned()).or_default();
    let mut texts = Vec::new();
    for (name, group) in std::iter::once("USE")
        .chain(shown.keys().map(String::as_str).filter(|name| *name != "USE"))
        .filter_map(|name| Some((name, shown.get(name)?)))
    {
        let flags = |flags: &BTreeSet<String>| -> BTreeSet<String> {
            let of_group = |flag: &String| match name {
                "USE" => (!prefixes.iter().any(|prefix| flag.starts_with(prefix))).then(|| flag.clone()),
                name => flag
                    .strip_prefix(&format!("{}_", name.to_lowercase()))
                    .map(str::to_owned),
            };
            flags.iter().filter_map(of_group).collect()
        };
        let full = |flag: &str| match name {
            "USE" => flag.to_owned(),
            name => format!("{}_{flag}", name.to_lowercase()),
        };
        let text = match former {
            None => group.text(None),
            Some(former) => {
                let mut iuse = match &former.iuse {
                    Some(iuse) => flags(iuse),
                    None => group.flags.keys().cloned().collect(),
                };
                // What every package may ask for was never this package's own.
                iuse.retain(|flag| group.flags.contains_key(flag) || !implicit.contains(full(flag).as_str()));
                group.text(Some((&iuse, &flags(&former.use_flags))))
            }
        };
        if !text.is_empty() {
            texts.push(format!("{name}=\"{text}\""));
        }
    }
    if !rest.is_empty() {
        texts.push(rest.to_owned());
    }
    texts.join(" ")
}

/// The flags of one variable.
#[derive(Debug, Default, PartialEq, Eq)]
struct Group {
    /// By name: whether it is enabled, and whether the profile decides that.
    flags: BTreeMap<String, (bool, bool)>,
}

impl Group {
    /// What stands between the quotes; `old` are the flags that there were, and those of them that were enabled.
    fn text(&self, old: Option<(&BTreeSet<String>, &BTreeSet<String>)>) -> String {
        let (mut enabled, mut disabled, mut removed) = (Vec::new(), Vec::new(), Vec::new());
        let mut names: BTreeSet<&String> = self.flags.keys().collect();
        names.extend(old.iter().flat_map(|(iuse, _)| iuse.iter()));
        let mut names: Vec<&String> = names.into_iter().collect();
        names.sort_by(|one, other| natural(one, other));
        for name in names {
            let was = old.map(|(iuse, used)| (iuse.contains(name), iuse.contains(name) && used.contains(name)));
            let Some((is_enabled, is_forced)) = self.flags.get(name).copied() else {
                let star = if was == Some((true, true)) { "*" } else { "" };
                removed.push(format!("(-{name}%{star})"));
                continue;
            };
            let mark = match (was, is_enabled) {
                (None, _) | (Some((true, true)), true) | (Some((true, false)), false) => "",
                (Some((false, _)), true) => "%*",
                (Some((false, _)), false) if is_forced => "",
                (Some((false, _)), false) => "%",
                (Some((true, _)), _) => "*",
            };
            let sign = if is_enabled { "" } else { "-" };
            let text = format!("{sign}{name}{mark}");
            let text = if is_forced { format!("({text})") } else { text };
            if is_enabled {
                enabled.push(text);
            } else {
                disabled.push(text);
            }
        }
        [enabled, disabled, removed].concat().join(" ")
    }
}

/// The groups of a line, by the variable's name, and what follows them.
fn parse_groups(text: &str) -> (BTreeMap<String, Group>, &str) {
    let mut found = BTreeMap::new();
    let mut rest = text.trim();
    while let Some((name, inside)) = rest.split_once("=\"")
        && !name.contains(' ')
        && let Some((flags, behind)) = inside.split_once('"')
    {
        let mut group = Group::default();
        for word in flags.split_whitespace() {
            let is_forced = word.starts_with('(');
            let word = word.trim_matches(['(', ')', '{', '}']);
            let bare = word.trim_end_matches(['*', '%']);
            let (flag, is_enabled) = bare.strip_prefix('-').map_or((bare, true), |flag| (flag, false));
            let is_removed = is_forced && !is_enabled && word.contains('%');
            if !is_removed {
                group.flags.insert(flag.to_owned(), (is_enabled, is_forced));
            }
        }
        found.insert(name.to_owned(), group);
        rest = behind.trim_start();
    }
    (found, rest)
}

/// Numbers in names by their value, as emerge sorts flags.
fn natural(one: &str, other: &str) -> Ordering {
    parts(one).cmp(&parts(other))
}

/// Text and number in turn. A number without its leading zeros is the greater, the longer it is.
fn parts(name: &str) -> Vec<(String, usize, String)> {
    let mut found = Vec::new();
    let mut rest = name;
    while !rest.is_empty() {
        let text = &rest[..rest.find(|c: char| c.is_ascii_digit()).unwrap_or(rest.len())];
        let behind = &rest[text.len()..];
        let number = &behind[..behind.find(|c: char| !c.is_ascii_digit()).unwrap_or(behind.len())];
        let value = number.trim_start_matches('0');
        found.push((text.to_owned(), value.len(), value.to_owned()));
        rest = &behind[number.len()..];
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn flags_are_in_emerges_order() {
        let mut names = vec!["python3_12", "python3_9", "b", "a10", "a9", "a"];
        names.sort_by(|one, other| natural(one, other));
        assert_eq!(names, ["a", "a9", "a10", "b", "python3_9", "python3_12"]);
    }

    #[test]
    fn what_is_removed_is_no_flag_of_the_line() {
        let (groups, rest) = parse_groups(r#"USE="ssl* (static) (-new%*) (-old%) -doc%" ABI="x86" 12 KiB"#);
        let flags = &groups["USE"].flags;
        let wanted = [
            ("doc", (false, false)),
            ("ssl", (true, false)),
            ("static", (true, true)),
        ];
        assert_eq!(*flags, wanted.map(|(name, how)| (name.to_owned(), how)).into());
        assert_eq!((groups.len(), rest), (2, "12 KiB"));
    }
}
