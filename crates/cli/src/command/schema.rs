//! `farm schema`.

use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;

/// Prints the JSON Schema of a manifest.
pub(crate) fn run(results: &mut Results) -> Result<Status, CliError> {
    // People read it, too.
    results.line(&format!("{:#}", farm_manifest::schema()));
    Ok(Status::Done)
}
