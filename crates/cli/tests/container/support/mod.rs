//! Workspaces of tests, and the real `farm` run in them against the real engine.
//!
//! Some things are made once and shared, since each takes longer than a test may:
//!
//! * [`base_image`], a hosted base as a local image, and [`client_image`], one that can verify signatures, kept from run to run;
//! * [`weekly_base`], the same with twenty packages and more as a stage3 has them, and its [`weekly_variant`]s, kept likewise;
//! * the ready workspaces, `examples/tiny` built on either base, kept as long as the program under test stays the same;
//! * whatever a test file shares within itself.
//!
//! Everything else belongs to one [`FarmSpace`] and is gone with it: its folder, its containers (by the label of its
//! workspace) and its images (by its flavour, which no other space has). What is kept lies in cargo's folder for temporary
//! files of tests, and in the engine as `farm-test/…` and
//! `farm/tiny-…:ready-…`.

mod base;
mod client;
mod docker;
mod git_daemon;
#[expect(dead_code, reason = "the tests without an engine use the rest of it")]
pub(crate) mod git_server;
mod host;
pub(crate) mod nginx;
mod output;
mod parts;
mod program;
mod ready;
pub(crate) mod registry;
mod running;
mod space;
mod weekly;

pub(crate) use base::{Variant, base_image, base_lock, client_image};
pub(crate) use client::Client;
pub(crate) use docker::{docker, image_exists, remove_tags};
pub(crate) use git_daemon::GitDaemon;
pub(crate) use host::{Mounted, User};
pub(crate) use output::Output;
pub(crate) use parts::{OVERLAY, Part};
pub(crate) use running::{Running, reached};
pub(crate) use space::{FarmSpace, run};
pub(crate) use weekly::{weekly_base, weekly_git_base, weekly_manifest, weekly_variant};

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of cargo in which tests may leave things for the next run.
fn kept() -> PathBuf {
    PathBuf::from(env!("CARGO_TARGET_TMPDIR"))
}

/// The example that every workspace here is a copy of.
fn example() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/tiny")
}

/// Copies a folder to where nothing is yet, with times and modes, as a person would.
fn copy(from: &Path, to: &Path) {
    let status = Command::new("cp")
        .args(["-a", "--reflink=auto"])
        .args([from, to])
        .status()
        .unwrap();
    assert!(status.success(), "cannot copy {} to {}", from.display(), to.display());
}

/// Replaces what must be in a file.
///
/// # Panics
///
/// If it is not: an edit that changes nothing would let a test pass for the wrong reason.
fn edit(path: &Path, from: &str, to: &str) {
    let text = fs_err::read_to_string(path).unwrap();
    assert!(text.contains(from), "{} has no {from:?}", path.display());
    fs_err::write(path, text.replace(from, to)).unwrap();
}
