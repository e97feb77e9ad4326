//! The configuration of an image (OCI image specification, "Image Configuration").

use std::collections::BTreeMap;

use serde::Serialize;

use crate::Sha256;

/// What an image is run with and which layers it has. Its canonical JSON decides the image's id.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ImageConfig {
    /// OCI's name of the CPU architecture: `amd64`, `arm64`.
    pub architecture: String,
    /// OCI's name of the operating system: `linux`.
    pub os: String,
    /// `KEY=VALUE` lines, in the order they are set.
    pub env: Vec<String>,
    /// Program and first arguments of every run; empty for none.
    pub entrypoint: Vec<String>,
    /// Default arguments, or program and arguments without an entrypoint; empty for none.
    pub cmd: Vec<String>,
    /// `USER[:GROUP]`; empty for root.
    pub user: String,
    /// Folder in which it starts; empty for `/`.
    pub workdir: String,
    /// Labels.
    pub labels: BTreeMap<String, String>,
    /// The layers, lowest first.
    pub diff_ids: Vec<Sha256>,
    /// Time of making, in seconds since 1970.
    pub epoch: u64,
}

#[derive(Serialize)]
struct Document<'a> {
    architecture: &'a str,
    config: Config<'a>,
    created: &'a str,
    history: Vec<History<'a>>,
    os: &'a str,
    rootfs: RootFs<'a>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Config<'a> {
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    cmd: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    entrypoint: &'a [String],
    #[serde(skip_serializing_if = "<[_]>::is_empty")]
    env: &'a [String],
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    labels: &'a BTreeMap<String, String>,
    #[serde(skip_serializing_if = "str::is_empty")]
    user: &'a str,
    #[serde(skip_serializing_if = "str::is_empty")]
    working_dir: &'a str,
}

#[derive(Serialize)]
struct History<'a> {
    created: &'a str,
    created_by: &'a str,
}

#[derive(Serialize)]
struct RootFs<'a> {
    diff_ids: &'a [Sha256],
    r#type: &'a str,
}

impl ImageConfig {
    /// A configuration for `linux` on `architecture` that runs nothing by itself.
    pub fn new(architecture: impl Into<String>, epoch: u64) -> Self {
        Self {
            architecture: architecture.into(),
            os: "linux".into(),
            epoch,
            ..Self::default()
        }
    }

    /// The configuration as canonical JSON: keys sorted, no white space, nothing that is empty.
    pub fn to_json(&self) -> Vec<u8> {
        // Beyond the year 9999 a time has no RFC 3339 form; such an epoch is written as the last second that has one.
        const LAST: i64 = 253_402_207_200;
        let seconds = i64::try_from(self.epoch).unwrap_or(LAST).min(LAST);
        let created = jiff::Timestamp::from_second(seconds)
            .unwrap_or(jiff::Timestamp::UNIX_EPOCH)
            .to_string();
        let document = Document {
            architecture: &self.architecture,
            config: Config {
                cmd: &self.cmd,
                entrypoint: &self.entrypoint,
                env: &self.env,
                labels: &self.labels,
                user: &self.user,
                working_dir: &self.workdir,
            },
            created: &created,
            // One line a layer: the specification wants as many as there are layers.
            history: self
                .diff_ids
                .iter()
                .map(|_| History {
                    created: &created,
                    created_by: "farm",
                })
                .collect(),
            os: &self.os,
            rootfs: RootFs {
                diff_ids: &self.diff_ids,
                r#type: "layers",
            },
        };
        serde_json::to_vec(&document).expect("strings, lists and maps with string keys always have a JSON form")
    }

    /// The id an engine gives the image: SHA-256 of [`to_json`](Self::to_json).
    pub fn image_id(&self) -> Sha256 {
        Sha256::of(&self.to_json())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_canonical() {
        let mut config = ImageConfig::new("amd64", 1_700_000_000);
        config.entrypoint = vec!["/bin/bash".into()];
        config.labels = BTreeMap::from([("b".into(), "2".into()), ("a".into(), "1".into())]);
        config.diff_ids = vec![Sha256::of(b"")];
        assert_eq!(
            String::from_utf8(config.to_json()).unwrap(),
            r#"{"architecture":"amd64","config":{"Entrypoint":["/bin/bash"],"Labels":{"a":"1","b":"2"}},"created":"2023-11-14T22:13:20Z","history":[{"created":"2023-11-14T22:13:20Z","created_by":"farm"}],"os":"linux","rootfs":{"diff_ids":["sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"],"type":"layers"}}"#
        );
        let far = ImageConfig::new("amd64", u64::MAX).to_json();
        assert!(String::from_utf8(far).unwrap().contains("9999-12-30"));
    }
}
