//! Where live ebuilds take their source from, in the words of `git-r3.eclass`.

use serde::{Deserialize, Serialize};

use crate::Package;

/// The eclasses that fetch from something other than git, or from git in a way of their own.
const OTHER_ECLASSES: [&str; 8] = [
    "bzr",
    "cvs",
    "darcs",
    "git-2",
    "golang-vcs",
    "mercurial",
    "subversion",
    "tla",
];

/// What a live ebuild says of its source.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct LiveSource {
    /// EGIT_REPO_URI: addresses of one repository, to be tried in this order.
    pub uris: Vec<String>,
    /// EGIT_BRANCH; empty for what the server calls HEAD.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub branch: String,
    /// EGIT_COMMIT: the name of a tag, or a commit's id; empty for the newest.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub commit: String,
    /// EGIT_COMMIT_DATE.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub date: String,
    /// EGIT_LFS.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub lfs: bool,
    /// EGIT_SUBMODULES: patterns of submodules, those to be left out with a `-` in front; `None` for all of them.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub submodules: Option<Vec<String>>,
    /// Why nothing of this is known; else empty.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub error: String,
}

/// What an ebuild asks a repository for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LiveRef {
    /// Whatever this is in the repository when somebody looks: `HEAD`, `refs/heads/…` or `refs/tags/…`.
    Named(String),
    /// A commit by its whole id, which is the same for ever.
    Commit(String),
}

impl LiveSource {
    /// What is wanted of the repository, as `git-r3.eclass` decides it: the commit or tag, else the branch, else HEAD.
    #[must_use]
    pub fn wanted(&self) -> LiveRef {
        if is_commit(&self.commit) {
            LiveRef::Commit(self.commit.to_ascii_lowercase())
        } else if self.commit.starts_with("refs/") {
            LiveRef::Named(self.commit.clone())
        } else if !self.commit.is_empty() {
            LiveRef::Named(format!("refs/tags/{}", self.commit))
        } else {
            LiveRef::Named(self.branch_ref().unwrap_or_else(|| "HEAD".to_owned()))
        }
    }

    /// The branch that is named, as a ref.
    #[must_use]
    pub fn branch_ref(&self) -> Option<String> {
        (!self.branch.is_empty()).then(|| format!("refs/heads/{}", self.branch))
    }
}

/// Whether a word is a commit's whole id.
#[must_use]
pub fn is_commit(word: &str) -> bool {
    matches!(word.len(), 40 | 64) && word.chars().all(|digit| digit.is_ascii_hexdigit())
}

/// Whether an address holds what lets people in: a password, or over HTTP a name, which may be a token.
#[must_use]
pub fn holds_secret(address: &str) -> bool {
    let Some((scheme, rest)) = address.split_once("://") else {
        return false;
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    let Some((user, _)) = authority.rsplit_once('@') else {
        return false;
    };
    user.contains(':') || matches!(scheme, "http" | "https")
}

/// Why the source of a package cannot be pinned to a commit; `None` also for what is no live ebuild.
pub(crate) fn unpinnable(package: &Package) -> Option<String> {
    if !package.properties.iter().any(|property| property == "live") {
        return None;
    }
    let other = OTHER_ECLASSES
        .into_iter()
        .find(|name| package.eclasses.contains_key(*name));
    if let Some(eclass) = other {
        return Some(format!(
            "it inherits {eclass}.eclass, and farm pins git repositories only"
        ));
    }
    let Some(live) = &package.live else {
        return Some("nobody asked it for its source".to_owned());
    };
    if !live.error.is_empty() {
        return Some(format!("Portage cannot source it: {}", live.error));
    }
    if live.uris.is_empty() {
        return Some("it sets no EGIT_REPO_URI, and farm pins what git-r3.eclass fetches only".to_owned());
    }
    if live.uris.iter().any(|uri| holds_secret(uri)) {
        return Some(
            "its EGIT_REPO_URI holds a name or password, which would be in the package: take it out of the ebuild, and give \
             git its credentials with `secrets:`"
                .to_owned(),
        );
    }
    if !live.date.is_empty() {
        return Some("EGIT_COMMIT_DATE is not supported: write the commit itself to EGIT_COMMIT".to_owned());
    }
    if live.lfs {
        return Some("EGIT_LFS is not supported: what it needs is on a server, and builds have no network".to_owned());
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(branch: &str, commit: &str) -> LiveSource {
        LiveSource {
            uris: vec!["https://example.org/a.git".into()],
            branch: branch.into(),
            commit: commit.into(),
            ..LiveSource::default()
        }
    }

    #[test]
    fn what_is_wanted_is_what_the_eclass_fetches() {
        let id = "0123456789ABCDEF0123456789abcdef01234567";
        let named = |name: &str| LiveRef::Named(name.to_owned());
        assert_eq!(source("", "").wanted(), named("HEAD"));
        assert_eq!(source("next", "").wanted(), named("refs/heads/next"));
        assert_eq!(source("next", "v1.0").wanted(), named("refs/tags/v1.0"));
        assert_eq!(source("", "refs/notes/x").wanted(), named("refs/notes/x"));
        assert_eq!(source("next", id).wanted(), LiveRef::Commit(id.to_ascii_lowercase()));
        // Not long enough to be sure.
        assert_eq!(source("", "0123456").wanted(), named("refs/tags/0123456"));
    }

    #[test]
    fn passwords_and_tokens_are_seen() {
        for address in [
            "https://me:secret@example.org/a",
            "https://token@example.org/a",
            "ssh://git:secret@example.org/a",
        ] {
            assert!(holds_secret(address), "{address}");
        }
        for address in [
            "https://example.org/a@b:c",
            "ssh://git@example.org:22/a",
            "git@example.org:a/b.git",
            "git://example.org/a",
            "/srv/a:b@c.git",
        ] {
            assert!(!holds_secret(address), "{address}");
        }
    }

    #[test]
    fn what_cannot_be_pinned_says_why_and_never_a_password() {
        let package = |eclass: &str, live: LiveSource| Package {
            properties: vec!["live".into()],
            eclasses: [(eclass.to_owned(), crate::Eclass::default())].into(),
            live: Some(live),
            ..Package::default()
        };
        let why = |package: &Package| unpinnable(package).unwrap_or_default();
        assert_eq!(why(&package("git-r3", source("", ""))), "");
        assert!(why(&package("subversion", source("", ""))).contains("subversion.eclass"));
        assert!(why(&package("git-r3", LiveSource::default())).contains("EGIT_REPO_URI"));
        let mut dated = source("", "");
        dated.date = "2020-01-01".into();
        assert!(why(&package("git-r3", dated)).contains("EGIT_COMMIT_DATE"));
        let mut large = source("", "");
        large.lfs = true;
        assert!(why(&package("git-r3", large)).contains("EGIT_LFS"));
        let mut secret = source("", "");
        secret.uris.push("https://me:hush@example.org/a.git".into());
        let said = why(&package("git-r3", secret));
        assert!(said.contains("secrets:") && !said.contains("hush"), "{said}");
        let mut broken = source("", "");
        broken.error = "it died".into();
        assert!(why(&package("git-r3", broken)).contains("it died"));
        assert_eq!(unpinnable(&Package::default()), None);
    }
}
