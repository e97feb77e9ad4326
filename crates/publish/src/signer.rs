//! Who signs.

use std::fmt;

use farm_portage::gpkg::Signer;

/// A key that signs the packages of a release, several at once.
pub trait ReleaseSigner: fmt::Debug + Sync {
    /// The fingerprint of the primary key, which the record keeps: packages that it signed before stay.
    fn fingerprint(&self) -> &str;

    /// Signs as if it were `time`, in seconds since the epoch. The same bytes at the same time should give the same signature:
    /// otherwise a package whose file was lost becomes a new instance.
    fn at(&self, time: u64) -> Box<dyn Signer + '_>;
}
