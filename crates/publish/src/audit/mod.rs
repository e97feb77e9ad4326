//! Whether what lies in a folder is what was published: the index, the packages, the records.

mod client;
mod index;
mod package;
mod releases;

use std::collections::BTreeMap;
use std::path::Path;

use farm_portage::gpkg::Verifier;
use farm_portage::index::Stanza;
use serde::Serialize;

use crate::PublishError;
use crate::live::{INDEX, INDEX_GZ, read_if_there};
use crate::parallel::work_on_all;
use crate::record::Instance;
use crate::releases::{Book, ReleaseError};

/// Something that is not as it should be.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file, relative to the folder.
    pub path: String,
    /// What is wrong with it, for people.
    pub fault: String,
}

/// What an audit found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Audit {
    /// How many packages the index lists.
    pub packages: usize,
    /// How many more packages only earlier releases list.
    pub earlier: usize,
    /// How many releases have a record; none in a folder that something else than farm publishes to.
    pub releases: usize,
    /// How many of the packages that the index lists are signed, and by nobody unknown.
    pub signed: usize,
    /// What is wrong, sorted.
    pub faults: Vec<Fault>,
}

/// How often an audit is begun anew because somebody publishes meanwhile.
const ATTEMPTS: u32 = 3;

/// A package to be looked at.
pub(crate) enum Looked<'a> {
    /// One that the index lists, with what the newest record has of it.
    Listed(&'a Stanza, Option<&'a Instance>),
    /// One that only earlier releases list.
    Earlier(&'a Instance),
}

/// Looks at everything in a folder: that both files of the index agree, and say of each package what is so, digests and metadata;
/// that every package is what its own `Manifest` says, and its signatures are good and by the key that the record names; that what
/// the kept releases list is there, unchanged; that `client/` is what the release in force has; that records and tags can be read; and that no package
/// lies there that nothing lists.
///
/// Changes nothing and takes no lock, so that it does not stop a publication; it begins anew if there was one. `progress` is told
/// how many packages of how many are done.
///
/// # Errors
/// The folder is not there, or cannot be read; or `verifier` cannot tell. What is wrong with what is in it is no error.
pub fn audit(
    folder: &Path,
    verifier: &(dyn Verifier + Sync),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Audit, ReleaseError> {
    let mut attempt = 1;
    loop {
        let before = read_if_there(&folder.join(INDEX))?;
        let audit = look(folder, before.as_deref(), verifier, progress)?;
        let unchanged = read_if_there(&folder.join(INDEX))? == before;
        if unchanged || audit.faults.is_empty() || attempt == ATTEMPTS {
            return Ok(audit);
        }
        attempt += 1;
    }
}

fn look(
    folder: &Path,
    text: Option<&[u8]>,
    verifier: &(dyn Verifier + Sync),
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Audit, ReleaseError> {
    let mut faults = Vec::new();
    let gz = read_if_there(&folder.join(INDEX_GZ))?;
    let index = index::check(folder, text, gz.as_deref(), &mut faults);
    let book = releases::read(folder, text.is_some(), &mut faults)?;
    let known = book.as_ref().map(Book::instances).unwrap_or_default();
    let stanzas = index.iter().flat_map(|index| &index.packages);
    let mut looked: BTreeMap<String, Looked<'_>> = BTreeMap::new();
    for stanza in stanzas {
        let path = stanza.get("PATH").cloned().unwrap_or_default();
        let instance = known.get(path.as_str()).copied();
        if looked.insert(path.clone(), Looked::Listed(stanza, instance)).is_some() {
            faults.push(Fault::new(&path, "the index lists it twice"));
        }
    }
    let packages = looked.len();
    for (path, instance) in &known {
        looked.entry((*path).to_owned()).or_insert(Looked::Earlier(instance));
    }
    if let Some(book) = &book {
        releases::check(folder, book, index.as_ref(), &mut faults);
        client::check(folder, book, &mut faults)?;
    }
    releases::leftovers(folder, &looked, &mut faults)?;
    let all: Vec<(&String, &Looked<'_>)> = looked.iter().collect();
    // In what order the workers take them up is nobody's business.
    let mut begun = 0;
    let found = work_on_all(
        &all,
        |(path, looked)| package::check(folder, path, looked, verifier),
        |_| false,
        &mut |_| {
            progress(begun, all.len());
            begun += 1;
        },
    );
    let mut signed = 0;
    for (found, (path, _)) in found.into_iter().zip(&all) {
        let found = found.unwrap_or_else(|| package::Found::fault("nobody could look at it"));
        if let Some(error) = found.failure {
            return Err(PublishError::Package {
                cpv: (*path).clone(),
                error: error.into(),
            }
            .into());
        }
        signed += usize::from(found.is_signed);
        faults.extend(found.faults.into_iter().map(|fault| Fault::new(path, fault)));
    }
    faults.sort();
    Ok(Audit {
        packages,
        earlier: all.len() - packages,
        releases: book.map_or(0, |book| book.records.len() + book.unreadable.len()),
        signed,
        faults,
    })
}

impl Fault {
    fn new(path: &str, fault: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            fault: fault.into(),
        }
    }
}
