//! One file a rule: how a kind of node is described, and what it does.

pub mod base;
pub mod container;
pub mod differences;
pub mod fetch;
pub mod image;
mod jobs;
pub mod join;
pub mod package;
pub mod publish_images;
pub mod publish_pkgs;
pub mod repo;
pub mod resolve;
pub mod root;
pub mod scan;
pub mod task;
