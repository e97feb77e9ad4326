//! Packing what is installed, as `quickpkg` does, in normal form.

use std::io::{self, Cursor, Read, Seek, Write};

use crate::gpkg::{EntryGuard, EntryKind, GpkgError, ImageEntry, Metadata};

use super::NormalError;
use super::image::{Image, Scratch};
use super::rewrite::{NormalOptions, NormalReport, rewrite};

/// Files of an installed package's record that are no part of a package: they say when, how and from which file it was merged, and Portage
/// writes them anew.
pub const INSTALLED_METADATA: &[&str] = &["BINPKGMD5", "CONTENTS", "COUNTER", "metadata"];

/// Without these in its record Portage cannot merge a package again: the phases that run then are in them.
///
/// The name of the ebuild is that of the package, `PF.ebuild`.
const NEEDED_METADATA: &[&str] = &["environment.bz2", "SLOT"];

/// The name of what the record of an installed package lacks, so that nobody could install what is made of it; `None` if all is there.
pub fn lacking_metadata(pf: &str, record: &Metadata) -> Option<String> {
    let ebuild = format!("{pf}.ebuild");
    let mut needed = NEEDED_METADATA.iter().map(|name| (*name).to_owned()).chain([ebuild]);
    needed.find(|name| !record.contains_key(name))
}

/// Packs an installed package in normal form to `sink`, at the sink's position: the files in `entries`, and its record but for
/// [`INSTALLED_METADATA`]. `category` and `pf` are the names of the record's folders, which count more than what the record says.
///
/// Entries come in the order in which Portage packs an image: the paths compared component by component. `open` gives the content of an entry
/// that is a file.
///
/// # Errors
///
/// The package cannot be one: an entry is none that may be installed, or its environment is damaged. Or reading or writing failed. The sink then
/// holds something useless.
pub fn normalise_installed<R: Read>(
    (category, pf): (&str, &str),
    record: &Metadata,
    entries: &[ImageEntry],
    open: impl FnMut(&ImageEntry) -> io::Result<R>,
    sink: impl Write + Seek,
    options: &NormalOptions,
) -> Result<NormalReport, NormalError> {
    let mut metadata = record.clone();
    for name in INSTALLED_METADATA {
        metadata.remove(*name);
    }
    metadata.insert("CATEGORY".to_owned(), format!("{category}\n").into_bytes());
    metadata.insert("PF".to_owned(), format!("{pf}\n").into_bytes());
    let mut image = Installed { entries, open };
    let scratch = Scratch::new(Cursor::new(Vec::new()), options.limits.sort_bytes);
    rewrite(&mut image, metadata, Vec::new(), scratch, sink, options)
}

/// Files of a root as an image.
struct Installed<'a, F> {
    entries: &'a [ImageEntry],
    open: F,
}

impl<R: Read, F: FnMut(&ImageEntry) -> io::Result<R>> Image for Installed<'_, F> {
    fn visit(
        &mut self,
        mut visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), NormalError>,
    ) -> Result<(), NormalError> {
        let mut guard = EntryGuard::default();
        for entry in self.entries {
            guard.admit(entry)?;
            if entry.kind == EntryKind::File {
                let mut content = (self.open)(entry).map_err(GpkgError::content)?;
                visit(entry.clone(), &mut content)?;
            } else {
                visit(entry.clone(), &mut io::empty())?;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::environment::Environment;
    use crate::gpkg::{Limits, Reader};
    use crate::normal::{Warning, normalise};

    fn record() -> Metadata {
        let environment = Environment::parse(b"declare -x MAKEOPTS=\"-j9\"\ndeclare -x X=\"1\"\n").unwrap();
        let mut record: Metadata = [
            ("BUILD_ID", "3"),
            ("BUILD_TIME", "17\n"),
            ("CATEGORY", "a\n"),
            ("CONTENTS", "dir /usr\n"),
            ("COUNTER", "12"),
            ("PF", "x-0\n"),
            ("SLOT", "0\n"),
            ("x-1.ebuild", "EAPI=8\n"),
        ]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into();
        record.insert("environment.bz2".to_owned(), environment.to_bz2());
        record
    }

    fn entry(path: &str, kind: EntryKind, size: u64) -> ImageEntry {
        ImageEntry {
            path: path.to_owned(),
            kind,
            mode: 0o755,
            uid: 0,
            gid: 250,
            uname: "root".to_owned(),
            gname: "portage".to_owned(),
            mtime: 99,
            size,
            xattrs: BTreeMap::new(),
        }
    }

    fn packed(entries: &[ImageEntry]) -> Result<(Vec<u8>, NormalReport), NormalError> {
        let mut sink = Cursor::new(Vec::new());
        let open = |entry: &ImageEntry| Ok(io::repeat(b'x').take(entry.size));
        let report = normalise_installed(
            ("a", "x-1"),
            &record(),
            entries,
            open,
            &mut sink,
            &NormalOptions::new(1_700_000_000),
        )?;
        Ok((sink.into_inner(), report))
    }

    #[test]
    fn what_is_installed_is_packed_in_normal_form() {
        let mut program = entry("usr/bin", EntryKind::File, 5);
        program
            .xattrs
            .insert("security.capability".to_owned(), b"\x01".to_vec());
        let link = EntryKind::HardLink {
            target: "usr/bin".to_owned(),
        };
        let entries = [
            entry("", EntryKind::Directory, 0),
            entry("usr", EntryKind::Directory, 0),
            program,
            entry("usr/sbin", link, 0),
        ];
        let (bytes, report) = packed(&entries).unwrap();
        let names: Vec<&str> = report.metadata.keys().map(String::as_str).collect();
        assert_eq!(names, ["CATEGORY", "PF", "SLOT", "environment.bz2", "x-1.ebuild"]);
        assert_eq!(report.metadata["PF"], b"x-1\n", "the folder's name counts");
        let lost = Warning::ExtendedAttribute {
            path: "usr/bin".to_owned(),
            name: "security.capability".to_owned(),
        };
        assert_eq!(report.warnings, [lost]);

        // It is a package like every other, and in normal form already.
        let mut found = Vec::new();
        let mut reader = Reader::open(Cursor::new(&bytes), Limits::default()).unwrap();
        reader.verify().unwrap();
        reader
            .visit_image(|entry, content| {
                let mut bytes = Vec::new();
                content.read_to_end(&mut bytes).unwrap();
                found.push((entry.path, entry.kind, entry.gname, bytes));
                Ok::<(), NormalError>(())
            })
            .unwrap();
        assert_eq!(found.len(), 4);
        assert_eq!(
            (found[2].2.as_str(), found[2].3.as_slice()),
            ("portage", b"xxxxx".as_slice())
        );
        let mut again = Cursor::new(Vec::new());
        let second = normalise(Cursor::new(&bytes), &mut again, &NormalOptions::new(1_700_000_000)).unwrap();
        assert_eq!(again.into_inner(), bytes);
        assert_eq!(second.payload, report.payload);
    }

    #[test]
    fn what_must_not_be_extracted_is_not_packed() {
        let link = EntryKind::Symlink {
            target: "usr/lib".to_owned(),
        };
        let through = [entry("lib", link, 0), entry("lib/x", EntryKind::File, 1)];
        let error = packed(&through).unwrap_err();
        assert_eq!(error.kind(), crate::gpkg::ErrorKind::Input);
        assert!(error.to_string().contains("goes through a symbolic link"), "{error}");
    }

    #[test]
    fn a_record_that_nobody_could_merge_says_what_it_lacks() {
        let mut record = record();
        assert_eq!(lacking_metadata("x-1", &record), None);
        assert_eq!(lacking_metadata("x-2", &record).as_deref(), Some("x-2.ebuild"));
        record.remove("environment.bz2");
        assert_eq!(lacking_metadata("x-1", &record).as_deref(), Some("environment.bz2"));
    }
}
