//! From the tree to the model. Everything here is pure: what must be read from files besides (set files, layers) is read later.

mod binfarm;
mod farm;
mod image;
mod packages;
mod publish;
mod reference;
mod repo;
mod secret;
mod settings;
mod stage;
mod task;

pub(crate) use self::farm::farm;
pub(crate) use self::packages::{SYNTAX, packages, set_file};
pub(crate) use self::settings::settings;
