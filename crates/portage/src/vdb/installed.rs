//! One installed package.

use std::collections::BTreeSet;

use crate::gpkg::{ErrorKind, Metadata, fold_whitespace, folded};

use super::contents::{ContentsEntry, ContentsError, parse_contents};

/// An entry of the package database, with every value folded to single spaces. Missing values are empty.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Installed {
    /// `CATEGORY/PF`
    pub cpv: String,
    /// The slot without the subslot.
    pub slot: String,
    /// The subslot; the slot again where SLOT names none.
    pub subslot: String,
    /// The flags that were on.
    pub use_flags: BTreeSet<String>,
    /// The package's own flags, without the `+` and `-` of their defaults.
    pub iuse: BTreeSet<String>,
    /// All flags that a USE dependency on this package may name.
    pub iuse_effective: BTreeSet<String>,
    /// `0` where the file is missing.
    pub eapi: String,
    /// KEYWORDS, one a word.
    pub keywords: Vec<String>,
    /// The repository's name; empty if it is not recorded.
    pub repository: String,
    /// DEPEND
    pub depend: String,
    /// BDEPEND
    pub bdepend: String,
    /// RDEPEND
    pub rdepend: String,
    /// PDEPEND
    pub pdepend: String,
    /// IDEPEND
    pub idepend: String,
    /// PROVIDES: the SONAMEs by ABI that the package installs.
    pub provides: String,
    /// REQUIRES: the SONAMEs by ABI that the package needs.
    pub requires: String,
    /// CHOST
    pub chost: String,
    /// CFLAGS
    pub cflags: String,
    /// CXXFLAGS
    pub cxxflags: String,
    /// LDFLAGS
    pub ldflags: String,
    /// BUILD_ID, if there is one.
    pub build_id: Option<u64>,
    /// BUILD_TIME in seconds since the epoch, if there is one.
    pub build_time: Option<u64>,
    /// CONTENTS
    pub contents: Vec<ContentsEntry>,
}

/// Why an entry cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InstalledError {
    /// CONTENTS does not parse.
    #[error("{cpv}: {error}")]
    Contents {
        /// The package.
        cpv: String,
        /// What is wrong.
        error: ContentsError,
    },
    /// A number does not parse.
    #[error("{cpv}: {key} `{value}` is not a number")]
    Number {
        /// The package.
        cpv: String,
        /// BUILD_ID or BUILD_TIME.
        key: &'static str,
        /// What is there.
        value: String,
    },
}

impl InstalledError {
    /// Tells whose fault this is: always the root's.
    pub fn kind(&self) -> ErrorKind {
        ErrorKind::Input
    }
}

impl Installed {
    /// Reads an entry from the files of its folder. `category` and `pf` are the names of the folders, which count more
    /// than the files CATEGORY and PF.
    pub fn parse(category: &str, pf: &str, files: &Metadata) -> Result<Self, InstalledError> {
        let cpv = format!("{category}/{pf}");
        let text = |key: &str| folded(files, key);
        let words = |key: &str| {
            text(key)
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect()
        };
        let number = |key: &'static str| {
            let value = text(key);
            if value.is_empty() {
                return Ok(None);
            }
            value.parse().map(Some).map_err(|_| InstalledError::Number {
                cpv: cpv.clone(),
                key,
                value,
            })
        };
        let slot_text = text("SLOT");
        let (slot, subslot) = slot_text.split_once('/').unwrap_or((&slot_text, &slot_text));
        let strip = |flag: &str| flag.trim_start_matches(['+', '-']).to_owned();
        let contents = files
            .get("CONTENTS")
            .map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let contents =
            parse_contents(contents.as_deref().unwrap_or_default()).map_err(|error| InstalledError::Contents {
                cpv: cpv.clone(),
                error,
            })?;
        let eapi = text("EAPI");
        Ok(Self {
            slot: if slot.is_empty() {
                "0".to_owned()
            } else {
                slot.to_owned()
            },
            subslot: if subslot.is_empty() {
                "0".to_owned()
            } else {
                subslot.to_owned()
            },
            use_flags: words("USE"),
            iuse: fold_whitespace(&text("IUSE"))
                .split(' ')
                .filter(|flag| !flag.is_empty())
                .map(strip)
                .collect(),
            iuse_effective: words("IUSE_EFFECTIVE"),
            eapi: if eapi.is_empty() { "0".to_owned() } else { eapi },
            keywords: text("KEYWORDS")
                .split(' ')
                .filter(|word| !word.is_empty())
                .map(str::to_owned)
                .collect(),
            repository: text("repository"),
            depend: text("DEPEND"),
            bdepend: text("BDEPEND"),
            rdepend: text("RDEPEND"),
            pdepend: text("PDEPEND"),
            idepend: text("IDEPEND"),
            provides: text("PROVIDES"),
            requires: text("REQUIRES"),
            chost: text("CHOST"),
            cflags: text("CFLAGS"),
            cxxflags: text("CXXFLAGS"),
            ldflags: text("LDFLAGS"),
            build_id: number("BUILD_ID")?,
            build_time: number("BUILD_TIME")?,
            contents,
            cpv,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_read() {
        let files: Metadata = [
            ("SLOT", "2/2.7\n"),
            ("USE", "b a\n"),
            ("IUSE", "+a -b c\n"),
            ("EAPI", "8\n"),
            ("RDEPEND", "x/y:=  z/w\n"),
            ("BUILD_ID", "4"),
            ("CONTENTS", "dir /usr\n"),
        ]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into();
        let installed = Installed::parse("sci-libs", "gsl-2.7.1", &files).unwrap();
        assert_eq!(installed.cpv, "sci-libs/gsl-2.7.1");
        assert_eq!((installed.slot.as_str(), installed.subslot.as_str()), ("2", "2.7"));
        assert_eq!(installed.iuse.iter().collect::<Vec<_>>(), ["a", "b", "c"]);
        assert_eq!(installed.rdepend, "x/y:= z/w");
        assert_eq!((installed.build_id, installed.build_time), (Some(4), None));
        assert_eq!(installed.contents.len(), 1);
    }
}
