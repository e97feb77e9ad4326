//! Metadata is found in a package that is elsewhere, and its image stays there.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

mod gpkg_support;

use std::cell::RefCell;
use std::io::Cursor;
use std::ops::Range;

use farm_portage::gpkg::{
    ContainerWriter, EarlyMetadata, GpkgError, Limits, Manifest, Member, Metadata, Pieces, Reader, Step,
    early_manifest, early_metadata, metadata_tar,
};
use fs_err as fs;
use gpkg_support::{Lab, RICH};
use proptest::prelude::*;

/// What Portage asks for first.
const FIRST: Range<u64> = 0..51_201;

/// A file on a server, which notes what is asked for.
struct Server<'a> {
    file: &'a [u8],
    tells_length: bool,
    asked: RefCell<Vec<Range<u64>>>,
}

impl<'a> Server<'a> {
    fn new(file: &'a [u8], tells_length: bool) -> Self {
        Self {
            file,
            tells_length,
            asked: RefCell::default(),
        }
    }

    fn fetch(&self, pieces: &mut Pieces, range: &Range<u64>) {
        assert!(range.start < range.end, "an empty range");
        let length = self.file.len() as u64;
        for known in self.asked.borrow().iter() {
            let overlap = known.start.max(range.start)..known.end.min(range.end).min(length);
            assert!(overlap.is_empty(), "{overlap:?} is asked for twice");
        }
        assert!(self.asked.borrow().len() < 50, "it asks for ever");
        self.asked.borrow_mut().push(range.clone());
        let part = range.start.min(length)..range.end.min(length);
        pieces.insert(range.start, &self.file[part.start as usize..part.end as usize]);
        if self.tells_length || part.end < range.end {
            pieces.set_total(length);
        }
    }

    fn find<T>(
        &self,
        pieces: &mut Pieces,
        step: impl Fn(&Pieces) -> Result<Step<T>, GpkgError>,
    ) -> Result<T, GpkgError> {
        loop {
            match step(pieces)? {
                Step::Found(found) => return Ok(found),
                Step::Fetch(range) => self.fetch(pieces, &range),
            }
        }
    }

    /// Finds metadata and then `Manifest`, with what is known by then.
    fn both(&self) -> Result<(EarlyMetadata, Manifest), GpkgError> {
        let mut pieces = Pieces::new();
        let metadata = self.find(&mut pieces, |pieces| early_metadata(pieces, &Limits::default()))?;
        Ok((metadata, self.find(&mut pieces, early_manifest)?))
    }

    /// How many bytes of the image were asked for, beyond the first request.
    fn image_bytes(&self, image: &Member) -> u64 {
        let asked = self.asked.borrow();
        assert_eq!(asked[0], FIRST);
        let image = image.offset..image.offset + image.size;
        asked[1..]
            .iter()
            .map(|range| range.end.min(image.end).saturating_sub(range.start.max(image.start)))
            .sum()
    }
}

/// Reads a package both ways, and compares. Gives the number of requests for the metadata and for all.
fn assert_found(file: &[u8]) -> (usize, usize) {
    let mut reader = Reader::open(Cursor::new(file), Limits::default()).unwrap();
    let image = reader.image_member().unwrap();
    let image = reader
        .members()
        .iter()
        .find(|member| member.name == image)
        .unwrap()
        .clone();
    let metadata = reader.metadata().unwrap();
    let mut requests = (0, 0);
    for tells_length in [true, false] {
        let server = Server::new(file, tells_length);
        let (early, manifest) = server.both().unwrap();
        assert_eq!(early.metadata, metadata);
        assert_eq!(early.prefix, reader.prefix());
        assert_eq!(manifest.get(&early.member.name), Some(&early.digests()));
        assert_eq!(&manifest, reader.manifest());
        early.check(&manifest).unwrap();
        assert_eq!(server.image_bytes(&image), 0);
        let alone = Server::new(file, tells_length);
        alone
            .find(&mut Pieces::new(), |pieces| early_metadata(pieces, &Limits::default()))
            .unwrap();
        requests = (alone.asked.borrow().len(), server.asked.borrow().len());
    }
    requests
}

fn noise(length: usize) -> Vec<u8> {
    let mut state = 1_u64;
    let mut next = || {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
        (state >> 56) as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn the_image_of_what_portage_wrote_is_not_fetched() {
    let lab = Lab::new();
    assert_eq!(assert_found(&lab.build(&lab.ebuild("rich-1", RICH), &[])), (1, 1));

    let tree = tempfile::tempdir().unwrap();
    let root = tree.path().join("root");
    fs::create_dir(&root).unwrap();
    fs::write(root.join("large"), noise(3 << 20)).unwrap();
    let long: String = noise(300_000).iter().map(|byte| format!("{byte:02x}")).collect();
    // Metadata that goes beyond the first request takes a second one; the rest is what `Manifest` takes.
    let cases = [
        ("short", "zstd"),
        (&long, "zstd"),
        (&long, "none"),
        (&long, "bzip2"),
        (&long, "gzip"),
        (&long, "xz"),
    ];
    for (value, compression) in cases {
        let expected = if value == "short" { (1, 2) } else { (2, 4) };
        let metadata = serde_json::json!({"CATEGORY": "app-misc\n", "PF": "x-1\n", "LONG": value}).to_string();
        let file = tree.path().join("x.gpkg.tar");
        let arguments = [
            file.to_str().unwrap(),
            "app-misc/x-1",
            compression,
            root.to_str().unwrap(),
        ];
        lab.python("pack_gpkg.py", &arguments, &metadata);
        assert_eq!(assert_found(&fs::read(&file).unwrap()), expected, "{compression}");
    }
}

fn metadata() -> Metadata {
    [("PF", "x-1\n"), ("SLOT", "0\n")]
        .map(|(key, value)| (key.to_owned(), value.as_bytes().to_vec()))
        .into()
}

fn container(members: &[(&str, &[u8])]) -> Vec<u8> {
    let mut writer = ContainerWriter::new(Cursor::new(Vec::new()), "x-1", 0).unwrap();
    for (name, bytes) in members {
        writer
            .member(name, |sink| sink.write_all(bytes).map_err(GpkgError::Write))
            .unwrap();
    }
    writer.finish().unwrap().0.into_inner()
}

#[test]
fn members_come_in_any_order() {
    let (metadata, image, other) = (metadata_tar(&metadata(), 0), noise(200_000), noise(90_000));
    let long = "novelty".repeat(30);
    let (m, i, o): (_, _, (&str, &[u8])) = (
        ("metadata.tar", &metadata[..]),
        ("image.tar", &image[..]),
        ("novelty", &other),
    );
    // Metadata that follows the image costs one request, and what lies before it one for each header.
    assert_eq!(assert_found(&container(&[i, m])), (2, 2));
    assert_eq!(assert_found(&container(&[o, m, i])), (3, 5));
    assert_eq!(assert_found(&container(&[o, i, m])), (3, 3));
    assert_eq!(assert_found(&container(&[i, o, m])), (3, 3));
    assert_eq!(assert_found(&container(&[i, m, o])), (2, 3));
    assert_eq!(assert_found(&container(&[m, o, i])), (1, 3));
    // A name that takes three blocks, each a request.
    assert_eq!(assert_found(&container(&[o, (&long, b""), m, i])).0, 6);
}

#[test]
fn a_manifest_of_other_metadata_is_noticed() {
    let good = container(&[("metadata.tar", &metadata_tar(&metadata(), 0)), ("image.tar", b"")]);
    let (early, _) = Server::new(&good, true).both().unwrap();
    let mut other = metadata();
    other.insert("SLOT".to_owned(), b"1\n".to_vec());
    let other = container(&[("metadata.tar", &metadata_tar(&other, 0)), ("image.tar", b"")]);
    let (_, manifest) = Server::new(&other, true).both().unwrap();
    assert!(matches!(early.check(&manifest), Err(GpkgError::Mismatch { .. })));
    let none = Manifest::parse(b"").unwrap();
    assert!(matches!(early.check(&none), Err(GpkgError::Mismatch { .. })));
}

#[test]
fn packages_without_an_end_are_given_up() {
    let both = |file: &[u8]| Server::new(file, false).both().unwrap_err().to_string();
    let tar = metadata_tar(&metadata(), 0);
    assert!(both(b"").contains("no member `metadata.tar`"));
    assert!(both(&container(&[("image.tar", b"")])).contains("no member `metadata.tar`"));
    assert!(both(&[7; 99_999]).contains("damaged"));
    let two: &[(&str, &[u8])] = &[("metadata.tar", &tar), ("metadata.tar.zst", &tar)];
    assert!(both(&container(two)).contains("more than one member `metadata.tar`"));
    let old: &[(&str, &[u8])] = &[("metadata.tar.Z", &tar)];
    assert!(both(&container(old)).contains("compression `.Z` is not supported"));

    // Cut anywhere before the metadata ends.
    let whole = container(&[("metadata.tar", &tar), ("image.tar", &noise(2000))]);
    let members = Reader::open(Cursor::new(&whole), Limits::default())
        .unwrap()
        .members()
        .to_vec();
    let end = (members[1].offset + members[1].size) as usize;
    for tells_length in [true, false] {
        for cut in 0..end {
            assert!(Server::new(&whole[..cut], tells_length).both().is_err(), "{cut}");
        }
    }

    // Headers that claim much.
    let mut header = tar::Header::new_ustar();
    header.set_path("x-1/metadata.tar").unwrap();
    header.set_size(7 << 30);
    header.set_mode(0o644);
    header.set_mtime(0);
    header.set_cksum();
    let error = early_metadata(&known(header.as_bytes()), &Limits::default()).unwrap_err();
    assert!(matches!(error, GpkgError::TooLarge { unit: "bytes", .. }), "{error}");
    header.as_old_mut().name[..16].copy_from_slice(b"x-1/Manifest\0\0\0\0");
    header.set_cksum();
    let error = early_manifest(&known(header.as_bytes())).unwrap_err();
    assert!(matches!(error, GpkgError::TooLarge { unit: "bytes", .. }), "{error}");

    // Nothing but headers.
    let names: Vec<String> = (0..3000).map(|n| format!("novelty{n}")).collect();
    let many: Vec<(&str, &[u8])> = names.iter().map(|name| (name.as_str(), &b""[..])).collect();
    let error = early_metadata(&known(&container(&many)), &Limits::default()).unwrap_err();
    assert!(matches!(error, GpkgError::TooLarge { unit: "bytes", .. }), "{error}");
}

fn known(bytes: &[u8]) -> Pieces {
    let mut pieces = Pieces::new();
    pieces.insert(0, bytes);
    pieces
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    /// Whatever is known at first, the same is found.
    #[test]
    fn it_does_not_matter_what_is_known(
        ranges in prop::collection::vec((0..260_000_usize, 0..70_000_usize), 0..6),
        image_first in any::<bool>(),
    ) {
        let (tar, image) = (metadata_tar(&metadata(), 0), noise(200_000));
        let mut members: Vec<(&str, &[u8])> = vec![("metadata.tar", &tar), ("image.tar", &image)];
        if image_first {
            members.reverse();
        }
        let file = container(&members);
        let mut pieces = Pieces::new();
        for (start, length) in ranges {
            let start = start.min(file.len());
            pieces.insert(start as u64, &file[start..(start + length).min(file.len())]);
        }
        let server = Server::new(&file, true);
        let early = server.find(&mut pieces, |pieces| early_metadata(pieces, &Limits::default())).unwrap();
        prop_assert_eq!(&early.metadata, &metadata());
        early.check(&server.find(&mut pieces, early_manifest).unwrap()).unwrap();
    }

    /// Nothing makes it panic, or ask without end.
    #[test]
    fn noise_is_an_error(bytes in prop::collection::vec(any::<u8>(), 0..4096), tells_length in any::<bool>()) {
        prop_assert!(Server::new(&bytes, tells_length).both().is_err());
    }

    /// A flipped bit in the metadata is noticed at the latest by `Manifest`.
    #[test]
    fn flipped_bits_are_noticed(at in any::<prop::sample::Index>(), bit in 0..8_u8) {
        let tar = metadata_tar(&metadata(), 0);
        let mut file = container(&[("metadata.tar", &tar), ("image.tar", b"x")]);
        let member = Reader::open(Cursor::new(&file), Limits::default()).unwrap().members()[1].clone();
        file[member.offset as usize + at.index(member.size as usize)] ^= 1 << bit;
        let result = Server::new(&file, true).both().and_then(|(early, manifest)| early.check(&manifest));
        prop_assert!(result.is_err());
    }
}
