//! Which files of a root are accounted for by packages.
//!
//! A package's key depends on the base package by package, and on one digest of the files that no package owns. On a
//! hosted base dpkg's packages own theirs; Portage's files are in the CONTENTS of its stub. This module says which
//! paths those are, so that the digest can be taken over the rest.

use std::collections::{BTreeMap, BTreeSet};

use crate::pyc;

/// Paths below which everything is made from what packages bring (caches, logs, package databases, which services start)
/// or by programs while they run. A manual page that an alternative points at decides nothing; the alternatives
/// themselves are not here, since which awk `awk` is does.
const GENERATED_BELOW: &[&str] = &[
    "dev/",
    "etc/rc0.d/",
    "etc/rc1.d/",
    "etc/rc2.d/",
    "etc/rc3.d/",
    "etc/rc4.d/",
    "etc/rc5.d/",
    "etc/rc6.d/",
    "etc/rcS.d/",
    "etc/ssl/certs/",
    "etc/systemd/system/",
    "proc/",
    "run/",
    "sys/",
    "tmp/",
    "usr/share/man/",
    "var/cache/",
    "var/db/pkg/",
    "var/lib/apt/",
    "var/lib/dpkg/",
    "var/lib/pam/",
    "var/lib/python/",
    "var/lib/systemd/",
    "var/log/",
    "var/tmp/",
];

/// Single files that are made from what packages bring.
const GENERATED: &[&str] = &[
    "etc/ca-certificates.conf",
    "etc/ld.so.cache",
    "usr/share/info/dir",
    "var/lib/shells.state",
    "var/spool/mail",
];

/// The paths that packages own.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Ownership {
    owned: BTreeSet<String>,
}

impl Ownership {
    /// Collects the owned paths.
    ///
    /// `lists` are the contents of `/var/lib/dpkg/info/*.list`: one absolute path a line. `contents` are the contents
    /// of `/var/db/pkg/*/*/CONTENTS`. `links` are the symbolic links in the root's top directory with their targets
    /// (`lib` → `usr/lib`): Debian's lists name files as they were packed, which on a merged-`/usr` root is not where
    /// they lie. All paths of the result are relative, without a leading `/`.
    #[must_use]
    pub fn new<'a>(
        lists: impl IntoIterator<Item = &'a str>,
        contents: impl IntoIterator<Item = &'a str>,
        links: &BTreeMap<String, String>,
    ) -> Self {
        let listed = lists.into_iter().flat_map(str::lines);
        let recorded = contents
            .into_iter()
            .flat_map(str::lines)
            .filter_map(path_of_contents_line);
        let owned = listed
            .chain(recorded)
            .map(|path| resolve(path, links))
            .filter(|path| !path.is_empty())
            .collect();
        Self { owned }
    }

    /// Whether a package accounts for that path (relative or absolute): it owns it, or the file is generated from what
    /// packages own. The rest belongs into the digest of unowned files.
    #[must_use]
    pub fn covers(&self, path: &str) -> bool {
        let path = path.trim_matches('/');
        self.owned.contains(path) || is_generated(path) || self.is_compiled_from_owned(path)
    }

    /// The owned paths, relative and sorted.
    pub fn paths(&self) -> impl Iterator<Item = &str> {
        self.owned.iter().map(String::as_str)
    }

    /// Compiled modules are of their source: a `.pyc` beside an owned `.py`, and the folder that holds them.
    fn is_compiled_from_owned(&self, path: &str) -> bool {
        match path.strip_suffix("__pycache__") {
            Some(folder) => self.owned.contains(folder.trim_end_matches('/')),
            None => pyc::source_of(path).is_some_and(|source| self.owned.contains(&source)),
        }
    }
}

/// Whether a path (relative) is one of those that are generated on every root, whatever packages it has.
#[must_use]
pub fn is_generated(path: &str) -> bool {
    GENERATED.contains(&path)
        || is_alternative_of_a_manual(path)
        || GENERATED_BELOW
            .iter()
            .any(|folder| path.starts_with(folder) || path == folder.trim_end_matches('/'))
}

/// `/etc/alternatives/awk.1.gz` and its kin.
fn is_alternative_of_a_manual(path: &str) -> bool {
    path.strip_prefix("etc/alternatives/")
        .is_some_and(|name| name.ends_with(".gz"))
}

/// Follows the top directory's links; lists name their root as `/.`.
fn resolve(path: &str, links: &BTreeMap<String, String>) -> String {
    let path = path.trim_start_matches('/').trim_end_matches("/.");
    let (top, rest) = path.split_once('/').unwrap_or((path, ""));
    match (links.get(top), rest) {
        (_, "") if path == "." => String::new(),
        (Some(target), rest) if !rest.is_empty() => format!("{}/{rest}", target.trim_matches('/')),
        _ => path.to_owned(),
    }
}

/// The path of a CONTENTS line: `dir PATH`, `obj PATH MD5 MTIME`, `sym PATH -> TARGET MTIME`. Paths may have blanks.
fn path_of_contents_line(line: &str) -> Option<&str> {
    let (kind, rest) = line.split_once(' ')?;
    match kind {
        "obj" => rest.rsplitn(3, ' ').nth(2),
        "sym" => rest.split_once(" -> ").map(|(path, _)| path),
        _ => Some(rest),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ownership() -> Ownership {
        let links = BTreeMap::from([
            ("lib".to_owned(), "usr/lib".to_owned()),
            ("bin".to_owned(), "usr/bin".to_owned()),
        ]);
        Ownership::new(
            [
                "/.\n/lib\n/lib/x\n/lib/x/libx.so.1\n",
                "/usr/lib/python3\n/usr/lib/python3/os.py\n/bin/ls\n",
            ],
            [
                "dir /usr/lib/portage\nobj /usr/lib/a b.py 00ff 17\nsym /usr/bin/emerge -> ../lib/portage/bin/emerge 17\n",
            ],
            &links,
        )
    }

    #[test]
    fn owned_paths_are_where_the_files_lie() {
        let paths: Vec<_> = ownership().paths().map(str::to_owned).collect();
        assert_eq!(
            paths,
            [
                "lib",
                "usr/bin/emerge",
                "usr/bin/ls",
                "usr/lib/a b.py",
                "usr/lib/portage",
                "usr/lib/python3",
                "usr/lib/python3/os.py",
                "usr/lib/x",
                "usr/lib/x/libx.so.1",
            ]
        );
    }

    #[test]
    fn compiled_modules_belong_to_their_source() {
        let ownership = ownership();
        assert!(ownership.covers("usr/lib/python3/__pycache__"));
        assert!(ownership.covers("/usr/lib/python3/__pycache__/os.cpython-311.pyc"));
        assert!(!ownership.covers("usr/lib/python3/__pycache__/mine.cpython-311.pyc"));
        assert!(!ownership.covers("usr/local/__pycache__"));
    }

    #[test]
    fn generated_paths_are_covered_and_others_are_not() {
        let ownership = ownership();
        for path in [
            "etc/alternatives/awk.1.gz",
            "etc/ld.so.cache",
            "var/cache/debconf/config.dat",
            "var/db/pkg",
            "etc/ssl/certs/x.pem",
        ] {
            assert!(ownership.covers(path), "{path}");
        }
        for path in [
            "etc/alternatives/awk",
            "etc/passwd",
            "etc/env.d/50baselayout",
            "var/db/repos",
            "etc/ssl",
            "variable",
        ] {
            assert!(!ownership.covers(path), "{path}");
        }
    }
}
