//! Writing an image in Portage's order, whatever order it comes in.

use std::collections::BTreeMap;
use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::abi::Look;
use crate::gpkg::{self, EntryKind, GpkgError, ImageEntry, ImageWriter, path_order};
use crate::xpak;

use super::abi::ImageAbi;
use super::digests::ImageDigest;
use super::{NormalError, Warning};

/// A package whose image can be gone through more than once.
pub(super) trait Image {
    /// Hands every entry with a reader of its content to `visit`, in the order of the package.
    fn visit(
        &mut self,
        visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), NormalError>,
    ) -> Result<(), NormalError>;
}

impl<R: Read + Seek> Image for gpkg::Reader<R> {
    fn visit(
        &mut self,
        visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), NormalError>,
    ) -> Result<(), NormalError> {
        self.visit_image(visit)
    }
}

impl<R: Read + Seek> Image for xpak::Reader<R> {
    fn visit(
        &mut self,
        visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), NormalError>,
    ) -> Result<(), NormalError> {
        self.visit_image(visit)
    }
}

/// Where the content of files waits for its turn.
pub(super) struct Scratch<S> {
    file: S,
    /// How many bytes it may hold.
    limit: u64,
    used: u64,
}

impl<S: Read + Write + Seek> Scratch<S> {
    /// Takes an empty file.
    pub(super) fn new(file: S, limit: u64) -> Self {
        Self { file, limit, used: 0 }
    }

    /// Keeps `size` bytes of content, and gives the place where they are.
    fn keep(&mut self, size: u64, content: &mut dyn Read) -> Result<u64, GpkgError> {
        let place = self.used;
        self.used = place
            .checked_add(size)
            .filter(|&used| used <= self.limit)
            .ok_or_else(|| GpkgError::TooLarge {
                part: "an image whose entries are not sorted".to_owned(),
                limit: self.limit,
                unit: "bytes",
            })?;
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(1 << 17)];
        loop {
            let n = content.read(&mut buffer).map_err(GpkgError::content)?;
            if n == 0 {
                return Ok(place);
            }
            self.file.write_all(&buffer[..n]).map_err(GpkgError::Write)?;
        }
    }

    /// Gives content back.
    fn content(&mut self, place: u64, size: u64) -> Result<io::Take<&mut S>, GpkgError> {
        self.file.seek(SeekFrom::Start(place)).map_err(GpkgError::Read)?;
        Ok((&mut self.file).take(size))
    }
}

/// Goes through the image once for what must be known before writing: whether its entries are in order, and what will
/// be lost.
pub(super) fn survey(package: &mut impl Image, warnings: &mut Vec<Warning>) -> Result<bool, NormalError> {
    let mut last: Option<String> = None;
    let mut sorted = true;
    package.visit(|entry, _| {
        sorted &= last.as_deref().is_none_or(|last| path_order(last, &entry.path).is_lt());
        for name in entry.xattrs.keys() {
            warnings.push(Warning::ExtendedAttribute {
                path: entry.path.clone(),
                name: name.clone(),
            });
        }
        last = Some(entry.path);
        Ok(())
    })?;
    Ok(sorted)
}

/// What the entries of an image come to, as they pass by.
pub(super) struct Sums {
    pub(super) image: ImageDigest,
    pub(super) abi: ImageAbi,
}

impl Sums {
    pub(super) fn new() -> Self {
        Self {
            image: ImageDigest::new(),
            abi: ImageAbi::default(),
        }
    }
}

/// Writes one entry and adds it to the sums.
pub(super) fn put(
    image: &mut ImageWriter<'_>,
    sums: &mut Sums,
    entry: &ImageEntry,
    content: &mut dyn Read,
) -> Result<(), GpkgError> {
    if entry.kind != EntryKind::File {
        sums.image.add(entry, None);
        sums.abi.add_other(entry);
        return image.entry(entry, &mut io::empty());
    }
    let mut content = Hashed {
        inner: content,
        hasher: blake3::Hasher::new(),
        look: Look::at(&entry.path),
    };
    image.entry(entry, &mut content)?;
    let digest = content.hasher.finalize();
    sums.image.add(entry, Some(digest));
    sums.abi
        .add_file(&entry.path, content.look.map(|look| look.finish()), digest);
    Ok(())
}

/// Brings an image of another writer into order, holding its names in memory and its content in `scratch`.
pub(super) fn put_sorted<S: Read + Write + Seek>(
    package: &mut impl Image,
    image: &mut ImageWriter<'_>,
    sums: &mut Sums,
    mut scratch: Scratch<S>,
) -> Result<(), NormalError> {
    let mut entries = Vec::new();
    package.visit(|entry, content| {
        let place = scratch.keep(entry.size, content)?;
        entries.push(Waiting { entry, place });
        Ok(())
    })?;
    resolve_hard_links(&mut entries);
    for Waiting { entry, place } in &entries {
        put(image, sums, entry, &mut scratch.content(*place, entry.size)?)?;
    }
    Ok(())
}

/// An entry, and where its content is.
struct Waiting {
    entry: ImageEntry,
    place: u64,
}

/// Sorts the entries and lets the first name of every group of hard links carry the content, as Portage packs it.
fn resolve_hard_links(entries: &mut [Waiting]) {
    // A link may point to another link; the walk guarantees that the target came before.
    let mut original: BTreeMap<String, String> = BTreeMap::new();
    // Of every file that others point to, where its content is, and how much.
    let mut content: BTreeMap<String, (u64, u64)> = BTreeMap::new();
    for Waiting { entry, .. } in &*entries {
        if let EntryKind::HardLink { target } = &entry.kind {
            let first = original.get(target).unwrap_or(target).clone();
            content.insert(first.clone(), (0, 0));
            original.insert(entry.path.clone(), first);
        }
    }
    for Waiting { entry, place } in &*entries {
        if let Some(found) = content.get_mut(&entry.path) {
            *found = (*place, entry.size);
        }
    }
    entries.sort_by(|a, b| path_order(&a.entry.path, &b.entry.path));
    let mut leader: BTreeMap<&str, String> = BTreeMap::new();
    for Waiting { entry, place } in entries {
        let group = original.get(&entry.path).unwrap_or(&entry.path);
        let Some((group, &(first_place, size))) = content.get_key_value(group) else {
            continue;
        };
        if let Some(target) = leader.get(group.as_str()) {
            entry.kind = EntryKind::HardLink { target: target.clone() };
            entry.size = 0;
        } else {
            leader.insert(group, entry.path.clone());
            entry.kind = EntryKind::File;
            (entry.size, *place) = (size, first_place);
        }
    }
}

/// Sums up a file's bytes on their way through, and lets them be looked at.
struct Hashed<'a> {
    inner: &'a mut dyn Read,
    hasher: blake3::Hasher,
    look: Option<Look>,
}

impl Read for Hashed<'_> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buf)?;
        self.hasher.update(&buf[..n]);
        if let Some(look) = &mut self.look {
            look.take(&buf[..n]);
        }
        Ok(n)
    }
}
