//! Metadata and `Manifest` of a GPKG that is somewhere else, without its image.
//!
//! Whoever has the package says what is known of it, at first nothing, and is told what to fetch next, until what was
//! asked for is found. How bytes are fetched is not this crate's business:
//!
//! ```
//! use farm_portage::gpkg::{EarlyMetadata, GpkgError, Limits, Pieces, Step, early_metadata};
//!
//! fn metadata(fetch: impl Fn(std::ops::Range<u64>) -> Vec<u8>) -> Result<EarlyMetadata, GpkgError> {
//!     let mut pieces = Pieces::new();
//!     loop {
//!         match early_metadata(&pieces, &Limits::default())? {
//!             Step::Found(found) => return Ok(found),
//!             Step::Fetch(range) => {
//!                 let bytes = fetch(range.clone());
//!                 pieces.insert(range.start, &bytes);
//!                 if (bytes.len() as u64) < range.end - range.start {
//!                     pieces.set_total(range.start + bytes.len() as u64);
//!                 }
//!             }
//!         }
//!     }
//! }
//! ```

use std::cell::Cell;
use std::io::{Read, Seek, SeekFrom};
use std::ops::{ControlFlow, Range};

use super::container::{Member, walk};
use super::limits::MANIFEST_LIMIT;
use super::manifest::{Manifest, ManifestEntry, MemberDigests};
use super::pieces::{Pieces, View};
use super::tar_header::BLOCK;
use super::{GpkgError, Limits, MANIFEST_MEMBER, Metadata, metadata};

/// How much is asked for where nothing is known and no image can be in the way: as much as Portage asks for first
/// (`bytes=0-51200`, `get_metadata_url` in `portage/gpkg.py`). Most packages have their metadata in it.
const CHUNK: u64 = 51_201;

/// How many bytes of headers are read on the way to a member. It is enough for two thousand members before it, and ends
/// the questions about a package that consists of headers.
const HEADERS_LIMIT: u64 = 1 << 20;

/// The inner archive of metadata, with or without a suffix of compression.
const METADATA: &str = "metadata.tar";

/// What comes of looking at a part of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Step<T> {
    /// What was looked for.
    Found(T),
    /// These bytes are needed: from the first offset up to the second, not including it. It is never an empty range,
    /// and never one of which any byte is known. The file may end within it; who learns so tells [`Pieces::set_total`].
    Fetch(Range<u64>),
}

/// Metadata that was found before the rest of the package.
///
/// Verified is what the bytes themselves show: the headers of the container up to this member, the checksums of its
/// compression, and that it holds plain files with plain names only. **Not** verified is that anybody meant these
/// bytes: neither `Manifest`, which is at the end of the container, nor any signature was looked at, nor whether the
/// container has the version member, an image, or a second `metadata.tar`. [`EarlyMetadata::check`] makes up for the
/// first.
#[derive(Debug, Clone)]
pub struct EarlyMetadata {
    /// The metadata.
    pub metadata: Metadata,
    /// The directory that all members lie in.
    pub prefix: String,
    /// Where the metadata lies in the container.
    pub member: Member,
    digests: MemberDigests,
}

impl EarlyMetadata {
    /// Size and digests of the member as it lies in the container, to be compared with what `Manifest` says.
    pub fn digests(&self) -> ManifestEntry {
        self.digests.entry()
    }

    /// Checks the member against `manifest`, which is as trustworthy as where it came from.
    ///
    /// Fails if the member is not listed, its size or any known digest differs, or no known digest is given.
    pub fn check(&self, manifest: &Manifest) -> Result<(), GpkgError> {
        let name = &self.member.name;
        let expected = manifest.get(name).ok_or_else(|| GpkgError::Mismatch {
            member: name.clone(),
            what: "it is not listed".to_owned(),
        })?;
        self.digests.check(name, expected)
    }
}

/// Finds the metadata of a package of which `pieces` are known, or says what is needed for it.
///
/// Members may come in any order, and unknown ones among them. No byte of an image is asked for but what lies in the
/// first piece, which is of a fixed size.
///
/// Fails as [`Reader`](super::Reader) does for what it sees, and for a member that is larger than
/// `limits.metadata_bytes` even compressed.
pub fn early_metadata(pieces: &Pieces, limits: &Limits) -> Result<Step<EarlyMetadata>, GpkgError> {
    let (prefix, member) = match find(pieces, METADATA, |member| member.is_archive(METADATA))? {
        Step::Found(found) => found,
        Step::Fetch(range) => return Ok(Step::Fetch(range)),
    };
    let compression = member.compression(METADATA)?;
    let bytes = match content(pieces, &member, limits.metadata_bytes)? {
        Step::Found(bytes) => bytes,
        Step::Fetch(range) => return Ok(Step::Fetch(range)),
    };
    let mut digests = MemberDigests::default();
    digests.update(&bytes);
    Ok(Step::Found(EarlyMetadata {
        metadata: metadata::read(bytes.as_slice(), compression, limits)?,
        prefix,
        member,
        digests,
    }))
}

/// Finds the `Manifest` of a package of which `pieces` are known, or says what is needed for it.
///
/// With it [`EarlyMetadata::check`] tells whether the metadata is what the packer listed. As every header before
/// `Manifest` is passed, a container with two archives of metadata is found out. The same is asked for, and not asked
/// for, as in [`early_metadata`].
pub fn early_manifest(pieces: &Pieces) -> Result<Step<Manifest>, GpkgError> {
    let member = match find(pieces, MANIFEST_MEMBER, |member| member.name == MANIFEST_MEMBER)? {
        Step::Found((_, member)) => member,
        Step::Fetch(range) => return Ok(Step::Fetch(range)),
    };
    Ok(match content(pieces, &member, MANIFEST_LIMIT)? {
        Step::Found(text) => Step::Found(Manifest::parse(&text)?),
        Step::Fetch(range) => Step::Fetch(range),
    })
}

/// Walks the headers up to the member that is `wanted`, which messages call `name`.
fn find(pieces: &Pieces, name: &str, wanted: impl Fn(&Member) -> bool) -> Result<Step<(String, Member)>, GpkgError> {
    let missing = Cell::new(None);
    let mut found = None;
    let (mut after_metadata, mut after_image) = (false, false);
    let view = View::new(pieces, &missing, HEADERS_LIMIT);
    let walked = walk(view, pieces.total(), |member| {
        if wanted(&member) {
            found = Some(member);
            return Ok(ControlFlow::Break(()));
        }
        if after_metadata && member.is_archive(METADATA) {
            return Err(GpkgError::structure(format!(
                "it has more than one member `{METADATA}`"
            )));
        }
        after_metadata |= member.is_archive(METADATA);
        after_image |= member.is_archive("image.tar");
        Ok(ControlFlow::Continue(()))
    });
    if let Some(at) = missing.get() {
        return Ok(Step::Fetch(next(pieces, at, after_image)));
    }
    let prefix = walked?;
    let found = prefix.zip(found);
    found
        .map(Step::Found)
        .ok_or_else(|| GpkgError::structure(format!("it has no member `{name}`")))
}

/// What to fetch for a header that is not known from `at` on.
///
/// As long as the image may follow, that is no more than the block of the header: the next byte could be the image's.
fn next(pieces: &Pieces, at: u64, after_image: bool) -> Range<u64> {
    let end = if pieces.is_empty() || after_image {
        at.saturating_add(CHUNK)
    } else {
        (at - at % BLOCK).saturating_add(BLOCK)
    };
    let range = at..end.min(pieces.total().unwrap_or(u64::MAX));
    pieces.gap(range.clone()).unwrap_or(range)
}

/// Gives the bytes of a member.
fn content(pieces: &Pieces, member: &Member, limit: u64) -> Result<Step<Vec<u8>>, GpkgError> {
    if member.size > limit {
        return Err(GpkgError::TooLarge {
            part: member.name.clone(),
            limit,
            unit: "bytes",
        });
    }
    // The walk has checked that this does not overflow.
    if let Some(gap) = pieces.gap(member.offset..member.offset + member.size) {
        return Ok(Step::Fetch(gap));
    }
    let missing = Cell::new(None);
    let mut view = View::new(pieces, &missing, member.size);
    let mut bytes = Vec::new();
    view.seek(SeekFrom::Start(member.offset))
        .and_then(|_| view.take(member.size).read_to_end(&mut bytes))
        .map_err(|error| GpkgError::decoding(&member.name, error))?;
    Ok(Step::Found(bytes))
}
