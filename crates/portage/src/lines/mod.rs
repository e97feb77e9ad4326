//! The line formats of `/etc/portage`, of profiles and of set files, and the manifest's text blocks.
//!
//! Invariant: a text is read to its end whatever is wrong in it, so that the user sees every fault at once; only [`Parsed::into_result`]
//! decides that a fault is a failure.

mod error;
mod package_files;
mod sets;
mod text_block;
mod use_values;
mod words;

pub use self::error::{LineError, LineProblem};
pub use self::package_files::{
    Dialect, Entry, MaskEntry, PackageFile, parse_keywords, parse_masks, parse_use, parse_words,
};
pub use self::sets::{SetEntry, SetMember, SetName, parse_set};
pub use self::text_block::{BlockLine, BlockWord, parse_block_line, parse_text_block};
pub use self::use_values::UseValue;
pub use self::words::{Line, Place, Placed, lines};

/// What was read from a text, and every fault in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Parsed<T> {
    /// What could be read, in the order of the text.
    pub entries: Vec<T>,
    /// What could not, in the order of the text.
    pub errors: Vec<LineError>,
}

impl<T> Default for Parsed<T> {
    fn default() -> Self {
        Self {
            entries: Vec::new(),
            errors: Vec::new(),
        }
    }
}

impl<T> Parsed<T> {
    /// The entries, if nothing was wrong.
    ///
    /// # Errors
    /// All faults, in the order of the text.
    pub fn into_result(self) -> Result<Vec<T>, Vec<LineError>> {
        if self.errors.is_empty() {
            Ok(self.entries)
        } else {
            Err(self.errors)
        }
    }

    fn add(&mut self, result: Result<T, LineError>) {
        match result {
            Ok(entry) => self.entries.push(entry),
            Err(error) => self.errors.push(error),
        }
    }
}
