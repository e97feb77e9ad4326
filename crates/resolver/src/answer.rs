//! The answer file of the resolver program.

use serde::Deserialize;

use crate::{Plan, Refusal, native};

/// The format this crate reads, the program's `FORMAT`.
const FORMAT: u32 = 1;

/// What the program wrote.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    /// Portage's version, such as `3.0.83`.
    pub portage: String,
    /// The `emerge` command line that was answered, as it is shown to people.
    pub command: Vec<String>,
    /// What Portage printed while it read its configuration and resolved: invalid atoms, missing repositories and the like. Empty when all is
    /// well.
    pub warnings: String,
    /// Whether Portage could resolve.
    pub outcome: Outcome,
}

/// Portage's decision.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It resolved. Wherever a compiler said what `native` means, the plan has that instead.
    Plan(Box<Plan>),
    /// It did not, which is for the user to mend.
    Refusal(Box<Refusal>),
}

/// An answer that is none.
#[derive(Debug, thiserror::Error)]
pub enum AnswerError {
    /// The file is no JSON, or a field is missing or of another type: the program and this crate do not belong together (a fault of ours).
    #[error("the resolver program's answer cannot be read: {0}")]
    Malformed(#[from] serde_json::Error),
    /// The file is of another format (a fault of ours).
    #[error("the resolver program's answer has format {0}, not {FORMAT}")]
    Format(u32),
    /// The file says it is something that it does not hold (a fault of ours).
    #[error("the resolver program's answer says `{0}` but does not hold one")]
    Empty(String),
    /// Portage or the program stopped with an exception: a broken root, or a Portage this program does not know. Portage's output comes first.
    #[error("Portage stopped while resolving:\n{warnings}{trace}")]
    Crash {
        /// What had been printed until then.
        warnings: String,
        /// Python's traceback.
        trace: String,
    },
}

#[derive(Deserialize)]
struct File {
    format: u32,
    portage: String,
    command: Vec<String>,
    warnings: String,
    outcome: String,
    #[serde(default)]
    plan: Option<Box<Plan>>,
    #[serde(default)]
    refusal: Option<Box<Refusal>>,
    #[serde(default)]
    crash: Option<String>,
}

impl Answer {
    /// Reads an answer file.
    ///
    /// # Errors
    /// [`AnswerError`]: all variants but [`AnswerError::Crash`] are faults of farm's own.
    pub fn parse(bytes: &[u8]) -> Result<Self, AnswerError> {
        let file: File = serde_json::from_slice(bytes)?;
        if file.format != FORMAT {
            return Err(AnswerError::Format(file.format));
        }
        let outcome = match (file.outcome.as_str(), file.plan, file.refusal, file.crash) {
            ("plan", Some(mut plan), ..) => {
                plan.check()?;
                native::make_explicit(&mut plan);
                Outcome::Plan(plan)
            }
            ("refusal", _, Some(refusal), _) => Outcome::Refusal(refusal),
            ("crash", _, _, Some(trace)) => {
                return Err(AnswerError::Crash {
                    warnings: file.warnings,
                    trace,
                });
            }
            _ => return Err(AnswerError::Empty(file.outcome)),
        };
        Ok(Self {
            portage: file.portage,
            command: file.command,
            warnings: file.warnings,
            outcome,
        })
    }
}
