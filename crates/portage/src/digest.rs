//! Digests over structured values: every field length-prefixed, every use in a domain of its own.

use std::fmt::Write as _;

/// A BLAKE3 digest of a sequence of fields, such that different sequences never give the same input.
#[derive(Debug, Clone)]
pub(crate) struct FieldHasher {
    hasher: blake3::Hasher,
}

impl FieldHasher {
    /// Starts a digest in the domain `context`, a string that no other use has.
    pub(crate) fn new(context: &str) -> Self {
        Self {
            hasher: blake3::Hasher::new_derive_key(context),
        }
    }

    /// Adds bytes, their length first.
    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        self.number(value.len() as u64);
        self.hasher.update(value);
        self
    }

    /// Adds text, its length first.
    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        self.bytes(value.as_bytes())
    }

    /// Adds a number as eight little-endian bytes.
    pub(crate) fn number(&mut self, value: u64) -> &mut Self {
        self.hasher.update(&value.to_le_bytes());
        self
    }

    /// Gives the digest of what came so far.
    pub(crate) fn finish(&self) -> blake3::Hash {
        self.hasher.finalize()
    }
}

/// Renders bytes as lower-case hexadecimal digits.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes
        .iter()
        .fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
            // Writing to a string cannot fail.
            let _ = write!(text, "{byte:02x}");
            text
        })
}
