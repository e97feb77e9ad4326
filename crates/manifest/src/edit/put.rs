//! Settings in the map form of `packages:`.

use super::splice::{
    Splice, add_to_flow, apply, behind_colon, end, entry_end, is_absent, is_flow, line_end, line_number, line_start,
    newline,
};
use super::{EditError, Setting, entry, scalar};
use crate::yaml::{Entry, Kind, Node};

/// What is to stand at the end of a path of keys.
struct Leaf<'a> {
    setting: Setting,
    /// Of the list; for an unmask the atom, in case there is a list of atoms.
    values: Vec<&'a str>,
}

/// Sets something for `atom` in the entry of `member`.
pub(super) fn set(
    text: &str,
    packages: &Entry,
    member: &str,
    atom: &str,
    setting: Setting,
    values: &[String],
) -> Result<String, EditError> {
    if entry(&packages.value, member).is_none() {
        return Err(EditError::NoMember(member.to_owned()));
    }
    let mut path = vec![member];
    if atom != member {
        path.extend(["deps", atom]);
    }
    path.push(setting.key());
    let mut leaf = Leaf {
        setting,
        values: values.iter().map(String::as_str).collect(),
    };
    let mut at = packages;
    for (depth, key) in path.iter().enumerate() {
        if at.value.is_null() {
            return Ok(apply(text, &give(text, at, &shown(&path[depth..], &leaf))?));
        }
        let Kind::Mapping(_) = &at.value.kind else {
            return Err(EditError::Unsure);
        };
        match entry(&at.value, key) {
            Some(found) => at = found,
            None => {
                let item = format!("{}: {}", scalar(key), shown(&path[depth + 1..], &leaf));
                return Ok(apply(text, &add_entry(text, &at.value, &item)?));
            }
        }
    }
    if at.value.is_null() {
        return Ok(apply(text, &give(text, at, &shown(&[], &leaf))?));
    }
    match (&at.value.kind, setting) {
        (Kind::Sequence(items), _) => {
            if setting == Setting::Unmask {
                leaf.values = vec![atom];
            }
            leaf.values = missing(text, atom, items, &leaf)?;
            Ok(apply(text, &add_items(text, &at.value, items, &leaf.values)?))
        }
        (Kind::Scalar(scalar), Setting::Unmask) if scalar.text == "true" => Err(EditError::Already),
        (Kind::Scalar(scalar), Setting::Unmask) if scalar.text == "false" => Err(EditError::Contradicts {
            written: "unmask: false".to_owned(),
            atom: atom.to_owned(),
            line: line_number(text, at.value.span.start()),
        }),
        _ => Err(EditError::Unsure),
    }
}

/// The values that a list does not have.
fn missing<'a>(text: &str, atom: &str, items: &[Node], leaf: &Leaf<'a>) -> Result<Vec<&'a str>, EditError> {
    let mut found = Vec::new();
    for value in &leaf.values {
        let opposite = match value.strip_prefix('-') {
            Some(name) => name.to_owned(),
            None => format!("-{value}"),
        };
        let is = |item: &&Node, wanted: &str| matches!(&item.kind, Kind::Scalar(scalar) if scalar.text == wanted);
        if let Some(item) = items.iter().find(|item| is(item, &opposite)) {
            return Err(EditError::Contradicts {
                written: opposite,
                atom: atom.to_owned(),
                line: line_number(text, item.span.start()),
            });
        }
        if !items.iter().any(|item| is(&item, value)) {
            found.push(*value);
        }
    }
    if found.is_empty() {
        Err(EditError::Already)
    } else {
        Ok(found)
    }
}

/// A value in brackets: what is left of the path, and the leaf.
fn shown(path: &[&str], leaf: &Leaf<'_>) -> String {
    let mut value = match leaf.setting {
        Setting::Unmask => "true".to_owned(),
        _ => {
            let values: Vec<String> = leaf.values.iter().map(|value| scalar(value)).collect();
            format!("[{}]", values.join(", "))
        }
    };
    for key in path.iter().rev() {
        value = format!("{{ {}: {value} }}", scalar(key));
    }
    value
}

/// Gives a key that has no value its value.
fn give(text: &str, entry: &Entry, value: &str) -> Result<Vec<Splice>, EditError> {
    let node = &entry.value;
    if node.overrides.is_some() {
        return Err(EditError::Unsure);
    }
    if !is_absent(node) {
        return Ok(vec![Splice {
            range: node.span.start()..node.span.end(),
            text: value.to_owned(),
        }]);
    }
    Ok(vec![match behind_colon(text, entry) {
        Some(at) => Splice::insert(at, format!(" {value}")),
        None => Splice::insert(entry.key.span.end(), format!(": {value}")),
    }])
}

/// Adds an entry at the end of a map.
fn add_entry(text: &str, map: &Node, item: &str) -> Result<Vec<Splice>, EditError> {
    let Kind::Mapping(entries) = &map.kind else {
        return Err(EditError::Unsure);
    };
    if is_flow(text, map) {
        let last = entries
            .last()
            .map(|entry| entry.key.span.start()..entry_end(text, entry));
        return Ok(add_to_flow(text, map, last, item));
    }
    let Some((first, last)) = entries.first().zip(entries.last()) else {
        return Err(EditError::Unsure);
    };
    let key = first.key.span.start();
    let indent = &text[line_start(text, key)..key];
    if !indent.bytes().all(|byte| byte == b' ') {
        return Err(EditError::Unsure);
    }
    let end = line_end(text, entry_end(text, last));
    Ok(vec![Splice::insert(end, format!("{}{indent}{item}", newline(text)))])
}

/// Adds items at the end of a list.
fn add_items(text: &str, list: &Node, items: &[Node], values: &[&str]) -> Result<Vec<Splice>, EditError> {
    let shown: Vec<String> = values.iter().map(|value| scalar(value)).collect();
    if is_flow(text, list) {
        let last = items.last().map(|item| item.span.start()..item.span.end());
        return Ok(add_to_flow(text, list, last, &shown.join(", ")));
    }
    let Some(last) = items.last() else {
        return Err(EditError::Unsure);
    };
    let before = &text[line_start(text, last.span.start())..last.span.start()];
    let Some((indent, _)) = before.split_once('-') else {
        return Err(EditError::Unsure);
    };
    if !indent.bytes().all(|byte| byte == b' ') {
        return Err(EditError::Unsure);
    }
    let end = line_end(text, end(text, last));
    let lines: String = shown
        .iter()
        .map(|value| format!("{}{indent}- {value}", newline(text)))
        .collect();
    Ok(vec![Splice::insert(end, lines)])
}
