//! Takes typed values out of nodes and collects what is wrong, so that one run shows every mistake.

use std::collections::BTreeMap;

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::diagnostic::Diagnostic;
use crate::keys::{Section, Shape};
use crate::near;
use crate::source::Sources;
use crate::span::{Span, Spanned};
use crate::yaml::{Entry, Key, Kind, Node, Style};

/// The texts, and what was found wrong in them so far.
pub(crate) struct Reader<'a> {
    pub(crate) sources: &'a Sources,
    pub(crate) diagnostics: Vec<Diagnostic>,
}

/// The keys of one map, taken one by one.
pub(crate) struct Fields<'a> {
    section: &'static Section,
    values: BTreeMap<&'static str, &'a Entry>,
    /// From the first byte of the map to its last.
    pub(crate) span: Span,
    asked: Vec<&'static str>,
}

impl<'a> Fields<'a> {
    /// The value of a key, if it was written.
    pub(crate) fn take(&mut self, name: &'static str) -> Option<&'a Node> {
        self.asked.push(name);
        self.values.get(name).map(|entry| &entry.value)
    }

    /// The place of a key that was written.
    pub(crate) fn key_span(&self, name: &str) -> Option<Span> {
        self.values.get(name).map(|entry| entry.key.span)
    }

    /// Ends the reading of a map. The table of keys and the reader must know the same keys.
    pub(crate) fn finish(self) {
        for key in self.section.keys {
            debug_assert!(
                self.asked.contains(&key.name),
                "`{}` of {} is in the table and never read",
                key.name,
                self.section.name
            );
        }
        for name in &self.asked {
            debug_assert!(
                self.section.key(name).is_some(),
                "`{name}` of {} is read and not in the table",
                self.section.name
            );
        }
    }
}

impl<'a> Reader<'a> {
    pub(crate) fn new(sources: &'a Sources) -> Self {
        Self {
            sources,
            diagnostics: Vec::new(),
        }
    }

    /// Adds an error and hands it out to be completed.
    pub(crate) fn error(&mut self, span: Span, message: impl Into<String>) -> &mut Diagnostic {
        self.push(Diagnostic::error(span, message))
    }

    pub(crate) fn push(&mut self, diagnostic: Diagnostic) -> &mut Diagnostic {
        self.diagnostics.push(diagnostic);
        self.diagnostics.last_mut().expect("one was pushed just now")
    }

    /// Reads a map with fixed keys: reports unknown and missing ones. `context` names it in messages.
    pub(crate) fn fields<'n>(
        &mut self,
        node: &'n Node,
        section: &'static Section,
        context: &str,
    ) -> Option<Fields<'n>> {
        let Kind::Mapping(entries) = &node.kind else {
            let example = section.keys.first().map_or("key", |key| key.name);
            self.wrong_kind(node, context, "a map").help = Some(format!("write a map: `{{ {example}: ... }}`"));
            return None;
        };
        let mut values = BTreeMap::new();
        let mut empty = BTreeMap::new();
        for entry in entries {
            match section.key(&entry.key.text) {
                // A key with nothing behind it was not written, so that one can be left there while its value is thought about.
                Some(key) if entry.value.is_null() => {
                    empty.insert(key.name, entry.key.span);
                }
                Some(key) => {
                    values.insert(key.name, entry);
                }
                None => self.unknown_key(&entry.key, section, context),
            }
        }
        for key in section
            .keys
            .iter()
            .filter(|key| key.required && !values.contains_key(key.name))
        {
            let diagnostic = match empty.get(key.name) {
                Some(span) => self.error(*span, format!("`{}` of {context} is empty", key.name)),
                None => self.error(node.span, format!("{context} has no `{}`", key.name)),
            };
            diagnostic.help = Some(format!("`{}`: {}", key.name, key.doc));
        }
        Some(Fields {
            section,
            values,
            span: node.span,
            asked: Vec::new(),
        })
    }

    fn unknown_key(&mut self, key: &Key, section: &Section, context: &str) {
        let known = || section.keys.iter().map(|key| key.name);
        let help = match near::near(&key.text, known()).as_slice() {
            [] => format!(
                "the keys are {}",
                known().map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", ")
            ),
            near => format!(
                "did you mean {}?",
                near.iter()
                    .map(|name| format!("`{name}`"))
                    .collect::<Vec<_>>()
                    .join(" or ")
            ),
        };
        self.error(key.span, format!("{context} has no key `{}`", key.text))
            .help = Some(help);
    }

    /// Reports a value of the wrong kind.
    pub(crate) fn wrong_kind(&mut self, node: &Node, context: &str, wanted: &str) -> &mut Diagnostic {
        self.error(node.span, format!("{context} wants {wanted}, not {}", node.describe()))
    }

    /// Reports a `!override` where nothing can be overridden.
    pub(crate) fn no_tag(&mut self, node: &Node) {
        if let Some(span) = node.overrides {
            self.error(span, "`!override` has no meaning here").help = Some(
                "it stands before a USE flag, a list of them, or a value that replaces an included one".to_owned(),
            );
        }
    }

    /// Reads a text. Numbers and truth values are texts, as written.
    pub(crate) fn text(&mut self, node: &Node, context: &str) -> Option<Spanned<String>> {
        match &node.kind {
            Kind::Scalar(_) if node.is_null() => {
                self.error(node.span, format!("{context} is empty"));
                None
            }
            Kind::Scalar(scalar) if scalar.text.trim().is_empty() => {
                self.error(node.span, format!("{context} is empty"));
                None
            }
            Kind::Scalar(scalar) => Some(Spanned::new(scalar.text.clone(), node.span)),
            Kind::Sequence(items) => {
                let help = match items.as_slice() {
                    [
                        Node {
                            kind: Kind::Scalar(only),
                            ..
                        },
                    ] => format!("write the text by itself: {}", only.text),
                    _ => "write one text, without brackets".to_owned(),
                };
                self.wrong_kind(node, context, "a text").help = Some(help);
                None
            }
            Kind::Mapping(_) => {
                self.wrong_kind(node, context, "a text");
                None
            }
        }
    }

    /// Reads a list of texts.
    pub(crate) fn texts(&mut self, node: &Node, context: &str) -> Vec<Spanned<String>> {
        let Some(items) = self.items(node, context) else {
            return Vec::new();
        };
        // Most lists have one entry, and a vector that grows takes room for four.
        let mut texts = Vec::with_capacity(items.len());
        for item in items {
            self.no_tag(item);
            texts.extend(self.text(item, &format!("an entry of {context}")));
        }
        texts
    }

    /// Takes a list apart; a text where a list is wanted is the commonest slip, so the advice shows the list.
    pub(crate) fn items<'n>(&mut self, node: &'n Node, context: &str) -> Option<&'n [Node]> {
        match &node.kind {
            Kind::Sequence(items) => return Some(items),
            Kind::Scalar(scalar) if !node.is_null() => {
                let words: Vec<&str> = scalar
                    .text
                    .split([' ', ',', '\n'])
                    .filter(|word| !word.is_empty())
                    .collect();
                self.wrong_kind(node, context, "a list").help = Some(format!("write a list: [{}]", words.join(", ")));
            }
            _ => {
                self.wrong_kind(node, context, "a list").help = Some("write a list: [a, b]".to_owned());
            }
        }
        None
    }

    /// Reads a map from names to values.
    pub(crate) fn entries<'n>(&mut self, node: &'n Node, context: &str) -> &'n [Entry] {
        match &node.kind {
            Kind::Mapping(entries) => entries,
            _ => {
                self.wrong_kind(node, context, "a map").help = Some("write a map: `{ NAME: ... }`".to_owned());
                &[]
            }
        }
    }

    /// Reads a map from names to texts.
    pub(crate) fn text_map(&mut self, node: &Node, context: &str) -> BTreeMap<String, Spanned<String>> {
        let mut map = BTreeMap::new();
        for Entry { key, value } in self.entries(node, context) {
            // An empty value is a value here: an environment variable may be empty.
            let text = match &value.kind {
                Kind::Scalar(scalar) => Some(Spanned::new(scalar.text.clone(), value.span)),
                _ => self.text(value, &format!("`{}` of {context}", key.text)),
            };
            if let Some(text) = text {
                map.insert(key.text.clone(), text);
            }
        }
        map
    }

    /// Reads `true` or `false`.
    pub(crate) fn boolean(&mut self, node: &Node, context: &str) -> Option<bool> {
        let text = self.text(node, context)?;
        match text.value.as_str() {
            "true" => Some(true),
            "false" => Some(false),
            other => {
                let help = match other.to_lowercase().as_str() {
                    "yes" | "on" | "y" | "1" | "true" => "write `true`",
                    "no" | "off" | "n" | "0" | "false" => "write `false`",
                    _ => "write `true` or `false`",
                };
                self.error(node.span, format!("{context} is `true` or `false`, not `{other}`"))
                    .help = Some(help.to_owned());
                None
            }
        }
    }

    /// Reads a whole number that is not negative.
    pub(crate) fn number(&mut self, node: &Node, context: &str) -> Option<Spanned<u64>> {
        let text = self.text(node, context)?;
        match text.value.parse() {
            Ok(number) => Some(Spanned::new(number, node.span)),
            Err(_) => {
                self.error(node.span, format!("{context} is a whole number, not `{}`", text.value));
                None
            }
        }
    }

    /// Reads one of the words of a shape.
    pub(crate) fn word(&mut self, node: &Node, shape: &Shape, context: &str) -> Option<&'static str> {
        let Shape::Words(words) = shape else { return None };
        let text = self.text(node, context)?;
        let found = words.iter().find(|word| **word == text.value).copied();
        if found.is_none() {
            self.error(node.span, format!("{context} has no value `{}`", text.value))
                .help = near::suggestion(&text.value, words.iter().copied());
        }
        found
    }

    /// Reads a path and makes it relative to the workspace; an absolute one stays.
    pub(crate) fn path(&mut self, node: &Node, context: &str) -> Option<Spanned<Utf8PathBuf>> {
        let text = self.text(node, context)?;
        self.workspace_path(&text, context)
    }

    /// Makes a written path relative to the workspace: it was written relative to the folder of its file.
    pub(crate) fn workspace_path(&mut self, text: &Spanned<String>, context: &str) -> Option<Spanned<Utf8PathBuf>> {
        let written = Utf8Path::new(&text.value);
        if written.is_absolute() {
            return Some(Spanned::new(written.to_owned(), text.span));
        }
        let folder = self.folder(text.span);
        match normalize(&folder.join(written)) {
            Some(path) => Some(Spanned::new(path, text.span)),
            None => {
                self.error(text.span, format!("{context} lies outside of the workspace"))
                    .help = Some("put it into the workspace, or write the absolute path".to_owned());
                None
            }
        }
    }

    /// The same for what may lie outside of the workspace: the path then begins with `..`.
    pub(crate) fn any_path(&self, text: &Spanned<String>) -> Spanned<Utf8PathBuf> {
        let written = Utf8Path::new(&text.value);
        if written.is_absolute() {
            return Spanned::new(written.to_owned(), text.span);
        }
        let mut path = Utf8PathBuf::new();
        for component in self.folder(text.span).join(written).components() {
            match component {
                Utf8Component::CurDir => {}
                Utf8Component::ParentDir if path.file_name().is_some() => {
                    path.pop();
                }
                other => path.push(other),
            }
        }
        Spanned::new(path, text.span)
    }

    /// The folder of the file that a span lies in, relative to the workspace.
    pub(crate) fn folder(&self, span: Span) -> Utf8PathBuf {
        self.sources
            .path(span.file)
            .parent()
            .unwrap_or(Utf8Path::new(""))
            .to_owned()
    }

    /// Checks a name that the user chose; it becomes part of targets, files and tags.
    pub(crate) fn name(&mut self, key: &Key, context: &str) -> Spanned<String> {
        let name = Spanned::new(key.text.clone(), key.span);
        if !is_name(&key.text) {
            self.error(key.span, format!("`{}` cannot name {context}", key.text))
                .help = Some(
                "a name has letters, digits, `_`, `-`, `+` and `.`, and starts with a letter or a digit".to_owned(),
            );
        }
        name
    }
}

/// Says whether this can name a farm, a subject, a task...
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|first: char| first.is_ascii_alphanumeric())
        && text
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "_-+.".contains(character))
}

/// Resolves `.` and `..` by words alone; `None` where that leads above the start.
fn normalize(path: &Utf8Path) -> Option<Utf8PathBuf> {
    let mut result = Utf8PathBuf::new();
    for component in path.components() {
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir => {
                if !result.pop() {
                    return None;
                }
            }
            other => result.push(other),
        }
    }
    Some(result)
}

/// Says whether a scalar was written as a block in which one line of text is one line of the file.
pub(crate) fn is_block(node: &Node) -> bool {
    matches!(&node.kind, Kind::Scalar(scalar) if matches!(scalar.style, Style::Literal | Style::Folded) || scalar.text.trim_end().contains('\n'))
}
