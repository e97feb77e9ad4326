//! Why something about releases could not be told or done.

use std::path::PathBuf;

use crate::{ErrorKind, PublishError};

/// Why releases could not be listed, compared, tagged, pruned or published again. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ReleaseError {
    /// What [`publish`](crate::publish) can meet, too.
    #[error(transparent)]
    Publish(#[from] PublishError),
    /// Nothing was published there (input).
    #[error("nothing was published in {}", .0.display())]
    NoReleases(PathBuf),
    /// Neither a number nor a tag of a release (input).
    #[error("there is no release `{word}`")]
    NoSuchRelease {
        /// What was asked for.
        word: String,
        /// What there is, for people.
        there: String,
    },
    /// No release is in force: the index is gone, or not one that farm published (input).
    #[error("no release is in force: the index in {} is not one of those published there", .0.display())]
    NoneInForce(PathBuf),
    /// There is no release before this one (input).
    #[error("there is no release before {0}")]
    NoneBefore(u64),
    /// A text that cannot be a tag (input).
    #[error("`{0}` cannot be a tag")]
    BadTag(String),
    /// There is no such tag (input).
    #[error("there is no tag `{0}`")]
    NoSuchTag(String),
    /// Packages of a release are gone, or are not what was published (environment).
    #[error("release {release} is not whole: {}", faults.join("; "))]
    NotWhole {
        /// Its number.
        release: u64,
        /// What is wrong, a file each.
        faults: Vec<String>,
    },
    /// The packages are signed, and nobody said who signs (input).
    #[error("the packages are signed by {0}, and no key is named that signs those that must be made anew")]
    NeedsKey(String),
}

impl ReleaseError {
    /// Tells whose fault this is.
    pub fn kind(&self) -> ErrorKind {
        match self {
            Self::Publish(error) => error.kind(),
            Self::NotWhole { .. } => ErrorKind::Environment,
            _ => ErrorKind::Input,
        }
    }

    /// Says what to do about it.
    pub fn hint(&self) -> Option<String> {
        match self {
            Self::Publish(error) => error.hint().map(str::to_owned),
            Self::NoSuchRelease { there, .. } => Some(format!("there is {there}")),
            Self::BadTag(_) => Some(
                "a tag begins with a letter, has letters, digits, `.`, `_` and `-`, at most 64 of them, and is not `current`"
                    .to_owned(),
            ),
            Self::NotWhole { .. } => Some("`farm binhost check` names everything that is wrong".to_owned()),
            Self::NeedsKey(key) => Some(format!("`--sign {key}` says so")),
            Self::NoneInForce(_) => Some("the next publication mends it; name the release by its number".to_owned()),
            Self::NoReleases(_) | Self::NoneBefore(_) | Self::NoSuchTag(_) => None,
        }
    }
}

impl From<std::io::Error> for ReleaseError {
    fn from(error: std::io::Error) -> Self {
        Self::Publish(error.into())
    }
}
