//! `farm binhost`: the releases of a binhost, and whether it is whole.

mod http;
mod place;

use farm_engine::FailureKind;
use farm_publish::{
    Audit, Diff, ErrorKind, ForeignBinhost, ForeignFolder, Import, ImportError, Imported, Pruned, ReleaseError,
    ReleaseLine, ReleaseSigner, Rollback, RolledBack, Tagged,
};
use farm_signing::KeyRing;

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
pub fn binhost_releases(setup: &Setup, words: &BinhostWords) -> Result<Vec<ReleaseLine>, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    Ok(farm_publish::releases(&binhost.folder)?)
}

/// What is different between two releases: those that are named; one that is named and the one in force; or the one in force and
/// the one before it.
///
/// # Errors
///
/// As for [`binhost_releases`]; and if there is no such release.
pub fn binhost_diff(setup: &Setup, words: &BinhostWords) -> Result<Diff, FarmError> {
    let binhost = Binhost::find(setup, words, 2)?;
    let (from, to) = match &binhost.releases[..] {
        [from, to, ..] => (Some(from.as_str()), to.as_str()),
        [from] => (Some(from.as_str()), "current"),
        [] => (None, "current"),
    };
    Ok(farm_publish::diff(&binhost.folder, from, to)?)
}

/// Names a release: the one that the words name, or the one in force.
///
/// # Errors
///
/// As for [`binhost_diff`]; and if the name cannot be one, or the folder cannot be written.
pub fn binhost_tag(setup: &Setup, words: &BinhostWords, name: &str) -> Result<Tagged, FarmError> {
    let binhost = Binhost::find(setup, words, 1)?;
    let release = binhost.releases.first().map_or("current", String::as_str);
    Ok(farm_publish::tag(&binhost.folder, name, release)?)
}

/// Takes a name away; gives the release that had it.
///
/// # Errors
///
/// As for [`binhost_tag`]; and if there is no such name.
pub fn binhost_untag(setup: &Setup, words: &BinhostWords, name: &str) -> Result<u64, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    Ok(farm_publish::untag(&binhost.folder, name)?)
}

/// Forgets releases; see [`farm_publish::prune`].
///
/// # Errors
///
/// As for [`binhost_releases`]; and if the folder cannot be written.
pub fn binhost_prune(setup: &Setup, words: &BinhostWords, keep: u64, dry_run: bool) -> Result<Pruned, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    Ok(farm_publish::prune(&binhost.folder, keep, dry_run)?)
}

/// Publishes an older release again: the one that the words name, or the one before the one in force. `progress` is told of
/// packages that are written. Also gives the licence groups that the manifest denies: without a plan nobody knows what is in them, and
/// what the release has of it, which was let out then, is published again.
///
/// The record of what `publish-pkgs` made stays as it is, and is found not to hold any more: the next `farm publish-pkgs` publishes
/// what the manifest asks for.
///
/// # Errors
///
/// As for [`binhost_diff`]; and if packages of that release are gone, cannot be signed, or cannot be written.
pub fn binhost_rollback(
    setup: &Setup,
    words: &BinhostWords,
    progress: &mut dyn FnMut(&str),
) -> Result<(RolledBack, Vec<String>), FarmError> {
    let binhost = Binhost::find(setup, words, 1)?;
    let signer = binhost.signer(setup)?;
    let rollback = Rollback {
        folder: &binhost.folder,
        to: binhost.releases.first().map(String::as_str),
        deny: &binhost.deny,
        private: binhost.private,
        signer: signer.as_ref().map(|signer| signer as &dyn ReleaseSigner),
    };
    let done = farm_publish::rollback(&rollback, progress).map_err(|error| match &error {
        ReleaseError::NeedsKey(key) if words.folder.is_none() => FarmError::input(error.to_string()).hint(format!(
            "name it in the manifest: `publish: {{ pkgs: {{ sign: {key} }} }}`; or name the folder with --folder, and the key \
             with --sign"
        )),
        _ => error.into(),
    })?;
    Ok((done, binhost.groups))
}

/// Looks at everything in a binhost; see [`farm_publish::audit`]. Signatures count that the user's key ring trusts. `progress` is
/// told how many packages of how many are done.
///
/// # Errors
///
/// As for [`binhost_releases`]; and if gpg fails. Faults are no error.
pub fn binhost_check(
    setup: &Setup,
    words: &BinhostWords,
    progress: &mut dyn FnMut(usize, usize),
) -> Result<Audit, FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    let keys = KeyRing::of_user(&setup.gpg);
    Ok(farm_publish::audit(&binhost.folder, &keys, progress)?)
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
    progress: &mut dyn FnMut(&str),
) -> Result<(Imported, bool), FarmError> {
    let binhost = Binhost::find(setup, words, 0)?;
    if let Some(group) = binhost.groups.first() {
        // What is taken over was never looked at.
        let message = format!("publish.deny names the licence group {group}, and only a plan says what is in it");
        return Err(FarmError::input(message)
            .hint("name the licences; or name the folder with --folder, for which nothing is denied"));
    }
    let signer = binhost.signer(setup)?;
    let source = foreign(setup, from)?;
    let import = Import {
        folder: &binhost.folder,
        source: &*source,
        epoch: binhost.epoch,
        deny: &binhost.deny,
        private: binhost.private,
        signer: signer.as_ref().map(|signer| signer as &dyn ReleaseSigner),
    };
    let imported = farm_publish::import(&import, progress)?;
    Ok((imported, signer.is_some()))
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
