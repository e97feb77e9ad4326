//! `farm binhost`: the releases of a binhost, and whether it is whole.

mod denied;
mod elsewhere;
mod http;
mod place;

use std::collections::BTreeMap;
use std::path::Path;

use farm_engine::FailureKind;
use farm_publish::{
    Audit, Diff, ErrorKind, ForeignBinhost, ForeignFolder, Import, ImportError, Imported, PackageFile, PresentRelease,
    Pruned, PublishError, ReleaseError, ReleaseLine, ReleaseSigner, Rollback, RolledBack, Tagged,
};
use farm_signing::KeyRing;

pub(crate) use self::elsewhere::Progress;
use self::elsewhere::{Here, change, look, look_at_all};
use self::http::HttpBinhost;
use self::place::Binhost;
pub use self::place::BinhostWords;
use super::{FarmError, Setup};

/// How many faults of an import are told; the rest is counted.
const FAULTS_TOLD: usize = 100;

/// The releases of a binhost, the newest first.
///
/// # Errors
///
/// The user's: there is no such binhost, or nothing was published there. The environment's: it cannot be read.
pub fn binhost_releases(
    setup: &Setup,
    words: &BinhostWords,
    progress: Progress<'_>,
) -> Result<Vec<ReleaseLine>, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    look(setup, &binhost, progress, |here| {
        let mut releases = farm_publish::releases(here.folder)?;
        if here.is_mirror() {
            // What a mirror lacks is not gone.
            releases.iter_mut().for_each(|release| release.missing = 0);
        }
        Ok(releases)
    })
}

/// What a farm has published, if it has.
pub(super) struct PublishedTo {
    /// Where, as people wrote it, with the flavour.
    pub(super) to: String,
    /// What clients have.
    pub(super) release: Option<PresentRelease>,
}

/// What clients of a farm have, with these values of variables.
///
/// # Errors
///
/// The user's: the farm publishes its packages nowhere. The environment's: what is there cannot be read.
pub(super) fn published_release(
    setup: &Setup,
    farm: &str,
    variables: &[(String, String)],
    progress: Progress<'_>,
) -> Result<PublishedTo, FarmError> {
    let (binhost, to) = Binhost::of_publication(setup, farm, variables)?;
    let release = look(setup, &binhost, progress, |here| {
        Ok(farm_publish::present(here.folder)?)
    })?;
    Ok(PublishedTo { to, release })
}

/// What is different between two releases: those that are named; one that is named and the one in force; or the one in force and
/// the one before it.
///
/// # Errors
///
/// As for [`binhost_releases`]; and if there is no such release.
pub fn binhost_diff(setup: &Setup, words: &BinhostWords, progress: Progress<'_>) -> Result<Diff, FarmError> {
    let binhost = Binhost::find(setup, words, 2)?;
    let (from, to) = match &binhost.releases[..] {
        [from, to, ..] => (Some(from.as_str()), to.as_str()),
        [from] => (Some(from.as_str()), "current"),
        [] => (None, "current"),
    };
    look(setup, &binhost, progress, |here| {
        Ok(farm_publish::diff(here.folder, from, to)?)
    })
}

/// Names a release: the one that the words name, or the one in force.
///
/// # Errors
///
/// As for [`binhost_diff`]; and if the name cannot be one, or the folder cannot be written.
pub fn binhost_tag(
    setup: &Setup,
    words: &BinhostWords,
    name: &str,
    progress: Progress<'_>,
) -> Result<Tagged, FarmError> {
    let binhost = Binhost::find(setup, words, 1)?;
    let release = binhost.releases.first().map_or("current", String::as_str);
    change(setup, &binhost, progress, |here, _| {
        Ok(farm_publish::tag(here.folder, name, release)?)
    })
}

/// Takes a name away; gives the release that had it.
///
/// # Errors
///
/// As for [`binhost_tag`]; and if there is no such name.
pub fn binhost_untag(
    setup: &Setup,
    words: &BinhostWords,
    name: &str,
    progress: Progress<'_>,
) -> Result<u64, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    change(setup, &binhost, progress, |here, _| {
        Ok(farm_publish::untag(here.folder, name)?)
    })
}

/// Forgets releases; see [`farm_publish::prune`].
///
/// # Errors
///
/// As for [`binhost_releases`]; and if the folder cannot be written.
pub fn binhost_prune(
    setup: &Setup,
    words: &BinhostWords,
    keep: u64,
    dry_run: bool,
    progress: Progress<'_>,
) -> Result<Pruned, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    let prune = |here: &Here<'_>| {
        let records = if here.is_mirror() {
            packages_by_release(here.folder)?
        } else {
            BTreeMap::new()
        };
        let mut pruned = farm_publish::prune(here.folder, keep, dry_run)?;
        if here.is_mirror() {
            count_by_records(&mut pruned, &records);
        }
        Ok(pruned)
    };
    if dry_run {
        look(setup, &binhost, progress, prune)
    } else {
        change(setup, &binhost, progress, |here, _| prune(here))
    }
}

fn packages_by_release(folder: &Path) -> Result<BTreeMap<u64, Vec<PackageFile>>, ReleaseError> {
    let numbers = farm_publish::record_numbers(folder)?.into_iter();
    Ok(numbers
        .map(|number| Ok((number, farm_publish::packages_of(folder, number)?)))
        .collect::<Result<_, PublishError>>()?)
}

/// Says which files go by what the records say: a mirror need not hold them.
fn count_by_records(pruned: &mut Pruned, records: &BTreeMap<u64, Vec<PackageFile>>) {
    let of = |releases: &[u64]| -> BTreeMap<String, u64> {
        let files = releases.iter().filter_map(|number| records.get(number)).flatten();
        files.map(|file| (file.path.clone(), file.size)).collect()
    };
    let (mut gone, kept) = (of(&pruned.releases), of(&pruned.kept));
    gone.retain(|path, _| !kept.contains_key(path));
    pruned.bytes = gone.values().sum();
    pruned.files = gone.into_keys().collect();
}

/// Publishes an older release again: the one that the words name, or the one before the one in force. `progress` is told of
/// packages that are written.
///
/// The record of what `publish-pkgs` made stays as it is, and is found not to hold any more: the next `farm publish-pkgs` publishes
/// what the manifest asks for.
///
/// # Errors
///
/// As for [`binhost_diff`]; and if packages of that release are gone, cannot be signed, or cannot be written.
pub fn binhost_rollback(setup: &Setup, words: &BinhostWords, progress: Progress<'_>) -> Result<RolledBack, FarmError> {
    let binhost = Binhost::find(setup, words, 1)?;
    let (signer, deny) = (binhost.signer(setup)?, binhost.deny.resolved()?);
    let to = binhost.releases.first().map(String::as_str);
    change(setup, &binhost, progress, |here, progress| {
        // A mirror need not have the packages of former releases.
        let number = farm_publish::release_number(here.folder, to)?;
        here.fetch(&farm_publish::packages_of(here.folder, number).map_err(ReleaseError::from)?)?;
        let rollback = Rollback {
            folder: here.folder,
            to,
            deny: &deny,
            private: binhost.private,
            signer: signer.as_ref().map(|signer| signer as &dyn ReleaseSigner),
        };
        farm_publish::rollback(&rollback, progress).map_err(|error| without_key(error, words))
    })
}

/// Says where a key is named, if that is what is missing.
fn without_key(error: ReleaseError, words: &BinhostWords) -> FarmError {
    match &error {
        ReleaseError::NeedsKey(key) if words.folder.is_none() => FarmError::input(error.to_string()).hint(format!(
            "name it in the manifest: `publish: {{ pkgs: {{ sign: {key} }} }}`; or name the folder with --folder, and the key \
             with --sign"
        )),
        _ => error.into(),
    }
}

/// Looks at everything in a binhost; see [`farm_publish::audit`]. Signatures count that the user's key ring trusts. What is at a
/// remote is downloaded first. `progress` is told how many packages of how many are done.
///
/// # Errors
///
/// As for [`binhost_releases`]; and if gpg fails. Faults are no error.
pub fn binhost_check(setup: &Setup, words: &BinhostWords, progress: Progress<'_>) -> Result<Audit, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    let keys = KeyRing::of_user(&setup.gpg);
    let audit = |folder: &Path, progress: &mut dyn FnMut(&str)| {
        let mut counted = |done: usize, all: usize| progress(&format!("checked {done} of {all} packages"));
        Ok(farm_publish::audit(folder, &keys, &mut counted)?)
    };
    match &binhost.remote {
        Some(address) => look_at_all(setup, address, progress, audit),
        None => audit(&binhost.folder, progress),
    }
}

/// Takes over the binhost at `from`, a folder or an `http(s)://` address; see [`farm_publish::import`]. Also says whether anybody
/// signs the packages.
///
/// # Errors
///
/// As for [`binhost_releases`]; a step's, with what is wrong, if any package is not what the index says or no package at all; and if
/// the other binhost is out of reach.
pub fn binhost_import(
    setup: &Setup,
    words: &BinhostWords,
    from: &str,
    progress: Progress<'_>,
) -> Result<(Imported, bool), FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    let (signer, deny) = (binhost.signer(setup)?, binhost.deny.resolved()?);
    let source = foreign(setup, from)?;
    change(setup, &binhost, progress, |here, progress| {
        let import = Import {
            folder: here.folder,
            source: &*source,
            epoch: binhost.epoch,
            deny: &deny,
            private: binhost.private,
            signer: signer.as_ref().map(|signer| signer as &dyn ReleaseSigner),
        };
        let imported = farm_publish::import(&import, progress)?;
        Ok((imported, signer.is_some()))
    })
}

fn foreign(setup: &Setup, from: &str) -> Result<Box<dyn ForeignBinhost>, FarmError> {
    match from.split_once("://") {
        None => Ok(Box::new(ForeignFolder(setup.current_dir.join(from)))),
        Some(("file", path)) => Ok(Box::new(ForeignFolder(path.into()))),
        Some(("http" | "https", _)) => {
            let source = HttpBinhost::new(from).map_err(FarmError::environment)?;
            Ok(Box::new(source))
        }
        Some((scheme, _)) => Err(FarmError::input(format!(
            "a binhost cannot be taken over by {scheme}: from a folder or an http(s) address it can"
        ))),
    }
}

impl From<ReleaseError> for FarmError {
    fn from(error: ReleaseError) -> Self {
        told(kind(error.kind()), error.to_string(), error.hint())
    }
}

impl From<ImportError> for FarmError {
    fn from(error: ImportError) -> Self {
        let mut message = error.to_string();
        match &error {
            ImportError::Publish(error) => told(kind(error.kind()), message, error.hint().map(str::to_owned)),
            ImportError::Source(_) | ImportError::Index(_) => Self {
                kind: kind(error.kind()),
                ..Self::input(message)
            },
            ImportError::Faults { faults, .. } => {
                for fault in faults.iter().take(FAULTS_TOLD) {
                    message.push_str(&format!("\n  {}: {}", fault.path, fault.fault));
                }
                if faults.len() > FAULTS_TOLD {
                    message.push_str(&format!("\n  and {} more", faults.len() - FAULTS_TOLD));
                }
                Self {
                    kind: FailureKind::Step,
                    ..Self::input(message)
                }
                .hint("nothing was published; mend the other binhost, or take those packages out of its index")
            }
        }
    }
}

fn told(kind: FailureKind, message: String, hint: Option<String>) -> FarmError {
    FarmError {
        kind,
        hint,
        ..FarmError::input(message)
    }
}

fn kind(kind: ErrorKind) -> FailureKind {
    match kind {
        ErrorKind::Input => FailureKind::Input,
        ErrorKind::Environment => FailureKind::Environment,
        ErrorKind::Bug => FailureKind::Bug,
    }
}
