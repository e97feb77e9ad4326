//! `client/`: what a machine needs to install what a farm published, with stock Portage and nothing else of farm's.
//!
//! Masks by keyword and by licence apply to binary packages as well as to ebuilds. So with the address of the packages and the key that signs
//! them goes the configuration under which Portage chose them: the profile (flattened by the resolver program, which see), what only
//! `/etc/portage` can hold, and the subjects as sets.
//!
//! What acts on builds alone stays here: `package.env`, `env/`, `bashrc`, `patches/`, `savedconfig/`, FEATURES, compiler flags. A package
//! that is built holds what they did to it. A bashrc would moreover run on other people's machines.

mod readme;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use farm_publish::ClientFiles;

use crate::rules::join::{JoinData, JoinedPlan};

/// The name of the output of a plan's node that holds the resolver program's part: JSON of texts by path.
pub const ROLE: &str = "client";

/// The part of a farm's `client/` that the manifest, the layers and the plan decide.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Client {
    /// The node with the output [`ROLE`].
    pub plan: String,
    /// What its files and the section of binrepos.conf are called: farm and flavour.
    pub name: String,
    /// Where readers find the packages, flavour included.
    pub address: String,
    /// Whether that is not said, so that `address` is where the farm publishes.
    pub is_guess: bool,
    /// Atoms by subject.
    pub sets: BTreeMap<String, BTreeSet<String>>,
    /// Lines for files of `/etc/portage`, by the file's name there.
    pub lines: BTreeMap<&'static str, String>,
}

/// Who signed the packages.
#[derive(Debug, Clone, Copy)]
pub struct SignedBy<'a> {
    /// The fingerprint of the primary key.
    pub fingerprint: &'a str,
    /// The public key in ASCII armour.
    pub public: &'a [u8],
}

impl Client {
    /// The client's part of a joined plan. `to` is where packages go, `url` where readers find them if that is said; both with the flavour.
    #[must_use]
    pub fn new(data: &JoinData, joined: &JoinedPlan, to: &str, url: Option<&str>) -> Self {
        let is_read_there = ["http://", "https://", "file://"]
            .iter()
            .any(|scheme| to.starts_with(scheme));
        let subjects = joined
            .subjects
            .iter()
            .filter(|(name, _)| *name != crate::names::TOOLS_SUBJECT);
        Self {
            plan: format!("{}:plan", data.farm),
            name: plain(&format!("{}-{}", data.farm, data.flavour)),
            address: url.unwrap_or(to).to_owned(),
            is_guess: url.is_none() && !is_read_there,
            sets: subjects
                .map(|(name, subject)| (name.clone(), subject.members.clone()))
                .collect(),
            lines: settings::lines(&data.settings, &joined.license_groups),
        }
    }

    /// The files: what is here, and the resolver program's part.
    #[must_use]
    pub fn files(&self, of_portage: &BTreeMap<String, String>, signed: Option<SignedBy<'_>>) -> ClientFiles {
        let mut files: BTreeMap<String, String> = of_portage.clone();
        for (file, lines) in &self.lines {
            files.insert(format!("{file}/{}", self.name), lines.clone());
        }
        for (name, atoms) in &self.sets {
            files.insert(format!("sets/{}", plain(name)), a_line_each(atoms));
        }
        files.insert("binrepos.conf".to_owned(), self.binrepos(signed.is_some()));
        let readme = readme::text(self, &files, signed.map(|signed| signed.fingerprint));
        files.insert("README".to_owned(), readme);
        let mut files: ClientFiles = files
            .into_iter()
            .map(|(path, text)| (path, text.into_bytes()))
            .collect();
        if let Some(signed) = signed {
            files.insert("key.asc".to_owned(), signed.public.to_vec());
        }
        files
    }

    /// A section of binrepos.conf. Portage wants signatures of whoever says nothing about them.
    fn binrepos(&self, is_signed: bool) -> String {
        let mut text = format!("[{}]\npriority = 1\n", self.name);
        if self.is_guess {
            text.push_str("# Here the farm puts the packages. Replace it by where this machine can read them;\n");
            text.push_str("# with `publish: { pkgs: { url: … } }` in its manifest the farm would know.\n");
        }
        text.push_str(&format!(
            "sync-uri = {}\nverify-signature = {is_signed}\n",
            self.address
        ));
        text
    }
}

fn a_line_each(words: &BTreeSet<String>) -> String {
    words.iter().map(|word| format!("{word}\n")).collect()
}

/// A name as file names and sections may have it.
fn plain(name: &str) -> String {
    let plain = |c: char| {
        if c.is_ascii_alphanumeric() || "._+-".contains(c) {
            c
        } else {
            '-'
        }
    };
    name.chars().map(plain).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn client() -> Client {
        Client {
            plan: "tiny:plan".to_owned(),
            name: "tiny-amd64.opt".to_owned(),
            address: "https://example.org/pkgs/amd64.opt".to_owned(),
            is_guess: false,
            sets: [("libs".to_owned(), ["dev-libs/bar".to_owned()].into())].into(),
            lines: [("package.license", "a/b MIT\n".to_owned())].into(),
        }
    }

    #[test]
    fn the_files_of_a_signed_farm() {
        let of_portage = [("profile/parent".to_owned(), "0001-x\n".to_owned())].into();
        let signed = SignedBy {
            fingerprint: "ABCD",
            public: b"the key",
        };
        let files = client().files(&of_portage, Some(signed));
        let paths: Vec<&str> = files.keys().map(String::as_str).collect();
        assert_eq!(
            paths,
            [
                "README",
                "binrepos.conf",
                "key.asc",
                "package.license/tiny-amd64.opt",
                "profile/parent",
                "sets/libs"
            ]
        );
        assert_eq!(
            files["binrepos.conf"],
            b"[tiny-amd64.opt]\npriority = 1\nsync-uri = https://example.org/pkgs/amd64.opt\nverify-signature = true\n"
        );
        let unsigned = client().files(&BTreeMap::new(), None);
        assert!(!unsigned.contains_key("key.asc"));
        assert!(String::from_utf8_lossy(&unsigned["binrepos.conf"]).contains("verify-signature = false"));
    }

    #[test]
    fn an_address_that_is_not_for_readers_says_so() {
        let guess = Client {
            address: "s3://bucket/amd64".to_owned(),
            is_guess: true,
            ..client()
        };
        let text = guess.binrepos(false);
        assert!(text.contains("# Here the farm puts the packages"), "{text}");
        assert!(text.contains("\nsync-uri = s3://bucket/amd64\n"), "{text}");
    }
}
