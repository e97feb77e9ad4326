//! From events to the tree.

use std::borrow::Cow;

use granit_parser::{Event, Parser, ScalarStyle, ScanError, options};

use super::advice;
use super::mask::Mask;
use super::node::{Entry, Key, Kind, Node, Scalar, Style};
use crate::diagnostic::Diagnostic;
use crate::source::Sources;
use crate::span::{FileId, Span};

/// Reads one document. What is wrong goes to `diagnostics`; then there is no tree, since what follows a YAML error is guesswork.
/// An empty document has no tree either, without a diagnostic.
pub(crate) fn parse(sources: &Sources, file: FileId, diagnostics: &mut Vec<Diagnostic>) -> Option<Node> {
    let text = sources.text(file);
    let mask = Mask::of(text);
    let masked = mask.as_ref().map_or(Cow::Borrowed(text), |mask| mask.mask(text));
    let mut builder = Builder {
        mask,
        sources,
        file,
        open: Vec::new(),
        root: None,
        found: Vec::new(),
    };
    let options = options! { emit_comments: false, emit_unresolved_aliases: true, disallow_directives: true };
    for event in Parser::new_from_str_with_options(&masked, options) {
        match event {
            Ok((event, span)) => builder.event(event, span),
            Err(error) => {
                // An atom without quotes was reported already if it was read as an alias or a tag; what the parser says next is
                // only its consequence.
                if builder.found.is_empty() {
                    builder.found.push(scan_error(sources, file, &error));
                }
                break;
            }
        }
    }
    let failed = !builder.found.is_empty();
    diagnostics.append(&mut builder.found);
    if failed { None } else { builder.root }
}

fn scan_error(sources: &Sources, file: FileId, error: &ScanError) -> Diagnostic {
    let text = sources.text(file);
    let offset = error.marker().byte_offset().unwrap_or(text.len()).min(text.len());
    match advice::unquoted(text, offset) {
        Some(range) => {
            let word = &text[range.clone()];
            Diagnostic::error(
                sources.span(file, range.start, range.end),
                format!("`{word}` cannot stand here without quotes"),
            )
            .help(format!("put the atom in quotes: \"{word}\""))
        }
        None => Diagnostic::error(
            sources.span(file, offset, offset + 1),
            format!("this is not YAML: {}", error.info()),
        ),
    }
}

/// A collection whose end has not come yet.
enum Open {
    Sequence {
        start: usize,
        overrides: Option<Span>,
        items: Vec<Node>,
    },
    Mapping {
        start: usize,
        overrides: Option<Span>,
        entries: Vec<Entry>,
        key: Option<Key>,
    },
}

struct Builder<'a> {
    sources: &'a Sources,
    mask: Option<Mask>,
    file: FileId,
    open: Vec<Open>,
    root: Option<Node>,
    found: Vec<Diagnostic>,
}

impl Builder<'_> {
    fn event(&mut self, event: Event<'_>, span: granit_parser::Span) {
        let range = span.byte_range().unwrap_or(0..0);
        let overrides = event.tag().is_some().then(|| self.tag(&span, range.start)).flatten();
        if let Some(anchor) = event.anchor_id()
            && anchor != 0
        {
            self.anchor(range.start);
        }
        match event {
            Event::Scalar(value, style, ..) => {
                let written = self.sources.text(self.file).get(range.clone()).unwrap_or_default();
                // The parser gives `~` for a value that is not there.
                let text = if written.is_empty() {
                    String::new()
                } else {
                    self.mask
                        .as_ref()
                        .map_or_else(|| value.to_string(), |mask| mask.unmask(&value).into_owned())
                };
                let style = match style {
                    ScalarStyle::Plain => Style::Plain,
                    ScalarStyle::SingleQuoted | ScalarStyle::DoubleQuoted => Style::Quoted,
                    ScalarStyle::Literal => Style::Literal,
                    ScalarStyle::Folded => Style::Folded,
                };
                // A block scalar's range holds its last newline, which no caret should stand under.
                let end = range.start + written.trim_end_matches(['\n', '\r']).len();
                let span = self.sources.span(self.file, range.start, end);
                self.close(Node {
                    span,
                    overrides,
                    kind: Kind::Scalar(Scalar { text, style }),
                });
            }
            Event::SequenceStart(..) => self.open.push(Open::Sequence {
                start: range.start,
                overrides,
                items: Vec::new(),
            }),
            Event::MappingStart(..) => {
                self.open.push(Open::Mapping {
                    start: range.start,
                    overrides,
                    entries: Vec::new(),
                    key: None,
                });
            }
            Event::SequenceEnd | Event::MappingEnd => {
                let node = match self.open.pop() {
                    Some(Open::Sequence {
                        start,
                        overrides,
                        mut items,
                    }) => {
                        items.shrink_to_fit();
                        Node {
                            span: self.collection(start, range.end),
                            overrides,
                            kind: Kind::Sequence(items),
                        }
                    }
                    Some(Open::Mapping {
                        start,
                        overrides,
                        mut entries,
                        ..
                    }) => {
                        entries.shrink_to_fit();
                        Node {
                            span: self.collection(start, range.end),
                            overrides,
                            kind: Kind::Mapping(entries),
                        }
                    }
                    None => return,
                };
                self.close(node);
            }
            Event::UnresolvedAlias(_) | Event::Alias(_) => {
                self.alias(range.clone());
                let span = self.sources.span(self.file, range.start, range.end);
                let scalar = Scalar {
                    text: String::new(),
                    style: Style::Plain,
                };
                self.close(Node {
                    span,
                    overrides: None,
                    kind: Kind::Scalar(scalar),
                });
            }
            Event::DocumentStart(..) if self.root.is_some() => {
                let span = self.sources.span(self.file, range.start, range.end);
                self.found.push(
                    Diagnostic::error(span, "a second document").help("a file holds one document; remove the `---`"),
                );
            }
            _ => {}
        }
    }

    /// Puts a finished node where it belongs.
    fn close(&mut self, node: Node) {
        match self.open.last_mut() {
            None => self.root = Some(self.root.take().unwrap_or(node)),
            Some(Open::Sequence { items, .. }) => items.push(node),
            Some(Open::Mapping { entries, key, .. }) => match key.take() {
                Some(key) => entries.push(Entry { key, value: node }),
                None => {
                    if let Some(span) = node.overrides {
                        self.found.push(Diagnostic::error(span, "a key takes no tag"));
                    }
                    let text = match node.kind {
                        Kind::Scalar(scalar) => scalar.text,
                        Kind::Sequence(_) | Kind::Mapping(_) => {
                            self.found.push(
                                Diagnostic::error(node.span, "a key must be a word or an atom")
                                    .help("`${NAME}` outside of quotes is fine, `{NAME}` is a map"),
                            );
                            String::new()
                        }
                    };
                    *key = Some(Key { text, span: node.span });
                }
            },
        }
    }

    fn collection(&self, start: usize, end: usize) -> Span {
        let text = self.sources.text(self.file);
        let inside = text.get(start..end.max(start)).unwrap_or_default();
        self.sources.span(self.file, start, start + inside.trim_end().len())
    }

    /// Takes the only tag there is; any other is an atom like `!cat/pkg` without quotes.
    fn tag(&mut self, span: &granit_parser::Span, value_start: usize) -> Option<Span> {
        let source = self.sources.text(self.file);
        let range = span
            .tag_span()
            .and_then(|span| span.byte_range())
            .unwrap_or(value_start..value_start);
        let text = source.get(range.clone()).unwrap_or_default();
        let span = self.sources.span(self.file, range.start, range.end);
        if text != "!override" {
            let message = format!("`{}` is read as a YAML tag", text.trim_end_matches(':'));
            let help = quote_help(text).unwrap_or_else(|| "the only tag is `!override`".to_owned());
            self.found.push(Diagnostic::error(span, message).help(help));
            return None;
        }
        Some(span)
    }

    fn anchor(&mut self, value_start: usize) {
        let source = self.sources.text(self.file);
        let before = source.get(..value_start).unwrap_or_default();
        let start = before.rfind('&').unwrap_or(value_start);
        let end = start
            + source[start..]
                .find(char::is_whitespace)
                .unwrap_or(source.len() - start);
        self.not_an_anchor(start..end, "anchor");
    }

    fn alias(&mut self, range: std::ops::Range<usize>) {
        let source = self.sources.text(self.file);
        let written = source.get(range.clone()).unwrap_or_default();
        let end = range.start + written.trim_end_matches(':').len();
        self.not_an_anchor(range.start..end, "alias");
    }

    fn not_an_anchor(&mut self, range: std::ops::Range<usize>, what: &str) {
        let span = self.sources.span(self.file, range.start, range.end);
        let word = self.sources.slice(span);
        let help = quote_help(word).unwrap_or_else(|| "write the value out, or use a variable or a layer".to_owned());
        self.found.push(
            Diagnostic::error(
                span,
                format!("`{word}` is read as a YAML {what}, which farm does not use"),
            )
            .help(help),
        );
    }
}

fn quote_help(word: &str) -> Option<String> {
    let word = word.trim_end_matches(':');
    advice::looks_like_an_atom(word).then(|| format!("put the atom in quotes: \"{word}\""))
}
