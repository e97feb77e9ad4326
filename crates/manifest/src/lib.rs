//! From YAML to a typed, validated model in which every value knows its place.
//!
//! [`load`] reads the manifest of a farm with everything it names (included farms, set files, configuration layers, literal files,
//! scripts) and gives a [`Loaded`], or every mistake at once as [`Diagnostics`] that [`Diagnostics::render`] shows with file, line,
//! the text with a caret, and advice. [`schema`] is the JSON Schema that editors use.
//!
//! The way of a value: text, tree with places (`yaml`), merged with included farms and expanded (`tree`, `vars`), typed (`convert`), and
//! checked as a whole (`check`). One table (`keys`) says which keys there are; the reader and the schema both use it.
//!
//! Only [`load`] and [`farm_names`] touch the disk; everything below [`Farm`] is plain data. [`edit`] is the way back, for the few things that farm
//! writes into a manifest.

pub mod address;
mod arches;
mod check;
mod circle;
mod convert;
mod diagnostic;
pub mod edit;
mod keys;
pub mod layers;
mod load;
pub mod model;
mod near;
mod reader;
mod schema;
mod settings;
mod source;
mod span;
mod tree;
mod vars;
mod yaml;

pub use self::circle::circle;
pub use self::diagnostic::{Diagnostic, Diagnostics, Severity};
pub use self::load::{LoadError, Loaded, Overrides, farm_names, load, load_edited, load_watched};
pub use self::model::Farm;
pub use self::schema::schema;
pub use self::settings::WorkspaceSettings;
pub use self::source::{SourceFile, Sources};
pub use self::span::{FileId, Span, Spanned};
