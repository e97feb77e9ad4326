//! The ABI of a package: what whoever is built against it takes from it, and nothing else.
//!
//! Two builds of a package have the same ABI if a dependant that is compiled and linked against either comes out the same. It
//! is wider than what the loader checks, since headers, static libraries and `.pc` files decide a build, too, and narrower
//! than the package: the code in its shared libraries and its programs do not reach what is linked against it. `docs/keys.md`
//! has the whole list with reasons.
//!
//! [`class_of`] tells by its path what a file is to a dependant, a [`Look`] reads those where the path is not enough, and a
//! [`Fact`] is what remains of one: 32 bytes, whatever its size. [`PackageAbi::of`] sums up a package's facts.

mod class;
mod elf;
mod look;

use std::collections::BTreeMap;

pub use class::{Class, class_of};
pub use look::{Finding, LARGEST_LIBRARY, Look, looks_alike};

use crate::digest::FieldHasher;

/// What one file or link says to whoever is built against its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fact {
    class: Class,
    digest: blake3::Hash,
}

impl Fact {
    /// The fact of a regular file at `path`, relative to the root. `content` is the digest of its bytes, and `finding` what a
    /// [`Look`] at them came to; without a look, a file that wants one counts with all its bytes. `None` if the file does
    /// not count.
    ///
    /// Modes and owners are no part of it: the compiler reads a header, whoever may write it.
    pub fn of_file(path: &str, finding: Option<Finding>, content: blake3::Hash) -> Option<Self> {
        let class = class_of(path)?;
        let mut hasher = FieldHasher::new("farm-portage 2026-11 abi of a file v1");
        match finding.unwrap_or(Finding::Content) {
            Finding::Nothing => return None,
            Finding::Content => hasher.number(0).bytes(content.as_bytes()),
            Finding::Library(library) => hasher.number(1).bytes(library.as_bytes()),
        };
        Some(Self {
            class,
            digest: hasher.finish(),
        })
    }

    /// The fact of a symbolic link at `path`: where it leads, verbatim. `None` if the link does not count.
    pub fn of_link(path: &str, target: &str) -> Option<Self> {
        let class = class::class_of_link(path, target)?;
        let mut hasher = FieldHasher::new("farm-portage 2026-11 abi of a file v1");
        hasher.number(2).text(target);
        Some(Self {
            class,
            digest: hasher.finish(),
        })
    }
}

/// The ABI of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PackageAbi {
    /// Whether it has something to compile or link against. To dependants of such a package the digest says all; of the
    /// others they use programs or data, of which it says nothing, so that only the version tells.
    pub is_library: bool,
    /// Over all facts. Packages that have none share one digest.
    pub digest: blake3::Hash,
}

impl PackageAbi {
    /// Sums up the facts of a package by path, relative to the root.
    pub fn of<'a>(facts: impl IntoIterator<Item = (&'a str, Fact)>) -> Self {
        let facts: BTreeMap<&str, Fact> = facts.into_iter().collect();
        let mut hasher = FieldHasher::new("farm-portage 2026-11 package abi v1");
        for (path, fact) in &facts {
            hasher.text(path).bytes(fact.digest.as_bytes());
        }
        Self {
            is_library: facts.values().any(|fact| fact.class.is_library()),
            digest: hasher.finish(),
        }
    }
}
