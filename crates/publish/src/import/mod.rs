//! Taking over a binhost that something else than farm published.
//!
//! Every package is held to what the index says of it, brought into normal form, and published. BUILD_TIME stays as it was, and
//! BUILD_ID where it is free: by BUILD_TIME `emerge --rebuilt-binaries` (which `-uDK` turns on) tells whether a client has this
//! build already, so that clients of the other binhost install nothing again. What is built from now on gets a later one.

mod package;
mod source;

pub use source::{ForeignBinhost, ForeignFolder};

use std::collections::BTreeMap;
use std::path::Path;

use farm_portage::index::{Index, ParseError, Stanza};

use self::package::{Read, read};
use crate::audit::Fault;
use crate::folder::Folder;
use crate::live::{newest_record, settings_of};
use crate::parallel::work_on_all;
use crate::publication::{Inherited, publish_locked};
use crate::{Candidate, Deny, ErrorKind, Publication, PublishError, Published, ReleaseSigner};

/// What to take over, and where to.
#[derive(Debug, Clone, Copy)]
pub struct Import<'a> {
    /// The folder of the index; made if missing. It may be the one that is taken over.
    pub folder: &'a Path,
    /// The other binhost.
    pub source: &'a dyn ForeignBinhost,
    /// The workspace's SOURCE_DATE_EPOCH, which is in the normal form of its packages.
    pub epoch: u64,
    /// What is left out.
    pub deny: &'a [Deny],
    /// Says that nothing is left out.
    pub private: bool,
    /// Who signs the packages.
    pub signer: Option<&'a dyn ReleaseSigner>,
}

/// A binhost that was taken over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// How many packages its index lists.
    pub listed: usize,
    /// How many of them are another build of the same content, of which only the latest is taken.
    pub repeated: usize,
    /// What packages had and have no longer, for people.
    pub notes: Vec<String>,
    /// What happened to the instances.
    pub published: Published,
}

/// Why nothing was taken over. What clients see is as it was before.
#[derive(Debug, thiserror::Error)]
pub enum ImportError {
    /// What [`publish`](crate::publish) can meet, too.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// The index cannot be had (environment).
    #[error("the index cannot be read: {0}")]
    Source(std::io::Error),
    /// The index is none (input).
    #[error("the index cannot be used: {0}")]
    Index(ParseError),
    /// Packages are not what the index says, or no packages (input).
    #[error("of {listed} packages {} cannot be taken over", .faults.len())]
    Faults {
        /// How many packages the index lists.
        listed: usize,
        /// What is wrong with which.
        faults: Vec<Fault>,
    },
}

impl ImportError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Publish(error) => error.kind(),
            Self::Source(_) => ErrorKind::Environment,
            Self::Index(_) | Self::Faults { .. } => ErrorKind::Input,
        }
    }
}

/// Takes a binhost over as a release of the folder. All of its packages, or none.
///
/// # Errors
/// [`ImportError`]; what clients see is then as it was before.
pub fn import(import: &Import<'_>, progress: &mut dyn FnMut(&str)) -> Result<Imported, ImportError> {
    let text = import.source.index().map_err(ImportError::Source)?;
    let index = Index::parse(&text).map_err(ImportError::Index)?;
    let mut folder = Folder::open(import.folder)?;
    // What cannot go on from a record of a newer farm need not read a thousand packages first.
    newest_record(import.folder)?;
    folder.make_staging().map_err(PublishError::Io)?;
    let numbered: Vec<(usize, &Stanza)> = index.packages.iter().enumerate().collect();
    let results = work_on_all(
        &numbered,
        |(number, stanza)| read(&folder, import, *number, stanza),
        |_| false,
        &mut |place| {
            let stanza = numbered[place].1;
            progress(&format!("reading {}", stanza.get("CPV").map_or("", String::as_str)));
        },
    );
    let (mut packages, mut faults) = (Vec::new(), Vec::new());
    for (result, (_, stanza)) in results.into_iter().zip(&numbered) {
        match result {
            Some(Ok(package)) => packages.push(package),
            Some(Err(package::Failed::Package(fault))) => faults.push(Fault {
                path: package::path_of(stanza),
                fault,
            }),
            Some(Err(package::Failed::Room(error))) => return Err(PublishError::Io(error).into()),
            None => return Err(PublishError::ThreadLost.into()),
        }
    }
    let listed = numbered.len();
    if !faults.is_empty() {
        faults.sort();
        return Err(ImportError::Faults { listed, faults });
    }
    let taken = latest(&packages);
    let inherited = Inherited {
        stamps: taken.iter().map(|package| (package.key(), package.stamp)).collect(),
        timestamp: index.header.get("TIMESTAMP").and_then(|time| time.trim().parse().ok()),
    };
    let candidates: Vec<Candidate> = taken.iter().map(|package| package.candidate.clone()).collect();
    let mut header = settings_of(&index.header);
    // Where the other one has its packages, and for how long its clients shall not ask.
    header.retain(|key, _| key != "URI" && key != "TTL");
    let publication = Publication {
        folder: import.folder,
        candidates: &candidates,
        lacking: &[],
        header: &header,
        epoch: import.epoch,
        deny: import.deny,
        private: import.private,
        signer: import.signer,
        // How its clients are to be configured, only who builds the packages knows.
        client: None,
    };
    let repeated = listed - candidates.len();
    let notes = taken.iter().flat_map(|package| package.notes.iter().cloned()).collect();
    let published = publish_locked(&mut folder, &publication, &inherited, progress)?;
    Ok(Imported {
        listed,
        repeated,
        notes,
        published,
    })
}

/// Of builds with the same content the latest, which is the one that clients would take.
fn latest(packages: &[Read]) -> Vec<&Read> {
    let mut latest: BTreeMap<(String, [u8; 32]), &Read> = BTreeMap::new();
    for package in packages {
        let age = |package: &Read| (package.stamp.build_time, package.stamp.build_id);
        let there = latest.entry(package.key()).or_insert(package);
        if age(package) > age(there) {
            *there = package;
        }
    }
    latest.into_values().collect()
}
