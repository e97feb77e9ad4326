//! `farm publish-pkgs`.

use clap::Args;

use crate::args::RunArgs;
use crate::domain;
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// The arguments of `farm publish-pkgs`.
#[derive(Debug, Args)]
pub(crate) struct PublishPkgsArgs {
    #[command(flatten)]
    pub(super) run: RunArgs,
    /// Publish without signatures; for manifests that name no key with `sign:`
    #[arg(long)]
    unsigned: bool,
}

/// Builds what is missing, signs the binary packages, and publishes them.
pub(crate) fn run(app: &App, args: &PublishPkgsArgs, results: &mut Results) -> Result<Status, CliError> {
    super::build::run_with(app, &args.run, results, |invocation, words, options, events| {
        let summary = domain::publish_pkgs(&invocation.setup, words, options, args.unsigned, events)?;
        Ok((summary, Vec::new()))
    })
}
