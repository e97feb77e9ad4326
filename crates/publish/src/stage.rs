//! Stamping packages and reading what an index says of them.

use std::io::{self, BufReader, BufWriter, Read, Seek, Write as _};
use std::path::PathBuf;

use farm_portage::cpv::Cpv;
use farm_portage::gpkg::{GpkgError, Limits, Metadata, Reader, Signer, folded};
use farm_portage::index::{EntryFile, FileDigests, Stanza, entry_for};
use farm_portage::normal::{NormalError, stamp};
use fs_err as fs;

use crate::folder::Folder;
use crate::instance::{Stamp, package_path};
use crate::record::Instance;
use crate::{Candidate, PublishError, ReleaseSigner};

/// A package that is ready to get its name.
#[derive(Debug)]
pub(crate) struct StagedPackage {
    pub(crate) instance: Instance,
    pub(crate) stanza: Stanza,
    /// Where the file is until then.
    pub(crate) file: PathBuf,
}

/// Reads what the index would say of a package that has no stamp yet: everything but stamp, path and digests.
///
/// Fails if the package is damaged or is not the one the caller says.
pub(crate) fn describe(candidate: &Candidate) -> Result<(Cpv, Stanza), PublishError> {
    let failed = failure_of(&candidate.cpv);
    let file = fs::File::open(&candidate.file)?;
    let metadata = Reader::open(BufReader::new(file), Limits::default())
        .and_then(|mut reader| reader.metadata())
        .map_err(|error| failed(error.into()))?;
    let own = format!("{}/{}", folded(&metadata, "CATEGORY"), folded(&metadata, "PF"));
    let wrong = || PublishError::WrongName {
        cpv: candidate.cpv.clone(),
        own: own.clone(),
    };
    let cpv = Cpv::parse(&own).map_err(|_| wrong())?;
    if own != candidate.cpv {
        return Err(wrong());
    }
    let none = FileDigests {
        size: 0,
        md5: String::new(),
        sha1: String::new(),
    };
    Ok((cpv, entry(&candidate.cpv, &metadata, "", 0, &none)?))
}

/// Writes the package, stamped and signed, into the staging folder.
///
/// Its signatures tell BUILD_TIME as their time, so that they can be made again.
pub(crate) fn stage(
    folder: &Folder,
    candidate: &Candidate,
    cpv: &Cpv,
    given: Stamp,
    signer: Option<&dyn ReleaseSigner>,
) -> Result<StagedPackage, PublishError> {
    let failed = failure_of(&candidate.cpv);
    let writing = |error| failed(GpkgError::Write(error).into());
    let path = package_path(cpv, given.build_id);
    let source = BufReader::new(fs::File::open(&candidate.file)?);
    let mut staged = folder.stage(&path.replace('/', ":"))?;
    let mut sink = BufWriter::with_capacity(1 << 17, &mut staged.file);
    let signer_then: Option<Box<dyn Signer + '_>> = signer.map(|signer| signer.at(given.build_time));
    let report = stamp(
        source,
        &mut sink,
        given.build_id,
        given.build_time,
        signer_then.as_deref(),
    )
    .map_err(&failed)?;
    sink.flush().map_err(writing)?;
    drop(sink);
    staged.file.rewind()?;
    let (digests, digest) = digests(&mut staged.file)?;
    let stanza = entry(&candidate.cpv, &report.metadata, &path, given.build_time, &digests)?;
    Ok(StagedPackage {
        instance: Instance {
            cpv: candidate.cpv.clone(),
            payload: candidate.payload,
            stamp: given,
            path,
            size: digests.size,
            digest,
            signed_by: signer.map(|signer| signer.fingerprint().to_owned()),
        },
        stanza,
        file: staged.finish(given.build_time)?,
    })
}

/// Reads the stanza of a package that was published before from its file; `None` if that is not the file any more.
pub(crate) fn stanza_of(folder: &Folder, instance: &Instance) -> Result<Option<Stanza>, PublishError> {
    let mut file = fs::File::open(folder.path(&instance.path))?;
    let (digests, digest) = digests(&mut file)?;
    if digest != instance.digest {
        return Ok(None);
    }
    file.rewind()?;
    let metadata = Reader::open(BufReader::new(file), Limits::default())
        .and_then(|mut reader| reader.metadata())
        .map_err(|error| failure_of(&instance.cpv)(error.into()))?;
    let mtime = instance.stamp.build_time;
    entry(&instance.cpv, &metadata, &instance.path, mtime, &digests).map(Some)
}

fn failure_of(cpv: &str) -> impl Fn(NormalError) -> PublishError {
    move |error| PublishError::Package {
        cpv: cpv.to_owned(),
        error,
    }
}

fn entry(
    cpv: &str,
    metadata: &Metadata,
    path: &str,
    mtime: u64,
    digests: &FileDigests,
) -> Result<Stanza, PublishError> {
    let file = EntryFile { path, mtime, digests };
    entry_for(metadata, &file).map_err(|error| PublishError::Entry {
        cpv: cpv.to_owned(),
        error,
    })
}

/// Sums up a file for the index and for the record in one reading.
pub(crate) fn digests(file: &mut fs::File) -> io::Result<(FileDigests, blake3::Hash)> {
    let mut tee = Tee {
        inner: file,
        hasher: blake3::Hasher::new(),
    };
    let digests = FileDigests::of(&mut tee)?;
    Ok((digests, tee.hasher.finalize()))
}

/// Passes bytes on and sums them up.
struct Tee<R> {
    inner: R,
    hasher: blake3::Hasher,
}

impl<R: Read> Read for Tee<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.inner.read(buffer)?;
        self.hasher.update(&buffer[..n]);
        Ok(n)
    }
}
