//! What could not be taken over as it was, a line each.

use std::fmt;

/// What became of something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum NoteKind {
    /// It is not in the farm.
    LeftOut,
    /// It is in the farm in another form than it was written, or than the old tools understood it.
    Changed,
    /// A package is called otherwise today, or is not there any more.
    Moved,
    /// It is in the farm, and somebody should look at it.
    Look,
}

impl NoteKind {
    fn heading(self) -> &'static str {
        match self {
            Self::LeftOut => "Not taken over",
            Self::Changed => "Taken over otherwise than written",
            Self::Moved => "Packages with another name today",
            Self::Look => "Worth a look",
        }
    }
}

/// One line of the report.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Note {
    /// What became of it.
    pub kind: NoteKind,
    /// The file, relative to the folder that was read.
    pub file: String,
    /// The line, from 1, where one is meant.
    pub line: Option<usize>,
    /// What it is.
    pub message: String,
    /// What to do.
    pub advice: String,
}

/// All notes of an import. Its [`fmt::Display`] is the text for people.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Report {
    /// The notes in the order in which they came up.
    pub notes: Vec<Note>,
}

impl Report {
    pub(crate) fn add(
        &mut self,
        kind: NoteKind,
        file: &str,
        line: Option<usize>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.notes.push(Note {
            kind,
            file: file.to_owned(),
            line,
            message: message.into(),
            advice: advice.into(),
        });
    }

    /// The notes as they are shown: by kind, then by place, each once.
    #[must_use]
    pub fn sorted(&self) -> Vec<&Note> {
        let mut notes: Vec<&Note> = self.notes.iter().collect();
        notes.sort();
        notes.dedup();
        notes
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ":{line}")?;
        }
        write!(f, ": {}; {}", self.message, self.advice)
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut last = None;
        for note in self.sorted() {
            if last != Some(note.kind) {
                let gap = if last.is_some() { "\n" } else { "" };
                writeln!(f, "{gap}{}:", note.kind.heading())?;
                last = Some(note.kind);
            }
            writeln!(f, "  {note}")?;
        }
        Ok(())
    }
}
