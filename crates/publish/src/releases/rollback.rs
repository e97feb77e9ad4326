//! Publishing an older release again.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use fs_err as fs;

use super::{Book, ReleaseError};
use crate::check::has_size;
use crate::client::{ClientFiles, Packed, archive_path};
use crate::folder::Folder;
use crate::parallel::work_on_all;
use crate::publication::publish_locked;
use crate::record::{Instance, Record};
use crate::{Candidate, Deny, Publication, Published, ReleaseSigner};

/// Which release is to be published again, and how.
#[derive(Debug, Clone, Copy)]
pub struct Rollback<'a> {
    /// The folder of the index.
    pub folder: &'a Path,
    /// The release: a number, a tag; the one before the one in force if it is left out.
    pub to: Option<&'a str>,
    /// What is left out, whatever the release had.
    pub deny: &'a [Deny],
    /// Says that nothing is left out.
    pub private: bool,
    /// Who signs the packages that become new instances.
    pub signer: Option<&'a dyn ReleaseSigner>,
}

/// A release that was published again.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RolledBack {
    /// The release that clients had before.
    pub from: u64,
    /// The one whose packages they get.
    pub to: u64,
    /// The number under which that is published.
    pub release: u64,
    /// What happened to the instances.
    pub published: Published,
}

/// Publishes the packages of an older release as a new one.
///
/// An older index alone would not bring clients back: Portage prefers the later BUILD_TIME, and does not take an index with an
/// older TIMESTAMP. So packages that are other than the present ones become new instances, and those that are the same stay.
///
/// # Errors
/// There is no such release; its packages are gone or damaged; they are signed and there is no signer; or what
/// [`publish`](crate::publish) fails of. What clients see is then as it was before.
pub fn rollback(rollback: &Rollback<'_>, progress: &mut dyn FnMut(&str)) -> Result<RolledBack, ReleaseError> {
    let folder = rollback.folder;
    Book::read(folder)?;
    let mut locked = Folder::open(folder)?;
    let book = Book::read(folder)?;
    let from = book.present();
    let to = match rollback.to {
        Some(word) => book.find(word)?,
        None => book.before(from)?,
    };
    check_signer(&book, to, rollback.signer)?;
    check_whole(folder, &book, to)?;
    let candidates: Vec<Candidate> = to
        .packages
        .iter()
        .map(|package| Candidate {
            cpv: package.cpv.clone(),
            payload: package.payload,
            // A stamp and a signature that are in it already are replaced.
            file: folder.join(&package.path),
        })
        .collect();
    let client = client_files(folder, to)?;
    let header = to.header.clone().unwrap_or_else(|| book.live.header());
    let publication = Publication {
        folder,
        candidates: &candidates,
        lacking: &[],
        header: &header,
        // Every stamp follows one that is there.
        epoch: 0,
        deny: rollback.deny,
        private: rollback.private,
        signer: rollback.signer,
        client: client.as_ref(),
    };
    let to = to.number;
    let published = publish_locked(&mut locked, &publication, &Default::default(), progress)?;
    let release = Book::read(folder)?.present();
    Ok(RolledBack {
        from,
        to,
        release,
        published,
    })
}

/// The release that a word means: its number, a tag, `current`; the one before the one in force if it is left out.
///
/// # Errors
/// There is no such release, or the records cannot be read.
pub fn release_number(folder: &Path, word: Option<&str>) -> Result<u64, ReleaseError> {
    let book = Book::read(folder)?;
    let record = match word {
        Some(word) => book.find(word)?,
        None => book.before(book.present())?,
    };
    Ok(record.number)
}

/// Without a signer, what is signed would come out unsigned, and stock clients refuse that.
fn check_signer(book: &Book, to: &Record, signer: Option<&dyn ReleaseSigner>) -> Result<(), ReleaseError> {
    let present = book.records.get(&book.present()).into_iter();
    let packages = present.chain([to]).flat_map(|record| &record.packages);
    let signers: BTreeSet<&str> = packages.filter_map(|package| package.signed_by.as_deref()).collect();
    match (signer, signers.first()) {
        (None, Some(key)) => Err(ReleaseError::NeedsKey((*key).to_owned())),
        _ => Ok(()),
    }
}

/// The client files that the release had; `None` if it had none.
fn client_files(folder: &Path, to: &Record) -> Result<Option<ClientFiles>, ReleaseError> {
    let Some(digest) = to.client else { return Ok(None) };
    match Packed::kept(folder, digest) {
        Ok(packed) => Ok(Some(packed.files().clone())),
        Err(fault) => Err(ReleaseError::NotWhole {
            release: to.number,
            faults: vec![format!("{} {fault}", archive_path(digest))],
        }),
    }
}

/// Reads all packages that are to become new instances: what is damaged must not be published under a new name.
fn check_whole(folder: &Path, book: &Book, to: &Record) -> Result<(), ReleaseError> {
    let newest = book.records.get(&book.newest());
    let stays: BTreeSet<&str> = newest.into_iter().flat_map(Record::paths).collect();
    let found = work_on_all(
        &to.packages,
        |package| fault(folder, package, stays.contains(package.path.as_str())),
        |_| false,
        &mut |_| {},
    );
    let faults: Vec<String> = found.into_iter().flatten().flatten().collect();
    if faults.is_empty() {
        return Ok(());
    }
    Err(ReleaseError::NotWhole {
        release: to.number,
        faults,
    })
}

/// What is wrong with a package file.
fn fault(folder: &Path, package: &Instance, only_size: bool) -> Option<String> {
    let path = folder.join(&package.path);
    if !has_size(&path, package.size) {
        let what = if path.exists() { "has another size" } else { "is gone" };
        return Some(format!("{} {what}", package.path));
    }
    if only_size {
        return None;
    }
    match digest_of(&path) {
        Ok(digest) if digest == package.digest => None,
        Ok(_) => Some(format!("{} is damaged", package.path)),
        Err(error) => Some(format!("{}: {error}", package.path)),
    }
}

pub(crate) fn digest_of(path: &Path) -> io::Result<blake3::Hash> {
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(hasher.finalize())
}
