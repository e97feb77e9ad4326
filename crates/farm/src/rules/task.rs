//! `task/NAME`: anything else, as a Makefile would do it: declared inputs, a command, declared outputs.

use std::collections::BTreeMap;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{RecvTimeoutError, channel};
use std::time::Duration;

use farm_engine::{Digest, Failure, FailureKind, NodeSpec, Output, Presence, Run};
use farm_executor::{Collect, Network, OutputSink, TarSource};
use farm_manifest::model::{Run as TaskCommand, Task};
use farm_store::{FileKind, glob};
use fs_err as fs;

use super::container::{self, ContainerRun, NodeLog, log_path};
use crate::action::{Action, ContainerData, TaskData};
use crate::context::{Context, io_failure};
use crate::files::FileNode;
use crate::place::{self, KeptFile, Place};
use crate::upload::Upload;

/// Where a task finds its inputs in a container, and leaves its outputs.
const CONTAINER_FOLDER: &str = "/task";
/// How often a running task is looked at, to see whether it should be stopped.
const POLL: Duration = Duration::from_millis(50);

/// Runs the task.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, data: &TaskData) -> Result<Vec<Output>, Failure> {
    let folder = context.workspace.join(&data.task.folder);
    remove_outputs(&folder, &data.task)?;
    let outcome = match &data.image {
        None => on_host(context, &spec.name, &folder, &data.task),
        Some(image) => in_container(context, run, spec, &folder, data, image),
    };
    let outcome = outcome.and_then(|()| keep_outputs(context, &folder, &data.task));
    if outcome.is_err() {
        set_aside(context, &spec.name, &folder, &data.task)?;
    }
    outcome
}

/// Whether the outputs are there as they were recorded; what is not is restored from the store.
#[must_use]
pub fn presence(context: &Context, folder: &str, files: &BTreeMap<String, KeptFile>) -> Presence {
    let folder = context.workspace.join(folder);
    for (path, kept) in files {
        let target = folder.join(path);
        if is_same(context, &target, kept) {
            continue;
        }
        if let Err(why) = restore(context, &target, kept) {
            return Presence::Lost(format!("its output {path} is gone or was changed, and {why}"));
        }
    }
    Presence::Present
}

fn is_same(context: &Context, path: &Path, kept: &KeptFile) -> bool {
    match kept {
        KeptFile::File { blob, executable } => context.hasher.hash(path).is_ok_and(|found| {
            found.kind == FileKind::File && found.digest == blob.digest && found.executable == *executable
        }),
        KeptFile::Link { target } => fs::read_link(path).is_ok_and(|found| found == Path::new(target)),
    }
}

fn restore(context: &Context, path: &Path, kept: &KeptFile) -> Result<(), String> {
    let failed = |error: &dyn std::error::Error| format!("it cannot be restored: {error}");
    if let KeptFile::File { blob, .. } = kept
        && !context.store.present(blob)
    {
        return Err("the store does not have it".to_owned());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(|error| failed(&error))?;
    }
    remove(path).map_err(|error| failed(&error))?;
    match kept {
        KeptFile::File { blob, executable } => context
            .store
            .copy_to(blob, path, *executable)
            .map_err(|error| failed(&error)),
        KeptFile::Link { target } => std::os::unix::fs::symlink(target, path).map_err(|error| failed(&error)),
    }
}

fn remove(path: &Path) -> std::io::Result<()> {
    match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(()),
        Err(error) => Err(error),
    }
}

/// Everything declared that is there, each as a path relative to the folder.
fn existing_outputs(folder: &Path, task: &Task) -> Result<Vec<(String, Vec<String>)>, Failure> {
    let mut found = Vec::new();
    for output in &task.outputs {
        let pattern = output.value.trim_end_matches('/');
        let expansion = glob::expand(folder, &[pattern])
            .map_err(|error| Failure::new(FailureKind::Input, format!("output {pattern}: {error}")))?;
        found.push((output.value.clone(), expansion.paths));
    }
    Ok(found)
}

fn remove_outputs(folder: &Path, task: &Task) -> Result<(), Failure> {
    for (_, paths) in existing_outputs(folder, task)? {
        for path in paths {
            remove(&folder.join(&path)).map_err(|error| io_failure("remove a former output", &error))?;
        }
    }
    for output in &task.outputs {
        let parent = Path::new(output.value.trim_end_matches('/'))
            .parent()
            .unwrap_or(Path::new(""));
        if !glob::is_pattern(&parent.to_string_lossy()) {
            fs::create_dir_all(folder.join(parent)).map_err(|error| io_failure("make room for an output", &error))?;
        }
    }
    Ok(())
}

/// What a failed task left moves out of the way: it must not be taken for a result.
fn set_aside(context: &Context, node: &str, folder: &Path, task: &Task) -> Result<(), Failure> {
    let mut kept = context.state.join("failed");
    kept.extend(node.split([':', '/']));
    let failed = |error: std::io::Error| io_failure("keep what a failed task left", &error);
    remove(&kept).map_err(failed)?;
    for (_, paths) in existing_outputs(folder, task)? {
        for path in paths {
            let target = kept.join(&path);
            if let Some(parent) = target.parent() {
                fs::create_dir_all(parent).map_err(failed)?;
            }
            fs::rename(folder.join(&path), target).map_err(failed)?;
        }
    }
    Ok(())
}

fn keep_outputs(context: &Context, folder: &Path, task: &Task) -> Result<Vec<Output>, Failure> {
    let mut outputs = Vec::new();
    for (declared, paths) in existing_outputs(folder, task)? {
        if paths.is_empty() {
            let message = format!("it ended well but did not make its output {declared}");
            return Err(Failure::new(FailureKind::Step, message));
        }
        let mut files = BTreeMap::new();
        for path in paths {
            collect_files(context, folder, &path, &mut files)?;
        }
        let mut hasher = blake3::Hasher::new();
        for (path, kept) in &files {
            hasher.update(&(path.len() as u64).to_le_bytes());
            hasher.update(path.as_bytes());
            let (tag, digest) = match kept {
                KeptFile::File { blob, executable } => (u8::from(*executable), blob.digest),
                KeptFile::Link { target } => (2, blake3::hash(target.as_bytes())),
            };
            hasher.update(&[tag]);
            hasher.update(digest.as_bytes());
        }
        let place = Place::Files {
            files,
            folder: task.folder.to_string(),
        };
        outputs.push(place.output(&declared, Digest::from(hasher.finalize())));
    }
    if outputs.is_empty() {
        outputs.push(Place::Nowhere.output("done", Digest::of(b"done")));
    }
    Ok(outputs)
}

fn collect_files(
    context: &Context,
    folder: &Path,
    path: &str,
    files: &mut BTreeMap<String, KeptFile>,
) -> Result<(), Failure> {
    let failed = |error: std::io::Error| io_failure("keep an output", &error);
    let mut pending = vec![path.to_owned()];
    while let Some(path) = pending.pop() {
        let full = folder.join(&path);
        let found = fs::symlink_metadata(&full).map_err(failed)?;
        if found.is_dir() {
            for entry in fs::read_dir(&full).map_err(failed)? {
                let name = entry.map_err(failed)?.file_name();
                pending.push(format!("{path}/{}", name.to_string_lossy()));
            }
        } else if found.is_symlink() {
            let target = fs::read_link(&full).map_err(failed)?;
            files.insert(
                path,
                KeptFile::Link {
                    target: target.to_string_lossy().into_owned(),
                },
            );
        } else {
            let blob = context
                .store
                .put_file(&full)
                .map_err(|error| io_failure(&format!("keep {path}"), &error))?;
            let executable = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
            files.insert(path, KeptFile::File { blob, executable });
        }
    }
    Ok(())
}

fn command_line(task: &Task) -> Vec<String> {
    match &task.run.value {
        TaskCommand::Shell(line) => vec!["/bin/sh".to_owned(), "-e".to_owned(), "-c".to_owned(), line.clone()],
        TaskCommand::Arguments(words) => words.clone(),
    }
}

/// On the host, in the folder of the manifest, with a home and a folder for temporary files of its own.
fn on_host(context: &Context, name: &str, folder: &Path, task: &Task) -> Result<(), Failure> {
    let mut log = NodeLog::create(&log_path(context, name)).map_err(|error| io_failure("write a log", &error))?;
    context.with_scratch(|scratch| {
        let (home, temporary) = (scratch.join("home"), scratch.join("tmp"));
        for path in [&home, &temporary] {
            fs::create_dir(path).map_err(|error| io_failure("make a task's folders", &error))?;
        }
        let argv = command_line(task);
        let (mut reader, writer) = std::io::pipe().map_err(|error| io_failure("start a task", &error))?;
        let stderr = writer.try_clone().map_err(|error| io_failure("start a task", &error))?;
        let mut child = {
            // The command holds the pipe's other ends until it is dropped, and reading would never end.
            let mut command = Command::new(&argv[0]);
            command
                .args(&argv[1..])
                .current_dir(folder)
                .env_clear()
                .env("PATH", "/usr/local/bin:/usr/bin:/bin")
                .env("HOME", &home)
                .env("TMPDIR", &temporary)
                .env("LC_ALL", "C.UTF-8")
                .envs(task.env.iter().map(|(name, value)| (name, &value.value)))
                .stdin(Stdio::null())
                .stdout(writer)
                .stderr(stderr)
                .process_group(0);
            command
                .spawn()
                .map_err(|error| Failure::new(FailureKind::Step, format!("{} cannot be run: {error}", argv[0])))?
        };
        let group = rustix::process::Pid::from_child(&child);
        let (sender, output) = channel();
        std::thread::spawn(move || {
            let mut buffer = vec![0; 1 << 16];
            while let Ok(read) = reader.read(&mut buffer) {
                if read == 0 || sender.send(buffer[..read].to_vec()).is_err() {
                    return;
                }
            }
        });
        let kill = |signal| {
            // The group is gone when its last process is, which is what is wanted.
            let _ = rustix::process::kill_process_group(group, signal);
        };
        let mut patience = None;
        loop {
            match output.recv_timeout(POLL) {
                Ok(bytes) => log.write(&bytes),
                Err(RecvTimeoutError::Disconnected) => break,
                Err(RecvTimeoutError::Timeout) => {}
            }
            if context.cancel.is_cancelled() {
                match &mut patience {
                    None => {
                        kill(rustix::process::Signal::TERM);
                        patience = Some(40_u32);
                    }
                    Some(0) => kill(rustix::process::Signal::KILL),
                    Some(left) => *left -= 1,
                }
            }
            // A task that ended but left something running in the background with the log open is over all the same.
            if let Ok(Some(_)) = child.try_wait() {
                while let Ok(bytes) = output.recv_timeout(POLL) {
                    log.write(&bytes);
                }
                break;
            }
        }
        let status = child.wait().map_err(|error| io_failure("wait for a task", &error))?;
        kill(rustix::process::Signal::KILL);
        if status.success() {
            Ok(())
        } else {
            Err(log.failure(ended(status), None))
        }
    })
}

fn ended(status: std::process::ExitStatus) -> String {
    match (status.code(), std::os::unix::process::ExitStatusExt::signal(&status)) {
        (Some(code), _) => format!("it ended with status {code}"),
        (_, Some(signal)) => format!("it was killed by signal {signal}"),
        _ => "it ended in an unknown way".to_owned(),
    }
}

/// In an image: the inputs are brought in, the outputs are taken out.
fn in_container(
    context: &Context,
    run: &Run<'_>,
    spec: &NodeSpec<Action>,
    folder: &Path,
    data: &TaskData,
    image: &str,
) -> Result<(), Failure> {
    let guard = run
        .dependency(spec, image)
        .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{image} is not there")))?;
    let mut upload = Upload::new(context).folder(CONTAINER_FOLDER.trim_start_matches('/'));
    for input in &data.inputs {
        upload = add_input(upload, folder, input)?;
    }
    for dependency in run.dependencies.iter().flatten() {
        for output in &dependency.outputs {
            if let Some(Place::Files { files, folder }) = Place::parse(&output.place)
                && folder == data.task.folder.as_str()
            {
                upload = files.into_iter().fold(upload, |upload, (path, kept)| {
                    let target = format!("task/{path}");
                    match kept {
                        KeptFile::File {
                            blob,
                            executable: false,
                        } => upload.blob(target, blob),
                        KeptFile::File { blob, executable: true } => upload.program(target, blob),
                        KeptFile::Link { target: link } => {
                            upload.files("task", [(path, FileNode::Link { target: link })].into())
                        }
                    }
                });
            }
        }
    }
    for output in &data.task.outputs {
        let parent = Path::new(output.value.trim_end_matches('/'))
            .parent()
            .unwrap_or(Path::new(""));
        if !parent.as_os_str().is_empty() && !glob::is_pattern(&parent.to_string_lossy()) {
            upload = upload.folder(format!("task/{}", parent.display()));
        }
    }
    let container = ContainerData {
        env: data
            .task
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect(),
        ..ContainerData::default()
    };
    let files: Vec<Box<dyn TarSource>> = vec![Box::new(upload)];
    let mut argv = vec![
        "/bin/sh".to_owned(),
        "-c".to_owned(),
        "cd /task && exec \"$@\"".to_owned(),
        "sh".to_owned(),
    ];
    argv.extend(command_line(&data.task));
    context.with_scratch(|scratch| {
        let mut outputs = TakeOutputs {
            scratch: scratch.to_owned(),
            found: false,
        };
        container::run(
            context,
            run,
            ContainerRun {
                name: &spec.name,
                image: place::image(guard, "image")?,
                files,
                argv,
                env: BTreeMap::new(),
                network: Network::None,
                container: &container,
                collect: vec![Collect::OnSuccess(CONTAINER_FOLDER.to_owned())],
            },
            &mut outputs,
        )?;
        if outputs.found {
            bring_out(&scratch.join("task"), folder, &data.task)?;
        }
        Ok(())
    })
}

fn add_input(upload: Upload, folder: &Path, input: &str) -> Result<Upload, Failure> {
    let failed = |error: std::io::Error| io_failure("read an input", &error);
    let mut pending = vec![input.to_owned()];
    let mut files = crate::files::Files::new();
    while let Some(path) = pending.pop() {
        let full = folder.join(&path);
        let found = fs::symlink_metadata(&full).map_err(failed)?;
        if found.is_dir() {
            for entry in fs::read_dir(&full).map_err(failed)? {
                pending.push(format!(
                    "{path}/{}",
                    entry.map_err(failed)?.file_name().to_string_lossy()
                ));
            }
        } else if found.is_symlink() {
            let target = fs::read_link(&full).map_err(failed)?.to_string_lossy().into_owned();
            files.insert(path, FileNode::Link { target });
        } else {
            let executable = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
            files.insert(
                path,
                FileNode::File {
                    bytes: fs::read(&full).map_err(failed)?,
                    executable,
                },
            );
        }
    }
    Ok(upload.files("task", files))
}

/// Copies the declared outputs from where they were unpacked to where they belong.
fn bring_out(from: &Path, folder: &Path, task: &Task) -> Result<(), Failure> {
    let failed = |error: std::io::Error| io_failure("bring out an output", &error);
    for (_, paths) in existing_outputs(from, task)? {
        for path in paths {
            let mut pending = vec![path];
            while let Some(path) = pending.pop() {
                let (source, target) = (from.join(&path), folder.join(&path));
                let found = fs::symlink_metadata(&source).map_err(failed)?;
                if found.is_dir() {
                    fs::create_dir_all(&target).map_err(failed)?;
                    for entry in fs::read_dir(&source).map_err(failed)? {
                        pending.push(format!(
                            "{path}/{}",
                            entry.map_err(failed)?.file_name().to_string_lossy()
                        ));
                    }
                    continue;
                }
                if let Some(parent) = target.parent() {
                    fs::create_dir_all(parent).map_err(failed)?;
                }
                if found.is_symlink() {
                    std::os::unix::fs::symlink(fs::read_link(&source).map_err(failed)?, &target).map_err(failed)?;
                } else {
                    fs::copy(&source, &target).map_err(failed)?;
                }
            }
        }
    }
    Ok(())
}

struct TakeOutputs {
    scratch: PathBuf,
    found: bool,
}

impl OutputSink for TakeOutputs {
    fn collected(&mut self, _: &str, tar: &mut dyn Read) -> std::io::Result<()> {
        let mut archive = tar::Archive::new(tar);
        archive.set_preserve_permissions(false);
        archive.set_preserve_mtime(false);
        archive.set_unpack_xattrs(false);
        for entry in archive.entries()? {
            entry?.unpack_in(&self.scratch)?;
        }
        self.found = true;
        Ok(())
    }

    fn absent(&mut self, _: &str) {}
}
