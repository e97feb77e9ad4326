//! One file a rule: how a kind of node is described, and what it does.

pub mod abi;
pub mod base;
pub mod container;
pub mod differences;
pub mod fetch;
pub mod image;
pub mod image_config;
mod jobs;
pub mod join;
pub mod live;
pub mod package;
pub mod publish_images;
pub mod publish_list;
pub mod publish_pkgs;
pub mod publish_remote;
pub mod quickpkg;
pub mod repo;
pub mod resolve;
pub mod root;
mod saved;
pub mod scan;
pub mod source;
pub mod stage;
pub mod stage3;
pub mod task;

use std::collections::BTreeMap;

/// The pool of those who ask servers of others for much: mirrors, registries.
pub const NETWORK: &str = "network";

/// So many may do so at once, however many jobs there are: mirrors ask for few connections, and more of them are no faster.
pub const NETWORK_SIZE: u64 = 4;

/// What an action takes that fetches or sends.
fn network() -> BTreeMap<String, u64> {
    [(NETWORK.to_owned(), 1)].into()
}
