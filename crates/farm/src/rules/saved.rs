//! The whole tree of an image, as its layers have it.

use std::io::{self, Read};
use std::path::Path;

use farm_engine::{Failure, FailureKind};
use farm_executor::ImageId;
use farm_image::SavedTree;

use crate::context::{Context, executor_failure, io_failure};
use crate::fetcher;

/// Reads an image. Contents lie in `scratch` as long as the tree is there. `what` is what cannot be done where that fails.
///
/// # Errors
///
/// The environment's: the engine, or a disk that is full; or somebody stopped it.
pub(super) fn tree(context: &Context, image: &ImageId, scratch: &Path, what: &str) -> Result<SavedTree, Failure> {
    let mut saved = None;
    context
        .executor()?
        .save(image, &mut |archive| {
            saved = Some(SavedTree::read(&mut Until { archive, context }, &decompress, scratch));
            // Whatever is wrong is said by what was read.
            Ok(())
        })
        .map_err(|error| executor_failure(&error))?;
    saved
        .ok_or_else(|| Failure::new(FailureKind::Bug, "the executor gave no image"))?
        .map_err(|error| io_failure(what, &error))
}

fn decompress<'a>(layer: &'a mut dyn Read) -> io::Result<Box<dyn Read + 'a>> {
    fetcher::decompressed(layer)
}

/// Stops reading when somebody says so.
struct Until<'a> {
    archive: &'a mut dyn Read,
    context: &'a Context,
}

impl Read for Until<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.context.cancel.is_cancelled() {
            return Err(io::Error::other("cancelled"));
        }
        self.archive.read(buffer)
    }
}
