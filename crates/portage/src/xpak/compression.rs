//! How the image is compressed, and undoing that as Portage's decompressors do.

use std::io::{self, BufRead, Chain, Cursor, Read};

use bzip2::bufread::BzDecoder;
use flate2::bufread::GzDecoder;

use crate::gpkg::Compression;
use crate::gpkg::compression::decoder as plain_decoder;

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
        [0x04, 0x22, 0x4d, 0x18, ..] | [0x02, 0x21, 0x4c, 0x18, ..] => Err(XpakError::Compression("lz4")),
        [b'L', b'Z', b'I', b'P', ..] => Err(XpakError::Compression("lzip")),
        [0x89, b'L', b'Z', b'O', 0, b'\r', b'\n', 0x1a, b'\n', ..] => Err(XpakError::Compression("lzop")),
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

/// Undoes `compression`; several streams, one after another, count as one.
///
/// What follows the last stream is treated as the programs do that Portage runs: `bzip2 -d` leaves it alone if it does
/// not begin like another stream, `gzip -d` if it is all zeros, `xz -d` if it is padding, `zstd -d` if it is a frame to
/// be skipped. Everything else is an error.
pub(super) fn decoder<'a, R: BufRead + 'a>(compression: Compression, input: R) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::Bzip2 => Box::new(Bzip2::new(input)),
        Compression::Gzip => Box::new(Gzip(Some(GzDecoder::new(input)))),
        Compression::None | Compression::Xz | Compression::Zstd => plain_decoder(compression, input)?,
    })
}

/// The input of one bzip2 stream: the bytes that were read to see whether there is one, and the rest.
type Peeked<R> = Chain<Cursor<Vec<u8>>, R>;

/// bzip2 streams up to the end, or to what is none. `None` after that.
struct Bzip2<R>(Option<BzDecoder<Peeked<R>>>);

impl<R: BufRead> Bzip2<R> {
    fn new(input: R) -> Self {
        Self(Some(BzDecoder::new(Cursor::new(Vec::new()).chain(input))))
    }

    /// Looks what follows a stream, byte by byte as libbzip2 does: a wrong one ends everything, a missing one is an
    /// error.
    fn after(mut input: R) -> io::Result<Option<BzDecoder<Peeked<R>>>> {
        let mut magic = Vec::new();
        input.by_ref().take(4).read_to_end(&mut magic)?;
        let begins = magic.iter().zip(b"BZh").all(|(found, expected)| found == expected);
        match magic.get(3).copied() {
            _ if magic.is_empty() || !begins => Ok(None),
            None => Err(io::ErrorKind::UnexpectedEof.into()),
            Some(b'1'..=b'9') => Ok(Some(BzDecoder::new(Cursor::new(magic).chain(input)))),
            Some(_) => Ok(None),
        }
    }
}

impl<R: BufRead> Read for Bzip2<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let n = decoder.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if let Some(ended) = self.0.take() {
                let (_, input) = ended.into_inner().into_inner();
                self.0 = Self::after(input)?;
            }
        }
        Ok(0)
    }
}

/// gzip members up to the end, or to zeros that fill the rest. `None` after that.
struct Gzip<R>(Option<GzDecoder<R>>);

impl<R: BufRead> Gzip<R> {
    fn after(mut input: R) -> io::Result<Option<GzDecoder<R>>> {
        match input.fill_buf()?.first().copied() {
            None => Ok(None),
            // What is no member is the decoder's error.
            Some(1..) => Ok(Some(GzDecoder::new(input))),
            Some(0) => loop {
                let zeros = input.fill_buf()?;
                if zeros.is_empty() {
                    return Ok(None);
                }
                if zeros.iter().any(|&byte| byte != 0) {
                    return Err(io::Error::new(
                        io::ErrorKind::InvalidData,
                        "garbage follows the gzip stream",
                    ));
                }
                let n = zeros.len();
                input.consume(n);
            },
        }
    }
}

impl<R: BufRead> Read for Gzip<R> {
    fn read(&mut self, buf: &mut [u8]) -> io::Result<usize> {
        while let Some(decoder) = &mut self.0 {
            let n = decoder.read(buf)?;
            if n > 0 || buf.is_empty() {
                return Ok(n);
            }
            if let Some(ended) = self.0.take() {
                self.0 = Self::after(ended.into_inner())?;
            }
        }
        Ok(0)
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    type Encode = fn(&str) -> Vec<u8>;

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

    /// Decodes with a buffer of every small size, which must not matter.
    fn decode(compression: Compression, bytes: &[u8]) -> Option<String> {
        let results: Vec<_> = [1, 2, 3, 5, 4096]
            .iter()
            .map(|&size| {
                let mut text = String::new();
                let input = io::BufReader::with_capacity(size, bytes);
                decoder(compression, input)
                    .unwrap()
                    .read_to_string(&mut text)
                    .ok()
                    .map(|_| text)
            })
            .collect();
        assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
        results.into_iter().next().flatten()
    }

    /// What `bzip2 1.0.8`, `gzip 1.12`, `xz 5.4` and `zstd 1.5.4` did with the same bytes, as shown by their statuses.
    #[test]
    fn what_follows_the_stream_is_treated_as_the_programs_do() {
        let skippable = b"\x50\x2a\x4d\x18\0\0\0\0";
        let cases: &[(Compression, Encode, &[u8], bool)] = &[
            (Compression::Bzip2, bz, b"", true),
            (Compression::Bzip2, bz, b"garbage", true),
            (Compression::Bzip2, bz, b"XPAKPACK", true),
            (Compression::Bzip2, bz, b"BX", true),
            (Compression::Bzip2, bz, b"BZhx", true),
            (Compression::Bzip2, bz, b"B", false),
            (Compression::Bzip2, bz, b"BZ", false),
            (Compression::Bzip2, bz, b"BZh", false),
            (Compression::Bzip2, bz, b"BZh9", false),
            (Compression::Bzip2, bz, b"BZh9xxxxxxxx", false),
            (Compression::Gzip, gz, b"", true),
            (Compression::Gzip, gz, b"\0", true),
            (Compression::Gzip, gz, b"\0\0\0", true),
            (Compression::Gzip, gz, b"\0\0x", false),
            (Compression::Gzip, gz, b"garbage", false),
            (Compression::Gzip, gz, b"\x1f", false),
            (Compression::Gzip, gz, b"\x1f\x8b", false),
            (Compression::Xz, xz, b"", true),
            (Compression::Xz, xz, b"\0\0\0\0", true),
            (Compression::Xz, xz, b"\0", false),
            (Compression::Xz, xz, b"garb", false),
            (Compression::Zstd, zst, b"", true),
            (Compression::Zstd, zst, skippable, true),
            (Compression::Zstd, zst, b"\0\0\0\0", false),
            (Compression::Zstd, zst, b"garbage", false),
        ];
        for (compression, encode, rest, good) in cases {
            let bytes = [encode("one, "), encode(""), encode("two"), rest.to_vec()].concat();
            let expected = good.then(|| "one, two".to_owned());
            assert_eq!(
                decode(*compression, &bytes),
                expected,
                "{compression:?} {}",
                rest.escape_ascii()
            );
        }
    }

    #[test]
    fn a_stream_cut_anywhere_is_an_error() {
        for (compression, whole) in [
            (Compression::Bzip2, bz("some text")),
            (Compression::Gzip, gz("some text")),
            (Compression::Xz, xz("some text")),
            (Compression::Zstd, zst("some text")),
        ] {
            for end in 1..whole.len() {
                assert_eq!(decode(compression, &whole[..end]), None, "{compression:?} cut at {end}");
            }
        }
    }

    #[test]
    fn compressions_are_found_by_portages_signatures() {
        let found = |head: &[u8]| probe(head).map_err(|error| error.to_string());
        assert_eq!(found(&bz("x")), Ok(Compression::Bzip2));
        assert_eq!(found(&gz("x")), Ok(Compression::Gzip));
        assert_eq!(found(&xz("x")), Ok(Compression::Xz));
        assert_eq!(found(&zst("x")), Ok(Compression::Zstd));
        let mut header = tar::Header::new_ustar();
        header.set_size(0);
        header.set_cksum();
        assert_eq!(found(header.as_bytes()), Ok(Compression::None));
        assert_eq!(found(&[0; 512]), Ok(Compression::None));
        for (head, said) in [
            (&b"\x04\x22\x4d\x18"[..], "lz4"),
            (b"\x02\x21\x4c\x18", "lz4"),
            (b"LZIP", "lzip"),
            (b"\x89LZO\0\r\n\x1a\n", "lzop"),
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
