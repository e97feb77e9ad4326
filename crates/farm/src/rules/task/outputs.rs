//! What a task leaves: room for it, copies of it, and where it goes when it cannot be used.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use farm_engine::{Digest, Failure, FailureKind, Guard, GuardStore, Output, Presence, Run};
use farm_store::{FileKind, Witness, glob};
use fs_err as fs;

use super::{note, parent_of, record};
use crate::action::TaskData;
use crate::context::{Context, chain, io_failure};
use crate::place::{KeptFile, Place};

/// Where files go that lie where a task is about to leave its own.
const IN_THE_WAY: &str = "in-the-way";

/// Whether something in a task's folder of failures is not the task's: it was in the way of its outputs.
#[must_use]
pub fn is_in_the_way(kept: &Path) -> bool {
    kept.file_name()
        .is_some_and(|name| name.to_string_lossy().starts_with(IN_THE_WAY))
}

/// Everything declared that is there, each as a path relative to the folder.
pub(super) fn existing(folder: &Path, task: &TaskData) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let mut found = Vec::new();
    for output in &task.outputs {
        let pattern = output.trim_end_matches('/');
        // What an action makes and takes away is no testimony: whether it is there is asked once it is recorded.
        let expansion = glob::expand(folder, &[pattern], &Witness::default())
            .map_err(|error| Failure::new(FailureKind::Input, format!("output {pattern}: {error}")))?;
        found.push((output.clone(), expansion.paths));
    }
    Ok(found)
}

/// The files and links at or below `path`, relative to `folder` as it is. `witness` is told which folders were read.
///
/// # Errors
///
/// A folder cannot be read.
pub fn leaves(folder: &Path, path: &str, witness: &Witness) -> io::Result<Vec<String>> {
    let mut found = Vec::new();
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let full = folder.join(&path);
        if !fs::symlink_metadata(&full)?.is_dir() {
            found.push(path);
            continue;
        }
        witness.look(&full);
        for entry in fs::read_dir(&full)? {
            pending.push(format!("{path}/{}", entry?.file_name().to_string_lossy()));
        }
    }
    Ok(found)
}

/// Removes what the last run left, and moves away what it did not: a file that farm did not make is never deleted.
pub(super) fn make_room(
    context: &Context,
    run: &Run<'_>,
    node: &str,
    folder: &Path,
    task: &TaskData,
    guards: &dyn GuardStore,
) -> Result<(), Failure> {
    let failed = |error: io::Error| io_failure("make room for an output", &error);
    let ours = record::ours(&context.state, node, guards, None::<(_, std::iter::Empty<_>)>);
    if !ours.is_empty() {
        record::disown(&context.state, node).map_err(failed)?;
    }
    let mut moved_to = None;
    for path in existing(folder, task)?.into_iter().flat_map(|(_, paths)| paths) {
        let full = folder.join(&path);
        // An output of the same task that holds this one may have been dealt with.
        if fs::symlink_metadata(&full).is_err() {
            continue;
        }
        if remove_ours(context, folder, task, &path, &ours).map_err(failed)? {
            continue;
        }
        let room = match &moved_to {
            Some(room) => room,
            None => &*moved_to.insert(new_room(&failed_folder(context, node))),
        };
        move_to(&full, &room.join(&path)).map_err(failed)?;
        let shown = room.strip_prefix(&context.workspace).unwrap_or(room).join(&path);
        let message = format!(
            "{node}: {path} was in the way of an output; it is {} now",
            shown.display()
        );
        note(run, message);
    }
    for parent in task.outputs.iter().filter_map(|output| parent_of(output)) {
        let parent = folder.join(parent);
        // Nearly always it is there, and to look is cheaper than to try.
        if !parent.is_dir() {
            fs::create_dir_all(parent).map_err(failed)?;
        }
    }
    Ok(())
}

/// Takes away what the task left just now: what is recorded of it is to come back, and a file cannot where a folder is.
pub(super) fn take_away(context: &Context, folder: &Path, task: &TaskData, left: &[Output]) -> Result<(), Failure> {
    let ours = record::files(left).unwrap_or_default().into_keys().collect();
    for path in existing(folder, task)?.into_iter().flat_map(|(_, paths)| paths) {
        // An output of the same task that holds this one may have been dealt with.
        if fs::symlink_metadata(folder.join(&path)).is_ok() {
            remove_ours(context, folder, task, &path, &ours).map_err(|error| io_failure("remove an output", &error))?;
        }
    }
    Ok(())
}

/// Removes of an output what the task made, and all of it if there is nothing else. Returns whether it is gone.
fn remove_ours(
    context: &Context,
    folder: &Path,
    task: &TaskData,
    path: &str,
    ours: &BTreeSet<String>,
) -> io::Result<bool> {
    let (made, others): (Vec<_>, Vec<_>) = leaves(folder, path, &Witness::default())?
        .into_iter()
        .partition(|file| ours.contains(task.folder.join(file).as_str()));
    for file in made {
        let file = folder.join(file);
        context.hasher.forget(&file);
        fs::remove_file(file)?;
    }
    if others.is_empty() {
        remove(&folder.join(path))?;
    }
    Ok(others.is_empty())
}

fn failed_folder(context: &Context, node: &str) -> PathBuf {
    let mut folder = context.state.join("failed");
    folder.extend(node.split([':', '/']));
    folder
}

/// A folder of this run's own: what an earlier run moved away is somebody's as well.
fn new_room(folder: &Path) -> PathBuf {
    let numbered = (2_u32..).map(|number| format!("{IN_THE_WAY}-{number}"));
    let mut rooms = std::iter::once(IN_THE_WAY.to_owned())
        .chain(numbered)
        .map(|name| folder.join(name));
    let free = rooms.find(|room| fs::symlink_metadata(room).is_err());
    free.unwrap_or_else(|| folder.join(IN_THE_WAY))
}

/// What a failed task left moves out of the way: it must not be taken for a result. Of the last failure nothing stays, but
/// what was in the way does.
pub(super) fn set_aside(context: &Context, node: &str, folder: &Path, task: &TaskData) -> Result<(), String> {
    let failed = |error: io::Error| chain(&error);
    let kept = failed_folder(context, node);
    match fs::read_dir(&kept) {
        Ok(entries) => {
            for entry in entries {
                let entry = entry.map_err(failed)?;
                if !is_in_the_way(&entry.path()) {
                    remove(&entry.path()).map_err(failed)?;
                }
            }
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    let left = existing(folder, task).map_err(|failure| failure.message)?;
    for path in left.into_iter().flat_map(|(_, paths)| paths) {
        let full = folder.join(&path);
        if fs::symlink_metadata(&full).is_ok() {
            move_to(&full, &kept.join(&path)).map_err(failed)?;
        }
    }
    Ok(())
}

/// Copies the outputs to the store.
pub(super) fn keep(context: &Context, node: &str, folder: &Path, task: &TaskData) -> Result<Vec<Output>, Failure> {
    let mut outputs = Vec::new();
    for (declared, paths) in existing(folder, task)? {
        if paths.is_empty() {
            let message = format!("it ended well but did not make its output {declared}");
            return Err(Failure::new(FailureKind::Step, message));
        }
        let mut files = BTreeMap::new();
        for path in &paths {
            for file in
                leaves(folder, path, &Witness::default()).map_err(|error| io_failure("keep an output", &error))?
            {
                let kept = keep_file(context, &folder.join(&file))
                    .map_err(|error| io_failure(&format!("keep {file}"), &*error))?;
                files.insert(file, kept);
            }
        }
        let digest = digest_of(&files);
        let place = Place::Files {
            files,
            folder: task.folder.to_string(),
        };
        outputs.push(place.output(&declared, digest));
    }
    if outputs.is_empty() {
        outputs.push(Place::Nowhere.output("done", Digest::of(b"done")));
    }
    record::trust_guards(&context.state, node).map_err(|error| io_failure("record what a task left", &error))?;
    Ok(outputs)
}

fn keep_file(context: &Context, path: &Path) -> Result<KeptFile, Box<dyn std::error::Error>> {
    let started = SystemTime::now();
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() {
        context.hasher.witness().look_owned(path);
        let target = fs::read_link(path)?.to_string_lossy().into_owned();
        return Ok(KeptFile::Link { target });
    }
    let blob = context.store.put_file(path)?;
    context.hasher.learn(path, &found, started, blob.digest);
    let executable = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
    Ok(KeptFile::File { blob, executable })
}

fn digest_of(files: &BTreeMap<String, KeptFile>) -> Digest {
    let mut hasher = blake3::Hasher::new();
    for (path, kept) in files {
        hasher.update(&(path.len() as u64).to_le_bytes());
        hasher.update(path.as_bytes());
        let (tag, digest) = match kept {
            KeptFile::File { blob, executable } => (u8::from(*executable), blob.digest),
            KeptFile::Link { target } => (2, blake3::hash(target.as_bytes())),
        };
        hasher.update(&[tag]);
        hasher.update(digest.as_bytes());
    }
    Digest::from(hasher.finalize())
}

/// See [`super::presence`].
pub(super) fn presence(
    context: &Context,
    node: &str,
    guard: &Guard,
    guards: &dyn GuardStore,
    restore: bool,
) -> Presence {
    let kept = match record::files(&guard.outputs) {
        Ok(kept) => kept,
        Err(role) => return Presence::Lost(format!("nobody knows where its {role} is")),
    };
    let ours = record::ours(&context.state, node, guards, Some((&guard.key, kept.keys())));
    let mut gone = Vec::new();
    for (path, file) in &kept {
        let target = context.workspace.join(path);
        if is_same(context, &target, file) {
            continue;
        }
        let foreign = match fs::symlink_metadata(&target) {
            Ok(found) => found.is_dir() || !ours.contains(path),
            Err(_) => false,
        };
        if foreign {
            return Presence::Lost(format!(
                "its output {path} was replaced by something that farm did not make"
            ));
        }
        if let KeptFile::File { blob, .. } = file
            && !context.store.present(blob)
        {
            return Presence::Lost(format!(
                "its output {path} is gone or was changed, and the store does not have it"
            ));
        }
        gone.push((path, target, file));
    }
    if !restore {
        return Presence::Present;
    }
    for (path, target, file) in gone {
        if let Err(error) = bring_back(context, &target, file) {
            return Presence::Lost(format!(
                "its output {path} is gone or was changed, and cannot be restored: {error}"
            ));
        }
        // Hashed as it is now: the hasher would take what was brought back for a change behind its back.
        if !is_same(context, &target, file) {
            return Presence::Lost(format!("its output {path} was changed while it was restored"));
        }
    }
    let now: BTreeSet<String> = kept.into_keys().collect();
    if now == ours {
        return Presence::Present;
    }
    // Whoever reads a folder must not find there what another state of this task left.
    let stale = ours.difference(&now).try_for_each(|path| {
        let path = context.workspace.join(path);
        match fs::symlink_metadata(&path) {
            Ok(found) if !found.is_dir() => fs::remove_file(path),
            _ => Ok(()),
        }
    });
    match stale.and_then(|()| record::trust_guards(&context.state, node)) {
        Ok(()) => Presence::Present,
        Err(error) => Presence::Lost(format!("its outputs cannot be restored: {error}")),
    }
}

fn is_same(context: &Context, path: &Path, kept: &KeptFile) -> bool {
    match kept {
        KeptFile::File { blob, executable } => context.hasher.hash_made(path).is_ok_and(|found| {
            found.kind == FileKind::File && found.digest == blob.digest && found.executable == *executable
        }),
        KeptFile::Link { target } => {
            context.hasher.witness().look_owned(path);
            fs::read_link(path).is_ok_and(|found| found == Path::new(target))
        }
    }
}

fn bring_back(context: &Context, path: &Path, kept: &KeptFile) -> Result<(), String> {
    let failed = |error: io::Error| chain(&error);
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(failed)?;
    }
    remove(path).map_err(failed)?;
    match kept {
        KeptFile::File { blob, executable } => context
            .store
            .copy_to(blob, path, *executable)
            .map_err(|error| chain(&error)),
        KeptFile::Link { target } => std::os::unix::fs::symlink(target, path).map_err(failed),
    }
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Moves a file or folder, to another file system as well.
fn move_to(from: &Path, to: &Path) -> io::Result<()> {
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent)?;
    }
    match fs::rename(from, to) {
        Err(error) if error.kind() == io::ErrorKind::CrossesDevices => {
            copy(from, to)?;
            remove(from)
        }
        done => done,
    }
}

/// Copies a file, link or folder with everything below it.
pub(super) fn copy(from: &Path, to: &Path) -> io::Result<()> {
    let mut pending = vec![(from.to_owned(), to.to_owned())];
    while let Some((from, to)) = pending.pop() {
        let found = fs::symlink_metadata(&from)?;
        if found.is_dir() {
            fs::create_dir_all(&to)?;
            for entry in fs::read_dir(&from)? {
                let name = entry?.file_name();
                pending.push((from.join(&name), to.join(&name)));
            }
            continue;
        }
        if let Some(parent) = to.parent() {
            fs::create_dir_all(parent)?;
        }
        if found.is_symlink() {
            std::os::unix::fs::symlink(fs::read_link(&from)?, &to)?;
        } else {
            fs::copy(&from, &to)?;
        }
    }
    Ok(())
}
