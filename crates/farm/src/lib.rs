//! The domain: lowers a manifest to nodes, one file a rule.
//!
//! [`command`] has what the program's commands do; [`lower`] makes the graph of a farm; [`rules`] says what each kind of node
//! is made from and does; [`driver`] carries them out for the engine.

pub mod action;
pub mod client;
pub mod command;
pub mod context;
pub mod driver;
pub mod elsewhere;
pub mod fetcher;
pub mod files;
pub mod git;
pub mod live_pins;
pub mod lockfile;
pub mod lower;
pub mod names;
pub mod pkgdir;
pub mod place;
pub mod processor;
pub mod readers;
pub mod rules;
pub mod settings;
pub mod signing;
pub mod upload;
pub mod workspace;
