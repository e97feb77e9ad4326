//! What a merge writes into `/var/db/pkg/CATEGORY/PF`: the binary package's metadata as it is, and what only the merge knows.
//!
//! The form of `metadata` is that of `_write_metadata_file` in Portage's `portage/dbapi/vartree.py` (3.0.83, format 1).

use std::fmt::{self, Display, Formatter};

use crate::gpkg::{Metadata, folded};

use super::contents::ContentsEntry;

/// The file that has the short values of all others, so that Portage need not open them.
const METADATA: &str = "metadata";

/// The values that the file has, in order.
const FIELDS: [&str; 23] = [
    "BDEPEND",
    "BUILD_ID",
    "BUILD_TIME",
    "CHOST",
    "COUNTER",
    "DEFINED_PHASES",
    "DEPEND",
    "DESCRIPTION",
    "EAPI",
    "HOMEPAGE",
    "IDEPEND",
    "IUSE",
    "KEYWORDS",
    "LICENSE",
    "PDEPEND",
    "PROPERTIES",
    "PROVIDES",
    "RDEPEND",
    "REQUIRES",
    "RESTRICT",
    "SLOT",
    "USE",
    "repository",
];

/// What a merge knows of a package besides its metadata.
#[derive(Clone, Copy, Debug)]
pub struct Merged<'a> {
    /// The category.
    pub category: &'a str,
    /// Name and version.
    pub pf: &'a str,
    /// What it owns now.
    pub contents: &'a [ContentsEntry],
    /// How many packages were merged before it.
    pub counter: u64,
    /// MD5 of the binary package, hexadecimal.
    pub package_md5: &'a str,
    /// When the folder of the record was changed last, in seconds since the epoch: by that Portage tells whether the file `metadata` is still true.
    pub changed: i64,
}

/// The files of the record of a package that was merged.
#[must_use]
pub fn merged_record(metadata: &Metadata, merged: &Merged<'_>) -> Metadata {
    let mut files = metadata.clone();
    let line = |word: &str| format!("{word}\n").into_bytes();
    files
        .entry("CATEGORY".to_owned())
        .or_insert_with(|| line(merged.category));
    files.entry("PF".to_owned()).or_insert_with(|| line(merged.pf));
    files.insert("BINPKGMD5".to_owned(), line(merged.package_md5));
    // Portage ends this one, and BUILD_ID, without a line end.
    files.insert("COUNTER".to_owned(), merged.counter.to_string().into_bytes());
    let contents: String = merged.contents.iter().map(|entry| format!("{entry}\n")).collect();
    files.insert("CONTENTS".to_owned(), contents.into_bytes());
    let mut text = "#format=1\n".to_owned();
    for field in FIELDS.into_iter().filter(|field| files.contains_key(*field)) {
        text.push_str(&format!("{field}={}\n", folded(&files, field)));
    }
    text.push_str(&format!("#dir_mtime={}000000000\n", merged.changed));
    files.insert(METADATA.to_owned(), text.into_bytes());
    files
}

impl Display for ContentsEntry {
    fn fmt(&self, formatter: &mut Formatter<'_>) -> fmt::Result {
        match self {
            Self::Directory { path } => write!(formatter, "dir {path}"),
            Self::File { path, md5, mtime } => write!(formatter, "obj {path} {md5} {mtime}"),
            Self::Symlink { path, target, mtime } => write!(formatter, "sym {path} -> {target} {mtime}"),
            Self::Fifo { path } => write!(formatter, "fif {path}"),
            Self::Device { path } => write!(formatter, "dev {path}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::vdb::{Installed, parse_contents};

    #[test]
    fn what_is_recorded_is_read_again() {
        let mut metadata = Metadata::new();
        for (name, value) in [
            ("SLOT", "0/1\n"),
            ("IUSE", "\n"),
            ("RDEPEND", "a/b\n\tc/d\n"),
            ("BUILD_ID", "7"),
            ("CATEGORY", "x\n"),
            ("x-1.ebuild", "EAPI=8\n"),
        ] {
            metadata.insert(name.to_owned(), value.as_bytes().to_vec());
        }
        let text = "dir /usr\nobj /usr/a file 0123456789abcdef0123456789abcdef 12\nsym /usr/l -> a file 13\nfif /usr/p\ndev /d\n";
        let contents = parse_contents(text).unwrap();
        let merged = Merged {
            category: "dev-libs",
            pf: "x-1",
            contents: &contents,
            counter: 41,
            package_md5: "0123456789abcdef0123456789abcdef",
            changed: 1_700_000_000,
        };
        let files = merged_record(&metadata, &merged);
        assert_eq!(files["CONTENTS"], text.as_bytes());
        assert_eq!(files["CATEGORY"], b"x\n", "what the package says stays");
        assert_eq!(files["PF"], b"x-1\n");
        assert_eq!(
            String::from_utf8_lossy(&files["metadata"]),
            "#format=1\nBUILD_ID=7\nCOUNTER=41\nIUSE=\nRDEPEND=a/b c/d\nSLOT=0/1\n#dir_mtime=1700000000000000000\n"
        );
        let read = Installed::parse("dev-libs", "x-1", &files).unwrap();
        assert_eq!((read.contents, read.subslot.as_str()), (contents, "1"));
    }
}
