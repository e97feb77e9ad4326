//! Reading an XPAK that anybody may have written.

use std::io::{self, BufReader, Read, Seek, SeekFrom};

use crate::compression::{Compression, decoder};
use crate::gpkg::image::{Root, walk};
use crate::gpkg::limits::Budgeted;
use crate::gpkg::{GpkgError, ImageEntry, Limits, Metadata};

use super::XpakError;
use super::compression::{PROBE, probe};
use super::segment::{AFTER_SEGMENT, TRAILER, parse_segment, trailer};

/// An opened XPAK.
///
/// Opening reads the metadata, and nothing of the image.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    metadata: Metadata,
    /// The number of bytes before the segment.
    image: u64,
    limits: Limits,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens the package that fills `source` from its start to its end.
    ///
    /// Fails for what does not end with a segment that [`parse_segment`] takes, or with one of more than
    /// `limits.metadata_bytes`.
    pub fn open(mut source: R, limits: Limits) -> Result<Self, XpakError> {
        let length = source.seek(SeekFrom::End(0)).map_err(XpakError::Read)?;
        let trailer_at = length.checked_sub(TRAILER as u64).ok_or(XpakError::Trailer)?;
        let bytes = read_range(&mut source, trailer_at, TRAILER as u64)?;
        let size = trailer(&bytes).ok_or(XpakError::Trailer)?;
        if size > limits.metadata_bytes {
            return Err(XpakError::TooLarge {
                size,
                limit: limits.metadata_bytes,
            });
        }
        let image = length
            .checked_sub(AFTER_SEGMENT)
            .and_then(|end| end.checked_sub(size))
            .ok_or_else(|| XpakError::segment("it begins before the file"))?;
        let metadata = parse_segment(&read_range(&mut source, image, size)?)?;
        Ok(Self {
            source,
            metadata,
            image,
            limits,
        })
    }

    /// The metadata. Nothing but the structure of the segment vouches for it.
    pub fn metadata(&self) -> &Metadata {
        &self.metadata
    }

    /// The size of the image in bytes, as it lies in the file.
    pub fn image_size(&self) -> u64 {
        self.image
    }

    /// Finds how the image is compressed.
    ///
    /// Fails for what this crate cannot undo (what very old programs wrote), and for what no signature tells.
    pub fn compression(&mut self) -> Result<Compression, XpakError> {
        probe(&read_range(&mut self.source, 0, self.image.min(PROBE))?)
    }

    /// Hands every entry of the image, with a reader of its content, to `visit`, in the order of the archive.
    ///
    /// Entries are as [`gpkg::Reader::visit_image`](crate::gpkg::Reader::visit_image) has them, and the same is refused.
    /// Damage that only the end of the compressed stream shows is an error after the last entry, so what `visit` was
    /// given is good only if this ends well. May be called again.
    pub fn visit_image<E: From<XpakError> + From<GpkgError>>(
        &mut self,
        visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let compression = self.compression()?;
        self.source.seek(SeekFrom::Start(0)).map_err(XpakError::Read)?;
        let input = BufReader::new((&mut self.source).take(self.image));
        let decoded = decoder(compression, input).map_err(GpkgError::content)?;
        let mut tar = Budgeted::new(decoded, self.limits.image_bytes);
        walk(&mut tar, Root::Dot, &self.limits, visit)?;
        // The archive may end before the stream does, whose checksum is the only one that the image has.
        io::copy(&mut tar, &mut io::sink()).map_err(GpkgError::content)?;
        Ok(())
    }
}

/// Reads `size` bytes from `offset` on, fewer only if the file has become shorter.
fn read_range<R: Read + Seek>(source: &mut R, offset: u64, size: u64) -> Result<Vec<u8>, XpakError> {
    source.seek(SeekFrom::Start(offset)).map_err(XpakError::Read)?;
    let mut bytes = Vec::new();
    source.take(size).read_to_end(&mut bytes).map_err(XpakError::Read)?;
    Ok(bytes)
}
