//! From the folders of HEP-Soft and Gentoomuch to a farm.
//!
//! [`hep_soft`] and [`gentoomuch`] take a folder as a map and give the files of a workspace (manifests, layers, literal files,
//! repositories) with a [`Report`] of all that could not be taken over as it was. Nothing is read or written here.
//!
//! Two rules hold for both. What Portage read from the old tree it reads from the farm; where the old tools wrote something that
//! Portage refused, or wrote another thing than was meant, the report says what became of it. And nothing gets lost in silence:
//! every file, every key and every variable either has a place in the farm or a line in the report.

mod atoms;
mod draft;
mod gentoomuch;
mod hep_soft;
mod layer;
mod lines;
mod report;
mod repos_conf;
mod repositories;
mod tree;
mod write;
mod yaml;

use thiserror::Error;

pub use self::report::{Note, NoteKind, Report};
pub use self::repositories::Repository;
pub use self::tree::{Entry, Files};

/// What is known besides the folder itself.
#[derive(Debug, Clone, Default)]
pub struct Options {
    /// The name of the farm; also that of its folder and of its layers.
    pub name: String,
    /// The repositories that tell which packages have another name today.
    pub repositories: Vec<Repository>,
}

/// What came out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Imported {
    /// The files of the workspace, by their path in it.
    pub files: Files,
    /// The names of its farms.
    pub farms: Vec<String>,
    /// What could not be taken over as it was.
    pub report: Report,
}

/// A folder could not be read as what it was said to be. The input is wrong.
#[derive(Debug, Error, PartialEq, Eq)]
pub enum ImportError {
    /// The files that make it one are not there.
    #[error("this is no folder of {what}: there is no {missing}")]
    Foreign {
        /// Whose folder it should be.
        what: &'static str,
        /// What was looked for.
        missing: &'static str,
    },
    /// A file is not what its name says.
    #[error("{file}:{line}: {problem}")]
    Unreadable {
        /// The file.
        file: String,
        /// The line, from 1.
        line: usize,
        /// What is wrong.
        problem: String,
    },
}

/// Takes over a HEP-Soft folder: Makefile, `presets/spec-*.yaml`, `root.*.d`, `context.*.d`.
///
/// # Errors
/// There are no presets, or one of them is no YAML.
pub fn hep_soft(files: &Files, options: &Options) -> Result<Imported, ImportError> {
    hep_soft::import(files, options)
}

/// Takes over a Gentoomuch configuration: `stage3.defines`, `stage4.defines`, `package.sets`, `portage.global` and what they name.
///
/// # Errors
/// There are no stage definitions.
pub fn gentoomuch(files: &Files, options: &Options) -> Result<Imported, ImportError> {
    gentoomuch::import(files, options)
}
