//! Where a root has what is its own: configuration, accounts, keys, state.

use std::collections::BTreeSet;
use std::path::{Component, Path, PathBuf};

/// Folders of the root that hold programs and what belongs to them. Whatever lies elsewhere may be this root's own.
const PROGRAMS: &[&str] = &["bin", "lib", "lib32", "lib64", "libx32", "opt", "sbin", "usr"];

/// Where a file that was changed after its merge does not leave the root: outside of the folders of programs, and below whatever
/// CONFIG_PROTECT names of them. CONFIG_PROTECT_MASK does not count: it says what Portage may write over, and not what others may read.
pub(super) struct Guarded {
    named: BTreeSet<PathBuf>,
}

impl Guarded {
    /// Takes `/etc/profile.env`, into which Portage gathers what packages name. It is empty where there is none.
    pub(super) fn new(profile_env: &str) -> Self {
        let lines = profile_env.lines().filter_map(|line| {
            let line = line.trim();
            line.strip_prefix("export ")
                .unwrap_or(line)
                .strip_prefix("CONFIG_PROTECT=")
        });
        let named = lines.flat_map(|value| value.trim_matches(['\'', '"']).split_whitespace());
        Self {
            named: named.map(|path| PathBuf::from(path.trim_matches('/'))).collect(),
        }
    }

    /// Whether a path, relative to the root, is such a place.
    pub(super) fn holds(&self, path: &Path) -> bool {
        let is_program = match path.components().next() {
            Some(Component::Normal(first)) => PROGRAMS.iter().any(|folder| first == *folder),
            _ => false,
        };
        !is_program || path.ancestors().any(|above| self.named.contains(above))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_program_or_is_named_is_the_roots_own() {
        let guarded = Guarded::new(
            "# a comment\nexport CONFIG_PROTECT='/usr/share/gnupg/qualified.txt /usr/lib/x/etc/'\nexport CONFIG_PROTECT_MASK='/etc/env.d'\n",
        );
        for own in [
            "etc/shadow",
            "etc/env.d/04x",
            "root/.ssh/id",
            "var/lib/x/db",
            "srv/x",
            "usr/share/gnupg/qualified.txt",
            "usr/lib/x/etc/y",
        ] {
            assert!(guarded.holds(Path::new(own)), "{own}");
        }
        for program in [
            "usr/bin/x",
            "bin/x",
            "lib64/libx.so",
            "opt/x/bin/x",
            "usr/lib/x/etcetera",
        ] {
            assert!(!guarded.holds(Path::new(program)), "{program}");
        }
    }
}
