//! The digests that an index has of a package file.

use std::io::{self, Read};

use md5::{Digest as _, Md5};
use sha1::Sha1;

/// Size and digests of a package file. Both digests are weak: what a package holds is vouched for by its own `Manifest`
/// and its signatures.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FileDigests {
    /// In bytes.
    pub size: u64,
    /// MD5 in lower-case hexadecimal digits.
    pub md5: String,
    /// SHA-1 in lower-case hexadecimal digits.
    pub sha1: String,
}

impl FileDigests {
    /// Sums up everything that `source` gives; fails only as `source` fails.
    pub fn of(mut source: impl Read) -> io::Result<Self> {
        let (mut md5, mut sha1, mut size) = (Md5::new(), Sha1::new(), 0);
        let mut buffer = vec![0; 1 << 17];
        loop {
            let n = match source.read(&mut buffer) {
                Ok(0) => break,
                Ok(n) => n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                Err(error) => return Err(error),
            };
            md5.update(&buffer[..n]);
            sha1.update(&buffer[..n]);
            size += n as u64;
        }
        Ok(Self {
            size,
            md5: crate::digest::hex(&md5.finalize()),
            sha1: crate::digest::hex(&sha1.finalize()),
        })
    }
}
