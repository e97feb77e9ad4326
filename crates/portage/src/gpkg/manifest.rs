//! The `Manifest` member: GLEP 74 lines of type `DATA`, one for each other member.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{self, Write};

use blake2::Blake2b512;
use sha2::{Digest, Sha512};

use super::GpkgError;
use crate::digest::hex;

/// What `Manifest` says about one member.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ManifestEntry {
    /// The member's size in bytes, as it lies in the container (compressed).
    pub size: u64,
    /// Digest name (`BLAKE2B`, `SHA512`, …) to lower-case hexadecimal digits.
    pub digests: BTreeMap<String, String>,
}

impl ManifestEntry {
    /// Compares what was found out about `member` with what a `Manifest` says; at least one digest that was found out must
    /// be there, and all of them must agree.
    pub(super) fn check(&self, member: &str, expected: &Self) -> Result<(), GpkgError> {
        let mismatch = |what: &str| GpkgError::Mismatch {
            member: member.to_owned(),
            what: what.to_owned(),
        };
        if self.size != expected.size {
            return Err(mismatch("size"));
        }
        let mut known = 0;
        for (name, value) in &self.digests {
            match expected.digests.get(name) {
                Some(expected) if expected == value => known += 1,
                Some(_) => return Err(mismatch(name)),
                None => {}
            }
        }
        if known == 0 {
            Err(mismatch("no supported digest"))
        } else {
            Ok(())
        }
    }
}

/// A parsed `Manifest`.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Manifest {
    /// In the order of the file.
    entries: Vec<(String, ManifestEntry)>,
    /// Whether the text was clear-signed. The signature is not checked here.
    signed: bool,
}

impl Manifest {
    /// Parses the text of a `Manifest` member, plain or clear-signed.
    ///
    /// Fails for anything but `DATA` lines with a size and at least one digest, and for a name that appears twice: the
    /// same as Portage.
    pub fn parse(text: &[u8]) -> Result<Self, GpkgError> {
        let text = std::str::from_utf8(text).map_err(|_| GpkgError::Manifest {
            line: 1,
            reason: "not UTF-8".to_owned(),
        })?;
        let mut manifest = Self::default();
        let mut in_armor_header = false;
        for (index, line) in text.lines().enumerate() {
            let fail = |reason: String| GpkgError::Manifest {
                line: index + 1,
                reason,
            };
            if line == "-----BEGIN PGP SIGNED MESSAGE-----" && index == 0 {
                manifest.signed = true;
                in_armor_header = true;
                continue;
            }
            if in_armor_header {
                in_armor_header = !line.trim().is_empty();
                continue;
            }
            if manifest.signed && line == "-----BEGIN PGP SIGNATURE-----" {
                break;
            }
            let mut words = line.split_whitespace();
            let Some(kind) = words.next() else { continue };
            if kind != "DATA" {
                return Err(fail(format!("expected `DATA`, found `{kind}`")));
            }
            let (Some(name), Some(size)) = (words.next(), words.next()) else {
                return Err(fail("expected a name and a size".to_owned()));
            };
            let size = size.parse().map_err(|_| fail(format!("`{size}` is not a size")))?;
            let mut digests = BTreeMap::new();
            while let Some(digest) = words.next() {
                let value = words.next().ok_or_else(|| fail(format!("`{digest}` has no value")))?;
                digests.insert(digest.to_owned(), value.to_ascii_lowercase());
            }
            if manifest.get(name).is_some() {
                return Err(fail(format!("`{name}` appears twice")));
            }
            manifest
                .entries
                .push((name.to_owned(), ManifestEntry { size, digests }));
        }
        Ok(manifest)
    }

    /// Gives the entry of the member `name`.
    pub fn get(&self, name: &str) -> Option<&ManifestEntry> {
        self.entries.iter().find(|(n, _)| n == name).map(|(_, entry)| entry)
    }

    /// Gives the entries in the order of the file.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &ManifestEntry)> {
        self.entries.iter().map(|(name, entry)| (name.as_str(), entry))
    }

    /// Whether the text was clear-signed. Says nothing about whether the signature is good.
    pub fn is_signed(&self) -> bool {
        self.signed
    }

    /// Adds the line for a member.
    pub(super) fn push(&mut self, name: &str, digests: &MemberDigests) {
        self.entries.push((name.to_owned(), digests.entry()));
    }

    /// Renders the unsigned text as Portage writes it: size, then BLAKE2B, then SHA512.
    pub fn render(&self) -> String {
        let mut text = String::new();
        for (name, entry) in &self.entries {
            // Writing to a string cannot fail.
            let _ = write!(text, "DATA {name} {}", entry.size);
            for (digest, value) in &entry.digests {
                let _ = write!(text, " {digest} {value}");
            }
            text.push('\n');
        }
        text
    }
}

/// Sums up a member's bytes on their way through: the two digests of Portage's `MANIFEST2_HASH_DEFAULTS`, and the size.
#[derive(Debug, Clone, Default)]
pub struct MemberDigests {
    blake2b: Blake2b512,
    sha512: Sha512,
    size: u64,
}

impl MemberDigests {
    /// Takes the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.blake2b.update(bytes);
        self.sha512.update(bytes);
        self.size += bytes.len() as u64;
    }

    /// The number of bytes so far.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// Makes the `Manifest` entry for the bytes so far.
    pub fn entry(&self) -> ManifestEntry {
        let digests = [
            ("BLAKE2B".to_owned(), hex(&self.blake2b.clone().finalize())),
            ("SHA512".to_owned(), hex(&self.sha512.clone().finalize())),
        ];
        ManifestEntry {
            size: self.size,
            digests: digests.into(),
        }
    }

    /// Compares with what `Manifest` says about `member`; see [`ManifestEntry::check`].
    pub(super) fn check(&self, member: &str, expected: &ManifestEntry) -> Result<(), GpkgError> {
        self.entry().check(member, expected)
    }
}

impl Write for MemberDigests {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
