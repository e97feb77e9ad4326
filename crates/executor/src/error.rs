//! What can go wrong between farm and whoever runs its actions.

use thiserror::Error;

/// A failure of the executor itself, as opposed to a command that ended badly.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum ExecutorError {
    /// No engine answers. Environment.
    #[error("no {name} engine answers at {address}: {reason}")]
    Unreachable {
        /// `docker`, `podman`…
        name: String,
        /// Socket path or address that was tried.
        address: String,
        /// What the connection attempt said.
        reason: String,
    },
    /// The engine has no such image, nor could get it. Environment.
    #[error("image {image} is not there")]
    NoSuchImage {
        /// Reference or id as asked for.
        image: String,
    },
    /// A registry refused or could not be reached. Environment.
    #[error("registry operation on {reference} failed: {reason}")]
    Registry {
        /// The image reference.
        reference: String,
        /// The engine's or registry's own words.
        reason: String,
    },
    /// The engine answered with an error. Environment, unless the request was wrong.
    #[error("{operation} failed: {reason}")]
    Engine {
        /// What was asked of the engine, as a short phrase.
        operation: String,
        /// The engine's own words.
        reason: String,
    },
    /// An upload's source or an output's sink failed on our side. Environment.
    #[error("{what}: {source}")]
    Stream {
        /// Which stream.
        what: String,
        /// The underlying failure.
        source: std::io::Error,
    },
    /// The run was stopped because its token fired.
    #[error("cancelled")]
    Cancelled,
}
