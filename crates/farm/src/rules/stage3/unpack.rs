//! From a verified archive to the layer that a base consists of.
//!
//! The layer is the archive's own tar, decompressed, byte for byte: owners, modes, hard links, device nodes, extended attributes and times
//! are the archive's. The times matter: Portage's records of the packages in it have them. What cannot be a layer is refused.

use std::io::{self, Read, Write};
use std::path::Path;

use farm_engine::{Failure, FailureKind};
use farm_executor::CancelToken;
use farm_image::{Index, Sha256, Sha256Writer, TarError};
use fs_err as fs;

use super::source::{Hashing, Verified};
use crate::context::{chain, io_failure};
use crate::fetcher;

/// A tar that was checked.
pub(super) struct Unpacked {
    /// SHA-256 of the tar.
    pub(super) diff_id: Sha256,
    /// Its length in bytes.
    pub(super) size: u64,
    /// OCI's name of the architecture that its programs are for.
    pub(super) architecture: &'static str,
}

/// Decompresses the archive into `out`.
///
/// # Errors
///
/// The input's: it is no root file system, or no archive at all. The environment's: the disk, or an archive that was changed under
/// farm's hands.
pub(super) fn unpack(cancel: &CancelToken, archive: Verified, out: &mut fs::File) -> Result<Unpacked, Failure> {
    let Verified { mut file, pin, .. } = archive;
    let mut content = Hashing::new(&mut file, cancel);
    let mut to = Sha256Writer::new(io::BufWriter::with_capacity(1 << 16, out));
    let mut programs = Programs::default();
    let read = pass(&mut content, &mut to, &mut programs);
    // Whatever was read wrongly: if it was not what was signed, that is what there is to say.
    if content
        .finish()
        .map_err(|error| io_failure("read an archive", &error))?
        != pin
    {
        let message = "the stage3 archive changed while it was unpacked";
        return Err(Failure::new(FailureKind::Environment, message).hint("run farm again"));
    }
    refuse_marks(&read?)?;
    let architecture = programs.architecture()?;
    to.flush().map_err(|error| io_failure("unpack an archive", &error))?;
    let (_, diff_id, _, size) = to.finish();
    Ok(Unpacked {
        diff_id,
        size,
        architecture,
    })
}

/// Decompresses `from` into `to`, and reads what passes.
fn pass(from: impl Read, to: &mut dyn Write, programs: &mut Programs) -> Result<Index, Failure> {
    let mut tar = Tee {
        from: fetcher::decompressed(from).map_err(|error| unreadable(&error))?,
        to,
        failure: None,
    };
    let read = Index::read_with(&mut tar, Path::new(""), |path, _, content| programs.see(path, content));
    match tar.failure {
        Some(error) => Err(io_failure("unpack an archive", &error)),
        None => Ok(read.map_err(|error| unreadable(&error))?.index),
    }
}

fn unreadable(error: &(dyn std::error::Error + 'static)) -> Failure {
    let kind = match error.downcast_ref::<TarError>() {
        Some(TarError::Unsupported { .. }) => "holds what no root can have",
        _ => "cannot be unpacked",
    };
    Failure::new(
        FailureKind::Input,
        format!("the stage3 archive {kind}: {}", chain(error)),
    )
}

/// In a layer such names remove other files.
fn refuse_marks(index: &Index) -> Result<(), Failure> {
    let is_mark = |path: &Path| {
        path.file_name()
            .is_some_and(|name| name.to_string_lossy().starts_with(".wh."))
    };
    match index.iter().find(|(path, _)| is_mark(path)) {
        Some((path, _)) => Err(Failure::new(
            FailureKind::Input,
            format!(
                "the stage3 archive has `{}`, a name that image layers reserve",
                path.display()
            ),
        )),
        None => Ok(()),
    }
}

/// Passes on what is read, and writes it somewhere else as well.
struct Tee<R, W> {
    from: R,
    to: W,
    /// Why it could not be written: no fault of the archive's.
    failure: Option<io::Error>,
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.from.read(buffer)?;
        if let Err(error) = self.to.write_all(&buffer[..count]) {
            self.failure = Some(error);
            return Err(io::Error::other("it cannot be written"));
        }
        Ok(count)
    }
}

/// What the archive's programs say of the machine they are for.
#[derive(Debug, Default)]
struct Programs {
    /// Of the shell, else of the first program in the usual folders.
    found: Option<(bool, Elf)>,
}

/// The fields of an ELF header that tell the machine (System V ABI, "ELF Header").
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Elf {
    is_64: bool,
    is_little: bool,
    machine: u16,
}

impl Elf {
    fn of(header: &[u8]) -> Option<Self> {
        let [0x7f, b'E', b'L', b'F', class, data, ..] = *header else {
            return None;
        };
        let machine = [*header.get(18)?, *header.get(19)?];
        let is_little = data == 1;
        Some(Self {
            is_64: class == 2,
            is_little,
            machine: if is_little {
                u16::from_le_bytes(machine)
            } else {
                u16::from_be_bytes(machine)
            },
        })
    }

    /// OCI's name, which is Go's (`GOARCH`); `None` for what Go has no name for.
    fn architecture(self) -> Option<&'static str> {
        Some(match (self.machine, self.is_64, self.is_little) {
            (62, _, _) => "amd64",
            (183, _, _) => "arm64",
            (3, _, _) => "386",
            (40, _, _) => "arm",
            (243, true, _) => "riscv64",
            (258, true, _) => "loong64",
            (21, _, true) => "ppc64le",
            (21, _, false) => "ppc64",
            (22, true, _) => "s390x",
            (8, true, true) => "mips64le",
            (8, false, true) => "mipsle",
            (8, true, false) => "mips64",
            (8, false, false) => "mips",
            _ => return None,
        })
    }
}

impl Programs {
    fn see(&mut self, path: &Path, content: &mut dyn Read) -> io::Result<()> {
        let is_program = path
            .parent()
            .is_some_and(|folder| ["bin", "usr/bin"].iter().any(|programs| folder == Path::new(programs)));
        let is_shell = path.file_name().is_some_and(|name| name == "bash");
        // What is multilib may have programs of two kinds; the shell is of the main one.
        let is_better = self.found.is_none_or(|(was_shell, _)| is_shell && !was_shell);
        if is_program && is_better {
            let mut header = Vec::new();
            content.take(20).read_to_end(&mut header)?;
            self.found = Elf::of(&header).map(|elf| (is_shell, elf)).or(self.found);
        }
        Ok(())
    }

    fn architecture(&self) -> Result<&'static str, Failure> {
        let (_, elf) = self.found.ok_or_else(|| {
            let message = "the stage3 archive has no program in /bin or /usr/bin, so it is no root file system";
            Failure::new(FailureKind::Input, message)
        })?;
        elf.architecture().ok_or_else(|| {
            let message = format!(
                "the programs in the stage3 archive are for a machine (ELF {}) that images know no name of",
                elf.machine
            );
            Failure::new(FailureKind::Input, message)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::io::{Seek, SeekFrom};

    use farm_image::{Parents, TreeNode, tree_tar};

    use super::super::Stage3Pin;
    use super::*;

    /// A root with a program, and another file.
    fn root(file: &str, node: TreeNode<'static>) -> Vec<u8> {
        let shell = TreeNode::file(0o755, header(2, 1, [62, 0]));
        let nodes = BTreeMap::from([("usr/bin/bash".into(), shell), (file.into(), node)]);
        let mut tar = Vec::new();
        tree_tar(nodes, Parents::Include, 0, &mut tar).unwrap();
        tar
    }

    /// The archive as if its signature were good, and what is unpacked of it.
    fn unpacked_as(bytes: &[u8], pinned: &[u8]) -> Result<(Unpacked, Vec<u8>), Failure> {
        let file = |bytes: &[u8]| {
            let mut file = fs::File::from_parts(tempfile::tempfile().unwrap(), "unnamed");
            file.write_all(bytes).unwrap();
            file.seek(SeekFrom::Start(0)).unwrap();
            file
        };
        let archive = Verified {
            file: file(bytes),
            pin: Stage3Pin {
                digest: Sha256::of(pinned),
                size: pinned.len() as u64,
            },
            signer: String::new(),
        };
        let mut out = file(b"");
        let unpacked = unpack(&CancelToken::new(), archive, &mut out)?;
        let mut tar = Vec::new();
        out.seek(SeekFrom::Start(0)).unwrap();
        out.read_to_end(&mut tar).unwrap();
        Ok((unpacked, tar))
    }

    fn refused(bytes: &[u8]) -> String {
        let failure = unpacked_as(bytes, bytes).map(|_| ()).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Input, "{}", failure.message);
        failure.message
    }

    #[test]
    fn the_layer_is_the_archives_own_tar() {
        // Blocks behind the end belong to it.
        let tar = [root("etc/conf", TreeNode::file(0o644, "x")), vec![0; 4096]].concat();
        let gzip = {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let bzip2 = {
            let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::fast());
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let xz = {
            let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 0);
            encoder.write_all(&tar).unwrap();
            encoder.finish().unwrap()
        };
        let zstd = zstd::encode_all(tar.as_slice(), 1).unwrap();
        for archive in [&tar, &gzip, &bzip2, &xz, &zstd] {
            let (unpacked, layer) = unpacked_as(archive, archive).unwrap();
            assert_eq!(layer, tar);
            assert_eq!((unpacked.diff_id, unpacked.size), (Sha256::of(&tar), tar.len() as u64));
            assert_eq!(unpacked.architecture, "amd64");
        }
    }

    #[test]
    fn what_cannot_be_a_root_is_refused() {
        assert!(refused(b"").contains("no program"));
        assert!(refused(&[7; 2000]).contains("cannot be unpacked"));
        let tar = root("etc/conf", TreeNode::file(0o644, "x"));
        assert!(refused(&tar[..tar.len() - 1600]).contains("it ends within a"));
        let zstd = zstd::encode_all(tar.as_slice(), 1).unwrap();
        assert!(refused(&zstd[..zstd.len() - 9]).contains("cannot be unpacked"));
        assert!(refused(&root("etc/.wh.conf", TreeNode::file(0o644, ""))).contains("`etc/.wh.conf`"));
        let mut climbing = tar::Builder::new(Vec::new());
        let mut member = tar::Header::new_ustar();
        member.set_size(0);
        member.as_old_mut().name[..9].copy_from_slice(b"../passwd");
        member.set_cksum();
        climbing.append(&member, io::empty()).unwrap();
        assert!(refused(&climbing.into_inner().unwrap()).contains("climbs with `..`"));
    }

    #[test]
    fn what_was_not_signed_is_not_used() {
        let signed = root("etc/conf", TreeNode::file(0o644, "x"));
        let other = root("etc/conf", TreeNode::file(0o644, "y"));
        // Neither what is right in itself, nor what is not: nobody signed it.
        for changed in [other, b"\xfd7zXZ\0 no archive".to_vec()] {
            let failure = unpacked_as(&changed, &signed).map(|_| ()).unwrap_err();
            assert_eq!(failure.kind, FailureKind::Environment);
            assert!(failure.message.contains("changed while"), "{}", failure.message);
        }
    }

    fn header(class: u8, data: u8, machine: [u8; 2]) -> Vec<u8> {
        let mut header = b"\x7fELF".to_vec();
        header.extend([class, data]);
        header.resize(18, 0);
        header.extend(machine);
        header
    }

    #[test]
    fn programs_tell_the_architecture() {
        let of = |header: &[u8]| Elf::of(header).and_then(Elf::architecture);
        assert_eq!(of(&header(2, 1, [62, 0])), Some("amd64"));
        assert_eq!(of(&header(2, 1, [183, 0])), Some("arm64"));
        assert_eq!(of(&header(2, 2, [0, 21])), Some("ppc64"));
        assert_eq!(of(&header(2, 1, [21, 0])), Some("ppc64le"));
        assert_eq!(of(&header(2, 1, [9, 9])), None);
        assert_eq!(of(b"#!/bin/sh\necho a script of some length\n"), None);
        assert_eq!(of(&header(2, 1, [62, 0])[..19]), None);
    }

    #[test]
    fn the_shell_has_the_last_word() {
        let mut programs = Programs::default();
        let mut see = |path: &str, bytes: &[u8]| programs.see(Path::new(path), &mut &*bytes).unwrap();
        see("usr/lib/x.so", &header(2, 1, [183, 0]));
        see("bin/script", b"#!/bin/sh");
        see("usr/bin/old", &header(1, 1, [3, 0]));
        see("usr/bin/bash", &header(2, 1, [62, 0]));
        see("usr/bin/cat", &header(1, 1, [3, 0]));
        assert_eq!(programs.architecture().unwrap(), "amd64");
        assert!(Programs::default().architecture().is_err());
    }
}
