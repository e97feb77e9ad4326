//! A step of the graph as the caller describes it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::Input;

/// Which of a run's modes may carry a node out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Class {
    /// Cheap, needs nothing but what is there, and says what there is to do: runs even in a dry run.
    Plan,
    /// Makes what plans need.
    Prepare,
    /// The work itself.
    Build,
}

/// How a node needs another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Need {
    /// The digest of the output with this role is part of the key.
    Output(String),
    /// As [`Need::Output`], but a dependency that failed or was skipped counts as absent instead of stopping this node.
    Soft(String),
    /// As [`Need::Output`], under a name of its own in the key: where it is the same to this node which of several others it needs, as long
    /// as their outputs are the same.
    Named(Box<NamedOutput>),
    /// The other node must be up to date before this one's action runs, and is not looked at when it need not run. What
    /// matters of it is among this node's inputs.
    BeforeRun,
}

/// An output, and what it is called in the key of the node that needs it.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct NamedOutput {
    /// The output's role.
    pub role: String,
    /// The name of the input. No other input of the node may have it.
    pub input: String,
}

impl Need {
    /// The role of the output whose digest enters the key; `None` if none does.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Output(role) | Self::Soft(role) => Some(role),
            Self::Named(named) => Some(&named.role),
            Self::BeforeRun => None,
        }
    }
}

/// An edge of the graph.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Dependency {
    /// The full name of the node that is needed.
    pub node: String,
    /// What of it.
    pub need: Need,
}

impl Dependency {
    /// The digest of output `role` of `node` enters the key.
    pub fn output(node: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            need: Need::Output(role.into()),
        }
    }

    /// As [`Self::output`], tolerant of failure.
    pub fn soft(node: impl Into<String>, role: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            need: Need::Soft(role.into()),
        }
    }

    /// The digest of output `role` of `node` enters the key under the name `input`.
    pub fn named(node: impl Into<String>, role: impl Into<String>, input: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            need: Need::Named(Box::new(NamedOutput {
                role: role.into(),
                input: input.into(),
            })),
        }
    }

    /// `node` must be up to date before the action runs.
    pub fn before_run(node: impl Into<String>) -> Self {
        Self {
            node: node.into(),
            need: Need::BeforeRun,
        }
    }

    /// The name of the input that this is of the node which has it: the node without its farm, because a farm may be renamed or
    /// included without new keys, and the output; or the name that it was given. Empty if it is none.
    #[must_use]
    pub fn input_name(&self) -> String {
        let role = match &self.need {
            Need::Output(role) | Need::Soft(role) => role,
            Need::Named(named) => return named.input.clone(),
            Need::BeforeRun => return String::new(),
        };
        let local = self.node.split_once(':').map_or(self.node.as_str(), |(_, local)| local);
        format!("{local}:{role}")
    }
}

/// A step: what it is called, what decides its output, what it needs, and what is done.
#[derive(Debug, Clone, PartialEq)]
pub struct NodeSpec<A> {
    /// The full, unique name. Up to the first `:`, if there is one, it says to whom the node belongs, which is in no key.
    pub name: String,
    /// The rule that made it, for people and as part of the key.
    pub kind: String,
    /// Raised when the rule's action changes in a way that changes outputs.
    pub rule_version: u32,
    /// Which modes may run it.
    pub class: Class,
    /// What decides its output beside its dependencies. The graph sorts them by name.
    pub inputs: Vec<Input>,
    /// What it needs. The graph sorts them.
    pub dependencies: Vec<Dependency>,
    /// Whether the driver is asked for further nodes once it is up to date.
    pub expands: bool,
    /// How much its action takes of which pool while it runs. See [`crate::Options::pools`].
    pub pools: BTreeMap<String, u64>,
    /// What the driver does. Not part of the key: what of it decides outputs must be among the inputs.
    pub action: A,
}
