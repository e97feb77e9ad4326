//! The nodes of a run, kept so that one of them can be had without the manifest.
//!
//! The file is the JSON of one node after the other; where one begins, its length and its checksum stand in the record of the run
//! ([`Slot`]). What a node says of files that no task makes is taken anew when it is read, so that an edit of a source leaves the
//! file as it is. Only tasks can be kept: what other nodes are made of is not all in their inputs.

use std::collections::BTreeMap;
use std::io::{BufWriter, Write as _};
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use farm_engine::{Class, Dependency, Input, Need, NodeSpec};
use farm_store::FileHasher;
use fs_err as fs;
use serde::{Deserialize, Serialize};

use crate::action::{Action, TaskData};
use crate::rules::task;

/// Where a node is in the file; one of length 0 is not in it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Slot {
    pub(super) offset: u64,
    pub(super) len: u32,
    pub(super) check: [u8; 8],
}

#[derive(Serialize, Deserialize)]
struct Kept {
    rule_version: u32,
    class: Class,
    inputs: Vec<Input>,
    dependencies: Vec<Dependency>,
    data: TaskData,
}

/// Writes nodes one after the other, into a file that has no name until all are there.
pub(super) struct Writer {
    file: BufWriter<tempfile::NamedTempFile>,
    len: u64,
}

impl Writer {
    /// Begins a file that shall lie in this folder.
    pub(super) fn new_in(folder: &Path) -> std::io::Result<Self> {
        Ok(Self {
            file: BufWriter::new(tempfile::NamedTempFile::new_in(folder)?),
            len: 0,
        })
    }

    /// Adds a node. One that cannot be had again has an empty slot.
    pub(super) fn add(&mut self, spec: &NodeSpec<Action>) -> std::io::Result<Slot> {
        let Action::Task(data) = &spec.action else {
            return Ok(Slot::default());
        };
        // Nobody knows here what such a node was, as it was not looked at.
        if spec
            .dependencies
            .iter()
            .any(|dependency| dependency.need == Need::BeforeRun)
        {
            return Ok(Slot::default());
        }
        let kept = Kept {
            rule_version: spec.rule_version,
            class: spec.class,
            inputs: spec.inputs.clone(),
            dependencies: spec.dependencies.clone(),
            data: (**data).clone(),
        };
        let json = serde_json::to_vec(&kept)?;
        self.file.write_all(&json)?;
        let offset = self.len;
        self.len += json.len() as u64;
        Ok(Slot {
            offset,
            // No task says four gigabytes.
            len: u32::try_from(json.len()).unwrap_or(0),
            check: check(&json),
        })
    }

    /// Puts the file in place.
    pub(super) fn place(self, path: &Path) -> std::io::Result<()> {
        let file = self.file.into_inner()?;
        farm_store::rename(file.into_temp_path(), path)
    }
}

/// Reads nodes.
pub(super) struct Reader(fs::File);

impl Reader {
    pub(super) fn open(path: &Path) -> std::io::Result<Self> {
        fs::File::open(path).map(Self)
    }

    /// The node of this name, with its files as they are now. `None` if it is not to be had: then somebody has to look at the
    /// manifest.
    pub(super) fn read(
        &self,
        slot: Slot,
        (kind, name): (&str, &str),
        workspace: &Path,
        hasher: &FileHasher,
    ) -> Option<NodeSpec<Action>> {
        if slot.len == 0 {
            return None;
        }
        let mut json = vec![0; slot.len as usize];
        self.0.file().read_exact_at(&mut json, slot.offset).ok()?;
        if check(&json) != slot.check {
            return None;
        }
        let mut kept: Kept = serde_json::from_slice(&json).ok()?;
        let folder = workspace.join(&kept.data.folder);
        for input in &mut kept.inputs {
            if let Some(path) = task::input_path(input) {
                *input = task::hash_input(hasher, &folder, path).ok()?;
            }
        }
        Some(NodeSpec {
            name: name.to_owned(),
            kind: kind.to_owned(),
            rule_version: kept.rule_version,
            class: kept.class,
            inputs: kept.inputs,
            dependencies: kept.dependencies,
            expands: false,
            pools: BTreeMap::new(),
            action: Action::Task(Box::new(kept.data)),
        })
    }
}

fn check(json: &[u8]) -> [u8; 8] {
    let mut check = [0; 8];
    check.copy_from_slice(&blake3::hash(json).as_bytes()[..8]);
    check
}
