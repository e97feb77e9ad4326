//! The texts that diagnostics point into.

use camino::{Utf8Path, Utf8PathBuf};

use crate::span::{FileId, Span};

/// One file that was read, exactly as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SourceFile {
    /// The path relative to the workspace, as it is shown in messages. A text that is no file has a name in
    /// angle brackets: `<command line>`, `<environment>`.
    pub path: Utf8PathBuf,
    /// The content.
    pub bytes: Vec<u8>,
}

impl SourceFile {
    /// Says whether this is a file of the workspace, and not the command line or the environment.
    pub fn is_file(&self) -> bool {
        !self.path.as_str().starts_with('<')
    }
}

/// All texts that were read for one farm, in the order in which they were read.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sources {
    files: Vec<SourceFile>,
    /// What is looked up for every single place, worked out once a file.
    texts: Vec<Text>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Text {
    /// Empty where the bytes are not UTF-8.
    text: String,
    /// The offset of the first byte of each line.
    lines: Vec<usize>,
}

impl Sources {
    /// Adds a text and returns its name. A path that is there already with the same bytes keeps its name.
    pub fn add(&mut self, path: impl Into<Utf8PathBuf>, bytes: Vec<u8>) -> FileId {
        let path = path.into();
        let known = self
            .files
            .iter()
            .position(|file| file.path == path && file.bytes == bytes);
        let index = known.unwrap_or_else(|| {
            let text = String::from_utf8(bytes.clone()).unwrap_or_default();
            let after_newlines = text.match_indices('\n').map(|(newline, _)| newline + 1);
            let lines = std::iter::once(0).chain(after_newlines).collect();
            self.texts.push(Text { text, lines });
            self.files.push(SourceFile { path, bytes });
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
        self.texts.get(file.0 as usize).map_or("", |text| text.text.as_str())
    }

    /// Makes a span of a byte range, working out line and column. Offsets beyond the end, or inside of a character, are moved
    /// back to the nearest place that exists.
    pub fn span(&self, file: FileId, start: usize, end: usize) -> Span {
        let text = self.text(file);
        let start = text.floor_char_boundary(start);
        let end = text.floor_char_boundary(end).max(start);
        let lines = self
            .texts
            .get(file.0 as usize)
            .map_or(&[0][..], |text| text.lines.as_slice());
        // The first line starts at 0, so that at least one start is not after the offset.
        let line = lines.partition_point(|line_start| *line_start <= start);
        let column = text[lines[line - 1]..start].chars().count() + 1;
        Span {
            file,
            start,
            end,
            line,
            column,
        }
    }

    /// The bytes a span covers.
    pub fn slice(&self, span: Span) -> &str {
        self.text(span.file).get(span.start..span.end).unwrap_or_default()
    }

    /// `path:line`, for messages that name a second place in words.
    pub fn place(&self, span: Span) -> String {
        format!("{}:{}", self.path(span.file), span.line)
    }
}
