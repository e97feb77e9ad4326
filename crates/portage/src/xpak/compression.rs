//! How the image is compressed.

use crate::compression::Compression;

use super::XpakError;

/// How many first bytes [`probe`] wants: a whole header of a tar.
pub(super) const PROBE: u64 = 512;

/// Finds the compression of an image by its first bytes.
///
/// The signatures are Portage's (`portage/util/compression_probe.py`), the one of bzip2 with its level 9 included: what
/// another level made, Portage cannot unpack either. Without a signature it must begin with a header of a tar, or be an
/// empty one.
pub(super) fn probe(head: &[u8]) -> Result<Compression, XpakError> {
    match head {
        [b'B', b'Z', b'h', b'9', ..] => Ok(Compression::Bzip2),
        [0x1f, 0x8b, ..] => Ok(Compression::Gzip),
        [0xfd, b'7', b'z', b'X', b'Z', 0, ..] => Ok(Compression::Xz),
        [0x28, 0xb5, 0x2f, 0xfd, ..] => Ok(Compression::Zstd),
        [0x22..=0x27, 0xb5, 0x2f, 0xfd, ..] => Err(XpakError::Compression("zstd of a version before 0.8")),
        [0x04, 0x22, 0x4d, 0x18, ..] => Ok(Compression::Lz4),
        [0x02, 0x21, 0x4c, 0x18, ..] => Err(XpakError::Compression("lz4 in its legacy format")),
        [b'L', b'Z', b'I', b'P', ..] => Ok(Compression::Lzip),
        [0x89, b'L', b'Z', b'O', 0, b'\r', b'\n', 0x1a, b'\n', ..] => Ok(Compression::Lzop),
        _ if is_tar(head) => Ok(Compression::None),
        _ => Err(XpakError::Unrecognised),
    }
}

/// Whether a file that begins like this is a tar: its first header has the right checksum, or is the end of it already.
fn is_tar(head: &[u8]) -> bool {
    let Some(block) = head.first_chunk::<{ PROBE as usize }>() else {
        return false;
    };
    if block.iter().all(|&byte| byte == 0) {
        return true;
    }
    // The checksum counts its own eight bytes as spaces.
    let sum = |bytes: &[u8]| bytes.iter().map(|&byte| u32::from(byte)).sum::<u32>();
    let expected = sum(&block[..148]) + 8 * u32::from(b' ') + sum(&block[156..]);
    let mut header = tar::Header::new_old();
    header.as_mut_bytes().copy_from_slice(block);
    header.cksum().is_ok_and(|found| found == expected)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn bz(text: &str) -> Vec<u8> {
        let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn gz(text: &str) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn xz(text: &str) -> Vec<u8> {
        let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
        encoder.write_all(text.as_bytes()).unwrap();
        encoder.finish().unwrap()
    }

    fn zst(text: &str) -> Vec<u8> {
        zstd::encode_all(text.as_bytes(), 1).unwrap()
    }

    #[test]
    fn compressions_are_found_by_portages_signatures() {
        let found = |head: &[u8]| probe(head).map_err(|error| error.to_string());
        assert_eq!(found(&bz("x")), Ok(Compression::Bzip2));
        assert_eq!(found(&gz("x")), Ok(Compression::Gzip));
        assert_eq!(found(&xz("x")), Ok(Compression::Xz));
        assert_eq!(found(&zst("x")), Ok(Compression::Zstd));
        assert_eq!(found(b"\x04\x22\x4d\x18"), Ok(Compression::Lz4));
        assert_eq!(found(b"LZIP"), Ok(Compression::Lzip));
        assert_eq!(found(b"\x89LZO\0\r\n\x1a\n"), Ok(Compression::Lzop));
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_cksum();
        assert_eq!(found(header.as_bytes()), Ok(Compression::None));
        assert_eq!(found(&[0; 512]), Ok(Compression::None));
        for (head, said) in [
            (&b"\x02\x21\x4c\x18"[..], "lz4"),
            (b"\x25\xb5\x2f\xfd", "zstd of a version"),
            (b"BZh5", "neither"),
            (b"", "neither"),
            (&[0; 511], "neither"),
            (&[1; 512], "neither"),
        ] {
            let error = found(head).unwrap_err();
            assert!(error.contains(said), "{}: {error}", head.escape_ascii());
        }
    }
}
