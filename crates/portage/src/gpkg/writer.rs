//! Writing a GPKG: one order of members, no clock, `Manifest` last.

use std::io::{self, Read, Seek, SeekFrom, Write};

use crate::compression::zstd_encoder;

use super::image::{EntryKind, IMAGE, ImageEntry};
use super::manifest::{Manifest, ManifestEntry, MemberDigests};
use super::tar_header::{BLOCK, Fields, write_end, write_header, write_padding};
use super::{GpkgError, MANIFEST_MEMBER, Metadata, Reader, VERSION_MEMBER};

/// Portage and GNU tar fill an archive to a multiple of this many bytes; so does the container, which makes it equal to
/// what `tar` would write of the same members.
const RECORD: u64 = 20 * BLOCK;

/// Writes a container member by member.
///
/// The bytes depend on prefix, time and members alone.
#[derive(Debug)]
pub struct ContainerWriter<W> {
    sink: W,
    start: u64,
    prefix: String,
    mtime: u64,
    manifest: Manifest,
}

impl<W: Write + Seek> ContainerWriter<W> {
    /// Starts a container at the sink's position, and writes its `gpkg-1` member.
    ///
    /// `prefix` is the directory of all members, `mtime` their modification time in seconds since the epoch.
    pub fn new(mut sink: W, prefix: &str, mtime: u64) -> Result<Self, GpkgError> {
        if prefix.is_empty() || prefix == "." || prefix == ".." || prefix.contains(['/', '\0']) {
            return Err(GpkgError::structure(format!(
                "`{prefix}` cannot be the directory of a container"
            )));
        }
        let start = sink.stream_position().map_err(GpkgError::Write)?;
        let mut writer = Self {
            sink,
            start,
            prefix: prefix.to_owned(),
            mtime,
            manifest: Manifest::default(),
        };
        writer.member(VERSION_MEMBER, |_| Ok::<(), GpkgError>(()))?;
        Ok(writer)
    }

    /// Writes the member `name` with whatever `fill` writes to the sink it is given.
    ///
    /// The header is written again when the size is known, hence `Seek`.
    pub fn member<T, E: From<GpkgError>>(
        &mut self,
        name: &str,
        fill: impl FnOnce(&mut dyn Write) -> Result<T, E>,
    ) -> Result<T, E> {
        let path = format!("{}/{name}", self.prefix);
        let header_at = self.sink.stream_position().map_err(GpkgError::Write)?;
        write_header(&mut self.sink, &Fields::file(&path, 0, self.mtime)).map_err(GpkgError::Write)?;
        let mut counted = Counted {
            sink: &mut self.sink,
            digests: MemberDigests::default(),
        };
        let result = fill(&mut counted)?;
        let digests = counted.digests;
        let size = digests.size();
        write_padding(&mut self.sink, size).map_err(GpkgError::Write)?;
        if size > 0 {
            let end = self.sink.stream_position().map_err(GpkgError::Write)?;
            self.sink.seek(SeekFrom::Start(header_at)).map_err(GpkgError::Write)?;
            write_header(&mut self.sink, &Fields::file(&path, size, self.mtime)).map_err(GpkgError::Write)?;
            self.sink.seek(SeekFrom::Start(end)).map_err(GpkgError::Write)?;
        }
        if name != MANIFEST_MEMBER {
            self.manifest.push(name, &digests);
        }
        Ok(result)
    }

    /// Writes `metadata.tar.zst`.
    pub fn metadata(&mut self, metadata: &Metadata) -> Result<(), GpkgError> {
        let compressed = compressed_metadata(metadata, self.mtime)?;
        self.member("metadata.tar.zst", |sink| {
            sink.write_all(&compressed).map_err(GpkgError::Write)
        })
    }

    /// Copies a member of another container as it lies there. It is read once.
    ///
    /// Fails for a member that is not what `Manifest` says; the sink then holds something useless.
    pub fn copy<R: Read + Seek>(&mut self, from: &mut Reader<R>, name: &str) -> Result<(), GpkgError> {
        let (expected, mut content) = from.raw(name)?;
        self.member(name, |sink| {
            let mut buffer = vec![0; 1 << 17];
            loop {
                match content.read(&mut buffer) {
                    Ok(0) => return Ok::<(), GpkgError>(()),
                    Ok(n) => sink.write_all(&buffer[..n]).map_err(GpkgError::Write)?,
                    Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                    Err(error) => return Err(GpkgError::Read(error)),
                }
            }
        })?;
        self.check_written(name, &expected)
    }

    /// Writes `image.tar.zst` with the entries that `fill` adds.
    pub fn image<E: From<GpkgError>>(
        &mut self,
        fill: impl FnOnce(&mut ImageWriter<'_>) -> Result<(), E>,
    ) -> Result<(), E> {
        let mtime = self.mtime;
        self.member("image.tar.zst", |sink| {
            let mut encoder = zstd_encoder(sink).map_err(GpkgError::Write)?;
            fill(&mut ImageWriter {
                sink: &mut encoder,
                mtime,
            })?;
            write_end(&mut encoder).map_err(GpkgError::Write)?;
            encoder.finish().map_err(GpkgError::Write)?;
            Ok(())
        })
    }

    /// Writes `Manifest` and the end of the archive; gives the sink back and the size of the container in bytes.
    pub fn finish(self) -> Result<(W, u64), GpkgError> {
        let manifest = self.manifest.render();
        self.finish_with(manifest.as_bytes())
    }

    /// The time of all members, in seconds since the epoch.
    pub(super) fn mtime(&self) -> u64 {
        self.mtime
    }

    /// What `Manifest` is going to say, as far as members are written.
    pub(super) fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// Compares a member that was written with what another container's `Manifest` says of it.
    pub(super) fn check_written(&self, name: &str, expected: &ManifestEntry) -> Result<(), GpkgError> {
        match self.manifest.get(name) {
            Some(written) => written.check(name, expected),
            None => Err(GpkgError::structure(format!("it has no member `{name}`"))),
        }
    }

    /// As [`Self::finish`], with this text as `Manifest`.
    pub(super) fn finish_with(mut self, manifest: &[u8]) -> Result<(W, u64), GpkgError> {
        self.member(MANIFEST_MEMBER, |sink| {
            sink.write_all(manifest).map_err(GpkgError::Write)
        })?;
        write_end(&mut self.sink).map_err(GpkgError::Write)?;
        let length = self.sink.stream_position().map_err(GpkgError::Write)? - self.start;
        let filled = length.next_multiple_of(RECORD);
        io::copy(&mut io::repeat(0).take(filled - length), &mut self.sink).map_err(GpkgError::Write)?;
        self.sink.flush().map_err(GpkgError::Write)?;
        Ok((self.sink, filled))
    }
}

/// Writes the entries of an image; see [`ContainerWriter::image`].
pub struct ImageWriter<'a> {
    sink: &'a mut dyn Write,
    mtime: u64,
}

impl ImageWriter<'_> {
    /// Adds an entry with the container's time instead of its own and without extended attributes.
    ///
    /// `content` must give exactly `entry.size` bytes; it is not read for anything but files. What a reader's failure
    /// was is told by [`GpkgError::kind`].
    pub fn entry(&mut self, entry: &ImageEntry, content: &mut dyn Read) -> Result<(), GpkgError> {
        let mut path = if entry.path.is_empty() {
            "image".to_owned()
        } else {
            format!("image/{}", entry.path)
        };
        let mut link = String::new();
        let kind = match &entry.kind {
            EntryKind::File => tar::EntryType::Regular,
            EntryKind::Directory => {
                path.push('/');
                tar::EntryType::Directory
            }
            EntryKind::Symlink { target } => {
                link.clone_from(target);
                tar::EntryType::Symlink
            }
            EntryKind::HardLink { target } => {
                link = format!("image/{target}");
                tar::EntryType::Link
            }
        };
        let size = if entry.kind == EntryKind::File { entry.size } else { 0 };
        let fields = Fields {
            path: &path,
            kind,
            link: &link,
            mode: entry.mode,
            uid: entry.uid,
            gid: entry.gid,
            uname: &entry.uname,
            gname: &entry.gname,
            size,
            mtime: self.mtime,
        };
        write_header(self.sink, &fields).map_err(GpkgError::Write)?;
        let mut left = size;
        let mut buffer = vec![0; usize::try_from(size).unwrap_or(usize::MAX).min(1 << 17)];
        while left > 0 {
            let want = usize::try_from(left).unwrap_or(usize::MAX).min(buffer.len());
            let n = content.read(&mut buffer[..want]).map_err(GpkgError::content)?;
            if n == 0 {
                let reason = format!("`{}` is shorter than announced", entry.path);
                return Err(GpkgError::Damaged {
                    part: IMAGE.to_owned(),
                    reason,
                });
            }
            self.sink.write_all(&buffer[..n]).map_err(GpkgError::Write)?;
            left -= n as u64;
        }
        write_padding(self.sink, size).map_err(GpkgError::Write)
    }
}

/// Makes `metadata.tar.zst`.
pub(super) fn compressed_metadata(metadata: &Metadata, mtime: u64) -> Result<Vec<u8>, GpkgError> {
    let mut encoder = zstd_encoder(Vec::new()).map_err(GpkgError::Write)?;
    encoder
        .write_all(&metadata_tar(metadata, mtime))
        .and_then(|()| encoder.finish())
        .map_err(GpkgError::Write)
}

/// Makes the uncompressed `metadata.tar`: sorted, owned by root, mode 0644, all times `mtime`, no directory entry
/// (Portage refuses one).
pub fn metadata_tar(metadata: &Metadata, mtime: u64) -> Vec<u8> {
    let mut tar = Vec::new();
    for (name, value) in metadata {
        let path = format!("metadata/{name}");
        let size = value.len() as u64;
        let written = write_header(&mut tar, &Fields::file(&path, size, mtime))
            .and_then(|()| tar.write_all(value))
            .and_then(|()| write_padding(&mut tar, size));
        written.expect("writing to memory cannot fail, and root's entries have no owner names to be refused");
    }
    write_end(&mut tar).expect("writing to memory cannot fail");
    tar
}

/// Passes bytes on and sums them up.
struct Counted<'a, W> {
    sink: &'a mut W,
    digests: MemberDigests,
}

impl<W: Write> Write for Counted<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = self.sink.write(bytes)?;
        self.digests.update(&bytes[..n]);
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.sink.flush()
    }
}
