//! Portage's formats and rules as a pure library.

pub mod abi;
pub mod atom;
pub mod binpkg;
mod compression;
pub mod config_protect;
pub mod cpv;
pub mod depstring;
mod digest;
pub mod env_update;
pub mod environment;
pub mod environment_rules;
pub mod gpkg;
pub mod index;
pub mod keyword;
pub mod lines;
pub mod make_conf;
pub mod name;
pub mod normal;
pub mod required_use;
pub mod slot;
pub mod updates;
pub mod use_flags;
pub mod user_patches;
pub mod vdb;
pub mod version;
pub mod xpak;
