//! Duplicate keys.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::source::Sources;
use crate::span::Span;
use crate::yaml::{Entry, Kind, Node};

/// Reports every key that a map has twice, naming both places, and keeps the first.
pub(crate) fn unique_keys(node: &mut Node, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    match &mut node.kind {
        Kind::Scalar(_) => {}
        Kind::Sequence(items) => {
            for item in items {
                unique_keys(item, sources, diagnostics);
            }
        }
        Kind::Mapping(entries) => {
            unique_entries(entries, sources, diagnostics);
            for entry in entries {
                unique_keys(&mut entry.value, sources, diagnostics);
            }
        }
    }
}

fn unique_entries(entries: &mut Vec<Entry>, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    entries.retain(|Entry { key, .. }| match seen.get(&key.text) {
        None => {
            seen.insert(key.text.clone(), key.span);
            true
        }
        Some(first) => {
            let message = format!("`{}` stands here twice, first at {}", key.text, sources.place(*first));
            diagnostics.push(
                Diagnostic::error(key.span, message)
                    .label("again here")
                    .also(*first, "first here")
                    .help("put both into one entry"),
            );
            false
        }
    });
}
