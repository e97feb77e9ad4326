//! Reading a GPKG that anybody may have written.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek, SeekFrom};

use super::compression::{Compression, decoder};
use super::container::{Member, scan};
use super::image::{ImageEntry, walk};
use super::limits::Budgeted;
use super::manifest::{Manifest, MemberDigests};
use super::{GpkgError, Limits, MANIFEST_MEMBER, Metadata};

/// A `Manifest` larger than this is refused: real ones have six short lines and perhaps a signature.
const MANIFEST_LIMIT: u64 = 1 << 20;

/// An opened GPKG.
///
/// Opening reads the member headers and `Manifest` only. Every member's digests are checked before its content is
/// used, the image's when the image is first asked for. Signatures are not checked.
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

    /// Copies the image member as it lies in the container, compressed, after checking its digests.
    ///
    /// Gives the member's name, whose suffix tells the compression.
    pub fn copy_image(&mut self, sink: &mut dyn io::Write) -> Result<String, GpkgError> {
        let (member, _) = self.inner("image.tar")?;
        self.verify_member(&member)?;
        let mut input = read_range(&mut self.source, &member)?;
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = input.read(&mut buffer).map_err(GpkgError::Read)?;
            if n == 0 {
                return Ok(member.name);
            }
            sink.write_all(&buffer[..n]).map_err(GpkgError::Write)?;
        }
    }

    /// The name of the image member, whose suffix tells the compression.
    pub fn image_member(&self) -> Result<String, GpkgError> {
        Ok(self.inner("image.tar")?.0.name)
    }

    /// Reads all metadata without touching the image.
    pub fn metadata(&mut self) -> Result<Metadata, GpkgError> {
        let (member, compression) = self.inner("metadata.tar")?;
        self.verify_member(&member)?;
        let decoding = |error| GpkgError::decoding("metadata.tar", error);
        let input = read_range(&mut self.source, &member)?;
        let tar = Budgeted::new(
            decoder(compression, input).map_err(decoding)?,
            self.limits.metadata_bytes,
        );
        let mut archive = tar::Archive::new(tar);
        let mut metadata = Metadata::new();
        for entry in archive.entries().map_err(decoding)? {
            let mut entry = entry.map_err(decoding)?;
            let path = String::from_utf8_lossy(&entry.path_bytes()).into_owned();
            let dangerous = |reason: &str| GpkgError::Dangerous {
                archive: "metadata.tar",
                path: path.clone(),
                reason: reason.to_owned(),
            };
            if entry.header().entry_type().is_dir() && path.trim_end_matches('/') == "metadata" {
                continue;
            }
            if !entry.header().entry_type().is_file() {
                return Err(dangerous("it is not a plain file"));
            }
            let name = path.strip_prefix("metadata/").unwrap_or_default();
            if name.is_empty() || name == "." || name == ".." || name.contains(['/', '\0', '\u{fffd}']) {
                return Err(dangerous("it is not a plain name in `metadata/`"));
            }
            let size = entry.size();
            let mut value = Vec::new();
            entry.read_to_end(&mut value).map_err(decoding)?;
            if value.len() as u64 != size {
                return Err(decoding(io::ErrorKind::UnexpectedEof.into()));
            }
            if metadata.insert(name.to_owned(), value).is_some() {
                return Err(dangerous("it appears twice"));
            }
        }
        Ok(metadata)
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
        let decoded = decoder(compression, input).map_err(|error| GpkgError::decoding("image.tar", error))?;
        walk(Budgeted::new(decoded, self.limits.image_bytes), &self.limits, visit)
    }

    /// Finds the one member that is `stem` with or without a suffix of compression.
    fn inner(&self, stem: &str) -> Result<(Member, Compression), GpkgError> {
        let mut found = self.members.iter().filter(|member| {
            let rest = member.name.strip_prefix(stem);
            rest.is_some_and(|rest| !rest.ends_with(".sig") && (rest.is_empty() || rest.starts_with('.')))
        });
        let member = found
            .next()
            .ok_or_else(|| GpkgError::structure(format!("it has no member `{stem}`")))?;
        if found.next().is_some() {
            return Err(GpkgError::structure(format!("it has more than one member `{stem}`")));
        }
        let suffix = &member.name[stem.len()..];
        let compression = Compression::from_suffix(suffix).ok_or_else(|| GpkgError::Compression {
            member: member.name.clone(),
            suffix: suffix.to_owned(),
        })?;
        Ok((member.clone(), compression))
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
