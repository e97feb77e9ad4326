//! Checking the signatures of a package that anybody may have written.

use std::collections::BTreeSet;
use std::io::{self, Read, Seek};

use super::manifest::{Manifest, MemberDigests};
use super::signed_writer::{SIGNATURE_SUFFIX, failed};
use super::{GpkgError, MANIFEST_MEMBER, Reader, VERSION_MEMBER, Verifier};

/// A signature larger than this is refused: real ones have some hundred bytes, of the largest keys a few thousand.
const SIGNATURE_LIMIT: u64 = 1 << 16;

impl<R: Read + Seek> Reader<R> {
    /// Checks the signatures of all members, and their digests on the way; gives the fingerprints of the primary keys that
    /// signed.
    ///
    /// Every member but `gpkg-1` must be signed, as Portage has it for a package that has any signature
    /// (`_verify_binpkg` in `portage/gpkg.py`). What the signature of `Manifest` says was signed must be what
    /// this reader goes by.
    ///
    /// # Errors
    /// [`GpkgError::Unsigned`] for the first member without a signature, [`GpkgError::Signature`] for the first one whose
    /// signature does not count, and what [`Self::verify`] finds.
    pub fn verify_signatures(&mut self, verifier: &dyn Verifier) -> Result<BTreeSet<String>, GpkgError> {
        let unsigned = |member: &str| GpkgError::Unsigned {
            member: member.to_owned(),
        };
        let text = self.member(MANIFEST_MEMBER)?.unwrap_or_default();
        if !self.manifest().is_signed() {
            return Err(unsigned(MANIFEST_MEMBER));
        }
        let (inner, fingerprint) = verifier.clear_signed(&text).map_err(failed(MANIFEST_MEMBER))?;
        if !Manifest::parse(&inner)?.iter().eq(self.manifest().iter()) {
            return Err(GpkgError::structure("`Manifest` is not what its signature was made of"));
        }
        let mut signers = BTreeSet::from([fingerprint]);
        let names: Vec<String> = self.members().iter().map(|member| member.name.clone()).collect();
        for name in names {
            if name == MANIFEST_MEMBER || name.ends_with(SIGNATURE_SUFFIX) {
                continue;
            }
            match self.signature(&name)? {
                Some(signature) => {
                    signers.insert(self.verify_one(&name, &signature, verifier)?);
                }
                None if name == VERSION_MEMBER => {}
                None => return Err(unsigned(&name)),
            }
        }
        // What is left: the empty `gpkg-1`, and signatures, which are held to their digests all the same.
        self.verify()?;
        Ok(signers)
    }

    fn signature(&mut self, name: &str) -> Result<Option<Vec<u8>>, GpkgError> {
        let name = format!("{name}{SIGNATURE_SUFFIX}");
        match self.members().iter().find(|member| member.name == name) {
            Some(member) if member.size > SIGNATURE_LIMIT => Err(GpkgError::TooLarge {
                part: name,
                limit: SIGNATURE_LIMIT,
                unit: "bytes",
            }),
            _ => self.member(&name),
        }
    }

    /// Checks signature and digests of a member in one reading.
    fn verify_one(&mut self, name: &str, signature: &[u8], verifier: &dyn Verifier) -> Result<String, GpkgError> {
        let (expected, content) = self.raw(name)?;
        let mut summed = Summed {
            content,
            digests: MemberDigests::default(),
            failure: None,
        };
        let checked = verifier.detached(signature, &mut summed);
        if let Some(error) = summed.failure {
            return Err(GpkgError::Read(error));
        }
        let digests = summed.digests;
        // A member that was changed fails both ways, and the digest says it in plainer words.
        if checked.is_err() && digests.size() != expected.size {
            return checked.map_err(failed(name));
        }
        digests.check(name, &expected)?;
        self.mark_verified(name);
        checked.map_err(failed(name))
    }
}

/// Sums up what is read.
struct Summed<R> {
    content: R,
    digests: MemberDigests,
    failure: Option<io::Error>,
}

impl<R: Read> Read for Summed<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self.content.read(buffer) {
            Ok(n) => {
                self.digests.update(&buffer[..n]);
                Ok(n)
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => Err(error),
            Err(error) => {
                self.failure = Some(error);
                Err(io::Error::other("the package cannot be read"))
            }
        }
    }
}
