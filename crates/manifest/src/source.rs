//! The texts that diagnostics point into.

use std::string::FromUtf8Error;

use camino::{Utf8Path, Utf8PathBuf};

use crate::span::{FileId, Span};

/// One file that was read, exactly as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path relative to the workspace, as it is shown in messages. A text that is no file has a name in
    /// angle brackets: `<command line>`, `<environment>`.
    pub path: Utf8PathBuf,
    /// The content, or the bytes that are no UTF-8.
    content: Result<String, Vec<u8>>,
}

impl SourceFile {
    /// Says whether this is a file of the workspace, and not the command line or the environment.
    pub fn is_file(&self) -> bool {
        !self.path.as_str().starts_with('<')
    }

    fn bytes(&self) -> &[u8] {
        self.content.as_ref().map_or_else(Vec::as_slice, String::as_bytes)
    }

    /// Empty where the bytes are not UTF-8.
    fn text(&self) -> &str {
        self.content.as_deref().unwrap_or_default()
    }
}

/// All texts that were read for one farm, in the order in which they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
}

impl Sources {
    /// Adds a text and returns its name. A path that is there already with the same bytes keeps its name.
    pub fn add(&mut self, path: impl Into<Utf8PathBuf>, bytes: Vec<u8>) -> FileId {
        let path = path.into();
        let known = self
            .files
            .iter()
            .position(|file| file.path == path && file.bytes() == bytes);
        let index = known.unwrap_or_else(|| {
            let content = String::from_utf8(bytes).map_err(FromUtf8Error::into_bytes);
            self.files.push(SourceFile { path, content });
            self.files.len() - 1
        });
        FileId(u32::try_from(index).expect("nobody reads four thousand million files"))
    }

    /// All of them, in the order in which they were added.
    pub fn files(&self) -> &[SourceFile] {
        &self.files
    }

    /// The path of a file as messages show it. An identifier of other `Sources` gives `?`.
    pub fn path(&self, file: FileId) -> &Utf8Path {
        self.files
            .get(file.0 as usize)
            .map_or(Utf8Path::new("?"), |file| file.path.as_path())
    }

    /// The text of a file; empty where it is not UTF-8.
    pub fn text(&self, file: FileId) -> &str {
        self.files.get(file.0 as usize).map_or("", SourceFile::text)
    }

    /// Makes a span of a byte range, as messages want it. Offsets beyond the end, or inside of a character, are moved
    /// back to the nearest place that exists.
    pub fn span(&self, file: FileId, start: usize, end: usize) -> Span {
        let text = self.text(file);
        let start = text.floor_char_boundary(start);
        let end = text.floor_char_boundary(end).max(start);
        Span::new(file, start..end)
    }

    /// The bytes a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start()..span.end()).unwrap_or_default()
    }

    /// `path:line`, for messages that name a second place in words.
    pub fn place(&self, span: Span) -> String {
        let before = self.text(span.file).get(..span.start()).unwrap_or_default();
        let line = before.matches('\n').count() + 1;
        format!("{}:{line}", self.path(span.file))
    }
}
