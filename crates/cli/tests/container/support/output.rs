//! What a run of the program left.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

/// What a run of the program left.
#[must_use = "a run that nobody looks at tests nothing"]
#[derive(Debug)]
pub(crate) struct Output {
    /// The command line, for messages.
    pub(crate) command: String,
    /// The exit status; `None` after a signal.
    pub(crate) status: Option<i32>,
    /// Standard output.
    pub(crate) stdout: String,
    /// Standard error.
    pub(crate) stderr: String,
}

impl Output {
    /// This run, if it ended with status 0.
    ///
    /// # Panics
    ///
    /// If it did not, with everything it said.
    #[track_caller]
    pub(crate) fn succeeded(self) -> Self {
        self.ended(0)
    }

    /// This run, if it ended with this status.
    ///
    /// # Panics
    ///
    /// If it did not, with everything it said.
    #[track_caller]
    pub(crate) fn ended(self, status: i32) -> Self {
        assert!(self.status == Some(status), "not status {status}: {self}");
        self
    }

    /// The events of a run with `--json`.
    pub(crate) fn events(&self) -> Vec<Value> {
        let parse = |line: &str| serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line}: {self}"));
        self.stdout.lines().map(parse).collect()
    }

    /// How every node ended, by full name.
    pub(crate) fn results(&self) -> BTreeMap<String, String> {
        let text = |event: &Value, field: &str| event[field].as_str().unwrap_or_default().to_owned();
        self.events()
            .iter()
            .filter(|event| event["event"] == "node-finished")
            .map(|event| (text(event, "name"), text(event, "result")))
            .collect()
    }

    /// The full names of all nodes that ended with `result`: `built`, `cached`, `cutoff`, `failed` or `skipped`.
    pub(crate) fn with_result(&self, result: &str) -> BTreeSet<String> {
        let results = self.results();
        results
            .into_iter()
            .filter(|(_, found)| found == result)
            .map(|(name, _)| name)
            .collect()
    }

    /// The full names of all nodes that ran to their end.
    pub(crate) fn ran(&self) -> BTreeSet<String> {
        self.with_result("built")
    }

    /// Compares the nodes that ran with those that should have, named as in the farm (`pkg/dev-libs/bar-2.0`).
    ///
    /// # Panics
    ///
    /// If the run failed, or others ran.
    #[track_caller]
    pub(crate) fn assert_ran(&self, what: &str, nodes: &[&str]) {
        assert!(self.status == Some(0), "{what}: {self}");
        let ran: BTreeSet<String> = self
            .ran()
            .into_iter()
            .map(|name| name.split_once(':').map_or(name.clone(), |(_, local)| local.to_owned()))
            .collect();
        let wanted: BTreeSet<String> = nodes.iter().map(|name| (*name).to_owned()).collect();
        let missing: Vec<&String> = wanted.difference(&ran).collect();
        let surplus: Vec<&String> = ran.difference(&wanted).collect();
        assert!(
            missing.is_empty() && surplus.is_empty(),
            "{what}: ran without being expected: {surplus:?}; expected and did not run: {missing:?}\n{}",
            self.reasons()
        );
    }

    /// Why every node ran, one a line.
    fn reasons(&self) -> String {
        let started = self
            .events()
            .into_iter()
            .filter(|event| event["event"] == "node-started");
        started
            .map(|event| format!("{}: {}\n", event["name"], event["reason"]))
            .collect()
    }
}

impl std::fmt::Display for Output {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let status = self
            .status
            .map_or_else(|| "a signal".to_owned(), |status| format!("status {status}"));
        write!(
            out,
            "`{}` ended with {status}\n--- stdout\n{}\n--- stderr\n{}",
            self.command, self.stdout, self.stderr
        )
    }
}
