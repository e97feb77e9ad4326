//! What a run is: root, files, command, network, limits; the traits that executors implement.
//!
//! The domain describes a run as plain data ([`RunSpec`]) and never learns how it is carried out; Docker, Podman and the
//! namespace sandbox implement [`Executor`] and [`ImageStore`]. Everything crosses the border as tar streams, so that a
//! remote engine is as good as a local one and no file on the host ever belongs to anybody but the user.

mod cancel;
mod error;
mod image;
mod run;

pub use cancel::CancelToken;
pub use error::ExecutorError;
pub use image::{ImageId, ImageInfo, ImageStore, Progress, PushAuth, PushedImage};
pub use run::{Collect, Companion, Exit, Limits, LogSink, Network, OutputSink, RunSpec, TarSource, VolumeMount};

/// Carries out runs and keeps the images they start from.
///
/// Implementations are shared between worker threads; every call blocks until it is done or cancelled.
pub trait Executor: ImageStore + Send + Sync {
    /// The word for people and for events: `docker`, `podman`, `sandbox`.
    fn name(&self) -> &str;

    /// Runs one action to its end and hands over what it made.
    ///
    /// The order is: create from the image, upload every [`RunSpec::files`], start, stream the output to `log`, wait, hand
    /// the collected paths to `outputs`, remove. Whatever happens, nothing of the run is left behind in the engine.
    ///
    /// # Errors
    ///
    /// A command that ends with a status other than zero is not an error but an [`Exit`]. [`ExecutorError::Cancelled`] when
    /// the token fired; the container is gone by then.
    fn run(
        &self,
        spec: &RunSpec,
        log: &mut dyn LogSink,
        outputs: &mut dyn OutputSink,
        cancel: &CancelToken,
    ) -> Result<Exit, ExecutorError>;

    /// Removes containers and volumes that carry this label and value: what a killed run left behind.
    ///
    /// Returns how many containers were removed.
    fn remove_leftovers(&self, label: &str, value: &str) -> Result<usize, ExecutorError>;
}
