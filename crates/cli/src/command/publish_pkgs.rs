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
    /// Publish without signatures
    #[arg(long)]
    unsigned: bool,
}

/// Builds what is missing and publishes the binary packages.
pub(crate) fn run(app: &App, args: &PublishPkgsArgs, results: &mut Results) -> Result<Status, CliError> {
    if !args.unsigned {
        return Err(CliError::input(
            "packages cannot be signed yet, and are not published unsigned unless somebody says so",
        )
        .hint("add `--unsigned` to publish them without signatures"));
    }
    super::build::run_with(app, &args.run, results, |invocation, words, options, events| {
        let summary = domain::publish_pkgs(&invocation.setup, words, options, args.unsigned, events)?;
        Ok((summary, Vec::new()))
    })
}
