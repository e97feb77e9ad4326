//! What clients have today: the packages of the release in force, as its record and its index tell of them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use farm_portage::index::Stanza;

use super::{Book, ReleaseError};

/// The release that clients have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PresentRelease {
    /// Counted from 1.
    pub number: u64,
    /// Its packages, sorted by the path of their files.
    pub packages: Vec<PresentPackage>,
}

/// One package of it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct PresentPackage {
    /// `category/name-version`.
    pub cpv: String,
    /// Its slot, without the subslot.
    pub slot: String,
    /// The repository it was built from; empty where nothing tells.
    pub repository: String,
    /// The enabled flags.
    pub use_flags: BTreeSet<String>,
    /// IUSE, without signs.
    pub iuse: BTreeSet<String>,
    /// BUILD_ID, by which clients tell builds of one version apart.
    pub build_id: u64,
    /// The payload digest of its normal form.
    pub payload: [u8; 32],
}

/// The release that clients of this folder have: the one in force, or else the newest. `None` where nothing was published yet.
///
/// Slots and flags are told by the index alone: where somebody replaced it, packages that it does not list have slot 0 and no flags.
///
/// # Errors
/// The newest record, or the disk, cannot be read.
pub fn present(folder: &Path) -> Result<Option<PresentRelease>, ReleaseError> {
    let book = match Book::read(folder) {
        Ok(book) => book,
        Err(ReleaseError::NoReleases(_)) => return Ok(None),
        Err(error) => return Err(error),
    };
    let Some(record) = book.records.get(&book.present()) else {
        return Ok(None);
    };
    let listed = book.live.index.iter().flat_map(|index| &index.packages);
    let stanzas: BTreeMap<&str, &Stanza> = listed
        .filter_map(|stanza| Some((stanza.get("PATH")?.as_str(), stanza)))
        .collect();
    let packages = record.packages.iter().map(|instance| {
        let stanza = stanzas.get(instance.path.as_str());
        let value = |key: &str| stanza.and_then(|stanza| stanza.get(key)).map_or("", String::as_str);
        let words = |key: &str| -> BTreeSet<String> {
            let words = value(key).split_whitespace();
            words
                .map(|word| word.trim_start_matches(['+', '-']).to_owned())
                .collect()
        };
        let slot = value("SLOT").split('/').next().unwrap_or_default();
        PresentPackage {
            cpv: instance.cpv.clone(),
            slot: if slot.is_empty() { "0" } else { slot }.to_owned(),
            repository: value("repository").to_owned(),
            use_flags: words("USE"),
            iuse: words("IUSE"),
            build_id: instance.stamp.build_id,
            payload: *instance.payload.as_bytes(),
        }
    });
    Ok(Some(PresentRelease {
        number: record.number,
        packages: packages.collect(),
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_releases_has_none() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(present(folder.path()).unwrap(), None);
        assert_eq!(present(&folder.path().join("absent")).unwrap(), None);
        fs_err::create_dir(folder.path().join("releases")).unwrap();
        fs_err::write(folder.path().join("releases/0001.json"), "{").unwrap();
        assert!(present(folder.path()).is_err());
    }
}
