//! What names became: the part of `farm.lock` that pins a hosted base.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use thiserror::Error;

use crate::spec::HostedSpec;

/// The pinned form of a [`HostedSpec`]. Serialised as TOML it has one line a package, and no host or URL.
///
/// ```toml
/// suite = "bookworm"
/// architecture = "amd64"
/// packages = ["cmake"]
/// portage = "3.0.83 1939812 portage-3.0.83-py3-none-any.whl sha256:…"
/// debs = [
///     "bash 5.2.15-2+b12 amd64 1490804 sha256:…",
/// ]
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HostedLock {
    /// Code name of the suite (`bookworm`, also where the manifest says `stable`).
    pub suite: String,
    /// The suite's name as the manifest has it.
    pub requested_suite: String,
    /// Debian architecture.
    pub architecture: String,
    /// The packages that were asked for by name, as the manifest has them but sorted.
    pub packages: Vec<String>,
    /// The wheel of Portage.
    pub portage: LockedWheel,
    /// Every Debian package of the root, sorted by name and architecture.
    pub debs: Vec<LockedDeb>,
}

impl HostedLock {
    /// Whether this is a lock of that specification. If not, the lock must be moved before anything is built.
    #[must_use]
    pub fn answers(&self, spec: &HostedSpec) -> bool {
        let mut wanted = spec.packages.clone();
        wanted.sort_unstable();
        wanted.dedup();
        self.requested_suite == spec.suite
            && self.architecture == spec.architecture
            && self.portage.version == spec.portage
            && self.packages == wanted
    }

    /// Digest of everything that decides the root's bytes on the lock's side; [`recipe_digest`](crate::recipe_digest)
    /// is the other side.
    ///
    /// What was asked for by name is left out: two requests that came to the same packages make the same root.
    #[must_use]
    pub fn digest(&self) -> blake3::Hash {
        let mut hasher = blake3::Hasher::new_derive_key("farm hosted lock 1");
        let mut field = |text: &str| {
            hasher.update(&(text.len() as u64).to_le_bytes());
            hasher.update(text.as_bytes());
        };
        field(&self.suite);
        field(&self.architecture);
        field(&self.portage.to_string());
        for deb in &self.debs {
            field(&deb.to_string());
        }
        hasher.finalize()
    }

    /// File name and SHA-256 (hex) of every file the root is made of, the wheel last.
    pub fn files(&self) -> impl Iterator<Item = (String, &str)> {
        self.debs
            .iter()
            .map(|deb| (deb.file_name(), deb.sha256.as_str()))
            .chain(std::iter::once((
                self.portage.file.clone(),
                self.portage.sha256.as_str(),
            )))
    }
}

/// One Debian package: a line `NAME VERSION ARCHITECTURE SIZE sha256:HEX`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockedDeb {
    /// Package name.
    pub name: String,
    /// `amd64`, `all`…
    pub architecture: String,
    /// Full version, with epoch and revision.
    pub version: String,
    /// Bytes of the file.
    pub size: u64,
    /// Lower-case hex.
    pub sha256: String,
}

impl LockedDeb {
    /// The file's name as apt writes it: `:` and `_` of the version are percent-encoded.
    #[must_use]
    pub fn file_name(&self) -> String {
        let version = self.version.replace('%', "%25").replace('_', "%5f").replace(':', "%3a");
        format!("{}_{version}_{}.deb", self.name, self.architecture)
    }
}

impl fmt::Display for LockedDeb {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {} sha256:{}",
            self.name, self.version, self.architecture, self.size, self.sha256
        )
    }
}

impl FromStr for LockedDeb {
    type Err = LockLineError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let error = || LockLineError(line.to_owned());
        let [name, version, architecture, size, digest] = words(line).ok_or_else(error)?;
        Ok(Self {
            name: plain(name).ok_or_else(error)?,
            architecture: plain(architecture).ok_or_else(error)?,
            version: plain(version).ok_or_else(error)?,
            size: size.parse().map_err(|_| error())?,
            sha256: sha256(digest).ok_or_else(error)?,
        })
    }
}

/// The wheel of Portage: a line `VERSION SIZE FILE sha256:HEX`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct LockedWheel {
    /// Version of Portage.
    pub version: String,
    /// Bytes of the file.
    pub size: u64,
    /// The file's name, from which Python reads version and compatibility.
    pub file: String,
    /// Lower-case hex.
    pub sha256: String,
}

impl fmt::Display for LockedWheel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {} {} sha256:{}", self.version, self.size, self.file, self.sha256)
    }
}

impl FromStr for LockedWheel {
    type Err = LockLineError;

    fn from_str(line: &str) -> Result<Self, Self::Err> {
        let error = || LockLineError(line.to_owned());
        let [version, size, file, digest] = words(line).ok_or_else(error)?;
        Ok(Self {
            version: plain(version).ok_or_else(error)?,
            size: size.parse().map_err(|_| error())?,
            file: plain(file).ok_or_else(error)?,
            sha256: sha256(digest).ok_or_else(error)?,
        })
    }
}

/// A line of the lock that is not of its form.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
#[error("{0:?} is not a line of a hosted lock")]
pub struct LockLineError(String);

macro_rules! as_string {
    ($type:ty) => {
        impl TryFrom<String> for $type {
            type Error = LockLineError;

            fn try_from(line: String) -> Result<Self, Self::Error> {
                line.parse()
            }
        }

        impl From<$type> for String {
            fn from(value: $type) -> Self {
                value.to_string()
            }
        }
    };
}
as_string!(LockedDeb);
as_string!(LockedWheel);

fn words<const N: usize>(line: &str) -> Option<[&str; N]> {
    line.split(' ').collect::<Vec<_>>().try_into().ok()
}

/// A word that may become part of a file name or a command line: the lock comes from a repository that people merge
/// into, so `../` and a leading `-` must not get through.
fn plain(word: &str) -> Option<String> {
    let starts_well = word.starts_with(|c: char| c.is_ascii_alphanumeric());
    let is_plain = word.chars().all(|c| c.is_ascii_alphanumeric() || "+-.:~_!".contains(c));
    (starts_well && is_plain).then(|| word.to_owned())
}

fn sha256(word: &str) -> Option<String> {
    let hex = word.strip_prefix("sha256:")?;
    let is_digest = hex.len() == 64 && hex.chars().all(|c| c.is_ascii_digit() || ('a'..='f').contains(&c));
    is_digest.then(|| hex.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock() -> HostedLock {
        let digest = "ab".repeat(32);
        HostedLock {
            suite: "bookworm".into(),
            requested_suite: "stable".into(),
            architecture: "amd64".into(),
            packages: vec!["cmake".into()],
            portage: format!("3.0.83 12 portage-3.0.83-py3-none-any.whl sha256:{digest}")
                .parse()
                .unwrap(),
            debs: vec![
                format!("bash 5.2.15-2+b12 amd64 34 sha256:{digest}").parse().unwrap(),
                format!("gcc 4:12.2.0-3 amd64 56 sha256:{digest}").parse().unwrap(),
            ],
        }
    }

    #[test]
    fn toml_has_one_line_a_package_and_reads_back() {
        let text = toml::to_string_pretty(&lock()).unwrap();
        insta::assert_snapshot!(text, @r#"
        suite = "bookworm"
        requested_suite = "stable"
        architecture = "amd64"
        packages = ["cmake"]
        portage = "3.0.83 12 portage-3.0.83-py3-none-any.whl sha256:abababababababababababababababababababababababababababababababab"
        debs = [
            "bash 5.2.15-2+b12 amd64 34 sha256:abababababababababababababababababababababababababababababababab",
            "gcc 4:12.2.0-3 amd64 56 sha256:abababababababababababababababababababababababababababababababab",
        ]
        "#);
        assert_eq!(toml::from_str::<HostedLock>(&text).unwrap(), lock());
    }

    #[test]
    fn file_names_are_those_of_apt() {
        assert_eq!(lock().debs[1].file_name(), "gcc_4%3a12.2.0-3_amd64.deb");
    }

    #[test]
    fn lines_that_could_escape_are_refused() {
        let digest = "ab".repeat(32);
        for line in [
            format!("../bash 1 amd64 1 sha256:{digest}"),
            format!("bash -1 amd64 1 sha256:{digest}"),
            format!("bash 1/2 amd64 1 sha256:{digest}"),
            format!("bash 1 amd64 x sha256:{digest}"),
            "bash 1 amd64 1 sha256:ab".to_owned(),
            format!("bash 1 amd64 1 sha256:{digest} more"),
        ] {
            assert!(line.parse::<LockedDeb>().is_err(), "{line}");
        }
    }

    #[test]
    fn a_lock_answers_its_own_request_only() {
        let spec = |suite: &str, packages: &[&str]| HostedSpec {
            suite: suite.into(),
            architecture: "amd64".into(),
            portage: "3.0.83".into(),
            packages: packages.iter().map(ToString::to_string).collect(),
        };
        assert!(lock().answers(&spec("stable", &["cmake", "cmake"])));
        assert!(!lock().answers(&spec("bookworm", &["cmake"])));
        assert!(!lock().answers(&spec("stable", &[])));
    }

    #[test]
    fn the_digest_is_of_the_packages_not_of_the_request() {
        let mut other = lock();
        other.packages.clear();
        other.requested_suite = "bookworm".into();
        assert_eq!(other.digest(), lock().digest());
        other.debs.pop();
        assert_ne!(other.digest(), lock().digest());
    }
}
