//! YAML as a tree in which every node has its place.
//!
//! This is the only module that knows the YAML library. Scalars are kept as written: nothing here decides that `1.10` is a
//! number or `no` a truth value. Anchors, aliases and merge keys are refused, since farms have variables, layers and `include:`
//! for what they would be used for, and a line that starts with `*` or `&` is nearly always an atom without quotes.

mod advice;
mod mask;
mod node;
mod parse;

pub(crate) use self::node::{Entry, Key, Kind, Node, Style};
pub(crate) use self::parse::parse;
