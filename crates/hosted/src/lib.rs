//! A base without Gentoo: Debian packages and the Portage wheel made into a root that Portage believes in.
//!
//! Three steps, each its own node of a farm, and only the first two have the network:
//!
//! 1. [`resolve`] turns names into a [`HostedLock`]: the name, version, size and SHA-256 of every Debian package
//!    and of the Portage wheel.
//! 2. [`fetch`] gets exactly those files and checks them.
//! 3. [`build`] makes one canonical tar archive of them: same lock, same bytes, whoever runs it and whenever.
//!
//! No host name is written down anywhere: `apt-get` reads the machine's own sources, `pip` its own configuration,
//! and neither gets into the lock or the root.
//!
//! What Debian provides is registered in `/var/db/pkg` as stub packages (see [`stubs`]), so that slots, USE
//! dependencies, `:=`, `has_version` and `@system` work. Which Debian packages stand behind a stub is in its file
//! [`FARM_DPKG`], and [`Ownership`] says which files of a root are accounted for by packages.

mod apt;
mod build;
mod command;
mod contents;
mod debian;
mod error;
mod fetch;
mod lock;
mod mmdebstrap;
mod normalise;
mod ownership;
mod pip;
mod portage_system;
mod pyc;
mod repository;
mod resolve;
mod spec;
pub mod stubs;
mod tree;

// The inflate backend of `zip`; see Cargo.toml.
use flate2 as _;

pub use build::{BuildReport, SOURCE_DATE_EPOCH, build, recipe_digest};
pub use debian::{InstalledPackage, dependency_closure, parse_status};
pub use error::{BuildError, CommandError, ErrorKind, FetchError, InvalidSpec, ResolveError};
pub use fetch::{Fetched, fetch};
pub use lock::{HostedLock, LockLineError, LockedDeb, LockedWheel};
pub use ownership::{Ownership, is_generated};
pub use resolve::resolve;
pub use spec::{HostedSpec, REQUIRED_PACKAGES};
pub use stubs::FARM_DPKG;
