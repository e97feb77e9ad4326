//! The compressors of inner archives.

use std::io::{self, BufReader, Read, Write};

use super::GpkgError;

/// The level of every zstd stream that this crate writes: zstd's and Portage's own default.
///
/// Level, library version and the single-threaded encoder are all that decide the bytes, so none of them may depend on
/// the machine.
pub const ZSTD_LEVEL: i32 = 3;

/// How an archive is compressed: told by the suffix in a GPKG (GLEP 78), by the first bytes in an XPAK.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Compression {
    /// No suffix.
    None,
    /// `.bz2`
    Bzip2,
    /// `.gz`
    Gzip,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// Finds the compression by what follows `.tar` in a member's name; `None` for what is not supported.
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            "" => Some(Self::None),
            ".bz2" => Some(Self::Bzip2),
            ".gz" => Some(Self::Gzip),
            ".xz" => Some(Self::Xz),
            ".zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Undoes `compression`; several concatenated streams count as one, as the command line tools have it.
pub(crate) fn decoder<'a, R: Read + 'a>(compression: Compression, input: R) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(BufReader::new(input)),
        Compression::Bzip2 => Box::new(bzip2::read::MultiBzDecoder::new(input)),
        Compression::Gzip => Box::new(flate2::read::MultiGzDecoder::new(input)),
        Compression::Xz => Box::new(liblzma::read::XzDecoder::new_multi_decoder(input)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::new(input)?;
            // Portage decompresses with `--long=31`, so a window of that size is legal.
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
    })
}

/// Starts a zstd stream whose bytes depend on the content only.
pub(super) fn zstd_encoder<W: Write>(output: W) -> Result<zstd::stream::write::Encoder<'static, W>, GpkgError> {
    let mut encoder = zstd::stream::write::Encoder::new(output, ZSTD_LEVEL).map_err(GpkgError::Write)?;
    encoder.include_checksum(true).map_err(GpkgError::Write)?;
    Ok(encoder)
}
