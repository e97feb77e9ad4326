//! `farm publish-image`.

use serde_json::json;

use super::build::Line;
use crate::args::RunArgs;
use crate::domain::{self, PublishedImage};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// Builds what is missing, pushes the images, and prints each as `REFERENCE@DIGEST`.
pub(crate) fn run(app: &App, args: &RunArgs, results: &mut Results) -> Result<Status, CliError> {
    super::build::run_with(app, args, results, |invocation, words, options, events| {
        let (summary, images) = domain::publish_image(&invocation.setup, words, options, events)?;
        let line = |image: PublishedImage| Line {
            text: format!("{}@{}", image.reference, image.digest),
            json: json!({ "event": "image-published", "reference": image.reference, "digest": image.digest }),
        };
        Ok((summary, images.into_iter().map(line).collect()))
    })
}
