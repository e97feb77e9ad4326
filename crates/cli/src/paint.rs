//! Colours by role. Everything can be read without them: they repeat what the words say.

use std::fmt::Display;

use owo_colors::{OwoColorize as _, Style};

/// What a piece of text is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Something failed.
    Error,
    /// Something people should know.
    Note,
    /// What to do.
    Hint,
    /// Something went well.
    Good,
    /// What matters less than the rest of its line.
    Dim,
}

/// Whether and how text is coloured, decided once for a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Paint {
    /// Whether escapes are written at all.
    pub(crate) colour: bool,
}

impl Paint {
    /// `text` in the colour of its role.
    pub(crate) fn paint(self, role: Role, text: impl Display) -> String {
        if !self.colour {
            return text.to_string();
        }
        let style = match role {
            Role::Error => Style::new().red().bold(),
            Role::Note => Style::new().yellow().bold(),
            Role::Hint => Style::new().cyan(),
            Role::Good => Style::new().green(),
            Role::Dim => Style::new().dimmed(),
        };
        text.style(style).to_string()
    }
}
