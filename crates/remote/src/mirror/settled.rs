//! `releases/settled`: what the last push that came to its end left at the remote.
//!
//! ```text
//! farm-settled 2
//! release 12
//! record BLAKE3 releases/0012.json
//! package SIZE dev-libs/a/a-1-3.gpkg.tar
//! client BLAKE3 client/README
//! client BLAKE3 releases/client/BLAKE3.tar.gz
//! ```
//!
//! `record` lines name all files of `releases/`, `package` lines all package files that farm has put there and not removed, `client` lines
//! all client files and the archives of them. Version 1 had no `client` lines; it is read.

use std::collections::BTreeMap;

use farm_publish::{RECORDS, client_archive_digest, is_client_file, is_package_file};

use crate::RemoteError;

/// Its path, at the remote and in the mirror.
pub(super) const PATH: &str = "releases/settled";

const HEAD: &str = "farm-settled 2";

/// How it began before there were client files.
const FORMER_HEAD: &str = "farm-settled 1";

/// What is there.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Settled {
    /// The newest release.
    pub(super) number: u64,
    /// Digests of the files of `releases/`, by path.
    pub(super) records: BTreeMap<String, blake3::Hash>,
    /// Sizes of the package files, by path.
    pub(super) packages: BTreeMap<String, u64>,
    /// Digests of the files of `client/` and of the archives under `releases/`, by path.
    pub(super) client: BTreeMap<String, blake3::Hash>,
}

impl Settled {
    pub(super) fn render(&self) -> String {
        let mut text = format!("{HEAD}\nrelease {}\n", self.number);
        for (path, digest) in &self.records {
            text.push_str(&format!("record {digest} {path}\n"));
        }
        for (path, size) in &self.packages {
            text.push_str(&format!("package {size} {path}\n"));
        }
        for (path, digest) in &self.client {
            text.push_str(&format!("client {digest} {path}\n"));
        }
        text
    }

    /// Reads what `place` holds. Paths that lead elsewhere are refused: others can write there.
    pub(super) fn parse(bytes: &[u8], place: &str) -> Result<Self, RemoteError> {
        let text = String::from_utf8_lossy(bytes);
        let damaged = |reason: String| RemoteError::Damaged {
            place: format!("{place}/{PATH}"),
            reason,
        };
        let mut lines = text.lines();
        match lines.next() {
            Some(HEAD | FORMER_HEAD) => {}
            Some(head) if head.starts_with("farm-settled ") => {
                return Err(damaged("a newer farm wrote it".to_owned()));
            }
            _ => return Err(damaged("it does not begin as it should".to_owned())),
        }
        let mut settled = Self::default();
        for line in lines {
            settled
                .read_line(line)
                .ok_or_else(|| damaged(format!("it has the line `{line}`")))?;
        }
        Ok(settled)
    }

    fn read_line(&mut self, line: &str) -> Option<()> {
        let (word, rest) = line.split_once(' ')?;
        if word == "release" {
            self.number = rest.parse().ok()?;
            return Some(());
        }
        let (value, path) = rest.split_once(' ')?;
        match word {
            "record" if is_record_file(path) => {
                self.records
                    .insert(path.to_owned(), blake3::Hash::from_hex(value).ok()?);
            }
            "package" if is_package_file(path) => {
                self.packages.insert(path.to_owned(), value.parse().ok()?);
            }
            "client" if is_client_path(path) => {
                self.client.insert(path.to_owned(), blake3::Hash::from_hex(value).ok()?);
            }
            _ => return None,
        }
        Some(())
    }
}

/// Whether a path is a file of `releases/` that is the publisher's.
pub(super) fn is_record_file(path: &str) -> bool {
    let name = path.strip_prefix(RECORDS).and_then(|rest| rest.strip_prefix('/'));
    name.is_some_and(|name| !name.is_empty() && !name.starts_with('.') && !name.contains('/')) && path != PATH
}

/// Whether a path is one of a client file, or of an archive of them.
pub(super) fn is_client_path(path: &str) -> bool {
    is_client_file(path) || client_archive_digest(path).is_some()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read() {
        let settled = Settled {
            number: 12,
            records: [("releases/0012.json".to_owned(), blake3::hash(b"x"))].into(),
            packages: [("a/b/b-1 1-1.gpkg.tar".to_owned(), 7)].into(),
            client: [
                ("client/profile/parent".to_owned(), blake3::hash(b"y")),
                (
                    format!("releases/client/{}.tar.gz", blake3::hash(b"z")),
                    blake3::hash(b"z"),
                ),
            ]
            .into(),
        };
        let text = settled.render();
        assert_eq!(Settled::parse(text.as_bytes(), "x").unwrap(), settled);
        // What a farm left that knew no client files.
        let former = text.replace(HEAD, FORMER_HEAD);
        let former: String = former
            .lines()
            .filter(|line| !line.starts_with("client"))
            .map(|line| format!("{line}\n"))
            .collect();
        let former = Settled::parse(former.as_bytes(), "x").unwrap();
        assert_eq!((former.packages, former.client.len()), (settled.packages, 0));
    }

    #[test]
    fn what_leads_elsewhere_is_refused() {
        let digest = blake3::hash(b"x");
        for line in [
            "package 7 ../../b/c.gpkg.tar",
            "package 7 Packages",
            &format!("record {digest} releases/../x"),
            &format!("record {digest} releases/settled"),
            &format!("record {digest} /etc/passwd"),
            "record 0 releases/0001.json",
            &format!("client {digest} client/../x"),
            &format!("client {digest} releases/client/x.tar.gz"),
            &format!("client {digest} Packages"),
            "other 1 x",
            "release x",
            "x",
        ] {
            let text = format!("{HEAD}\nrelease 1\n{line}\n");
            let error = Settled::parse(text.as_bytes(), "x").unwrap_err();
            assert!(matches!(error, RemoteError::Damaged { .. }), "{line}");
        }
        assert!(
            Settled::parse(b"farm-settled 3\n", "x")
                .unwrap_err()
                .to_string()
                .contains("newer")
        );
    }
}
