//! The typed model of a manifest: plain data, every value with its place.
//!
//! All names of variables are expanded, all paths are relative to the workspace (or absolute where they were written so), and
//! all cross references were checked.

mod binfarm;
mod image;
mod packages;
mod publish;
mod secret;
mod stage;
mod target;
mod task;

use std::collections::BTreeMap;

use camino::Utf8PathBuf;

pub use self::binfarm::{Base, Binfarm, GitPin, HostedBase, Limits, Repo, RepoSource, Stage3Base, Update};
pub use self::image::{Image, ImageFrom, Strip};
pub use self::packages::{Dep, Flag, Member, PackageEntry, PackageSettings, Packages, SetFile, SettingsOf};
pub use self::publish::{Deny, Publish, PublishImages, PublishPkgs};
pub use self::secret::{Secret, SecretAccess};
pub use self::stage::Stage;
pub use self::target::{Target, TargetError, is_target_word};
pub use self::task::{Place, Run, Task};

use crate::span::{Span, Spanned};

/// One farm: everything its manifest says.
#[derive(Debug, Clone, PartialEq)]
pub struct Farm {
    /// The name, equal to that of the folder under `farms/`.
    pub name: Spanned<String>,
    /// The folder of the manifest, relative to the workspace: `farms/NAME`.
    pub folder: Utf8PathBuf,
    /// Every declared variable with the value that holds.
    pub variables: BTreeMap<String, Variable>,
    /// What must not be mixed in one binhost, expanded; `default` where the manifest has none.
    pub flavour: Spanned<String>,
    /// The values of `matrix:`, by variable, in the order written. Which cell this is, `variables` say.
    pub matrix: BTreeMap<String, Vec<Spanned<String>>>,
    /// How far a changed dependency reaches.
    pub rebuild: Rebuild,
    /// The factory; a farm that only has host tasks needs none.
    pub binfarm: Option<Binfarm>,
    /// The subjects in the order of the manifest.
    pub subjects: Vec<Subject>,
    /// The images in the order of the manifest.
    pub images: Vec<Image>,
    /// `kernels:` by name; they are not built yet.
    pub kernels: Vec<NotYet>,
    /// The stages in the order of the manifest.
    pub stages: Vec<Stage>,
    /// `disks:` by name; they are not built yet.
    pub disks: Vec<NotYet>,
    /// The tasks in the order of the manifest.
    pub tasks: Vec<Task>,
    /// Where packages and images go.
    pub publish: Publish,
    /// Where source files are looked for.
    pub distfiles: Distfiles,
    /// What git logs in with, in the order of the manifest.
    pub secrets: Vec<Secret>,
    /// Folders that live packages are built from, in the order of the manifest.
    pub live: Vec<LiveCheckout>,
    /// Options added to the resolver's command, in the order written.
    pub resolve: Vec<Spanned<String>>,
}

impl Farm {
    /// Finds a subject by its name.
    pub fn subject(&self, name: &str) -> Option<&Subject> {
        self.subjects.iter().find(|subject| subject.name.value == name)
    }

    /// Finds an image by its name.
    pub fn image(&self, name: &str) -> Option<&Image> {
        self.images.iter().find(|image| image.name.value == name)
    }

    /// Finds a stage by its name.
    pub fn stage(&self, name: &str) -> Option<&Stage> {
        self.stages.iter().find(|stage| stage.name.value == name)
    }

    /// The stages that can be built: those with a kernel cannot yet.
    pub fn buildable_stages(&self) -> impl Iterator<Item = &Stage> {
        self.stages.iter().filter(|stage| stage.kernel.is_none())
    }

    /// What is started from: of each image, and of each stage that can be built, what it names.
    pub fn starts(&self) -> impl Iterator<Item = &Spanned<ImageFrom>> {
        let images = self.images.iter().map(|image| &image.from);
        images.chain(self.buildable_stages().map(|stage| &stage.from))
    }

    /// Finds a task by its name.
    pub fn task(&self, name: &str) -> Option<&Task> {
        self.tasks.iter().find(|task| task.name.value == name)
    }

    /// Every settings entry of the farm in the order in which it is written: those of the binfarm, then those of each subject,
    /// `deps:` after their parent. Flags are farm-wide, so this is the whole configuration that the manifest itself adds.
    pub fn package_settings(&self) -> Vec<SettingsOf<'_>> {
        let binfarm = self.binfarm.iter().flat_map(|binfarm| {
            [&binfarm.toolchain, &binfarm.packages]
                .into_iter()
                .flat_map(Packages::settings)
        });
        binfarm
            .chain(self.subjects.iter().flat_map(|subject| subject.packages.settings()))
            .collect()
    }
}

/// A declared variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// The value that holds, with the variables in it expanded. Its place is where it was given.
    pub value: Spanned<String>,
    /// Who gave it.
    pub origin: Origin,
}

/// Who gave a variable its value; the later of these wins.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// `vars:` of the manifest or of one it includes.
    Manifest,
    /// `FARM_KEY` in the environment.
    Environment,
    /// `KEY=VALUE` on the command line.
    CommandLine,
}

/// How far a changed dependency reaches (`rebuild:`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rebuild {
    /// By interface digests: whatever a build could see of it.
    #[default]
    Exact,
    /// By what a library shows to the outside.
    Abi,
    /// By what Portage itself would look at.
    Portage,
}

impl Rebuild {
    /// The manifest's word.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Exact => "exact",
            Self::Abi => "abi",
            Self::Portage => "portage",
        }
    }
}

/// A named set of packages.
#[derive(Debug, Clone, PartialEq)]
pub struct Subject {
    /// The name.
    pub name: Spanned<String>,
    /// The subjects whose chosen versions seed this one.
    pub needs: Vec<Spanned<String>>,
    /// Configuration layers (`profiles/NAME`) in the order in which they are merged, after those of the binfarm.
    pub config: Vec<Spanned<String>>,
    /// The members and what is set for them.
    pub packages: Packages,
}

/// Something whose words are fixed but which is not built yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotYet {
    /// The name the manifest gives it.
    pub name: String,
    /// Where that name is written.
    pub span: Span,
}

/// A folder that a live package is built from in place of its repository (`live:`).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LiveCheckout {
    /// `CATEGORY/NAME`.
    pub package: Spanned<String>,
    /// The folder, relative to the workspace or absolute. It may lie outside of the workspace.
    pub path: Spanned<Utf8PathBuf>,
}

/// Where source files are looked for (`distfiles:`).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distfiles {
    /// A folder that is looked into first, relative to the workspace or absolute.
    pub dir: Option<Spanned<Utf8PathBuf>>,
    /// Base addresses that are tried before a package's own, in this order.
    pub mirrors: Vec<Spanned<String>>,
    /// The proxy of all fetches.
    pub proxy: Option<Spanned<String>>,
}
