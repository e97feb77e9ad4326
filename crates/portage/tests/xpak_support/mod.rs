//! Writing an XPAK by hand, right or wrong.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]
#![allow(dead_code, reason = "every test program uses another part of it")]

use std::io::{Cursor, Write as _};

use farm_portage::gpkg::{ImageEntry, Limits, Metadata};
use farm_portage::xpak::{Reader, XpakError};
use tar::{EntryType, Header};

/// An entry of an index: name, offset and length of the data.
pub(crate) type Indexed<'a> = (&'a [u8], u32, u32);

/// Every entry of a package's image with its content, and its metadata.
pub(crate) type Everything = (Vec<(ImageEntry, Vec<u8>)>, Metadata);

/// A segment with any index over any data.
pub(crate) fn segment_of(index: &[Indexed<'_>], data: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for (name, offset, length) in index {
        bytes.extend_from_slice(&(name.len() as u32).to_be_bytes());
        bytes.extend_from_slice(name);
        bytes.extend_from_slice(&offset.to_be_bytes());
        bytes.extend_from_slice(&length.to_be_bytes());
    }
    let lengths = [bytes.len() as u32, data.len() as u32].map(u32::to_be_bytes).concat();
    [b"XPAKPACK", &lengths[..], &bytes, data, b"XPAKSTOP"].concat()
}

/// The segment that Portage's `xpak_mem` makes of the same files.
pub(crate) fn segment(files: &[(&str, &[u8])]) -> Vec<u8> {
    let mut index = Vec::new();
    let mut data = Vec::new();
    for (name, value) in files {
        index.push((name.as_bytes(), data.len() as u32, value.len() as u32));
        data.extend_from_slice(value);
    }
    segment_of(&index, &data)
}

/// Image, segment and trailer.
pub(crate) fn package(image: &[u8], segment: &[u8]) -> Vec<u8> {
    [image, segment, &(segment.len() as u32).to_be_bytes(), b"STOP"].concat()
}

/// A tar entry with nothing checked: the name is written as it is.
pub(crate) fn raw_entry(tar: &mut Vec<u8>, name: &str, kind: EntryType, link: &str, content: &[u8]) {
    let mut header = Header::new_ustar();
    header.as_old_mut().name[..name.len()].copy_from_slice(name.as_bytes());
    header.as_old_mut().linkname[..link.len()].copy_from_slice(link.as_bytes());
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    header.set_cksum();
    tar.extend_from_slice(header.as_bytes());
    tar.extend_from_slice(content);
    tar.resize(tar.len().next_multiple_of(512), 0);
}

/// Ends a tar.
pub(crate) fn finish(mut tar: Vec<u8>) -> Vec<u8> {
    tar.resize(tar.len() + 1024, 0);
    tar
}

pub(crate) fn bzip2(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn gzip(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::default());
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

pub(crate) fn xz(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// As `zstd` writes it, with the checksum of the content.
pub(crate) fn zstd(bytes: &[u8]) -> Vec<u8> {
    let mut encoder = zstd::stream::write::Encoder::new(Vec::new(), 3).unwrap();
    encoder.include_checksum(true).unwrap();
    encoder.write_all(bytes).unwrap();
    encoder.finish().unwrap()
}

/// Reads everything there is in a package.
pub(crate) fn read_all(bytes: &[u8], limits: Limits) -> Result<Everything, XpakError> {
    let mut reader = Reader::open(Cursor::new(bytes), limits)?;
    let mut image = Vec::new();
    reader.visit_image(|entry, content| {
        let mut bytes = Vec::new();
        content
            .read_to_end(&mut bytes)
            .map_err(farm_portage::gpkg::GpkgError::content)?;
        image.push((entry, bytes));
        Ok::<(), XpakError>(())
    })?;
    Ok((image, reader.metadata().clone()))
}
