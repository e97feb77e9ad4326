//! The client's errors in the executor's terms.

use std::error::Error as _;

use bollard::errors::Error;
use farm_executor::ExecutorError;

use crate::DockerExecutor;

/// What an error says, with all its causes: the outermost alone is often just "client error".
pub(crate) fn words(error: &Error) -> String {
    match error {
        Error::DockerResponseServerError { message, .. } => message.trim().to_owned(),
        Error::DockerStreamError { error } => error.trim().to_owned(),
        Error::RequestTimeoutError => "no answer in time".to_owned(),
        other => {
            let mut text = other.to_string();
            let mut cause = other.source();
            while let Some(error) = cause {
                let words = error.to_string();
                if !text.ends_with(&words) {
                    text.push_str(": ");
                    text.push_str(&words);
                }
                cause = error.source();
            }
            text
        }
    }
}

/// Whether the engine answered that it has no such thing.
pub(crate) fn is_missing(error: &Error) -> bool {
    status(error) == Some(404)
}

/// The status of the engine's answer, when there was one.
pub(crate) fn status(error: &Error) -> Option<u16> {
    match error {
        Error::DockerResponseServerError { status_code, .. } => Some(*status_code),
        _ => None,
    }
}

/// Whether an error is the engine's or a registry's own word, and not a broken connection to the engine.
fn is_answer(error: &Error) -> bool {
    matches!(
        error,
        Error::DockerResponseServerError { .. } | Error::DockerStreamError { .. } | Error::JsonDataError { .. }
    )
}

impl DockerExecutor {
    /// A failure of `operation`, a phrase such as `starting the container`.
    pub(crate) fn fault(&self, operation: &str, error: &Error) -> ExecutorError {
        if is_answer(error) || matches!(error, Error::RequestTimeoutError) {
            return ExecutorError::Engine {
                operation: operation.to_owned(),
                reason: words(error),
            };
        }
        // The answer breaks off in the middle when the engine ends, which it does not say: name the operation too.
        ExecutorError::Unreachable {
            name: self.name.to_owned(),
            address: self.address.clone(),
            reason: format!("{operation}: {}", words(error)),
        }
    }

    /// A failure of something that needed a registry.
    pub(crate) fn registry_fault(&self, reference: &str, error: &Error) -> ExecutorError {
        if is_answer(error) {
            return ExecutorError::Registry {
                reference: reference.to_owned(),
                reason: words(error),
            };
        }
        self.fault("asking a registry", error)
    }
}
