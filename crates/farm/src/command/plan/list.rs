//! A farm's plans as a list of what is built: as data, as text, as JSON.

use std::collections::BTreeMap;

use farm_engine::NodeState;
use farm_resolver::Package;
use farm_resolver::mergelist::{Before, Colour, Known, render};
use serde_json::{Value, json};

use super::estimate::{Work, about, duration_ms};
use super::published::Published;

/// The plans of one farm.
#[derive(Debug, Clone, Default, PartialEq)]
pub(in crate::command) struct FarmList {
    pub(in crate::command) farm: String,
    pub(in crate::command) subjects: Vec<SubjectList>,
    /// Everything that is built, once.
    pub(in crate::command) packages: Vec<Listed>,
    pub(in crate::command) disagreements: Vec<String>,
    pub(in crate::command) native: Vec<String>,
    /// Packages of the base that nobody builds anew, where those are published: `CATEGORY/PF`, with `CATEGORY/NAME:SLOT`.
    pub(in crate::command) untouched: BTreeMap<String, String>,
    /// Whether all plans of the farm could be made: every subject's, in the root that comes out of the generations.
    pub(in crate::command) is_whole: bool,
}

/// The plan of one subject.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::command) struct SubjectList {
    pub(in crate::command) name: String,
    /// The command that was answered.
    pub(in crate::command) command: String,
    /// Indices of its packages, in merge order.
    pub(in crate::command) packages: Vec<usize>,
    /// The same packages as this subject's answer has them.
    pub(in crate::command) lines: Vec<Package>,
}

/// One package.
#[derive(Debug, Clone, PartialEq)]
pub(in crate::command) struct Listed {
    /// The node.
    pub(in crate::command) node: String,
    pub(in crate::command) package: Package,
    pub(in crate::command) state: NodeState,
    pub(in crate::command) reason: String,
    /// What was built before, or is in the root.
    pub(in crate::command) before: Before,
    /// Whether the files that nobody may fetch are at hand.
    pub(in crate::command) has_files: bool,
    /// How long that took.
    pub(in crate::command) last_ms: Option<u64>,
    /// Indices of the packages before it.
    pub(in crate::command) after: Vec<usize>,
    /// What a publication makes of it.
    pub(in crate::command) published: Published,
}

impl Listed {
    /// The package without its version, with its slot.
    pub(in crate::command) fn slot(&self) -> String {
        format!("{}/{}:{}", self.package.category, self.package.name, self.package.slot)
    }

    /// Whether it is there or is to be built, and why.
    pub(in crate::command) fn note(&self) -> String {
        match self.state {
            NodeState::Cached => "cached".to_owned(),
            NodeState::Run => format!("build: {}{}", self.reason, self.last()),
            NodeState::Unknown if self.reason.is_empty() => String::new(),
            NodeState::Unknown => format!("perhaps: {}{}", self.reason, self.last()),
        }
    }

    /// What is there is not merged anywhere, so that its line is emerge's own.
    fn known(&self) -> Known {
        Known {
            before: match self.state {
                NodeState::Cached => Before::Root,
                NodeState::Run | NodeState::Unknown => self.before.clone(),
            },
            has_files: self.has_files,
            note: self.note(),
        }
    }

    fn last(&self) -> String {
        self.last_ms
            .map_or_else(String::new, |ms| format!("; took {}", about(ms)))
    }
}

impl FarmList {
    /// The merge lists, and what they come to with so many jobs.
    pub(in crate::command) fn text(&self, jobs: usize) -> String {
        let mut text = String::new();
        for subject in &self.subjects {
            let known: Vec<Known> = subject.packages.iter().map(|at| self.packages[*at].known()).collect();
            text.push_str(&format!("{}: {}\n{}\n\n", self.farm, subject.name, subject.command));
            text.push_str(&render(&subject.lines, &known, Colour::Never));
            text.push('\n');
        }
        for line in self.native.iter().chain(&self.disagreements) {
            text.push_str(&format!("{line}\n"));
        }
        if !self.untouched.is_empty() {
            let number = self.untouched.len();
            text.push_str(&format!(
                "{number} packages of the base, which nobody builds anew, are published, too\n"
            ));
        }
        text.push_str(&format!("{}: {}\n", self.farm, self.total(jobs).text()));
        text
    }

    pub(in crate::command) fn json(&self, jobs: usize) -> Value {
        let subjects: serde_json::Map<String, Value> = self
            .subjects
            .iter()
            .map(|subject| {
                let packages: Vec<Value> = subject
                    .packages
                    .iter()
                    .map(|at| package_json(&self.packages[*at]))
                    .collect();
                (
                    subject.name.clone(),
                    json!({ "command": subject.command, "packages": packages }),
                )
            })
            .collect();
        let total = self.total(jobs);
        json!({
            "farm": self.farm,
            "subjects": subjects,
            "disagreements": self.disagreements,
            "native": self.native,
            "untouched": self.untouched.len(),
            "total": {
                "build": total.build,
                "perhaps": total.perhaps,
                "cached": total.cached,
                "never_built": total.never_built,
                "estimate_ms": total.estimate_ms,
                "jobs": total.jobs,
            },
        })
    }

    fn total(&self, jobs: usize) -> Total {
        let count = |state| self.packages.iter().filter(|listed| listed.state == state).count();
        let runs: Vec<usize> = (0..self.packages.len())
            .filter(|at| self.packages[*at].state != NodeState::Cached)
            .collect();
        let place: BTreeMap<usize, usize> = runs.iter().enumerate().map(|(place, at)| (*at, place)).collect();
        let work: Vec<Work> = runs
            .iter()
            .map(|at| Work {
                last_ms: self.packages[*at].last_ms,
                after: self.packages[*at]
                    .after
                    .iter()
                    .filter_map(|before| place.get(before).copied())
                    .collect(),
            })
            .collect();
        Total {
            build: count(NodeState::Run),
            perhaps: count(NodeState::Unknown),
            cached: count(NodeState::Cached),
            never_built: work.iter().filter(|work| work.last_ms.is_none()).count(),
            estimate_ms: duration_ms(&work, jobs),
            jobs,
        }
    }
}

/// What a farm's plans come to.
struct Total {
    build: usize,
    perhaps: usize,
    cached: usize,
    /// Of those that are built or may be.
    never_built: usize,
    estimate_ms: u64,
    jobs: usize,
}

impl Total {
    fn text(&self) -> String {
        let mut text = format!("{} to build", self.build);
        if self.perhaps > 0 {
            text.push_str(&format!(", {} perhaps", self.perhaps));
        }
        text.push_str(&format!(", {} cached", self.cached));
        if self.build + self.perhaps > self.never_built {
            let jobs = if self.jobs == 1 {
                "1 job".to_owned()
            } else {
                format!("{} jobs", self.jobs)
            };
            text.push_str(&format!("; about {} on {jobs}", about(self.estimate_ms)));
        }
        match self.never_built {
            0 => {}
            1 => text.push_str("; 1 package was never built"),
            more => text.push_str(&format!("; {more} packages were never built")),
        }
        text
    }
}

/// One package as data.
pub(in crate::command) fn package_json(listed: &Listed) -> Value {
    json!({
        "name": listed.node,
        "package": listed.package.cpv,
        "slot": listed.package.slot,
        "repository": listed.package.repository,
        "use": listed.package.use_flags,
        "state": listed.state,
        "reason": listed.reason,
        "last_ms": listed.last_ms,
        "former": match &listed.before {
            Before::Slot(former) => json!({ "version": former.version, "use": former.use_flags }),
            Before::Root | Before::OtherSlots(_) => Value::Null,
        },
    })
}

#[cfg(test)]
impl Default for Listed {
    fn default() -> Self {
        Self {
            node: String::new(),
            package: Package::default(),
            state: NodeState::Unknown,
            reason: String::new(),
            before: Before::Root,
            has_files: false,
            last_ms: None,
            after: Vec::new(),
            published: Published::No,
        }
    }
}
