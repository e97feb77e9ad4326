//! Stamping: what publication adds to a package in normal form.

use std::io::{Read, Seek, Write};

use crate::gpkg::{ContainerWriter, GpkgError, Limits, Metadata, Reader, SignedWriter, Signer, folded};

use super::NormalError;

/// What came out of [`stamp`].
#[derive(Debug, Clone)]
pub struct StampReport {
    /// The metadata with BUILD_ID and BUILD_TIME, as the index wants it.
    pub metadata: Metadata,
    /// Bytes written.
    pub size: u64,
}

/// Copies the package in normal form that fills `source` to `sink`, with BUILD_ID and BUILD_TIME put in and
/// `PF-BUILD_ID` as the directory of its members; signed, if there is somebody who signs.
///
/// The image is copied as it is, and read once. `build_time` is in seconds since the epoch. The bytes depend on the
/// arguments alone, and on the signatures.
pub fn stamp<R: Read + Seek, W: Write + Seek>(
    source: R,
    sink: W,
    build_id: u64,
    build_time: u64,
    signer: Option<&dyn Signer>,
) -> Result<StampReport, NormalError> {
    let mut reader = Reader::open(source, Limits::default())?;
    let mut metadata = reader.metadata()?;
    // Portage itself writes BUILD_ID without a newline and BUILD_TIME with one.
    metadata.insert("BUILD_ID".to_owned(), build_id.to_string().into_bytes());
    metadata.insert("BUILD_TIME".to_owned(), format!("{build_time}\n").into_bytes());
    let pf = folded(&metadata, "PF");
    if pf.is_empty() {
        let reason = "it is missing".to_owned();
        return Err(GpkgError::Metadata {
            key: "PF".to_owned(),
            reason,
        }
        .into());
    }
    let epoch = reader.members().first().map_or(0, |member| member.mtime);
    let prefix = format!("{pf}-{build_id}");
    let image = reader.image_member()?;
    let (_, size) = match signer {
        Some(signer) => {
            let mut writer = SignedWriter::new(sink, &prefix, epoch, signer)?;
            writer.metadata(&metadata)?;
            writer.copy(&mut reader, &image)?;
            writer.finish()?
        }
        None => {
            let mut writer = ContainerWriter::new(sink, &prefix, epoch)?;
            writer.metadata(&metadata)?;
            writer.copy(&mut reader, &image)?;
            writer.finish()?
        }
    };
    Ok(StampReport { metadata, size })
}
