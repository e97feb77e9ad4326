//! What of `/etc/portage` concerns a machine that installs packages.

use std::collections::{BTreeMap, BTreeSet};

use crate::settings::Settings;

/// The files that decide what may be installed, and with which flags.
const FILES: [&str; 7] = [
    "package.accept_keywords",
    "package.accept_restrict",
    "package.license",
    "package.mask",
    "package.properties",
    "package.unmask",
    "package.use",
];

/// The lines of those files, in the order in which Portage reads them, without comments. In the place of licence groups stand their
/// licences: only the repositories say what is in a group.
pub(super) fn lines(
    settings: &Settings,
    groups: &BTreeMap<String, BTreeSet<String>>,
) -> BTreeMap<&'static str, String> {
    let mut found: BTreeMap<&'static str, String> = BTreeMap::new();
    for (path, node) in &settings.etc {
        let top = path.split('/').next().unwrap_or(path);
        let Some(file) = FILES.iter().copied().find(|file| *file == top) else {
            continue;
        };
        for line in node.as_text().lines() {
            let words: Vec<&str> = line
                .split_whitespace()
                .take_while(|word| !word.starts_with('#'))
                .collect();
            let Some((first, rest)) = words.split_first() else {
                continue;
            };
            let mut text = (*first).to_owned();
            for word in rest {
                for word in expanded(file, word, groups) {
                    text.push(' ');
                    text.push_str(&word);
                }
            }
            let lines = found.entry(file).or_default();
            lines.push_str(&text);
            lines.push('\n');
        }
    }
    found
}

/// A word, or what is in the licence group that it names. A group that nobody defines stays.
fn expanded(file: &str, word: &str, groups: &BTreeMap<String, BTreeSet<String>>) -> Vec<String> {
    let (sign, name) = word.strip_prefix('-').map_or(("", word), |name| ("-", name));
    let members = name.strip_prefix('@').and_then(|group| groups.get(group));
    match members.filter(|_| file == "package.license") {
        Some(members) => members.iter().map(|member| format!("{sign}{member}")).collect(),
        None => vec![word.to_owned()],
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileNode;

    #[test]
    fn what_concerns_builds_stays_and_groups_become_licences() {
        let file = |text: &str| FileNode::text(text);
        let settings = Settings {
            etc: [
                ("bashrc".to_owned(), file("evil\n")),
                (
                    "make.conf".to_owned(),
                    file("FETCHCOMMAND=\"curl --header 'Token: x'\"\n"),
                ),
                ("package.env/01-a".to_owned(), file("a/b debug.conf\n")),
                (
                    "package.license/01-a".to_owned(),
                    file("# why\n  a/b   @EULA  # because\n"),
                ),
                ("package.license/02-b".to_owned(), file("a/b -@EULA @NOBODYS\n")),
                ("package.use/01-a".to_owned(), file("dev-qt/* widgets\n\n")),
            ]
            .into(),
            ..Settings::default()
        };
        let groups = [("EULA".to_owned(), ["X", "Y"].map(str::to_owned).into())].into();
        let expected: BTreeMap<&str, String> = [
            ("package.license", "a/b X Y\na/b -X -Y @NOBODYS\n".to_owned()),
            ("package.use", "dev-qt/* widgets\n".to_owned()),
        ]
        .into();
        assert_eq!(lines(&settings, &groups), expected);
    }
}
