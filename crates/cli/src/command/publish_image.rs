//! `farm publish-image`.

use crate::args::RunArgs;
use crate::domain;
use crate::error::CliError;
use crate::exit::Status;
use crate::output::Results;
use crate::session::App;

/// Builds what is missing, pushes the images, and prints each as `REFERENCE@DIGEST`.
pub(crate) fn run(app: &App, args: &RunArgs, results: &mut Results) -> Result<Status, CliError> {
    super::build::run_with(app, args, results, |session, words, options, events| {
        let (summary, images) = domain::publish_image(&session.setup, words, options, events)?;
        let lines = images.into_iter().map(|image| format!("{}@{}", image.reference, image.digest)).collect();
        Ok((summary, lines))
    })
}
