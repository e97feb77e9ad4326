//! The factory: `binfarm:`.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use farm_portage::atom::Atom;

use super::Packages;
use crate::span::{Span, Spanned};

/// The factory: its root (base, literal files, scripts) and the settings that packages are built with.
#[derive(Debug, Clone, PartialEq)]
pub struct Binfarm {
    /// The root filesystem everything starts from.
    pub base: Base,
    /// The folder of literal files laid over the base, relative to the workspace.
    pub root: Option<Spanned<Utf8PathBuf>>,
    /// The ebuild repositories in the order of the manifest.
    pub repos: Vec<Repo>,
    /// The Portage profile, `REPOSITORY:PATH`.
    pub profile: Option<Spanned<String>>,
    /// Configuration layers (`profiles/NAME`) in the order in which they are merged.
    pub config: Vec<Spanned<String>>,
    /// Built in the base, and merged into the root first.
    pub toolchain: Packages,
    /// What of the base is built anew.
    pub update: Update,
    /// Base packages built anew in any case.
    pub rebuild: Vec<Spanned<Atom>>,
    /// Built first to break a cycle, never published. What is set here holds for these instances alone.
    pub bootstrap: Packages,
    /// People's tools, beside the root.
    pub packages: Packages,
    /// Programs run in the root, in this order; paths relative to the workspace.
    pub scripts: Vec<Spanned<Utf8PathBuf>>,
    /// Capabilities the build containers get besides the executor's own, without `CAP_`: `SYS_PTRACE`.
    pub capabilities: Vec<Spanned<String>>,
    /// The user of the `env` and binfarm images and of `farm shell`.
    pub user: Option<Spanned<String>>,
    /// Limits of each build container.
    pub limits: Limits,
    /// Variables every build gets besides those that Portage resolves. Their values enter the keys.
    pub env: BTreeMap<String, Spanned<String>>,
    /// Where `binfarm:` is written.
    pub span: Span,
}

/// The root filesystem everything starts from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Base {
    /// An image of a registry or of the daemon, as a reference.
    Image(Spanned<String>),
    /// A stage3 archive.
    Stage3(Stage3Base),
    /// Portage on another distribution.
    Hosted(HostedBase),
}

/// A stage3 archive and what proves it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Stage3Base {
    /// An address, or a path relative to the workspace.
    pub archive: Spanned<String>,
    /// The detached signature likewise, where it was written.
    pub signature: Option<Spanned<String>>,
    /// The file of the keys that are trusted, relative to the workspace or absolute.
    pub keyring: Spanned<Utf8PathBuf>,
}

impl Stage3Base {
    /// Where the signature is: as written, or where Gentoo has it, beside the archive.
    pub fn signature(&self) -> String {
        match &self.signature {
            Some(written) => written.value.clone(),
            None => format!("{}.asc", self.archive.value),
        }
    }
}

/// Portage on another distribution.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostedBase {
    /// The distribution; only `debian` is accepted.
    pub distribution: Spanned<String>,
    /// Its release, `bookworm`.
    pub suite: Spanned<String>,
    /// Portage's version, `3.0.83`.
    pub portage: Spanned<String>,
    /// Packages of the distribution, as its own tools name them.
    pub packages: Vec<Spanned<String>>,
}

/// An ebuild repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repo {
    /// The name, which must be what `profiles/repo_name` in it says.
    pub name: Spanned<String>,
    /// Where it comes from.
    pub source: RepoSource,
}

/// Where an ebuild repository comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RepoSource {
    /// An image that holds it at `/var/db/repos/NAME`.
    Image(Spanned<String>),
    /// A folder, relative to the workspace or absolute.
    Path(Spanned<Utf8PathBuf>),
    /// A git repository.
    Git {
        /// What `git clone` takes.
        url: Spanned<String>,
        /// What is taken of it.
        pin: GitPin,
    },
    /// A tar archive.
    Archive {
        /// An address, or a path relative to the workspace.
        url: Spanned<String>,
        /// Its SHA-256, 64 lower-case hexadecimal digits; without it the lock file pins what was found first.
        sha256: Option<Spanned<String>>,
    },
}

/// What of a git repository is taken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GitPin {
    /// This commit, 40 or 64 lower-case hexadecimal digits.
    Commit(Spanned<String>),
    /// What the lock file says this branch was.
    Branch(Spanned<String>),
    /// What the lock file says this tag was.
    Tag(Spanned<String>),
    /// What the lock file says the default branch was.
    Default,
}

/// What of the base is built anew (`update:`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Update {
    /// Nothing.
    #[default]
    None,
    /// What `@world` asks for.
    World,
    /// Everything.
    Emptytree,
}

/// Limits of a build container.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Limits {
    /// Bytes of memory.
    pub memory: Option<Spanned<u64>>,
    /// Number of processes.
    pub pids: Option<Spanned<u64>>,
}
