//! What the nodes of a farm do: one variant a rule, with everything the rule needs beside the outputs it depends on.

use std::collections::BTreeMap;
use std::sync::Arc;

use camino::Utf8PathBuf;
use farm_engine::Key;
use farm_executor::Limits;
use farm_hosted::HostedLock;
use farm_resolver::Mode;
use serde::{Deserialize, Serialize};

use crate::files::Files;
use crate::rules::fetch::FetchData;
use crate::rules::image::ImageData;
use crate::rules::join::JoinData;
use crate::rules::live::LiveData;
use crate::rules::package::PackageData;
use crate::rules::publish_images::PublishImagesData;
use crate::rules::publish_pkgs::PublishPkgsData;
use crate::rules::repo::RepoSourcePinned;
use crate::rules::stage::{PackData, StageData};
use crate::rules::stage3::Stage3Data;

/// What a node does.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// An image of a registry, pinned: `NAME@sha256:…` or an image id.
    BaseImage {
        /// What is pulled.
        reference: String,
    },
    /// A root made of Debian packages and the Portage wheel.
    BaseHosted {
        /// What it is made of.
        lock: Box<HostedLock>,
    },
    /// A stage3 archive.
    BaseStage3(Box<Stage3Data>),
    /// The binfarm root: base, literal files, scripts.
    Root(Arc<RootData>),
    /// The ABIs of a root's packages.
    Abis {
        /// The root's node.
        root: String,
    },
    /// The packages of a base, packed again.
    Quickpkg {
        /// The base's node.
        base: String,
    },
    /// An ebuild repository.
    Repo {
        /// Its name.
        name: String,
        /// Where it comes from.
        source: RepoSourcePinned,
    },
    /// One subject, resolved by Portage.
    Resolve(Arc<ResolveData>),
    /// All subjects together; brings forth everything below.
    Join(Arc<JoinData>),
    /// Nothing: an earlier run found the node up to date with this key, and nothing that it depends on has changed since.
    Settled(Key),
    /// A source file.
    Fetch(Box<FetchData>),
    /// The pinned source of a live ebuild.
    Live(Box<LiveData>),
    /// A binary package.
    Package(Box<PackageData>),
    /// The source that a package is built from, patched.
    Source(Box<PackageData>),
    /// A build of a package that is tried, and not kept.
    Trial(Box<PackageData>),
    /// An image.
    Image(Box<ImageData>),
    /// A root file system as an archive of the store.
    StageArchive(Box<PackData>),
    /// That archive where people find it.
    Stage(Box<StageData>),
    /// A task.
    Task(Box<TaskData>),
    /// Packages to a folder: the local binhost, or where they are published.
    PublishPkgs(Box<PublishPkgsData>),
    /// Images to their registry.
    PublishImages(Box<PublishImagesData>),
}

impl Action {
    /// The name that the image this makes has in the engine. A root that only is the base under another node is the base's.
    #[must_use]
    pub fn image_name(&self) -> Option<&str> {
        match self {
            Self::Root(data) if !(data.files.is_empty() && data.scripts.is_empty()) => Some(&data.tag),
            Self::Image(data) if !data.is_lower_root() => Some(&data.plan.tag),
            _ => None,
        }
    }
}

/// What the rule of the binfarm root needs.
#[derive(Debug, Clone, PartialEq)]
pub struct RootData {
    /// The base's node.
    pub base: String,
    /// Literal files, relative to `/`.
    pub files: Files,
    /// Scripts in the order they are run: file name and content.
    pub scripts: Vec<(String, Vec<u8>)>,
    /// How its container runs.
    pub container: ContainerData,
    /// The image's tag.
    pub tag: String,
}

/// How containers of a farm run.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct ContainerData {
    /// Capabilities beyond the engine's default set.
    pub capabilities: Vec<String>,
    /// Bounds.
    pub limits: Limits,
    /// Variables besides those that farm sets.
    pub env: BTreeMap<String, String>,
}

/// What resolving a subject needs.
#[derive(Debug, Clone, PartialEq)]
pub struct ResolveData {
    /// The subject's name; `binfarm` for people's tools.
    pub subject: String,
    /// What emerge is given.
    pub members: Vec<String>,
    /// Further options.
    pub options: Vec<String>,
    /// What is asked of Portage.
    pub mode: Mode,
    /// Atoms of packages that are built anew though they are there, where the mode would leave them.
    pub reinstall: Vec<String>,
    /// The node of the plan whose packages Portage is to take for installed.
    pub bootstrap: Option<String>,
    /// Nodes of the subjects whose versions seed this one.
    pub seeds: Vec<String>,
    /// The root's node.
    pub root: String,
    /// The repositories' nodes by name.
    pub repos: Vec<(String, String)>,
    /// The configuration.
    pub settings: Arc<crate::settings::Settings>,
    /// How its container runs.
    pub container: ContainerData,
}

/// What a task runs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub enum TaskCommand {
    /// A line, or lines, for `/bin/sh -e -c`.
    Shell(String),
    /// A program and its arguments: one text at least.
    Arguments(Vec<String>),
}

impl TaskCommand {
    /// The program and its arguments.
    #[must_use]
    pub fn argv(&self) -> Vec<String> {
        match self {
            Self::Shell(line) => ["/bin/sh", "-e", "-c", line].map(str::to_owned).into(),
            Self::Arguments(words) => words.clone(),
        }
    }
}

/// What a task needs.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct TaskData {
    /// Where it runs on the host, relative to the workspace; `inputs` and `outputs` are relative to it.
    pub folder: Utf8PathBuf,
    /// What is run.
    pub command: TaskCommand,
    /// Its environment besides what every task gets.
    pub env: BTreeMap<String, String>,
    /// Paths or globs that it makes, as declared.
    pub outputs: Vec<String>,
    /// The node of the image it runs in; `None` on the host.
    pub image: Option<String>,
}
