//! `fetch/FILE`: a source file, keyed by its hashes alone, so that a failed compile never downloads again.

use std::collections::BTreeMap;
use std::sync::Arc;

use farm_engine::{Class, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_resolver::{DistFile, Package};

use super::base::Tell;
use super::network;
use crate::action::Action;
use crate::context::{Context, io_failure};
use crate::fetcher::{self, Sources};
use crate::place::Place;

/// A source file and where it may come from.
#[derive(Debug, Clone, PartialEq)]
pub struct FetchData {
    /// What is wanted.
    pub file: DistFile,
    /// Who wants it.
    pub cpv: String,
    /// RESTRICT=fetch: nobody but a person may get it, and this is what the ebuild says to them.
    pub instructions: Option<String>,
    /// RESTRICT=mirror: only where the ebuild says.
    pub no_mirrors: bool,
    /// Where to look.
    pub sources: Arc<Sources>,
}

/// What tells two files of one name apart.
#[must_use]
pub fn identity(file: &DistFile) -> String {
    let hashes: Vec<String> = file.hashes.iter().map(|(name, hex)| format!("{name}:{hex}")).collect();
    hashes.join(" ")
}

/// The name of a file's node: `FARM:fetch/FILE`, with the beginning of a hash where another file has that name.
#[must_use]
pub fn name(farm: &str, file: &DistFile, taken: &BTreeMap<String, String>) -> String {
    let plain = format!("{farm}:fetch/{}", file.name);
    match taken.get(&plain) {
        Some(other) if *other != identity(file) => {
            format!("{plain}@{}", Digest::of(identity(file).as_bytes()).short())
        }
        _ => plain,
    }
}

/// The node of a source file.
#[must_use]
pub fn node(name: String, file: &DistFile, package: &Package, sources: Arc<Sources>) -> NodeSpec<Action> {
    let restricts = |word: &str| package.restrict.iter().any(|restriction| restriction == word);
    let mut inputs: Vec<Input> = file
        .hashes
        .iter()
        .map(|(hash, hex)| Input::text(format!("hash/{hash}"), hex))
        .collect();
    if let Some(size) = file.size {
        inputs.push(Input::text("size", size.to_string()));
    }
    NodeSpec {
        name,
        kind: "fetch".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies: Vec::new(),
        expands: false,
        pools: network(),
        action: Action::Fetch(Box::new(FetchData {
            file: file.clone(),
            cpv: package.cpv.clone(),
            instructions: restricts("fetch").then(|| package.fetch_instructions.clone()),
            no_mirrors: restricts("mirror"),
            sources,
        })),
    }
}

/// Gets the file.
pub fn run(context: &Context, run: &Run<'_>, name: &str, data: &FetchData) -> Result<Vec<Output>, Failure> {
    let file = &data.file;
    if file.hashes.is_empty() {
        let message = format!("{}: the Manifest does not have {}", data.cpv, file.name);
        return Err(Failure::new(FailureKind::Input, message).hint("make it with `ebuild FILE.ebuild manifest`"));
    }
    context.with_scratch(|scratch| {
        let target = scratch.join("file");
        fetcher::fetch(context, data, &target, &mut Tell { run, name })?;
        let blob = context
            .store
            .put_file(&target)
            .map_err(|error| io_failure("keep a source file", &error))?;
        Ok(vec![Place::Store { blob }.output("file", blob.digest)])
    })
}
