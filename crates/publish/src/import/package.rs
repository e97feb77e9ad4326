//! One package of another binhost: held to its stanza, and brought into normal form.

use std::io::{self, BufReader, Seek as _};

use farm_portage::binpkg::BinpkgFormat;
use farm_portage::gpkg::{self, Metadata, folded};
use farm_portage::index::{FileDigests, Stanza};
use farm_portage::normal::{NormalError, NormalOptions, NormalReport, Warning, normalise, normalise_xpak};
use farm_portage::xpak;
use fs_err as fs;

use super::Import;
use crate::Candidate;
use crate::error::with_causes;
use crate::folder::{Folder, StagedFile};
use crate::format::sniff;
use crate::instance::Stamp;

/// A package that can be published.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) candidate: Candidate,
    /// What it was given where it comes from.
    pub(super) stamp: Stamp,
    pub(super) notes: Vec<String>,
}

impl Read {
    /// What tells it from others.
    pub(super) fn key(&self) -> (String, [u8; 32]) {
        (self.candidate.cpv.clone(), *self.candidate.payload.as_bytes())
    }
}

/// Why a package cannot be.
#[derive(Debug)]
pub(super) enum Failed {
    /// Something about the package, for people.
    Package(String),
    /// There is no room for it here.
    Room(io::Error),
}

/// Where a package lies by its stanza. Portage leaves PATH out for one that lies where a PKGDIR without instances has it.
pub(super) fn path_of(stanza: &Stanza) -> String {
    let value = |key: &str| stanza.get(key).filter(|value| !value.is_empty());
    let default = || format!("{}.tbz2", value("CPV").map_or("", String::as_str));
    value("PATH").cloned().unwrap_or_else(default)
}

/// Reads a package into the staging folder.
pub(super) fn read(folder: &Folder, import: &Import<'_>, number: usize, stanza: &Stanza) -> Result<Read, Failed> {
    let path = path_of(stanza);
    if !is_below(&path) {
        return Err(Failed::Package("its PATH leads out of the binhost".to_owned()));
    }
    let room = |what: &str| folder.stage(&format!("{what}-{number}")).map_err(Failed::Room);
    let copy = room("copy")?;
    let mut file = import
        .source
        .package(&path, copy.reader().map_err(Failed::Room)?)
        .map_err(|error| Failed::Package(error.to_string()))?;
    check(&mut file, stanza)?;
    let normal = room("normal")?;
    let report = into_normal_form(&mut file, &normal, import.epoch, || room("sorting"))?;
    let own = format!(
        "{}/{}",
        folded(&report.report.metadata, "CATEGORY"),
        folded(&report.report.metadata, "PF")
    );
    if stanza.get("CPV") != Some(&own) {
        return Err(Failed::Package(format!("it calls itself {own}")));
    }
    copy.discard();
    let notes = report.report.warnings.iter().filter(|warning| is_worth_saying(warning));
    Ok(Read {
        notes: notes.map(|warning| format!("{own}: {warning}")).collect(),
        candidate: Candidate {
            cpv: own,
            payload: report.report.payload,
            file: normal.keep(),
        },
        stamp: report.stamp,
    })
}

/// Holds a file to the size and the digests of its stanza, as a client does.
fn check(file: &mut fs::File, stanza: &Stanza) -> Result<(), Failed> {
    let failed = |error: io::Error| Failed::Package(error.to_string());
    let digests = FileDigests::of(&mut *file).map_err(failed)?;
    file.rewind().map_err(failed)?;
    let found = [
        ("SIZE", digests.size.to_string()),
        ("MD5", digests.md5),
        ("SHA1", digests.sha1),
    ];
    for (key, found) in found {
        if let Some(listed) = stanza.get(key).filter(|listed| !listed.eq_ignore_ascii_case(&found)) {
            return Err(Failed::Package(format!(
                "its {key} is {found}, and the index says {listed}"
            )));
        }
    }
    Ok(())
}

struct Normal {
    report: NormalReport,
    stamp: Stamp,
}

/// Writes the normal form of a package of either format.
fn into_normal_form(
    file: &mut fs::File,
    normal: &StagedFile,
    epoch: u64,
    scratch: impl FnOnce() -> Result<StagedFile, Failed>,
) -> Result<Normal, Failed> {
    let no_package = |error: NormalError| Failed::Package(with_causes(&error));
    let options = NormalOptions::new(epoch);
    let (format, sink) = (
        sniff(file).map_err(|error| Failed::Package(error.to_string()))?,
        &normal.file,
    );
    let metadata;
    let report = match format {
        Some(BinpkgFormat::Xpak) => {
            let mut reader = xpak::Reader::open(BufReader::new(&mut *file), options.limits.clone())
                .map_err(|error| no_package(error.into()))?;
            metadata = reader.metadata().clone();
            reader.compression().map_err(|error| no_package(error.into()))?;
            let scratch = scratch()?;
            let report =
                normalise_xpak(BufReader::new(&mut *file), sink, &scratch.file, &options).map_err(no_package)?;
            scratch.discard();
            report
        }
        // What is neither is told by the one who reads what Portage writes today.
        Some(BinpkgFormat::Gpkg) | None => {
            metadata = gpkg::Reader::open(BufReader::new(&mut *file), options.limits.clone())
                .and_then(|mut reader| reader.metadata())
                .map_err(|error| no_package(error.into()))?;
            normalise(BufReader::new(&mut *file), sink, &options).map_err(no_package)?
        }
    };
    Ok(Normal {
        report,
        stamp: stamp_of(&metadata),
    })
}

/// The stamp in a package's own metadata; zeros where there is none.
fn stamp_of(metadata: &Metadata) -> Stamp {
    let number = |key: &str| folded(metadata, key).parse().unwrap_or(0);
    Stamp {
        build_id: number("BUILD_ID"),
        build_time: number("BUILD_TIME"),
    }
}

/// Whether a path stays in the folder that it begins in.
fn is_below(path: &str) -> bool {
    !path.contains('\0')
        && !path.starts_with('/')
        && path
            .split('/')
            .all(|part| !part.is_empty() && part != ".." && part != ".")
}

/// Signatures are made anew, or left out, as the publication has it.
fn is_worth_saying(warning: &Warning) -> bool {
    !matches!(warning, Warning::Signature { .. })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_below() {
        assert!(is_below("a/b/c-1.gpkg.tar") && is_below("All/x.tbz2"));
        for path in ["", "/etc/passwd", "../x", "a/../../x", "a//b", "./a", "a\0"] {
            assert!(!is_below(path), "{path}");
        }
    }
}
