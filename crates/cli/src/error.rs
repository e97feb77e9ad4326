//! What stops a command, as sentences: the one place where errors become messages.

use farm_engine::FailureKind;

use crate::exit::Status;
use crate::paint::{Paint, Role};

/// Why a command could not do what it was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct CliError {
    /// Whose fault it is.
    pub(crate) kind: FailureKind,
    /// What happened, as a sentence fragment, possibly with further lines.
    pub(crate) message: String,
    /// What to do about it.
    pub(crate) hint: Option<String>,
    /// A text with places and carets that says more than the message and stands in its place.
    pub(crate) rendered: Option<String>,
}

impl CliError {
    fn new(kind: FailureKind, message: impl Into<String>) -> Self {
        Self {
            kind,
            message: message.into(),
            hint: None,
            rendered: None,
        }
    }

    /// The user's.
    pub(crate) fn input(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Input, message)
    }

    /// The machine's.
    pub(crate) fn environment(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Environment, message)
    }

    /// Ours.
    pub(crate) fn bug(message: impl Into<String>) -> Self {
        Self::new(FailureKind::Bug, message)
    }

    /// Adds what to do about it.
    #[must_use]
    pub(crate) fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }

    /// How the process ends because of it.
    pub(crate) fn status(&self) -> Status {
        self.kind.into()
    }

    /// The text for people, one line an element.
    pub(crate) fn lines(&self, paint: Paint) -> Vec<String> {
        let mut lines: Vec<String> = match &self.rendered {
            Some(rendered) => rendered.trim_end().lines().map(str::to_owned).collect(),
            None => vec![format!(
                "{} {}",
                paint.paint(Role::Error, "error:"),
                self.message.trim_end()
            )],
        };
        if self.kind == FailureKind::Bug {
            lines.push("This is a bug of farm's: please report it with what you did.".to_owned());
        }
        if let Some(hint) = &self.hint {
            lines.push(format!("{} {hint}", paint.paint(Role::Hint, "hint:")));
        }
        lines
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn message_and_hint() {
        let error = CliError::input("no such farm: hep").hint("farms here: hepfarm");
        insta::assert_snapshot!(error.lines(Paint::default()).join("\n"), @r"
        error: no such farm: hep
        hint: farms here: hepfarm
        ");
        assert_eq!(error.status(), Status::Usage);
    }

    #[test]
    fn diagnostics_stand_in_place_of_the_message() {
        let error = CliError {
            rendered: Some("error: unknown key\n --> farm.yaml:1:1\n".to_owned()),
            ..CliError::input("the manifest is wrong")
        };
        assert_eq!(
            error.lines(Paint::default()),
            ["error: unknown key", " --> farm.yaml:1:1"]
        );
    }

    #[test]
    fn a_bug_says_so() {
        let lines = CliError::bug("a worker thread was lost").lines(Paint::default());
        assert!(lines[1].contains("bug of farm's"), "{lines:?}");
    }
}
