//! What is wrong with a manifest, and how it is shown.

use std::borrow::Cow;
use std::collections::BTreeMap;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use crate::address::{masked, redacted};
use crate::source::Sources;
use crate::span::{FileId, Span};

/// How much a diagnostic weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// The manifest cannot be used.
    Error,
    /// The manifest can be used, but somebody should know this.
    Note,
}

/// One thing that is wrong, or worth saying.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnostic {
    /// Whether it is an error.
    pub severity: Severity,
    /// What is wrong: a lower-case sentence fragment.
    pub message: String,
    /// Where.
    pub span: Span,
    /// What stands beside the caret; empty for nothing.
    pub label: String,
    /// Further places and what to say about each.
    pub labels: Vec<(Span, String)>,
    /// What was probably meant.
    pub help: Option<String>,
    /// What nobody may see, wherever it would be shown. Passwords in addresses need not be named.
    pub hidden: Vec<Span>,
}

impl Diagnostic {
    /// An error at a place.
    pub fn error(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Error,
            message: message.into(),
            span,
            label: String::new(),
            labels: Vec::new(),
            help: None,
            hidden: Vec::new(),
        }
    }

    /// A note at a place.
    pub fn note(span: Span, message: impl Into<String>) -> Self {
        Self {
            severity: Severity::Note,
            ..Self::error(span, message)
        }
    }

    /// Says something beside the caret.
    #[must_use]
    pub fn label(mut self, text: impl Into<String>) -> Self {
        self.label = text.into();
        self
    }

    /// Points at a further place.
    #[must_use]
    pub fn also(mut self, span: Span, text: impl Into<String>) -> Self {
        self.labels.push((span, text.into()));
        self
    }

    /// Says what was probably meant.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Self {
        self.help = Some(text.into());
        self
    }

    /// Says what was probably meant, if anything is known.
    #[must_use]
    pub fn maybe_help(mut self, text: Option<String>) -> Self {
        self.help = text.or(self.help);
        self
    }
}

/// So many are shown: nobody reads more at once, and each costs a look through its file.
const SHOWN: usize = 50;

/// Everything that was found, in the order of the places.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Diagnostics(pub Vec<Diagnostic>);

impl Diagnostics {
    /// Says whether one of them is an error.
    pub fn has_errors(&self) -> bool {
        self.0.iter().any(|diagnostic| diagnostic.severity == Severity::Error)
    }

    /// Says whether there is none.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Sorts by place, so that a reader goes through the file once, and drops what was said twice.
    pub fn sort(&mut self) {
        self.0
            .sort_by(|one, other| (one.span, &one.message).cmp(&(other.span, &other.message)));
        self.0.dedup();
    }

    /// Shows them: file, line, the text with a caret, advice. A blank line stands between two; the last line ends with a
    /// newline. Of very many, the first are shown and the others counted. Everything can be read without colour.
    pub fn render(&self, sources: &Sources, color: bool) -> String {
        let renderer = if color { Renderer::styled() } else { Renderer::plain() };
        let mut shown = String::new();
        let hidden: Vec<Span> = self.0.iter().flat_map(|diagnostic| diagnostic.hidden.clone()).collect();
        for diagnostic in self.0.iter().take(SHOWN) {
            if !shown.is_empty() {
                shown.push('\n');
            }
            shown.push_str(&renderer.render(&[diagnostic.group(sources, &hidden)]));
            shown.push('\n');
        }
        if let more @ 1.. = self.0.len().saturating_sub(SHOWN) {
            shown.push_str(&format!("\nand {more} more\n"));
        }
        shown
    }
}

impl Diagnostic {
    fn group<'a>(&'a self, sources: &'a Sources, hidden: &[Span]) -> Group<'a> {
        let level = match self.severity {
            Severity::Error => Level::ERROR,
            Severity::Note => Level::NOTE,
        };
        // The file of the caret comes first, the others in the order in which they were read.
        let mut others: BTreeMap<FileId, Vec<(Span, Cow<'a, str>)>> = BTreeMap::new();
        let mut here = vec![];
        for (span, text) in &self.labels {
            if span.file == self.span.file {
                here.push((*span, redacted(text)));
            } else {
                others.entry(span.file).or_default().push((*span, redacted(text)));
            }
        }
        let mut primary = AnnotationKind::Primary.span(visible(sources, self.span));
        if !self.label.is_empty() {
            primary = primary.label(redacted(&self.label));
        }
        let mut snippet = snippet(sources, self.span.file, hidden).annotation(primary);
        for (span, text) in here {
            snippet = snippet.annotation(AnnotationKind::Context.span(visible(sources, span)).label(text));
        }
        let mut group = level.primary_title(redacted(&self.message)).element(snippet);
        for (file, labels) in others {
            let annotations = labels
                .into_iter()
                .map(|(span, text)| AnnotationKind::Context.span(visible(sources, span)).label(text));
            group = group.element(self::snippet(sources, file, hidden).annotations(annotations));
        }
        if let Some(help) = &self.help {
            group = group.element(Level::HELP.message(redacted(help)));
        }
        group
    }
}

fn snippet<'a>(sources: &'a Sources, file: FileId, hidden: &[Span]) -> Snippet<'a, annotate_snippets::Annotation<'a>> {
    let hidden: Vec<Span> = hidden.iter().filter(|span| span.file == file).copied().collect();
    Snippet::source(without(masked(sources.text(file)), &hidden)).path(sources.path(file).as_str())
}

/// The text with asterisks in these places, each as long as what it stands for.
fn without<'a>(text: Cow<'a, str>, hidden: &[Span]) -> Cow<'a, str> {
    if hidden.is_empty() {
        return text;
    }
    let mut bytes = text.into_owned().into_bytes();
    for span in hidden {
        let range = span.start()..span.end();
        for byte in bytes.get_mut(range).unwrap_or_default() {
            if *byte != b'\n' {
                *byte = b'*';
            }
        }
    }
    Cow::Owned(String::from_utf8_lossy(&bytes).into_owned())
}

/// Cuts a span down to its first line: a caret under a whole mapping says less than one under its start.
fn visible(sources: &Sources, span: Span) -> std::ops::Range<usize> {
    let text = sources.slice(span);
    let first_line = text.find('\n').map_or(text.len(), |newline| newline);
    let shown = text[..first_line].trim_end().len();
    span.start()..span.start() + shown
}
