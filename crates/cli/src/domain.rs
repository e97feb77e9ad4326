//! The border to the domain, in one place.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use farm_engine::{Change, EventSink, FailureKind, NodeState, Reason, Summary};
use farm_executor::{CancelToken, Executor, ExecutorError};

use crate::error::CliError;

pub(crate) type Connect = dyn Fn() -> Result<Arc<dyn Executor>, ExecutorError> + Send + Sync;

pub(crate) struct Setup {
    pub(crate) workspace: Option<PathBuf>,
    pub(crate) current_dir: PathBuf,
    pub(crate) environment: BTreeMap<String, String>,
    pub(crate) scratch: PathBuf,
    pub(crate) connect: Box<Connect>,
    pub(crate) cancel: CancelToken,
    pub(crate) holder: String,
}

pub(crate) struct Words {
    pub(crate) targets: Vec<String>,
    pub(crate) variables: Vec<(String, String)>,
}

impl Words {
    pub(crate) fn parse(words: &[String]) -> Self {
        let mut me = Self { targets: vec![], variables: vec![] };
        for word in words {
            match word.split_once('=') {
                Some((a, b)) => me.variables.push((a.to_owned(), b.to_owned())),
                None => me.targets.push(word.clone()),
            }
        }
        me
    }
}

#[derive(Debug, Clone, Default)]
pub(crate) struct BuildOptions {
    pub(crate) jobs: usize,
    pub(crate) keep_going: bool,
    pub(crate) dry_run: bool,
    pub(crate) plan: bool,
    pub(crate) rebuild: Vec<String>,
}

pub(crate) struct FarmError {
    pub(crate) kind: FailureKind,
    pub(crate) message: String,
    pub(crate) hint: Option<String>,
    pub(crate) rendered: Option<String>,
}

impl From<FarmError> for CliError {
    fn from(error: FarmError) -> Self {
        let FarmError { kind, message, hint, rendered } = error;
        Self { kind, message, hint, rendered }
    }
}

pub(crate) struct PublishedImage {
    pub(crate) reference: String,
    pub(crate) digest: String,
}
pub(crate) struct PlanView {
    pub(crate) text: String,
    pub(crate) json: serde_json::Value,
}
pub(crate) struct UpdateView {
    pub(crate) changes: Vec<String>,
    pub(crate) plan: Option<PlanView>,
}
pub(crate) struct TargetLine {
    pub(crate) name: String,
    pub(crate) kind: String,
    pub(crate) about: String,
}
pub(crate) struct WhyAnswer {
    pub(crate) node: String,
    pub(crate) state: NodeState,
    pub(crate) when: When,
    pub(crate) reason: Option<Reason>,
    pub(crate) changes: Vec<Change>,
}
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum When {
    Pending,
    Last,
}
pub(crate) struct GraphNode {
    pub(crate) name: String,
    pub(crate) kind: String,
}
pub(crate) struct GraphEdge {
    pub(crate) from: String,
    pub(crate) to: String,
}
pub(crate) struct GraphView {
    pub(crate) nodes: Vec<GraphNode>,
    pub(crate) edges: Vec<GraphEdge>,
}
pub(crate) struct CleanReport {
    pub(crate) removed: Vec<String>,
}

fn none<T>(setup: &Setup, words: &Words) -> Result<T, FarmError> {
    let _ = (&setup.workspace, &setup.current_dir, &setup.environment, &setup.scratch, &setup.connect, &setup.cancel, &setup.holder, &words.targets, &words.variables);
    Err(FarmError { kind: FailureKind::Bug, message: "not linked".to_owned(), hint: None, rendered: None })
}
pub(crate) fn build(setup: &Setup, words: &Words, options: &BuildOptions, _: &dyn EventSink) -> Result<Summary, FarmError> {
    let _ = (options.jobs, options.keep_going, options.dry_run, options.plan, &options.rebuild);
    none(setup, words)
}
pub(crate) fn publish_pkgs(setup: &Setup, words: &Words, _: &BuildOptions, _unsigned: bool, _: &dyn EventSink) -> Result<Summary, FarmError> {
    none(setup, words)
}
pub(crate) fn publish_image(setup: &Setup, words: &Words, _: &BuildOptions, _: &dyn EventSink) -> Result<(Summary, Vec<PublishedImage>), FarmError> {
    none(setup, words)
}
pub(crate) fn plan(setup: &Setup, words: &Words, _: &BuildOptions, _write: bool, _: &dyn EventSink) -> Result<PlanView, FarmError> {
    none(setup, words)
}
pub(crate) fn update(setup: &Setup, words: &Words, _: &dyn EventSink) -> Result<UpdateView, FarmError> {
    none(setup, words)
}
pub(crate) fn targets(setup: &Setup, words: &Words) -> Result<Vec<TargetLine>, FarmError> {
    none(setup, words)
}
pub(crate) fn why(setup: &Setup, words: &Words) -> Result<Vec<WhyAnswer>, FarmError> {
    none(setup, words)
}
pub(crate) fn graph(setup: &Setup, words: &Words) -> Result<GraphView, FarmError> {
    none(setup, words)
}
pub(crate) fn log(setup: &Setup, words: &Words) -> Result<PathBuf, FarmError> {
    none(setup, words)
}
pub(crate) fn clean(setup: &Setup, words: &Words, _all: bool) -> Result<CleanReport, FarmError> {
    none(setup, words)
}
