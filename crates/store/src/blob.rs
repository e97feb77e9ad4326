//! The name of a content-addressed blob.

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

/// The address of a blob: the BLAKE3 digest of its content, and its length in bytes.
///
/// The length is not needed to find the blob; it lets [`Store::present`](crate::Store::present) see a truncated file with
/// one `stat` and no read.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Blob {
    /// BLAKE3 of the content, 64 hexadecimal digits where people or JSON see it.
    #[serde(with = "hex_digest")]
    pub digest: blake3::Hash,
    /// Length of the content in bytes.
    pub size: u64,
}

impl Blob {
    /// The address that `content` has in every store.
    pub fn of(content: &[u8]) -> Self {
        Self {
            digest: blake3::hash(content),
            size: content.len() as u64,
        }
    }
}

impl PartialOrd for Blob {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Blob {
    fn cmp(&self, other: &Self) -> Ordering {
        self.digest
            .as_bytes()
            .cmp(other.digest.as_bytes())
            .then(self.size.cmp(&other.size))
    }
}

impl fmt::Display for Blob {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.digest.to_hex().as_str())
    }
}

/// Reads and writes a [`blake3::Hash`] as 64 hexadecimal digits: `#[serde(with = "farm_store::hex_digest")]`.
pub mod hex_digest {
    use serde::de::Error;
    use serde::{Deserialize, Deserializer, Serializer};

    /// Writes the digest as a string of 64 lower-case hexadecimal digits.
    ///
    /// # Errors
    /// Only what the serializer itself reports.
    pub fn serialize<S: Serializer>(digest: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(digest.to_hex().as_str())
    }

    /// Reads a digest from a string of 64 hexadecimal digits.
    ///
    /// # Errors
    /// When the value is not a string of exactly 64 hexadecimal digits.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_survives_json() {
        let blob = Blob::of(b"hello");
        let json = serde_json::to_string(&blob).unwrap();
        assert!(json.starts_with("{\"digest\":\"ea8f163d"), "{json}");
        assert_eq!(serde_json::from_str::<Blob>(&json).unwrap(), blob);
        assert!(serde_json::from_str::<Blob>(r#"{"digest":"zz","size":1}"#).is_err());
    }
}
