//! The record of a release: which payload became which instance, and what the next release must know.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::client::archive_path;
use crate::instance::{Stamp, Stamps};

/// The folder of the records, in the folder that is published.
pub(crate) const FOLDER: &str = "releases";

/// What is written. Format 1 had no header, and in place of kept releases a list of files (`retired`) that were to go two releases
/// later, whatever else needed them: a farm that knows no other must not go on from a record of today, and does not.
const FORMAT: u64 = 2;

/// The oldest format that is read.
const OLDEST_FORMAT: u64 = 1;

/// One release. Its JSON is sorted and tells no clock and no machine.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Record {
    format: u64,
    /// Counted from 1.
    pub(crate) number: u64,
    /// TIMESTAMP of the index.
    pub(crate) timestamp: u64,
    /// The digest of `Packages`.
    #[serde(with = "hex")]
    pub(crate) index: blake3::Hash,
    /// The digest of `Packages.gz`.
    #[serde(with = "hex")]
    pub(crate) index_gz: blake3::Hash,
    /// The settings in the header of the index: all of it but PACKAGES, TIMESTAMP and VERSION. `None` in format 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) header: Option<BTreeMap<String, String>>,
    /// The digest of the archive of its client files; see [`crate::client`]. `None` where it has none. A farm that does not know of them
    /// drops it from the records it writes, and leaves `client/` to the next one that does.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "optional_hex")]
    pub(crate) client: Option<blake3::Hash>,
    /// What the index lists, sorted by path.
    pub(crate) packages: Vec<Instance>,
    /// The highest stamps ever given out, so that one record is enough to go on.
    pub(crate) stamps: Stamps,
}

/// A package of a release. Payload, stamp and key together make its bytes again.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Instance {
    pub(crate) cpv: String,
    /// The payload digest of its normal form.
    #[serde(with = "hex")]
    pub(crate) payload: blake3::Hash,
    #[serde(flatten)]
    pub(crate) stamp: Stamp,
    /// Relative to the folder that is published.
    pub(crate) path: String,
    /// In bytes.
    pub(crate) size: u64,
    /// The digest of the file as it is published: stamped, and signed if it is.
    #[serde(with = "hex")]
    pub(crate) digest: blake3::Hash,
    /// The fingerprint of the primary key that signed it; `None` for an unsigned package. A farm that does not know of
    /// signatures drops it from the records it writes, and then the package is signed anew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) signed_by: Option<String>,
}

impl Instance {
    /// Its name for people, which is also an atom after `=`.
    pub(crate) fn name(&self) -> String {
        format!("{}-{}", self.cpv, self.stamp.build_id)
    }
}

/// Why the text of a record cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadRecord {
    /// It has a format that this farm does not know.
    Newer(u64),
    /// It is damaged.
    Damaged(String),
}

impl Record {
    /// Makes the record of the release that follows `base`. Its index is not known yet.
    pub(crate) fn following(
        base: Option<&Self>,
        timestamp: u64,
        header: BTreeMap<String, String>,
        packages: Vec<Instance>,
        stamps: Stamps,
    ) -> Self {
        Self {
            format: FORMAT,
            number: base.map_or(0, |base| base.number) + 1,
            timestamp,
            index: blake3::Hash::from_bytes([0; 32]),
            index_gz: blake3::Hash::from_bytes([0; 32]),
            header: Some(header),
            client: None,
            packages,
            stamps,
        }
    }

    /// Whether it is written as records are today.
    pub(crate) fn is_of_today(&self) -> bool {
        self.format == FORMAT
    }

    /// The same release as it is written today.
    pub(crate) fn of_today(self) -> Self {
        Self { format: FORMAT, ..self }
    }

    /// The paths of the files that this release lists.
    pub(crate) fn paths(&self) -> impl Iterator<Item = &str> {
        self.packages.iter().map(|package| package.path.as_str())
    }

    /// The path of the archive of its client files.
    pub(crate) fn client_path(&self) -> Option<String> {
        self.client.map(archive_path)
    }

    /// The instance that this release has of a payload, signed by this key, or by none.
    ///
    /// One that is signed otherwise has other bytes, and so is another instance.
    pub(crate) fn instance(&self, cpv: &str, payload: blake3::Hash, signed_by: Option<&str>) -> Option<&Instance> {
        self.packages.iter().find(|package| {
            package.cpv == cpv && package.payload == payload && package.signed_by.as_deref() == signed_by
        })
    }

    pub(crate) fn parse(text: &[u8]) -> Result<Self, BadRecord> {
        #[derive(Deserialize)]
        struct Format {
            format: u64,
        }
        let damaged = |error: serde_json::Error| BadRecord::Damaged(error.to_string());
        let Format { format } = serde_json::from_slice(text).map_err(damaged)?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&format) {
            return Err(BadRecord::Newer(format));
        }
        serde_json::from_slice(text).map_err(damaged)
    }

    pub(crate) fn render(&self) -> String {
        let text = serde_json::to_string_pretty(self).expect("texts, numbers and maps with text keys are all JSON");
        text + "\n"
    }

    /// The file of the release with this number, in [`FOLDER`].
    pub(crate) fn file_name(number: u64) -> String {
        format!("{number:04}.json")
    }

    /// The number of the release that a file of [`FOLDER`] records.
    pub(crate) fn number_of_file(name: &str) -> Option<u64> {
        let digits = name.strip_suffix(".json")?;
        digits
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| digits.parse().ok())?
    }
}

/// Digests as hexadecimal text.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de};

    pub(super) fn serialize<S: Serializer>(digest: &blake3::Hash, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&digest.to_hex())
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<blake3::Hash, D::Error> {
        let text = String::deserialize(deserializer)?;
        blake3::Hash::from_hex(&text).map_err(de::Error::custom)
    }
}

/// The same where there may be none.
mod optional_hex {
    use serde::{Deserialize, Deserializer, Serializer};

    pub(super) fn serialize<S: Serializer>(digest: &Option<blake3::Hash>, serializer: S) -> Result<S::Ok, S::Error> {
        match digest {
            Some(digest) => super::hex::serialize(digest, serializer),
            None => serializer.serialize_none(),
        }
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<blake3::Hash>, D::Error> {
        #[derive(Deserialize)]
        struct Digest(#[serde(with = "super::hex")] blake3::Hash);
        Ok(Option::<Digest>::deserialize(deserializer)?.map(|Digest(digest)| digest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn instance(path: &str) -> Instance {
        Instance {
            cpv: "a/b-1".to_owned(),
            payload: blake3::hash(path.as_bytes()),
            stamp: Stamp {
                build_id: 1,
                build_time: 2,
            },
            path: path.to_owned(),
            size: 3,
            digest: blake3::hash(b"x"),
            signed_by: None,
        }
    }

    fn release(base: Option<&Record>, paths: &[&str]) -> Record {
        let packages = paths.iter().map(|path| instance(path)).collect();
        Record::following(base, 0, BTreeMap::new(), packages, Stamps::default())
    }

    #[test]
    fn what_is_written_is_read() {
        let record = release(Some(&release(None, &["p"])), &["q"]);
        assert_eq!(Record::parse(record.render().as_bytes()), Ok(record));
        assert_eq!(Record::parse(b"{\"format\": 3, \"new\": 1}"), Err(BadRecord::Newer(3)));
        assert!(matches!(Record::parse(b"{\"format\": 2"), Err(BadRecord::Damaged(_))));
    }

    #[test]
    fn a_record_of_before_there_were_signatures_is_one_of_unsigned_packages() {
        let mut record = release(None, &["p"]);
        assert!(!record.render().contains("signed_by"));
        record.packages[0].signed_by = Some("KEY".to_owned());
        assert_eq!(Record::parse(record.render().as_bytes()), Ok(record.clone()));
        let payload = record.packages[0].payload;
        assert!(record.instance("a/b-1", payload, Some("KEY")).is_some());
        for other in [None, Some("OTHER")] {
            assert_eq!(record.instance("a/b-1", payload, other), None);
        }
    }

    #[test]
    fn a_record_of_before_there_were_client_files_is_one_without() {
        let mut record = release(None, &["p"]);
        assert!(!record.render().contains("client"));
        assert_eq!(Record::parse(record.render().as_bytes()), Ok(record.clone()));
        record.client = Some(blake3::hash(b"x"));
        assert_eq!(Record::parse(record.render().as_bytes()), Ok(record));
    }

    #[test]
    fn a_record_of_the_first_format_is_read_and_then_written_as_one_of_today() {
        let old = br#"{"format": 1, "number": 7, "timestamp": 5, "index": "0000000000000000000000000000000000000000000000000000000000000000",
            "index_gz": "0000000000000000000000000000000000000000000000000000000000000000", "packages": [], "stamps": {}, "retired": {"p": 6}}"#;
        let record = Record::parse(old).unwrap();
        assert_eq!(
            (record.number, record.header.as_ref(), record.is_of_today()),
            (7, None, false)
        );
        let today = record.of_today();
        assert!(today.is_of_today());
        // What an older farm looks at before anything else, and refuses.
        assert!(today.render().starts_with("{\n  \"format\": 2,"));
    }

    #[test]
    fn records_are_numbered() {
        assert_eq!(Record::number_of_file(&Record::file_name(7)), Some(7));
        assert_eq!(Record::number_of_file("12345.json"), Some(12345));
        for other in ["x.json", "0001", "+1.json", ".json"] {
            assert_eq!(Record::number_of_file(other), None, "{other}");
        }
    }
}
