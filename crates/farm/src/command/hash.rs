//! `debug hash`: what a node's key is made of today, and in what two recorded keys differ.

use farm_engine::reason::whole_changes;
use farm_engine::{Change, EventSink, Guard, Key, NodeState, Today, Value};
use farm_guard_file::{GuardFile, Mode};
use serde::{Deserialize, Serialize};

use super::look::{Built, Look, fate};
use super::{FarmError, Setup, Words};
use crate::names::{farm, local, wants_by_name};
use crate::workspace::Workspace;

/// So many hexadecimal digits of a key must be given at least.
const PREFIX_LEN: usize = 4;

/// What a node's key is made of today.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashAnswer {
    /// `FARM:TARGET`.
    pub node: String,
    /// `cached`, `run` or `unknown`.
    pub state: NodeState,
    /// Today's key; `None` while it is not known.
    pub key: Option<Key>,
    /// Every input in the order in which it is hashed.
    pub inputs: Vec<HashInput>,
    /// The nodes whose outputs are not known, and why, in words.
    pub hangs_on: Vec<String>,
    /// The build that is recorded with this key.
    pub built: Option<Built>,
}

/// One input of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HashInput {
    /// Its name.
    pub name: String,
    /// Its value; `None` while it is not known.
    pub value: Option<Value>,
}

/// A key that is recorded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Recorded {
    /// `FARM:TARGET`.
    pub node: String,
    /// The key.
    pub key: Key,
    /// When the build with it began, in milliseconds since 1970.
    pub began_ms: u64,
}

/// In what two recorded keys differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Compared {
    /// The first.
    pub from: Recorded,
    /// The second.
    pub to: Recorded,
    /// The inputs that differ, sorted by name, with whole digests; empty if the keys are equal.
    pub changes: Vec<Change>,
}

/// What today's keys of the nodes that the words name are made of.
///
/// # Errors
///
/// The user's: no such node, or one of which nothing can be known yet. The environment's.
pub fn hash(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<Vec<HashAnswer>, FarmError> {
    let look = Look::at_asked(setup, words, events)?;
    let asked = look.asked();
    let mut todays = look.todays(&asked);
    let mut answers = Vec::new();
    for node in asked {
        let (Some(today), Some(report)) = (todays.remove(&node), look.report_of(node)) else {
            continue;
        };
        let mut answer = HashAnswer {
            node: report.name.clone(),
            state: report.state,
            key: None,
            inputs: Vec::new(),
            hangs_on: Vec::new(),
            built: None,
        };
        match today {
            Today::Known { key, inputs, guard } => {
                let known = inputs.into_iter().map(|input| HashInput {
                    name: input.name,
                    value: Some(input.value),
                });
                answer.inputs = known.collect();
                answer.key = Some(key);
                answer.built = guard.map(|guard| {
                    let history = look.session.guards.history(&guard.node);
                    let used_ms = history
                        .iter()
                        .find(|(other, _)| other.key == key)
                        .map(|(_, used_ms)| *used_ms);
                    Built::of(&guard, used_ms.unwrap_or(guard.started_ms))
                });
            }
            Today::Hanging { inputs, on } => {
                answer.inputs = inputs
                    .into_iter()
                    .map(|(name, value)| HashInput { name, value })
                    .collect();
                let reports = on.into_iter().filter_map(|other| look.report_of(other));
                answer.hangs_on = reports
                    .map(|other| format!("{}, which {}", other.name, fate(other)))
                    .collect();
            }
        }
        answers.push(answer);
    }
    Ok(answers)
}

/// In what two recorded keys differ, each named as `NODE` (the key used last) or `NODE@PREFIX`, of which the prefix is at least four
/// hexadecimal digits of a key. Neither manifests nor plans are read.
///
/// # Errors
///
/// The user's: no such node or key here, or several, which are listed. The environment's: the guard file cannot be read.
pub fn compare(setup: &Setup, from: &str, to: &str) -> Result<Compared, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let guards = GuardFile::open(&workspace.state().join("guards"), Mode::Read)?
        .guards
        .all();
    let (from, to) = (recorded(&workspace, &guards, from)?, recorded(&workspace, &guards, to)?);
    let name = |guard: &Guard| Recorded {
        node: guard.node.clone(),
        key: guard.key,
        began_ms: guard.started_ms,
    };
    Ok(Compared {
        from: name(from),
        to: name(to),
        changes: whole_changes(&from.inputs, &to.inputs),
    })
}

/// The one guard that a word names, among all of them node by node, the one used last at the end.
fn recorded<'g>(workspace: &Workspace, guards: &'g [Guard], word: &str) -> Result<&'g Guard, FarmError> {
    // A package's node may have an `@` in its name.
    let as_node = of_node(workspace, guards, word);
    let Some((node, prefix)) = word.rsplit_once('@').filter(|(_, prefix)| is_hex(prefix)) else {
        return only_node(word, &as_node?);
    };
    if let Ok(found) = &as_node
        && !found.is_empty()
    {
        return only_node(word, found);
    }
    if prefix.len() < PREFIX_LEN {
        let message = format!("`{prefix}` is too short for a key: give {PREFIX_LEN} digits of it at least");
        return Err(FarmError::input(message));
    }
    let found = of_node(workspace, guards, node)?;
    let kept = only_node(node, &found)?;
    let prefix = prefix.to_ascii_lowercase();
    let of_it: Vec<&Guard> = found.into_iter().rev().collect();
    let begin: Vec<&Guard> = of_it
        .iter()
        .copied()
        .filter(|guard| guard.key.to_string().starts_with(&prefix))
        .collect();
    match begin.as_slice() {
        [only] => Ok(only),
        [] => {
            let message = format!("no key of {} that is kept begins with {prefix}", kept.node);
            Err(FarmError::input(message).hint(format!("there are {}", keys(&of_it))))
        }
        several => {
            let message = format!("several keys of {} begin with {prefix}", kept.node);
            Err(FarmError::input(message).hint(format!("there are {}", keys(several))))
        }
    }
}

fn is_hex(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_hexdigit())
}

/// The guards of all nodes that a word names.
fn of_node<'g>(workspace: &Workspace, guards: &'g [Guard], word: &str) -> Result<Vec<&'g Guard>, FarmError> {
    let words = Words {
        targets: vec![word.to_owned()],
        variables: Vec::new(),
    };
    let wanted = words.resolve(workspace)?;
    let is_wanted = |guard: &&Guard| {
        let wanted = wanted.get(farm(&guard.node));
        wanted.is_some_and(|wanted| wants_by_name(wanted, local(&guard.node)))
    };
    Ok(guards.iter().filter(is_wanted).collect())
}

/// The guard used last, if all are of one node.
fn only_node<'g>(word: &str, guards: &[&'g Guard]) -> Result<&'g Guard, FarmError> {
    let Some(last) = guards.last() else {
        return Err(
            FarmError::input(format!("there is no guard of {word}: it was never built here"))
                .hint("`farm targets` lists what there is; plans and sources are called plan/SUBJECT and fetch/FILE"),
        );
    };
    let mut nodes: Vec<&str> = guards.iter().map(|guard| guard.node.as_str()).collect();
    nodes.dedup();
    if nodes.len() > 1 {
        let message = format!("{word} is several nodes, and only one can be compared");
        return Err(FarmError::input(message).hint(format!("name one of {}", nodes.join(", "))));
    }
    Ok(last)
}

fn keys(guards: &[&Guard]) -> String {
    let keys: Vec<String> = guards.iter().map(|guard| guard.key.to_string()).collect();
    keys.join(", ")
}
