//! What is being made of a folder.

use camino::{Utf8Path, Utf8PathBuf};

use crate::report::{NoteKind, Report};
use crate::repositories::Names;
use crate::tree::{Entry, Files, Tree};
use crate::{Imported, Options};

/// The files of the workspace and the report, as far as they are made.
#[derive(Debug)]
pub(crate) struct Draft {
    pub(crate) files: Files,
    pub(crate) report: Report,
    pub(crate) names: Names,
}

impl Draft {
    pub(crate) fn new(options: &Options, source: &Files) -> Self {
        Self {
            files: Files::new(),
            report: Report::default(),
            names: Names::new(&options.repositories, source),
        }
    }

    pub(crate) fn note(
        &mut self,
        kind: NoteKind,
        file: &str,
        line: impl Into<Option<usize>>,
        message: impl Into<String>,
        advice: impl Into<String>,
    ) {
        self.report.add(kind, file, line.into(), message, advice);
    }

    pub(crate) fn put(&mut self, path: impl Into<Utf8PathBuf>, entry: Entry) {
        self.files.insert(path.into(), entry);
    }

    /// Puts a literal file, and says what of it farm does not keep.
    pub(crate) fn put_literal(&mut self, path: Utf8PathBuf, source: &Utf8Path, entry: &Entry) {
        let name = path.file_name().unwrap_or_default();
        if name != ".keep" && is_left_behind(name) {
            let advice = "farm passes over what editors leave behind; give it another name if it is meant";
            self.note(
                NoteKind::LeftOut,
                source.as_str(),
                None,
                "looks like an editor's own file",
                advice,
            );
            return;
        }
        if let Entry::File { mode, .. } = entry
            && !matches!(mode, 0o644 | 0o755 | 0o664 | 0o775)
        {
            let message = format!("its mode is {mode:o}; farm keeps only whether a file can be executed");
            self.note(
                NoteKind::Look,
                source.as_str(),
                None,
                message,
                "set the mode in a script of `binfarm.scripts`",
            );
        }
        self.put(path, entry.clone());
    }

    /// Tells of the files that nobody looked after, and ends.
    pub(crate) fn finish(mut self, tree: &Tree<'_>, farms: Vec<String>) -> Imported {
        let left = tree.left();
        for path in &left {
            let advice = "farm has no place for it; see whether something in it is still needed";
            self.note(NoteKind::LeftOut, path.as_str(), None, "is not known", advice);
        }
        Imported {
            files: self.files,
            farms,
            report: self.report,
        }
    }
}

/// What the reader of farm's folders passes over.
fn is_left_behind(name: &str) -> bool {
    let swap = name
        .rsplit_once('.')
        .is_some_and(|(_, end)| end.len() == 3 && end.starts_with("sw"));
    swap || name.ends_with('~') || name.starts_with(".#") || (name.starts_with('#') && name.ends_with('#'))
}
