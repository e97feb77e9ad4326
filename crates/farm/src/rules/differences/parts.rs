//! The one shape in which outputs are compared: parts by name, and of every part what there is to be said of it.

use std::collections::BTreeMap;

use farm_engine::Difference;

/// An output, part by part.
pub(super) type Parts = BTreeMap<String, Part>;

/// What there is to be said of a part.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Part {
    /// Something in a tree.
    Entry(Entry),
    /// A value by itself.
    Value(Vec<u8>),
}

/// Something in a tree.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Entry {
    /// `file`, `folder`, `link`, …
    pub(super) kind: &'static str,
    /// Of a file.
    pub(super) content: Option<Content>,
    /// `mode`, `owner`, `target`, …: short enough to be shown, and the same ones in this order for every entry of a kind.
    pub(super) facts: Vec<(&'static str, String)>,
}

/// The content of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) digest: blake3::Hash,
    pub(super) size: u64,
}

/// Values up to this length, in bytes, are shown.
const SHOWN: usize = 60;

/// A part that is a text.
pub(super) fn value(text: &str) -> Part {
    Part::Value(text.as_bytes().to_vec())
}

/// What is said of two contents that differ.
pub(super) fn content(former: u64, now: u64) -> String {
    if former == now {
        "content".to_owned()
    } else {
        format!("content ({former}, then {now} bytes)")
    }
}

/// Everything in which two outputs differ, in the order of names.
pub(super) fn compare(former: &Parts, now: &Parts) -> Vec<Difference> {
    let mut found = BTreeMap::new();
    for (name, part) in former {
        match now.get(name) {
            None => found.extend([(name, "only in the first".to_owned())]),
            Some(other) if other != part => found.extend([(name, words(part, other))]),
            Some(_) => {}
        }
    }
    let new = now.keys().filter(|name| !former.contains_key(*name));
    found.extend(new.map(|name| (name, "only in the second".to_owned())));
    found
        .into_iter()
        .map(|(name, what)| Difference::new(name, what))
        .collect()
}

fn words(former: &Part, now: &Part) -> String {
    match (former, now) {
        (Part::Entry(former), Part::Entry(now)) => entry_words(former, now),
        (Part::Value(former), Part::Value(now)) => match (short(former), short(now)) {
            // White space alone would not be seen.
            (Some(from), Some(to)) if from != to => format!("{from}, then {to}"),
            _ => content(former.len() as u64, now.len() as u64),
        },
        _ => "content".to_owned(),
    }
}

fn entry_words(former: &Entry, now: &Entry) -> String {
    if former.kind != now.kind {
        return format!("a {}, then a {}", former.kind, now.kind);
    }
    let mut words = Vec::new();
    if let (Some(from), Some(to)) = (former.content, now.content)
        && from != to
    {
        words.push(content(from.size, to.size));
    }
    let facts = former.facts.iter().zip(&now.facts).filter(|(from, to)| from != to);
    words.extend(facts.map(|((name, from), (_, to))| format!("{name} {from}, then {to}")));
    words.join("; ")
}

/// A value that can be shown as it is.
fn short(value: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(value).ok()?.trim();
    let fits = text.len() <= SHOWN && !text.chars().any(char::is_control);
    fits.then(|| {
        if text.is_empty() {
            "nothing".to_owned()
        } else {
            text.to_owned()
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(text: &str, mode: &str) -> Part {
        let content = Some(Content {
            digest: blake3::hash(text.as_bytes()),
            size: text.len() as u64,
        });
        Part::Entry(Entry {
            kind: "file",
            content,
            facts: vec![("mode", mode.to_owned()), ("owner", "0:0".to_owned())],
        })
    }

    fn link(target: &str) -> Part {
        Part::Entry(Entry {
            kind: "link",
            content: None,
            facts: vec![("target", target.to_owned())],
        })
    }

    fn said(former: Vec<(&str, Part)>, now: Vec<(&str, Part)>) -> Vec<String> {
        let parts = |list: Vec<(&str, Part)>| list.into_iter().map(|(name, part)| (name.to_owned(), part)).collect();
        let differences = compare(&parts(former), &parts(now));
        differences
            .into_iter()
            .map(|difference| format!("{}: {}", difference.path, difference.what))
            .collect()
    }

    #[test]
    fn the_same_is_not_named() {
        assert!(said(vec![("a", file("x", "644"))], vec![("a", file("x", "644"))]).is_empty());
    }

    #[test]
    fn entries_by_what_differs() {
        let former = vec![
            ("a", file("x", "644")),
            ("b", file("x", "644")),
            ("c", file("x", "644")),
            ("d", file("x", "644")),
            ("gone", link("a")),
            ("l", link("a")),
        ];
        let now = vec![
            ("a", file("y", "644")),
            ("b", file("x", "755")),
            ("c", file("xx", "755")),
            ("d", link("a")),
            ("l", link("b")),
            ("new", link("a")),
        ];
        assert_eq!(
            said(former, now),
            [
                "a: content",
                "b: mode 644, then 755",
                "c: content (1, then 2 bytes); mode 644, then 755",
                "d: a file, then a link",
                "gone: only in the first",
                "l: target a, then b",
                "new: only in the second",
            ]
        );
    }

    #[test]
    fn short_values_are_shown() {
        let long = "x".repeat(SHOWN + 1);
        assert_eq!(
            said(
                vec![
                    ("SIZE", value("12\n")),
                    ("USE", value("")),
                    ("NEEDED", value("a\nb")),
                    ("PF", value("a-1"))
                ],
                vec![
                    ("SIZE", value("13\n")),
                    ("USE", value("x")),
                    ("NEEDED", value(&long)),
                    ("PF", value("a-1\n"))
                ],
            ),
            [
                "NEEDED: content (3, then 61 bytes)",
                "PF: content (3, then 4 bytes)",
                "SIZE: 12, then 13",
                "USE: nothing, then x"
            ]
        );
    }
}
