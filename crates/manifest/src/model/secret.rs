//! What git logs in with: `secrets:`.

use camino::Utf8PathBuf;

use crate::address::AddressPrefix;
use crate::span::Spanned;

/// What git logs in with where addresses begin in one way. Nothing secret is in here: only where it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Secret {
    /// The name.
    pub name: Spanned<String>,
    /// The beginning of the addresses. No two secrets of a farm have the same.
    pub prefix: Spanned<AddressPrefix>,
    /// What is shown there.
    pub access: SecretAccess,
}

/// What is shown to a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretAccess {
    /// The first line of a file, as the password of a user.
    Token {
        /// The file: absolute, or `~/…`, or relative to the workspace, where it may begin with `..`.
        file: Spanned<Utf8PathBuf>,
        /// The name of the user.
        user: String,
    },
    /// A key of the user's ssh agent.
    Agent,
}
