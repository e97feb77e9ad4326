//! Why a node runs.

use std::cmp::Ordering;

use serde::{Deserialize, Serialize};

use crate::Digest;
use crate::input::{Input, Value};

/// One input that differs between two builds of a node.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// The input's name.
    pub input: String,
    /// Its former value as people read it; `None` when it is new.
    pub from: Option<String>,
    /// Its value today; `None` when it is gone.
    pub to: Option<String>,
}

/// Why a node must run. The only source for `why`, events and the dry run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "because", rename_all = "kebab-case")]
pub enum Reason {
    /// No guard of it exists.
    NeverBuilt,
    /// Its inputs differ from those of the last build.
    InputsChanged {
        /// What differs.
        changes: Vec<Change>,
    },
    /// It was built from just these inputs, but an output is gone or was changed by hand.
    OutputLost {
        /// Which, in words.
        what: String,
    },
    /// Somebody asked for it by name.
    Forced,
    /// Whether it runs hangs on the output of this node, which will run.
    Waiting {
        /// The node's name.
        on: String,
    },
}

impl Reason {
    /// The inputs that changed, empty for any other reason.
    #[must_use]
    pub fn changes(&self) -> &[Change] {
        match self {
            Self::InputsChanged { changes } => changes,
            _ => &[],
        }
    }
}

impl std::fmt::Display for Reason {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NeverBuilt => f.write_str("never built"),
            Self::Forced => f.write_str("asked to run again"),
            Self::OutputLost { what } => write!(f, "{what}"),
            Self::Waiting { on } => write!(f, "hangs on the output of {on}"),
            Self::InputsChanged { changes } => {
                const SHOWN: usize = 3;
                for (i, change) in changes.iter().take(SHOWN).enumerate() {
                    if i > 0 {
                        f.write_str(", ")?;
                    }
                    match (&change.from, &change.to) {
                        (None, _) => write!(f, "{} is new", change.input)?,
                        (_, None) => write!(f, "{} is gone", change.input)?,
                        _ => write!(f, "{} changed", change.input)?,
                    }
                }
                if changes.len() > SHOWN {
                    write!(f, " and {} more", changes.len() - SHOWN)?;
                }
                Ok(())
            }
        }
    }
}

/// What differs between two sorted or unsorted lists of inputs, sorted by name, with digests as people know them: by their first
/// digits.
#[must_use]
pub fn changes(from: &[Input], to: &[Input]) -> Vec<Change> {
    changes_shown(from, to, Digest::short)
}

/// As [`changes`], with whole digests.
#[must_use]
pub fn whole_changes(from: &[Input], to: &[Input]) -> Vec<Change> {
    changes_shown(from, to, ToString::to_string)
}

fn changes_shown(from: &[Input], to: &[Input], digest: fn(&Digest) -> String) -> Vec<Change> {
    let shown = |value: &Value| match value {
        Value::Text(text) => text.clone(),
        Value::Digest(value) => digest(value),
        Value::Absent => "(absent)".to_owned(),
    };
    let mut old: Vec<&Input> = from.iter().collect();
    let mut new: Vec<&Input> = to.iter().collect();
    old.sort();
    new.sort();
    let (mut i, mut j) = (0, 0);
    let mut found = Vec::new();
    while i < old.len() || j < new.len() {
        let order = match (old.get(i), new.get(j)) {
            (Some(a), Some(b)) => a.name.cmp(&b.name),
            (Some(_), None) => Ordering::Less,
            _ => Ordering::Greater,
        };
        match order {
            Ordering::Less => {
                found.push(Change {
                    input: old[i].name.clone(),
                    from: Some(shown(&old[i].value)),
                    to: None,
                });
                i += 1;
            }
            Ordering::Greater => {
                found.push(Change {
                    input: new[j].name.clone(),
                    from: None,
                    to: Some(shown(&new[j].value)),
                });
                j += 1;
            }
            Ordering::Equal => {
                if old[i].value != new[j].value {
                    found.push(Change {
                        input: new[j].name.clone(),
                        from: Some(shown(&old[i].value)),
                        to: Some(shown(&new[j].value)),
                    });
                }
                i += 1;
                j += 1;
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_changed_and_gone() {
        let from = [Input::text("a", "1"), Input::text("b", "1"), Input::text("c", "1")];
        let to = [Input::text("d", "2"), Input::text("b", "2"), Input::text("c", "1")];
        let found = changes(&from, &to);
        let words: Vec<_> = found
            .iter()
            .map(|c| (c.input.as_str(), c.from.as_deref(), c.to.as_deref()))
            .collect();
        assert_eq!(
            words,
            [
                ("a", Some("1"), None),
                ("b", Some("1"), Some("2")),
                ("d", None, Some("2"))
            ]
        );
    }
}
