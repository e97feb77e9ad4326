//! The record of a release: which payload became which instance, and what the next release must know.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::instance::{Stamp, Stamps};

/// By how many releases a package file outlives the last one that listed it. The release after those removes it.
///
/// A client reads the index once and fetches from it for as long as its `emerge` runs; so many further releases in that
/// time do not break it. No clock is asked, because a release that nobody follows removes nothing.
pub const RELEASES_KEPT: u64 = 2;

/// The folder of the records, in the folder that is published.
pub(crate) const FOLDER: &str = "releases";

/// The only format so far.
const FORMAT: u64 = 1;

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
    /// What the index lists, sorted by path.
    pub(crate) packages: Vec<Instance>,
    /// The highest stamps ever given out, so that one record is enough to go on.
    pub(crate) stamps: Stamps,
    /// Files of earlier releases that still lie there, and the number of the first release that does not list them.
    pub(crate) retired: BTreeMap<String, u64>,
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

/// Why the text of a record cannot be used.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum BadRecord {
    /// It has a format that this farm does not know.
    Newer(u64),
    /// It is damaged.
    Damaged(String),
}

impl Record {
    /// Makes the record of the release that follows `base`.
    ///
    /// `visible` are the paths that clients may know from an index that is not the one of `base`.
    pub(crate) fn following(
        base: Option<&Self>,
        visible: &BTreeSet<String>,
        timestamp: u64,
        packages: Vec<Instance>,
        stamps: Stamps,
    ) -> Self {
        let number = base.map_or(0, |base| base.number) + 1;
        let listed: BTreeSet<&str> = packages.iter().map(|package| package.path.as_str()).collect();
        let mut retired = BTreeMap::new();
        if let Some(base) = base {
            for (path, since) in &base.retired {
                if number - since < RELEASES_KEPT {
                    retired.insert(path.clone(), *since);
                }
            }
            for path in base.packages.iter().map(|package| &package.path).chain(visible) {
                retired.insert(path.clone(), number);
            }
            retired.retain(|path, _| !listed.contains(path.as_str()));
        }
        Self {
            format: FORMAT,
            number,
            timestamp,
            index: blake3::Hash::from_bytes([0; 32]),
            index_gz: blake3::Hash::from_bytes([0; 32]),
            packages,
            stamps,
            retired,
        }
    }

    /// The files that `base` knew and this release does not need any more.
    pub(crate) fn expired<'a>(&'a self, base: Option<&'a Self>) -> impl Iterator<Item = &'a str> {
        let listed: BTreeSet<&str> = self.packages.iter().map(|package| package.path.as_str()).collect();
        base.into_iter()
            .flat_map(|base| base.retired.keys())
            .map(String::as_str)
            .filter(move |path| !self.retired.contains_key(*path) && !listed.contains(path))
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
        if format != FORMAT {
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
        Record::following(base, &BTreeSet::new(), 0, packages, Stamps::default())
    }

    #[test]
    fn what_is_written_is_read() {
        let record = release(Some(&release(None, &["p"])), &["q"]);
        assert_eq!(Record::parse(record.render().as_bytes()), Ok(record));
        assert_eq!(Record::parse(b"{\"format\": 2, \"new\": 1}"), Err(BadRecord::Newer(2)));
        assert!(matches!(Record::parse(b"{\"format\": 1"), Err(BadRecord::Damaged(_))));
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
    fn files_outlive_the_kept_releases() {
        let mut last = release(None, &["old", "both"]);
        let mut gone_at = None;
        for number in 2..10 {
            let next = release(Some(&last), &["both"]);
            assert_eq!(next.number, number);
            let expired: Vec<&str> = next.expired(Some(&last)).collect();
            if !expired.is_empty() {
                assert_eq!((expired, gone_at), (vec!["old"], None));
                gone_at = Some(number);
            }
            last = next;
        }
        // Release 1 is the last that lists it.
        assert_eq!(gone_at, Some(1 + RELEASES_KEPT + 1));
    }

    #[test]
    fn a_file_that_is_listed_again_does_not_expire() {
        let first = release(None, &["p"]);
        let second = release(Some(&first), &[]);
        assert_eq!(second.retired, [("p".to_owned(), 2)].into());
        let mut third = release(Some(&second), &["p"]);
        assert_eq!(third.retired, BTreeMap::new());
        third.number = 50;
        assert_eq!(third.expired(Some(&second)).next(), None);
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
