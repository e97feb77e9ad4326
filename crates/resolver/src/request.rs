//! What the resolver program is asked.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What is asked of Portage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Mode {
    /// The members, built anew in any case, and what they need that the root does not have.
    #[default]
    Members,
    /// What is newer or is wanted with other flags, of the members and all that they need (`--update --deep --newuse`).
    Update,
    /// The members and all that they need, as if nothing were there (`--emptytree`).
    Emptytree,
}

impl Mode {
    /// The word of the request.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Members => "members",
            Self::Update => "update",
            Self::Emptytree => "emptytree",
        }
    }
}

/// One question to Portage: how these members are to be built in the root the program runs in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// Atoms and `@sets` as emerge takes them. With [`Mode::Members`] they are always nodes, even where the root already holds them.
    pub members: Vec<String>,
    /// What is to be built of them.
    #[serde(default)]
    pub mode: Mode,
    /// Atoms of packages that are built anew although they are there; for [`Mode::Update`], which would leave them.
    #[serde(default)]
    pub reinstall: Vec<String>,
    /// Further options of emerge (the manifest's `resolve:`), after farm's own.
    pub options: Vec<String>,
    /// What the subjects this one needs have chosen, as `=category/pf`. It is a strong wish: what cannot be had together with the members is
    /// dropped, and [`Plan::dropped_seed`](crate::Plan::dropped_seed) says so.
    pub seed: Vec<String>,
    /// The whole environment Portage sees. It must be the one that emerge gets when it builds, because all of it can reach a package.
    pub environment: BTreeMap<String, String>,
}

impl Request {
    /// The bytes of the request file: sorted JSON.
    ///
    /// # Panics
    /// Never: every field is a string, a list or a map of strings.
    #[must_use]
    pub fn to_json(&self) -> Vec<u8> {
        serde_json::to_vec_pretty(self).expect("strings, lists and maps of strings are JSON")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_survives_its_file() {
        let request = Request {
            members: vec!["dev-libs/foo".into(), "@hep".into()],
            mode: Mode::Update,
            reinstall: vec!["sys-libs/glibc".into()],
            options: vec!["--exclude=sys-devel/gcc".into()],
            seed: vec!["=dev-libs/bar-1".into()],
            environment: BTreeMap::from([("LC_ALL".into(), "C.UTF-8".into())]),
        };
        assert_eq!(serde_json::from_slice::<Request>(&request.to_json()).unwrap(), request);
    }
}
