//! Rewriting a package in normal form.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, Write};

use crate::gpkg::{
    ContainerWriter, EntryKind, GpkgError, ImageEntry, ImageWriter, Limits, MANIFEST_MEMBER, Metadata, Reader,
    VERSION_MEMBER, folded, path_order,
};

use super::NormalError;
use super::digests::{ImageDigest, interface, payload};
use super::metadata::normalise_metadata;

/// What the normal form is made with.
#[derive(Debug, Clone)]
pub struct NormalOptions {
    /// The time of all members and files, in seconds since the epoch: the workspace's SOURCE_DATE_EPOCH.
    pub epoch: u64,
    /// How large a package may be.
    pub limits: Limits,
}

impl NormalOptions {
    /// Takes the epoch, with the default limits.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            limits: Limits::default(),
        }
    }
}

/// Something that the package had and its normal form has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Extended attributes (file capabilities among them), which Portage does not restore from a GPKG.
    #[error("`/{path}` loses its extended attribute `{name}`, which a GPKG cannot carry")]
    ExtendedAttribute {
        /// Relative to the root of the image.
        path: String,
        /// The attribute's name, such as `security.capability`.
        name: String,
    },
    /// A signature: it would not match any more.
    #[error("the signature of `{member}` is dropped")]
    Signature {
        /// The signed member.
        member: String,
    },
    /// A member that GLEP 78 does not name.
    #[error("the unknown member `{member}` is dropped")]
    UnknownMember {
        /// The member's name.
        member: String,
    },
}

/// What came out of [`normalise`].
#[derive(Debug, Clone)]
pub struct NormalReport {
    /// The metadata of the normal form.
    pub metadata: Metadata,
    /// The digest of what dependants' builds can see.
    pub interface: blake3::Hash,
    /// The digest of everything, over uncompressed content.
    pub payload: blake3::Hash,
    /// Bytes written.
    pub size: u64,
    /// What was lost.
    pub warnings: Vec<Warning>,
}

/// Rewrites the package that fills `source` in normal form to `sink`, at the sink's position.
///
/// The result is `gpkg-1`, `metadata.tar.zst`, `image.tar.zst`, `Manifest` in the directory `PF`, all times
/// `options.epoch`, all members sorted. Doing it again changes nothing. Memory holds the metadata and the names of the
/// image, and the image itself only if its entries are not in Portage's order.
///
/// Fails for a package that is damaged, dangerous or not installable; the sink then holds something useless.
pub fn normalise<R: Read + Seek, W: Write + Seek>(
    source: R,
    sink: W,
    options: &NormalOptions,
) -> Result<NormalReport, NormalError> {
    let mut reader = Reader::open(source, options.limits.clone())?;
    reader.verify()?;
    let mut warnings = member_warnings(&reader);
    let mut metadata = reader.metadata()?;
    normalise_metadata(&mut metadata)?;
    let prefix = folded(&metadata, "PF");
    if prefix.is_empty() {
        let reason = "it is missing".to_owned();
        return Err(GpkgError::Metadata {
            key: "PF".to_owned(),
            reason,
        }
        .into());
    }

    let sorted = survey(&mut reader, &mut warnings)?;
    let mut digest = ImageDigest::new();
    let mut writer = ContainerWriter::new(sink, &prefix, options.epoch)?;
    writer.metadata(&metadata)?;
    writer.image(|image| {
        if sorted {
            reader.visit_image(|entry, content| put(image, &mut digest, &entry, content))
        } else {
            put_sorted(&mut reader, image, &mut digest)
        }
    })?;
    let (_, size) = writer.finish()?;

    let image = digest.finish();
    Ok(NormalReport {
        interface: interface(image, &metadata)?,
        payload: payload(image, &metadata, &prefix, options.epoch)?,
        metadata,
        size,
        warnings,
    })
}

fn member_warnings<R: Read + Seek>(reader: &Reader<R>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for member in reader.members() {
        let name = member.name.as_str();
        if let Some(signed) = name.strip_suffix(".sig") {
            warnings.push(Warning::Signature {
                member: signed.to_owned(),
            });
        } else if name != VERSION_MEMBER
            && name != MANIFEST_MEMBER
            && !name.starts_with("metadata.tar")
            && !name.starts_with("image.tar")
        {
            warnings.push(Warning::UnknownMember {
                member: name.to_owned(),
            });
        }
    }
    if reader.manifest().is_signed() {
        warnings.push(Warning::Signature {
            member: MANIFEST_MEMBER.to_owned(),
        });
    }
    warnings
}

/// Goes through the image once for what must be known before writing: whether its entries are in order, and what will
/// be lost.
fn survey<R: Read + Seek>(reader: &mut Reader<R>, warnings: &mut Vec<Warning>) -> Result<bool, GpkgError> {
    let mut last: Option<String> = None;
    let mut sorted = true;
    reader.visit_image(|entry, _| {
        sorted &= last.as_deref().is_none_or(|last| path_order(last, &entry.path).is_lt());
        for name in entry.xattrs.keys() {
            warnings.push(Warning::ExtendedAttribute {
                path: entry.path.clone(),
                name: name.clone(),
            });
        }
        last = Some(entry.path);
        Ok::<(), GpkgError>(())
    })?;
    Ok(sorted)
}

/// Writes one entry and adds it to the digest.
fn put(
    image: &mut ImageWriter<'_>,
    digest: &mut ImageDigest,
    entry: &ImageEntry,
    content: &mut dyn Read,
) -> Result<(), GpkgError> {
    if entry.kind != EntryKind::File {
        digest.add(entry, None);
        return image.entry(entry, &mut io::empty());
    }
    let mut content = Hashed {
        inner: content,
        hasher: blake3::Hasher::new(),
    };
    image.entry(entry, &mut content)?;
    digest.add(entry, Some(content.hasher.finalize()));
    Ok(())
}

/// Brings an image of another writer into order, holding it in memory.
fn put_sorted<R: Read + Seek>(
    reader: &mut Reader<R>,
    image: &mut ImageWriter<'_>,
    digest: &mut ImageDigest,
) -> Result<(), GpkgError> {
    let limit = reader.limits().sort_bytes;
    let mut held = 0;
    let mut entries: Vec<(ImageEntry, Vec<u8>)> = Vec::new();
    reader.visit_image(|entry, content| {
        held += entry.size;
        if held > limit {
            let part = "an image whose entries are not sorted".to_owned();
            return Err(GpkgError::TooLarge {
                part,
                limit,
                unit: "bytes",
            });
        }
        let mut bytes = Vec::new();
        content.read_to_end(&mut bytes).map_err(GpkgError::content)?;
        entries.push((entry, bytes));
        Ok(())
    })?;
    resolve_hard_links(&mut entries);
    for (entry, content) in &entries {
        put(image, digest, entry, &mut content.as_slice())?;
    }
    Ok(())
}

/// Sorts the entries and lets the first name of every group of hard links carry the content, as Portage packs it.
fn resolve_hard_links(entries: &mut [(ImageEntry, Vec<u8>)]) {
    // A link may point to another link; the walk guarantees that the target came before.
    let mut original: BTreeMap<String, String> = BTreeMap::new();
    for (entry, _) in entries.iter() {
        if let EntryKind::HardLink { target } = &entry.kind {
            let first = original.get(target).unwrap_or(target).clone();
            original.insert(entry.path.clone(), first);
        }
    }
    entries.sort_by(|(a, _), (b, _)| path_order(&a.path, &b.path));
    let mut leader: BTreeMap<String, usize> = BTreeMap::new();
    for index in 0..entries.len() {
        let path = entries[index].0.path.clone();
        let group = original.get(&path).unwrap_or(&path).clone();
        let is_file = matches!(entries[index].0.kind, EntryKind::File | EntryKind::HardLink { .. });
        if !is_file {
            continue;
        }
        if let Some(&first) = leader.get(&group) {
            let target = entries[first].0.path.clone();
            entries[index].0.kind = EntryKind::HardLink { target };
            entries[index].0.size = 0;
            continue;
        }
        leader.insert(group.clone(), index);
        if group != path
            && let Some(source) = entries.iter().position(|(entry, _)| entry.path == group)
        {
            let (size, content) = (entries[source].0.size, std::mem::take(&mut entries[source].1));
            entries[index].0.kind = EntryKind::File;
            entries[index].0.size = size;
            entries[index].1 = content;
        }
    }
}

/// Sums up a file's bytes on their way through.
struct Hashed<'a> {
    inner: &'a mut dyn Read,
    hasher: blake3::Hasher,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        Ok(n)
    }
}
