//! Tasks in an image: the inputs are brought in, the outputs are taken out.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use farm_engine::{Failure, FailureKind, Need, NodeSpec, Run};
use farm_executor::{Collect, Companion, Network, OutputSink, TarSource};
use farm_store::Witness;
use fs_err as fs;

use super::outputs::{copy, existing, leaves};
use super::{input_path, parent_of};
use crate::action::{Action, ContainerData, TaskData};
use crate::context::{Context, io_failure};
use crate::files::FileNode;
use crate::place::{self, KeptFile, Place};
use crate::rules::container::{self, ContainerRun};
use crate::rules::jobs;
use crate::upload::Upload;

/// Where a task finds its inputs in a container, and leaves its outputs.
const CONTAINER_FOLDER: &str = "/task";

/// Runs the task in the image that `image` makes.
pub(super) fn run(
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
    for input in spec.inputs.iter().filter_map(input_path) {
        upload = add_input(upload, folder, input)?;
    }
    for (path, kept) in made_inputs(run, spec, data) {
        let target = format!("task/{path}");
        upload = match kept {
            KeptFile::File { blob, executable } if executable => upload.program(target, blob),
            KeptFile::File { blob, .. } => upload.blob(target, blob),
            KeptFile::Link { target: link } => upload.files("task", [(path, FileNode::Link { target: link })].into()),
        };
    }
    for parent in data.outputs.iter().filter_map(|output| parent_of(output)) {
        if !parent.as_os_str().is_empty() {
            upload = upload.folder(format!("task/{}", parent.display()));
        }
    }
    let container = ContainerData {
        env: data.env.clone(),
        ..ContainerData::default()
    };
    let mut begin = "cd /task && exec \"$@\"".to_owned();
    let tokens = (!data.env.contains_key("MAKEFLAGS")).then(|| Arc::new(jobs::ContainerJobs::default()));
    if let Some(tokens) = &tokens {
        (run.tokens)(tokens.clone());
        upload = upload.files(".farm", [("jobs.sh".to_owned(), FileNode::program(jobs::OFFER))].into());
        begin = format!(". /.farm/jobs.sh; {begin}");
    }
    let files: Vec<Box<dyn TarSource>> = vec![Box::new(upload)];
    let mut argv = vec!["/bin/sh".to_owned(), "-c".to_owned(), begin, "sh".to_owned()];
    argv.extend(data.command.argv());
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
                companion: tokens.map(|tokens| tokens as Arc<dyn Companion>),
            },
            &mut outputs,
        )?;
        if outputs.found {
            bring_out(&scratch.join("task"), folder, data)?;
        }
        Ok(())
    })
}

/// The outputs of other tasks that the key speaks of, by path relative to this task's folder.
fn made_inputs(run: &Run<'_>, spec: &NodeSpec<Action>, data: &TaskData) -> BTreeMap<String, KeptFile> {
    let mut found = BTreeMap::new();
    for (dependency, guard) in spec.dependencies.iter().zip(&run.dependencies) {
        let (Need::Output(role), Some(guard)) = (&dependency.need, guard) else {
            continue;
        };
        for output in guard.outputs.iter().filter(|output| output.role == *role) {
            let Some(Place::Files { files, folder }) = Place::parse(&output.place) else {
                continue;
            };
            // What lies elsewhere in the workspace cannot be reached from this task's folder.
            if let Ok(below) = Path::new(&folder).strip_prefix(&data.folder) {
                let paths = files
                    .into_iter()
                    .map(|(path, kept)| (below.join(path).to_string_lossy().into_owned(), kept));
                found.extend(paths);
            }
        }
    }
    found
}

fn add_input(upload: Upload, folder: &Path, input: &str) -> Result<Upload, Failure> {
    let failed = |error: std::io::Error| io_failure("read an input", &error);
    let mut files = crate::files::Files::new();
    for path in leaves(folder, input, &Witness::default()).map_err(failed)? {
        let full = folder.join(&path);
        let found = fs::symlink_metadata(&full).map_err(failed)?;
        let node = if found.is_symlink() {
            let target = fs::read_link(&full).map_err(failed)?.to_string_lossy().into_owned();
            FileNode::Link { target }
        } else {
            let bytes = fs::read(&full).map_err(failed)?;
            let executable = std::os::unix::fs::PermissionsExt::mode(&found.permissions()) & 0o111 != 0;
            FileNode::File { bytes, executable }
        };
        files.insert(path, node);
    }
    Ok(upload.files("task", files))
}

/// Copies the declared outputs from where they were unpacked to where they belong.
fn bring_out(from: &Path, folder: &Path, task: &TaskData) -> Result<(), Failure> {
    for path in existing(from, task)?.into_iter().flat_map(|(_, paths)| paths) {
        copy(&from.join(&path), &folder.join(&path)).map_err(|error| io_failure("bring out an output", &error))?;
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
