//! CONFIG_PROTECT: which files of a user a merge does not replace, and under which name it puts the new ones.
//!
//! The rules are those of `ConfigProtect` and `new_protect_filename` in Portage's `portage/util/__init__.py` (3.0.83).

/// What lies at a path of the tree that is merged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Found {
    /// A folder, or a link that leads to one.
    Folder,
    /// Anything else.
    Other,
}

/// The paths that are protected and those in them that are not, looked up in one tree.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigProtect {
    protected: Vec<Rule>,
    masked: Vec<Rule>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    path: String,
    /// Only a folder stands for what is below it.
    folder: bool,
}

impl Rule {
    fn matches(&self, path: &str) -> bool {
        match path.strip_prefix(self.path.as_str()) {
            Some("") => true,
            Some(rest) => self.folder && rest.starts_with('/'),
            None => false,
        }
    }
}

impl ConfigProtect {
    /// The rules of CONFIG_PROTECT and CONFIG_PROTECT_MASK, whose words are `protect` and `mask`, for a tree in which `look` finds what
    /// lies at an absolute path.
    ///
    /// A protected path need not be there, as long as the folder that it would lie in is; one that is masked must be.
    pub fn new<'a>(
        protect: impl IntoIterator<Item = &'a str>,
        mask: impl IntoIterator<Item = &'a str>,
        look: impl Fn(&str) -> Option<Found>,
    ) -> Self {
        let is_folder = |path: &str| look(path) == Some(Found::Folder);
        let mut protected = Vec::new();
        let mut masked = Vec::new();
        for word in protect {
            let path = normal(word);
            let parent = path.rsplit_once('/').map_or("", |(parent, _)| parent);
            if is_folder(if parent.is_empty() { "/" } else { parent }) {
                let folder = is_folder(&path);
                protected.push(Rule { path, folder });
            }
        }
        for word in mask {
            let path = normal(word);
            if let Some(found) = look(&path) {
                let folder = found == Found::Folder;
                masked.push(Rule { path, folder });
            }
        }
        Self { protected, masked }
    }

    /// Whether the file at this absolute path is protected.
    ///
    /// Portage goes through the protected paths in the order in which they are given, and lets a longer mask undo the one it is at. So a
    /// path that is given before one of its parents protects nothing that the parent's masks undo.
    #[must_use]
    pub fn is_protected(&self, path: &str) -> bool {
        let (mut protected, mut masked) = (0, 0);
        for rule in &self.protected {
            if rule.path.len() > masked && rule.matches(path) {
                protected = rule.path.len();
                for mask in &self.masked {
                    if mask.path.len() >= protected && mask.matches(path) {
                        masked = mask.path.len();
                    }
                }
            }
        }
        protected > masked
    }
}

/// `PATH` as an absolute path without empty and `.` parts, and with `..` resolved.
fn normal(path: &str) -> String {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop();
            }
            part => parts.push(part),
        }
    }
    format!("/{}", parts.join("/"))
}

/// The name under which the new version of a protected file is put: `._cfgNNNN_NAME`, with a number above all that are there, or the last of
/// these if `is_same` says that it is the new version already.
///
/// `names` are those of the folder in which the file lies.
pub fn protected_name<'a>(
    name: &str,
    names: impl IntoIterator<Item = &'a str>,
    is_same: impl FnOnce(&str) -> bool,
) -> String {
    let numbered = |other: &'a str| {
        let (number, rest) = other.strip_prefix("._cfg")?.split_at_checked(4)?;
        let number: u32 = number.parse().ok()?;
        (rest.get(1..) == Some(name)).then_some((number, other))
    };
    match names.into_iter().filter_map(numbered).max() {
        Some((_, last)) if is_same(last) => last.to_owned(),
        Some((number, _)) => format!("._cfg{:04}_{name}", number + 1),
        None => format!("._cfg0000_{name}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rules() -> ConfigProtect {
        let look = |path: &str| match path {
            "/" | "/etc" | "/etc/env.d" | "/usr/share/config" | "/usr/share" => Some(Found::Folder),
            "/etc/gconf" | "/etc/one" => Some(Found::Other),
            _ => None,
        };
        ConfigProtect::new(
            [
                "/etc",
                "/usr/share/config/",
                "/etc/env.d/mine",
                "/nowhere/at/all",
                "/etc/one",
            ],
            ["/etc/env.d", "/etc/gconf", "/etc/absent"],
            look,
        )
    }

    #[test]
    fn a_longer_rule_undoes_a_shorter_one() {
        let rules = rules();
        for (path, protected) in [
            ("/etc/passwd", true),
            ("/etcetera/passwd", false),
            ("/etc/env.d/99local", false),
            // A file that is not there yet can be protected in a folder that is not.
            ("/etc/env.d/mine", true),
            ("/etc/gconf", false),
            // What is masked is no folder, so that this is not in it.
            ("/etc/gconf/schema", true),
            ("/etc/absent", true),
            ("/usr/share/config/a", true),
            ("/usr/share/other", false),
            ("/nowhere/at/all", false),
        ] {
            assert_eq!(rules.is_protected(path), protected, "{path}");
        }
    }

    #[test]
    fn numbers_go_up_unless_the_last_is_the_same() {
        let names = ["._cfg0000_a", "._cfg0009_a", "._cfg0011_b", "._cfgx_a", "a"];
        assert_eq!(protected_name("a", names, |_| false), "._cfg0010_a");
        assert_eq!(protected_name("a", names, |last| last == "._cfg0009_a"), "._cfg0009_a");
        assert_eq!(protected_name("c", names, |_| true), "._cfg0000_c");
    }
}
