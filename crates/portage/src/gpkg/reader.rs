//! Reading a GPKG that anybody may have written.

use std::collections::BTreeSet;
use std::io::{self, BufReader, Read, Seek, SeekFrom};

use super::container::{Member, scan};
use super::image::{ImageEntry, Root, walk};
use super::limits::{Budgeted, MANIFEST_LIMIT};
use super::manifest::{Manifest, ManifestEntry, MemberDigests};
use super::{GpkgError, Limits, MANIFEST_MEMBER, Metadata, metadata};
use crate::compression::{Compression, decoder};

/// An opened GPKG.
///
/// Opening reads the member headers and `Manifest` only. Every member's digests are checked before its content is
/// used, the image's when the image is first asked for. Signatures are checked by [`Self::verify_signatures`] only.
#[derive(Debug)]
pub struct Reader<R> {
    source: R,
    prefix: String,
    members: Vec<Member>,
    manifest: Manifest,
    limits: Limits,
    /// Names of the members whose digests were found right, so that none is summed up twice.
    verified: BTreeSet<String>,
}

impl<R: Read + Seek> Reader<R> {
    /// Opens the container that fills `source` from its start to its end.
    ///
    /// Checks the structure as GLEP 78 and Portage have it, that `Manifest` names exactly the members that are there,
    /// and their sizes. Members may come in any order.
    pub fn open(mut source: R, limits: Limits) -> Result<Self, GpkgError> {
        let (prefix, members) = scan(&mut source)?;
        let text = {
            let member = members
                .iter()
                .find(|member| member.name == MANIFEST_MEMBER)
                .ok_or_else(|| GpkgError::structure(format!("it has no member `{MANIFEST_MEMBER}`")))?;
            if member.size > MANIFEST_LIMIT {
                let part = MANIFEST_MEMBER.to_owned();
                return Err(GpkgError::TooLarge {
                    part,
                    limit: MANIFEST_LIMIT,
                    unit: "bytes",
                });
            }
            let mut text = Vec::new();
            read_range(&mut source, member)?
                .read_to_end(&mut text)
                .map_err(GpkgError::Read)?;
            text
        };
        let manifest = Manifest::parse(&text)?;
        for member in members.iter().filter(|member| member.name != MANIFEST_MEMBER) {
            let mismatch = |what: &str| GpkgError::Mismatch {
                member: member.name.clone(),
                what: what.to_owned(),
            };
            let entry = manifest.get(&member.name).ok_or_else(|| mismatch("it is not listed"))?;
            if entry.size != member.size {
                return Err(mismatch("size"));
            }
        }
        for (name, _) in manifest.iter() {
            if !members.iter().any(|member| member.name == name) {
                let what = "it is listed but not there".to_owned();
                return Err(GpkgError::Mismatch {
                    member: name.to_owned(),
                    what,
                });
            }
        }
        let reader = Self {
            source,
            prefix,
            members,
            manifest,
            limits,
            verified: BTreeSet::new(),
        };
        reader.inner("metadata.tar")?;
        reader.inner("image.tar")?;
        Ok(reader)
    }

    /// The directory that all members lie in: `PF` or `PF-BUILD_ID` by custom.
    pub fn prefix(&self) -> &str {
        &self.prefix
    }

    /// The members in the order of the file, `Manifest`, signatures and unknown ones included.
    pub fn members(&self) -> &[Member] {
        &self.members
    }

    /// The parsed `Manifest`.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Whether there is any signature: a `.sig` member or a clear-signed `Manifest`. Nothing is said about its worth.
    pub fn is_signed(&self) -> bool {
        self.manifest.is_signed() || self.members.iter().any(|member| member.name.ends_with(".sig"))
    }

    /// The limits it was opened with.
    pub fn limits(&self) -> &Limits {
        &self.limits
    }

    /// Checks the digests of all members.
    pub fn verify(&mut self) -> Result<(), GpkgError> {
        for member in self.members.clone() {
            if member.name != MANIFEST_MEMBER {
                self.verify_member(&member)?;
            }
        }
        Ok(())
    }

    /// Gives the verbatim bytes of one member after checking its digests; `Ok(None)` if there is none of that name.
    pub fn member(&mut self, name: &str) -> Result<Option<Vec<u8>>, GpkgError> {
        let Some(member) = self.members.iter().find(|member| member.name == name).cloned() else {
            return Ok(None);
        };
        if name != MANIFEST_MEMBER {
            self.verify_member(&member)?;
        }
        let mut bytes = Vec::new();
        read_range(&mut self.source, &member)?
            .read_to_end(&mut bytes)
            .map_err(GpkgError::Read)?;
        Ok(Some(bytes))
    }

    /// The name of the image member, whose suffix tells the compression.
    pub fn image_member(&self) -> Result<String, GpkgError> {
        Ok(self.inner("image.tar")?.0.name)
    }

    /// Reads all metadata without touching the image.
    pub fn metadata(&mut self) -> Result<Metadata, GpkgError> {
        let (member, compression) = self.inner("metadata.tar")?;
        self.verify_member(&member)?;
        let input = read_range(&mut self.source, &member)?;
        metadata::read(BufReader::new(input), compression, &self.limits)
    }

    /// Hands every entry of the image, with a reader of its content, to `visit`, in the order of the archive.
    ///
    /// The digests are checked before the first call. Paths are relative, in plain form, unique, and never go through a
    /// symbolic link of the archive; devices and FIFOs are [`GpkgError::SpecialFile`]. May be called again.
    pub fn visit_image<E: From<GpkgError>>(
        &mut self,
        visit: impl FnMut(ImageEntry, &mut dyn Read) -> Result<(), E>,
    ) -> Result<(), E> {
        let (member, compression) = self.inner("image.tar")?;
        self.verify_member(&member)?;
        let input = read_range(&mut self.source, &member)?;
        let decoded = decoder(compression, BufReader::new(input)).map_err(GpkgError::content)?;
        let tar = Budgeted::new(decoded, self.limits.image_bytes);
        walk(tar, Root::Image, &self.limits, visit)
    }

    /// Finds the one member that is `stem` with or without a suffix of compression.
    fn inner(&self, stem: &str) -> Result<(Member, Compression), GpkgError> {
        let mut found = self.members.iter().filter(|member| member.is_archive(stem));
        let member = found
            .next()
            .ok_or_else(|| GpkgError::structure(format!("it has no member `{stem}`")))?;
        if found.next().is_some() {
            return Err(GpkgError::structure(format!("it has more than one member `{stem}`")));
        }
        Ok((member.clone(), member.compression(stem)?))
    }

    /// Gives a member as it lies in the container, compressed, and what `Manifest` says of it. Whoever reads it compares
    /// the two.
    pub(super) fn raw(&mut self, name: &str) -> Result<(ManifestEntry, io::Take<&mut R>), GpkgError> {
        let missing = || GpkgError::structure(format!("it has no member `{name}`"));
        let expected = self.manifest.get(name).cloned().ok_or_else(missing)?;
        let member = self.members.iter().find(|member| member.name == name);
        let member = member.cloned().ok_or_else(missing)?;
        Ok((expected, read_range(&mut self.source, &member)?))
    }

    /// Notes that somebody who read a member with [`Self::raw`] found its digests right.
    pub(super) fn mark_verified(&mut self, name: &str) {
        self.verified.insert(name.to_owned());
    }

    fn verify_member(&mut self, member: &Member) -> Result<(), GpkgError> {
        if self.verified.contains(&member.name) {
            return Ok(());
        }
        let mut digests = MemberDigests::default();
        let mut input = read_range(&mut self.source, member)?;
        io::copy(&mut input, &mut digests).map_err(GpkgError::Read)?;
        let expected = self.manifest.get(&member.name).ok_or_else(|| GpkgError::Mismatch {
            member: member.name.clone(),
            what: "it is not listed".to_owned(),
        })?;
        digests.check(&member.name, expected)?;
        self.verified.insert(member.name.clone());
        Ok(())
    }
}

fn read_range<'a, R: Read + Seek>(source: &'a mut R, member: &Member) -> Result<io::Take<&'a mut R>, GpkgError> {
    source.seek(SeekFrom::Start(member.offset)).map_err(GpkgError::Read)?;
    Ok(source.take(member.size))
}
