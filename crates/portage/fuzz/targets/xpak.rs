//! XPAK packages: what is accepted becomes a GPKG that verifies, has itself for a normal form, and lost no metadata.
//!
//! Nothing in the format is summed up, so that most changes get through to what reads the parts. An input that begins with one of two
//! bytes is only a part, because a change of its length would be found before anything else is looked at.

use std::io::Cursor;

use farm_portage::gpkg::{ErrorKind, Metadata};
use farm_portage::normal::{NormalOptions, normalise_xpak};
use farm_portage::xpak::Reader;

use super::gpkg::{LIMITS, normal, whole};

/// The input is this byte and a segment without its `XPAKPACK` and `XPAKSTOP`.
const SEGMENT: u8 = 0;

/// The input is this byte and an image, compressed or not.
const IMAGE: u8 = 1;

/// An archive without an entry.
const NO_IMAGE: [u8; 1024] = [0; 1024];

pub(crate) fn check(input: &[u8]) {
    match input.split_first() {
        Some((&SEGMENT, inner)) => package(&joined(&NO_IMAGE, inner)),
        Some((&IMAGE, image)) => package(&joined(image, &segment(&[("CATEGORY", b"a-b\n"), ("PF", b"x-1\n")]))),
        _ => package(input),
    }
}

/// A package of this image, and a segment around `inner`.
fn joined(image: &[u8], inner: &[u8]) -> Vec<u8> {
    let segment = [&b"XPAKPACK"[..], inner, b"XPAKSTOP"].concat();
    [image, &segment, &length(segment.len()), b"STOP"].concat()
}

/// What a segment with these entries has inside.
fn segment(entries: &[(&str, &[u8])]) -> Vec<u8> {
    let (mut index, mut data) = (Vec::new(), Vec::new());
    for (name, value) in entries {
        index.extend_from_slice(&length(name.len()));
        index.extend_from_slice(name.as_bytes());
        index.extend_from_slice(&length(data.len()));
        index.extend_from_slice(&length(value.len()));
        data.extend_from_slice(value);
    }
    [&length(index.len())[..], &length(data.len()), &index, &data].concat()
}

fn length(length: usize) -> [u8; 4] {
    u32::try_from(length).expect("inputs are small").to_be_bytes()
}

fn package(bytes: &[u8]) {
    let opened = Reader::open(Cursor::new(bytes), LIMITS).map(|reader| reader.metadata().clone());
    if let Ok(metadata) = &opened {
        let size: usize = metadata.iter().map(|(name, value)| name.len() + value.len()).sum();
        assert!(size < bytes.len(), "more was read than there is");
    }
    let (mut gpkg, scratch) = (Cursor::new(Vec::new()), Cursor::new(Vec::new()));
    let options = NormalOptions {
        epoch: 7,
        limits: LIMITS,
    };
    let report = match normalise_xpak(Cursor::new(bytes), &mut gpkg, scratch, &options) {
        Ok(report) => report,
        Err(error) => {
            assert_eq!(
                error.kind(),
                ErrorKind::Input,
                "neither reading nor writing memory fails"
            );
            return;
        }
    };
    let gpkg = gpkg.into_inner();
    assert_eq!(whole(&gpkg), report.metadata);
    assert!(opened.is_ok_and(|before| names_kept(&before, &report.metadata)));
    let (again, _) = normal(&gpkg, farm_portage::gpkg::Limits::default()).expect("a normal form is accepted");
    assert!(gpkg == again, "what it becomes has another normal form");
}

/// Whether the identity of the package is what it was.
fn names_kept(before: &Metadata, after: &Metadata) -> bool {
    ["CATEGORY", "PF", "SLOT", "USE", "RDEPEND"]
        .iter()
        .all(|name| before.get(*name) == after.get(*name))
}
