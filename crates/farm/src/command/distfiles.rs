//! `farm distfiles`: the source files of a farm's packages, for sites without a network.
//!
//! What is exported is a folder of files under the names that ebuilds give them, as every mirror of Gentoo has it. What is imported is
//! checked against the Manifests as a download is.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use farm_engine::{EventSink, GuardStore, NodeState, Summary};
use fs_err as fs;

use super::build::BuildOptions;
use super::pins::Pinning;
use super::recording::{Recording, recorded};
use super::session::{Access, Session, only_farms};
use super::{FarmError, Setup, Words, matrix};
use crate::action::Action;
use crate::names::{Goal, Wanted};
use crate::place;

/// Source files that were written or taken.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Distfiles {
    /// How many there are.
    pub files: u64,
    /// How many bytes they have.
    pub bytes: u64,
    /// How many of them were not there before: written to the folder, or taken from it.
    pub new: u64,
}

/// Gets the source files of all packages of the farms' plans, and copies them to a folder, which is made. Files that are there already with the same
/// content stay; nothing is removed.
///
/// # Errors
///
/// What keeps the run from starting or going on; two files of one name; a folder that cannot be written. Failures of nodes are in the
/// summary, and what was fetched all the same is copied.
pub fn export_distfiles(
    setup: &Setup,
    words: &Words,
    folder: &Path,
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<(Summary, Distfiles), FarmError> {
    let folder = setup.current_dir.join(folder);
    let done = RefCell::new(Distfiles::default());
    let names = RefCell::new(BTreeMap::new());
    let summary = fetched(setup, words, None, options, events, &|session, summary| {
        for source in sources(session, summary)? {
            let blob = place::blob(&source.guard, "file")?;
            if let Some(other) = names.borrow_mut().insert(source.name.clone(), blob.digest)
                && other != blob.digest
            {
                return Err(FarmError::input(format!(
                    "two packages have different source files called {}, which one folder cannot hold",
                    source.name
                )));
            }
            let target = folder.join(&source.name);
            let mut done = done.borrow_mut();
            done.files += 1;
            done.bytes += blob.size;
            if !holds(&target, &blob)? {
                fs::create_dir_all(&folder)?;
                let context = &session.context;
                let copied = context.store.copy_to(&blob, &target, false);
                copied.map_err(|error| context.unreadable(&blob, &error))?;
                done.new += 1;
            }
        }
        Ok(())
    })?;
    Ok((summary, done.into_inner()))
}

/// Takes the source files of all packages of the farms' plans from a folder, each checked against its Manifest. Nothing is downloaded.
///
/// # Errors
///
/// What keeps the run from starting or going on. A file that is missing, or another than the Manifest has, is a failure of its node.
pub fn import_distfiles(
    setup: &Setup,
    words: &Words,
    folder: &Path,
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<(Summary, Distfiles), FarmError> {
    let folder = setup.current_dir.join(folder);
    if !folder.is_dir() {
        return Err(FarmError::input(format!("{} is no folder", folder.display())));
    }
    let done = RefCell::new(Distfiles::default());
    let summary = fetched(setup, words, Some(&folder), options, events, &|session, summary| {
        for source in sources(session, summary)? {
            let mut done = done.borrow_mut();
            done.files += 1;
            done.bytes += place::blob(&source.guard, "file")?.size;
            done.new += u64::from(source.is_new);
        }
        Ok(())
    })?;
    Ok((summary, done.into_inner()))
}

/// One source file that is there.
struct Source {
    name: String,
    guard: farm_engine::Guard,
    is_new: bool,
}

type After<'a> = &'a dyn Fn(&Session, &Summary) -> Result<(), FarmError>;

/// Makes the plans and everything that fetches source files; from `offered` alone, if that is given.
fn fetched(
    setup: &Setup,
    words: &Words,
    offered: Option<&PathBuf>,
    options: &BuildOptions,
    events: &dyn EventSink,
    after: After<'_>,
) -> Result<Summary, FarmError> {
    matrix::each(setup, words, options.keep_going, events, |cell, events| {
        recorded(setup, false, options.jobs(), events, |events| {
            let (mut session, _) = Session::open(setup, &cell.words, Access::Write, Pinning::AddMissing, events)?;
            only_farms(&session, "distfiles")?;
            session.context.offered = offered.cloned();
            for wanted in session.wanted.values_mut() {
                *wanted = Wanted::new([Goal::Sources]);
            }
            run(setup, session, options, events, after)
        })
    })
}

fn run(
    setup: &Setup,
    mut session: Session,
    options: &BuildOptions,
    events: &Recording<'_>,
    after: After<'_>,
) -> Result<Summary, FarmError> {
    events.begin(&session.workspace.state());
    let summary = session.run(options.engine(setup, events), events)?;
    if !summary.interrupted {
        after(&session, &summary)?;
    }
    session.close();
    Ok(summary)
}

fn sources(session: &Session, summary: &Summary) -> Result<Vec<Source>, FarmError> {
    use farm_engine::NodeResult::{Built, Cached, Cutoff};
    let mut found = Vec::new();
    for report in summary.nodes.iter().filter(|node| node.kind == "fetch") {
        let is_there = matches!(report.result, Some(Built | Cached | Cutoff)) || report.state == NodeState::Cached;
        let Some(id) = session.graph.find(&report.name).filter(|_| is_there) else {
            continue;
        };
        if let (Action::Fetch(data), Some(guard)) =
            (&session.graph.spec(id).action, session.guards.newest(&report.name))
        {
            found.push(Source {
                name: data.file.name.clone(),
                guard,
                is_new: report.result == Some(Built),
            });
        }
    }
    Ok(found)
}

/// Whether a file has the content of a blob. Source files can be larger than the memory.
fn holds(path: &Path, blob: &farm_store::Blob) -> Result<bool, FarmError> {
    if !fs::metadata(path).is_ok_and(|found| found.is_file() && found.len() == blob.size) {
        return Ok(false);
    }
    let mut hasher = blake3::Hasher::new();
    hasher.update_reader(fs::File::open(path)?)?;
    Ok(hasher.finalize() == blob.digest)
}
