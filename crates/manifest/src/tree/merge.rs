//! `include:`: one manifest continues another.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::source::Sources;
use crate::yaml::{Entry, Kind, Node};

/// Keys that each manifest has for itself.
const OWN: &[&str] = &["farm", "include"];

/// Lays `later` over `earlier`, both whole manifests.
///
/// Maps are merged key by key. A key whose value is no map on either side, given in both, is an error, unless both say the same or
/// the later value is tagged `!override`; in `vars` the later wins by itself, since that is what a variable is for.
pub(crate) fn merge(earlier: Node, later: Node, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) -> Node {
    merge_at(earlier, later, &mut Vec::new(), sources, diagnostics)
}

fn merge_at(
    earlier: Node,
    later: Node,
    path: &mut Vec<String>,
    sources: &Sources,
    diagnostics: &mut Vec<Diagnostic>,
) -> Node {
    if later.overrides.is_some() {
        return later;
    }
    let Node { span, overrides, kind } = later;
    let later_entries = match kind {
        Kind::Mapping(entries) => entries,
        kind => return Node { span, overrides, kind },
    };
    let Kind::Mapping(entries) = earlier.kind else {
        return Node {
            span,
            overrides,
            kind: Kind::Mapping(later_entries),
        };
    };
    let own = |entry: &Entry| path.is_empty() && OWN.contains(&entry.key.text.as_str());
    let mut entries: Vec<Option<Entry>> = entries.into_iter().filter(|entry| !own(entry)).map(Some).collect();
    let places: BTreeMap<String, usize> = (0..)
        .zip(entries.iter().flatten())
        .map(|(at, entry)| (entry.key.text.clone(), at))
        .collect();
    for Entry { key, value } in later_entries {
        // The place in the order is that of the first, so that overriding something does not move it.
        let slot = places.get(&key.text).and_then(|at| entries.get_mut(*at));
        let Some((slot, known)) = slot.and_then(|slot| slot.take().map(|known| (slot, known))) else {
            entries.push(Some(Entry { key, value }));
            continue;
        };
        let both_maps = matches!((&known.value.kind, &value.kind), (Kind::Mapping(_), Kind::Mapping(_)));
        let later_wins = value.overrides.is_some() || path.first().is_some_and(|top| top == "vars");
        path.push(key.text.clone());
        let value = if both_maps {
            merge_at(known.value, value, path, sources, diagnostics)
        } else {
            if !later_wins && !same(&known.value, &value) {
                let message = format!(
                    "`{}` is given here and in the included farm, at {}",
                    path.join("."),
                    sources.place(known.key.span)
                );
                diagnostics.push(
                    Diagnostic::error(key.span, message)
                        .also(known.key.span, "already given here")
                        .help("tag the value `!override` if it is to replace the included one"),
                );
            }
            value
        };
        path.pop();
        *slot = Some(Entry { key, value });
    }
    Node {
        span,
        overrides,
        kind: Kind::Mapping(entries.into_iter().flatten().collect()),
    }
}

/// Says whether two values mean the same, wherever they are written.
fn same(one: &Node, other: &Node) -> bool {
    match (&one.kind, &other.kind) {
        (Kind::Scalar(one), Kind::Scalar(other)) => one.text == other.text,
        (Kind::Sequence(one), Kind::Sequence(other)) => {
            one.len() == other.len() && one.iter().zip(other).all(|(one, other)| same(one, other))
        }
        (Kind::Mapping(one), Kind::Mapping(other)) => {
            one.len() == other.len()
                && one
                    .iter()
                    .zip(other)
                    .all(|(one, other)| one.key.text == other.key.text && same(&one.value, &other.value))
        }
        _ => false,
    }
}
