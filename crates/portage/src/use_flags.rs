//! USE flags with a sign, as package.use and `USE` write them.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use crate::name::{FlagName, NameError, NameKind};

/// `foo`, `-foo` or `-*`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SignedFlag {
    /// The flag is switched on.
    Enable(FlagName),
    /// The flag is switched off.
    Disable(FlagName),
    /// `-*`: every flag that was set before is forgotten.
    DisableAll,
}

impl SignedFlag {
    /// Parses a flag with an optional `-` before it, or `-*`.
    ///
    /// # Errors
    /// [`NameError`] when what follows the sign is no flag name; its span counts from the start of `text`, sign and all.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (sign, name) = match text.strip_prefix('-') {
            Some("*") => return Ok(Self::DisableAll),
            Some(name) => (1, name),
            None => (0, text),
        };
        match FlagName::parse(name) {
            Ok(flag) if sign == 1 => Ok(Self::Disable(flag)),
            Ok(flag) => Ok(Self::Enable(flag)),
            Err(error) => Err(NameError {
                text: text.to_owned(),
                span: shift(&error.span, sign),
                ..error
            }),
        }
    }

    /// The flag that is named, if one is.
    #[must_use]
    pub fn name(&self) -> Option<&FlagName> {
        match self {
            Self::Enable(name) | Self::Disable(name) => Some(name),
            Self::DisableAll => None,
        }
    }

    /// Whether the flag is switched on.
    #[must_use]
    pub fn is_enabled(&self) -> bool {
        matches!(self, Self::Enable(_))
    }
}

impl fmt::Display for SignedFlag {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Enable(name) => write!(f, "{name}"),
            Self::Disable(name) => write!(f, "-{name}"),
            Self::DisableAll => f.write_str("-*"),
        }
    }
}

impl FromStr for SignedFlag {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

/// Says whether `text` is a USE flag without a sign, by Portage's rule (`_get_useflag_re` in `portage.dep`).
#[must_use]
pub fn is_flag_name(text: &str) -> bool {
    NameKind::UseFlag.check(text).is_ok()
}

/// Moves a span towards the end of a text.
pub(crate) fn shift(span: &Range<usize>, by: usize) -> Range<usize> {
    span.start + by..span.end + by
}
