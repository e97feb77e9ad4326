//! What is done to the tree of nodes before it is read: duplicate keys, `include:`, variables.

mod expand;
mod merge;
mod unique;

pub(crate) use self::expand::{Scope, expand, locate};
pub(crate) use self::merge::merge;
pub(crate) use self::unique::unique_keys;
