//! Writing a signed GPKG: every member but `gpkg-1` has its signature behind it, and `Manifest` is signed in clear.

use std::io::{self, Read, Seek, Write};

use super::signature::SignatureError;
use super::writer::compressed_metadata;
use super::{ContainerWriter, ErrorKind, GpkgError, Limits, MANIFEST_MEMBER, Metadata, Reader, Signer, VERSION_MEMBER};

/// What follows the name of a signed member in the name of its signature (GLEP 78).
pub(super) const SIGNATURE_SUFFIX: &str = ".sig";

/// Writes a signed container member by member, in the form that `gpkg-sign` makes.
///
/// The bytes depend on prefix, time, members and signatures alone.
pub struct SignedWriter<'a, W> {
    writer: ContainerWriter<W>,
    signer: &'a dyn Signer,
}

impl<'a, W: Write + Seek> SignedWriter<'a, W> {
    /// Starts a container at the sink's position; see [`ContainerWriter::new`].
    pub fn new(sink: W, prefix: &str, mtime: u64, signer: &'a dyn Signer) -> Result<Self, GpkgError> {
        Ok(Self {
            writer: ContainerWriter::new(sink, prefix, mtime)?,
            signer,
        })
    }

    /// Writes `metadata.tar.zst` and its signature.
    pub fn metadata(&mut self, metadata: &Metadata) -> Result<(), GpkgError> {
        let compressed = compressed_metadata(metadata, self.writer.mtime())?;
        self.member("metadata.tar.zst", &mut compressed.as_slice())
    }

    /// Copies a member of another container as it lies there, and signs it on the way: it is read once.
    ///
    /// Fails for a member that is not what `Manifest` says; the sink then holds something useless.
    pub fn copy<R: Read + Seek>(&mut self, from: &mut Reader<R>, name: &str) -> Result<(), GpkgError> {
        let (expected, mut content) = from.raw(name)?;
        self.member(name, &mut content)?;
        self.writer.check_written(name, &expected)
    }

    /// Signs and writes `Manifest`, and the end of the archive; see [`ContainerWriter::finish`].
    pub fn finish(self) -> Result<(W, u64), GpkgError> {
        let text = self.writer.manifest().render();
        let signed = self.signer.clear_signed(&text).map_err(failed(MANIFEST_MEMBER))?;
        self.writer.finish_with(&signed)
    }

    fn member(&mut self, name: &str, content: &mut dyn Read) -> Result<(), GpkgError> {
        let signer = self.signer;
        let signature = self.writer.member(name, |sink| {
            let mut passed = Passed {
                content,
                sink,
                failure: None,
                ended: false,
            };
            let signature = signer.detached(&mut passed);
            // What kept the signer from reading says more than what became of it.
            if let Some(failure) = passed.failure {
                return Err(failure);
            }
            let signature = signature.map_err(failed(name))?;
            if passed.ended {
                Ok(signature)
            } else {
                Err(failed(name)(SignatureError {
                    kind: ErrorKind::Environment,
                    message: "whoever signs it did not read all of it".to_owned(),
                    hint: None,
                }))
            }
        })?;
        self.writer.member(&format!("{name}{SIGNATURE_SUFFIX}"), |sink| {
            sink.write_all(&signature).map_err(GpkgError::Write)
        })
    }
}

/// Copies the package that fills `source` to `sink` with new signatures, as `gpkg-sign` does; gives the bytes written.
///
/// Signatures that it has are dropped. The other members stay as they are, unknown ones included, in the order of GLEP 78
/// and with the time of the first one.
pub fn sign<R: Read + Seek, W: Write + Seek>(source: R, sink: W, signer: &dyn Signer) -> Result<u64, GpkgError> {
    let mut reader = Reader::open(source, Limits::default())?;
    let mut names: Vec<String> = reader.members().iter().map(|member| member.name.clone()).collect();
    names.retain(|name| name != VERSION_MEMBER && name != MANIFEST_MEMBER && !name.ends_with(SIGNATURE_SUFFIX));
    names.sort_by_key(|name| {
        let stems = ["metadata.tar", "image.tar"];
        stems
            .iter()
            .position(|stem| name.starts_with(stem))
            .unwrap_or(stems.len())
    });
    let mtime = reader.members().first().map_or(0, |member| member.mtime);
    let prefix = reader.prefix().to_owned();
    let mut writer = SignedWriter::new(sink, &prefix, mtime, signer)?;
    for name in names {
        writer.copy(&mut reader, &name)?;
    }
    writer.finish().map(|(_, size)| size)
}

pub(super) fn failed(member: &str) -> impl Fn(SignatureError) -> GpkgError {
    move |error| GpkgError::Signature {
        member: member.to_owned(),
        error,
    }
}

/// Writes what is read. Remembers what failed, since the signer reports only that something did.
struct Passed<'a> {
    content: &'a mut dyn Read,
    sink: &'a mut dyn Write,
    failure: Option<GpkgError>,
    ended: bool,
}

impl Read for Passed<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let lost = || io::Error::other("the package cannot be copied");
        let n = match self.content.read(buffer) {
            Ok(n) => n,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.failure = Some(GpkgError::Read(error));
                return Err(lost());
            }
        };
        self.ended |= n == 0 && !buffer.is_empty();
        match self.sink.write_all(&buffer[..n]) {
            Ok(()) => Ok(n),
            Err(error) => {
                self.failure = Some(GpkgError::Write(error));
                Err(lost())
            }
        }
    }
}
