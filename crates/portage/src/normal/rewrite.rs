//! Rewriting a package in normal form.

use std::io::{Cursor, Read, Seek, Write};

use crate::abi::PackageAbi;
use crate::gpkg::{ContainerWriter, GpkgError, Limits, MANIFEST_MEMBER, Metadata, Reader, VERSION_MEMBER, folded};
use crate::xpak;

use super::NormalError;
use super::digests::{interface, payload};
use super::image::{Image, Scratch, Sums, put, put_sorted, survey};
use super::metadata::{become_gpkg, normalise_metadata};

/// What the normal form is made with.
#[derive(Debug, Clone)]
pub struct NormalOptions {
    /// The time of all members and files, in seconds since the epoch: the workspace's SOURCE_DATE_EPOCH.
    pub epoch: u64,
    /// How large a package may be.
    pub limits: Limits,
}

impl NormalOptions {
    /// Takes the epoch, with the default limits.
    pub fn new(epoch: u64) -> Self {
        Self {
            epoch,
            limits: Limits::default(),
        }
    }
}

/// Something that the package had and its normal form has not.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Warning {
    /// Extended attributes (file capabilities among them), which an XPAK has, and which Portage does not restore from a
    /// GPKG.
    #[error("`/{path}` loses its extended attribute `{name}`, which a GPKG cannot carry")]
    ExtendedAttribute {
        /// Relative to the root of the image.
        path: String,
        /// The attribute's name, such as `security.capability`.
        name: String,
    },
    /// A signature: it would not match any more.
    #[error("the signature of `{member}` is dropped")]
    Signature {
        /// The signed member.
        member: String,
    },
    /// A member that GLEP 78 does not name.
    #[error("the unknown member `{member}` is dropped")]
    UnknownMember {
        /// The member's name.
        member: String,
    },
}

/// What came out of [`normalise`] or [`normalise_xpak`].
#[derive(Debug, Clone)]
pub struct NormalReport {
    /// The metadata of the normal form.
    pub metadata: Metadata,
    /// The digest of what dependants' builds can see.
    pub interface: blake3::Hash,
    /// The digest of everything, over uncompressed content.
    pub payload: blake3::Hash,
    /// What dependants take from it when they are built against it: of `interface`, the part that reaches their own bytes.
    pub abi: PackageAbi,
    /// Bytes written.
    pub size: u64,
    /// What was lost.
    pub warnings: Vec<Warning>,
}

/// Rewrites the package that fills `source` in normal form to `sink`, at the sink's position.
///
/// The result is `gpkg-1`, `metadata.tar.zst`, `image.tar.zst`, `Manifest` in the directory `PF`, all times
/// `options.epoch`, all members sorted. Doing it again changes nothing. Memory holds the metadata, the names of the image, and
/// one shared library at a time; the image itself only if its entries are not in Portage's order.
///
/// Fails for a package that is damaged, dangerous or not installable; the sink then holds something useless.
pub fn normalise<R: Read + Seek, W: Write + Seek>(
    source: R,
    sink: W,
    options: &NormalOptions,
) -> Result<NormalReport, NormalError> {
    let mut reader = Reader::open(source, options.limits.clone())?;
    reader.verify()?;
    let warnings = member_warnings(&reader);
    let metadata = reader.metadata()?;
    let scratch = Scratch::new(Cursor::new(Vec::new()), options.limits.sort_bytes);
    rewrite(&mut reader, metadata, warnings, scratch, sink, options)
}

/// Rewrites the XPAK that fills `source` as a GPKG in normal form to `sink`, at the sink's position.
///
/// The result is what [`normalise`] makes of the GPKG of the same build. `scratch` is an empty file that may become as
/// large as the image uncompressed: an XPAK has its entries in the order of folders, and hardly ever in Portage's.
/// Memory holds the metadata, the names of the image, and one shared library at a time.
///
/// An XPAK can carry what a GPKG cannot. Extended attributes, and thereby file capabilities, are lost and told in the
/// report; a device or FIFO is [`GpkgError::SpecialFile`].
///
/// Fails for a package that is damaged, dangerous or not installable; the sink then holds something useless.
pub fn normalise_xpak<R: Read + Seek, W: Write + Seek, S: Read + Write + Seek>(
    source: R,
    sink: W,
    scratch: S,
    options: &NormalOptions,
) -> Result<NormalReport, NormalError> {
    let mut reader = xpak::Reader::open(source, options.limits.clone())?;
    let mut metadata = reader.metadata().clone();
    become_gpkg(&mut metadata)?;
    // The reader stops at this limit, too: the image cannot be larger.
    let scratch = Scratch::new(scratch, options.limits.image_bytes);
    rewrite(&mut reader, metadata, Vec::new(), scratch, sink, options)
}

/// Writes a package of any format in normal form.
pub(super) fn rewrite<S: Read + Write + Seek>(
    package: &mut impl Image,
    mut metadata: Metadata,
    mut warnings: Vec<Warning>,
    scratch: Scratch<S>,
    sink: impl Write + Seek,
    options: &NormalOptions,
) -> Result<NormalReport, NormalError> {
    normalise_metadata(&mut metadata)?;
    let prefix = folded(&metadata, "PF");
    if prefix.is_empty() {
        let reason = "it is missing".to_owned();
        return Err(GpkgError::Metadata {
            key: "PF".to_owned(),
            reason,
        }
        .into());
    }

    let sorted = survey(package, &mut warnings)?;
    let mut sums = Sums::new();
    let mut writer = ContainerWriter::new(sink, &prefix, options.epoch)?;
    writer.metadata(&metadata)?;
    writer.image(|image| {
        if sorted {
            package.visit(|entry, content| Ok(put(image, &mut sums, &entry, content)?))
        } else {
            put_sorted(package, image, &mut sums, scratch)
        }
    })?;
    let (_, size) = writer.finish()?;

    let image = sums.image.finish();
    Ok(NormalReport {
        interface: interface(image, &metadata)?,
        payload: payload(image, &metadata, &prefix, options.epoch)?,
        abi: sums.abi.finish(),
        metadata,
        size,
        warnings,
    })
}

fn member_warnings<R: Read + Seek>(reader: &Reader<R>) -> Vec<Warning> {
    let mut warnings = Vec::new();
    for member in reader.members() {
        let name = member.name.as_str();
        if let Some(signed) = name.strip_suffix(".sig") {
            warnings.push(Warning::Signature {
                member: signed.to_owned(),
            });
        } else if name != VERSION_MEMBER
            && name != MANIFEST_MEMBER
            && !name.starts_with("metadata.tar")
            && !name.starts_with("image.tar")
        {
            warnings.push(Warning::UnknownMember {
                member: name.to_owned(),
            });
        }
    }
    if reader.manifest().is_signed() {
        warnings.push(Warning::Signature {
            member: MANIFEST_MEMBER.to_owned(),
        });
    }
    warnings
}
