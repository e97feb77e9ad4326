//! The compressors of inner archives: every one that Portage writes with (`_compressors` in
//! `portage/util/compression_probe.py`) is read, and zstd is written.

mod lz4;
mod lzop;
mod streams;

use std::io::{self, BufRead, Read, Write};

use liblzma::bufread::XzDecoder;

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
    /// `.lz4`
    Lz4,
    /// `.lz`
    Lzip,
    /// `.lzo`
    Lzop,
    /// `.xz`
    Xz,
    /// `.zst`
    Zstd,
}

impl Compression {
    /// Finds the compression by what follows `.tar` in a member's name (`_get_tar_format_from_stats` and `ext_list` in
    /// `portage/gpkg.py`); `None` for what Portage does not know.
    pub fn from_suffix(suffix: &str) -> Option<Self> {
        match suffix {
            "" => Some(Self::None),
            ".bz2" => Some(Self::Bzip2),
            ".gz" => Some(Self::Gzip),
            ".lz4" => Some(Self::Lz4),
            ".lz" => Some(Self::Lzip),
            ".lzo" => Some(Self::Lzop),
            ".xz" => Some(Self::Xz),
            ".zst" => Some(Self::Zstd),
            _ => None,
        }
    }
}

/// Undoes `compression`; several streams, one after another, count as one.
///
/// What follows the last stream is treated as the programs do that Portage runs: `bzip2 -d` leaves it alone if it does
/// not begin like another stream, and so does `lzip -d`; `gzip -d` and `lzop -d` leave zeros alone, `xz -d` padding, `lz4 -d` and
/// `zstd -d` frames to be skipped. Everything else is an error.
///
/// # Errors
/// The decoder cannot be set up. Damage is an error of reading.
pub(crate) fn decoder<'a, R: BufRead + 'a>(compression: Compression, input: R) -> io::Result<Box<dyn Read + 'a>> {
    Ok(match compression {
        Compression::None => Box::new(input),
        Compression::Bzip2 => Box::new(streams::Bzip2::new(input)),
        Compression::Gzip => Box::new(streams::Gzip::new(input)),
        Compression::Lz4 => Box::new(lz4::Lz4::new(input)),
        Compression::Lzip => Box::new(streams::Lzip::new(input)?),
        Compression::Lzop => Box::new(lzop::Lzop::new(input)),
        Compression::Xz => Box::new(XzDecoder::new_multi_decoder(input)),
        Compression::Zstd => {
            let mut decoder = zstd::stream::read::Decoder::with_buffer(input)?;
            // Portage decompresses with `--long=31`, so a window of that size is legal.
            decoder.window_log_max(31)?;
            Box::new(decoder)
        }
    })
}

/// Starts a zstd stream whose bytes depend on the content only.
///
/// # Errors
/// The encoder cannot be set up.
pub(crate) fn zstd_encoder<W: Write>(output: W) -> io::Result<zstd::stream::write::Encoder<'static, W>> {
    let mut encoder = zstd::stream::write::Encoder::new(output, ZSTD_LEVEL)?;
    encoder.include_checksum(true)?;
    Ok(encoder)
}
