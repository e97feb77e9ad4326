//! Pinned commits, fetched from their servers with all submodules.

use std::collections::{BTreeSet, VecDeque};
use std::path::Path;

use farm_engine::{Failure, FailureKind};
use farm_executor::Progress;
use farm_resolver::{LiveRef, live::holds_secret};

use super::LiveData;
use super::repository::Repository;
use super::submodules::{self, Submodule};
use crate::context::{Context, io_failure};

/// A commit that is needed of some repository.
struct Needed {
    /// Where it is to be had.
    uris: Vec<String>,
    id: String,
    /// The refs that it gets.
    names: Vec<String>,
    /// What is fetched in its place from a server that gives no object by its id.
    instead: Vec<String>,
    /// The path of the submodule, with a slash behind it; empty for the repository itself.
    path: String,
}

/// The repository of a live ebuild at its pinned commit, and those of its submodules.
pub(super) fn repositories(
    context: &Context,
    data: &LiveData,
    id: &str,
    uri: &str,
    scratch: &Path,
    progress: &mut dyn Progress,
) -> Result<Vec<Repository>, Failure> {
    // The one that had it when it was pinned comes first.
    let mut uris = data.source.uris.clone();
    uris.sort_by_key(|other| other != uri);
    let instead = match data.source.wanted() {
        LiveRef::Named(name) => vec![format!("+{name}:refs/instead")],
        // Of a commit nobody knows which branch has it, if the ebuild does not say so.
        LiveRef::Commit(_) => match data.source.branch_ref() {
            Some(branch) => vec![format!("+{branch}:refs/instead")],
            None => everything(),
        },
    };
    let mut repositories: Vec<Repository> = Vec::new();
    let mut seen = BTreeSet::new();
    let mut pending = VecDeque::from([Needed {
        uris,
        id: id.to_owned(),
        names: data.refs(),
        instead,
        path: String::new(),
    }]);
    while let Some(needed) = pending.pop_front() {
        if !seen.insert((needed.uris.clone(), needed.id.clone(), needed.path.clone())) {
            continue;
        }
        let known = |repository: &Repository| needed.uris.iter().any(|uri| repository.uris.contains(uri));
        let index = match repositories.iter().position(known) {
            Some(index) => index,
            None => {
                let folder = scratch.join(format!("{}.git", repositories.len()));
                repositories.push(Repository::new(context, &folder, &[], &needed.id)?);
                repositories.len() - 1
            }
        };
        let repository = &mut repositories[index];
        if !repository.has(context, &needed.id) {
            progress.progress(&format!("fetching {}", needed.uris.join(", or ")));
            fetch(context, repository, &needed, scratch)?;
        }
        if repository.uris.is_empty() {
            repository.name(context, &needed.id, &needed.names)?;
        }
        repository.uris.extend(needed.uris.iter().cloned());
        let found = submodules::of(context, repository, &needed.id)?;
        let wanted = found.into_iter().filter(|submodule| {
            let name = format!("{}{}", needed.path, submodule.name);
            let patterns = data.source.submodules.as_deref();
            patterns.is_none_or(|patterns| submodules::wanted(patterns, &name))
        });
        for submodule in wanted {
            let uris = addresses(&submodule, &needed.uris)?;
            pending.push_back(Needed {
                uris,
                id: submodule.commit,
                names: Vec::new(),
                instead: everything(),
                path: format!("{}{}/", needed.path, submodule.path),
            });
        }
    }
    Ok(repositories)
}

/// All branches and tags of a repository, as what may be fetched.
fn everything() -> Vec<String> {
    ["heads", "tags"]
        .map(|kind| format!("+refs/{kind}/*:refs/instead/{kind}/*"))
        .to_vec()
}

/// Where a submodule is to be had, one address for each of those of the repository that has it.
fn addresses(submodule: &Submodule, parents: &[String]) -> Result<Vec<String>, Failure> {
    let refused = |why: &str| {
        let message = format!("the submodule {}: {why}", submodule.name);
        Failure::new(FailureKind::Input, message).hint("EGIT_SUBMODULES of the ebuild says which submodules are wanted")
    };
    let uris = submodules::addresses(&submodule.url, parents);
    if uris.iter().any(|uri| holds_secret(uri)) {
        return Err(refused("its address holds a name or password"));
    }
    // Upstream must not be able to have files of this machine put into a package.
    let is_local = |uri: &String| uri.starts_with(['/', '.']) || uri.starts_with("file:");
    if uris.iter().any(is_local) && !parents.iter().any(is_local) {
        return Err(refused("its address is a path on this machine"));
    }
    Ok(uris)
}

/// Gets one commit from the first server that has it.
fn fetch(context: &Context, repository: &Repository, needed: &Needed, scratch: &Path) -> Result<(), Failure> {
    let mut failed = None;
    for uri in &needed.uris {
        let by_id = repository.fetch_id(context, uri, &needed.id);
        let fetched = by_id.or_else(|_| fetch_instead(context, repository, needed, uri, scratch));
        match fetched {
            Ok(()) => return Ok(()),
            Err(failure) => {
                failed.get_or_insert(failure);
            }
        }
    }
    Err(failed.unwrap_or_else(|| Failure::new(FailureKind::Bug, "a repository without an address")))
}

/// Gets a commit from a server that gives no object by its id: by way of a repository that has more, of which only the commit is taken.
fn fetch_instead(
    context: &Context,
    repository: &Repository,
    needed: &Needed,
    uri: &str,
    scratch: &Path,
) -> Result<(), Failure> {
    let folder = tempfile::tempdir_in(scratch).map_err(|error| io_failure("make room for temporary files", &error))?;
    let whole = Repository::new(context, &folder.path().join("whole.git"), &[], &needed.id)?;
    for refspec in &needed.instead {
        whole.fetch(context, uri, refspec)?;
    }
    if !whole.has(context, &needed.id) {
        let message = format!("{uri} does not have the commit {} any more", needed.id);
        return Err(Failure::new(FailureKind::Environment, message)
            .hint("its history was rewritten: `farm update` takes what is there now"));
    }
    let path = whole.folder().to_string_lossy().into_owned();
    repository.fetch_id(context, &path, &needed.id)
}
