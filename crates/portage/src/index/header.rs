//! The header stanza.

use std::collections::BTreeMap;

use super::Stanza;

/// Settings of the farm that an index header shows, as Portage resolved them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct HeaderSettings {
    /// The profile: its path below the main repository's `profiles/`, or absolute if it lies elsewhere. Without it, and
    /// without `IUSE_IMPLICIT`, the header holds only what every index has.
    pub profile: Option<String>,
    /// `PORTAGE_BINHOST_HEADER_URI`: where clients shall fetch packages, if not beside the index.
    pub uri: Option<String>,
    /// `PORTAGE_BINHOST_TTL` in seconds: how long clients may keep the index without asking.
    pub ttl: Option<String>,
    /// The settings by name (ARCH, CHOST, USE, IUSE_IMPLICIT, …). Names that no header has are ignored.
    pub variables: BTreeMap<String, String>,
}

/// The settings that a header has under their own names.
const KEYS: &[&str] = &[
    "ACCEPT_KEYWORDS",
    "ACCEPT_LICENSE",
    "ACCEPT_PROPERTIES",
    "ACCEPT_RESTRICT",
    "CBUILD",
    "CONFIG_PROTECT",
    "CONFIG_PROTECT_MASK",
    "FEATURES",
    "GENTOO_MIRRORS",
    "INSTALL_MASK",
    "IUSE_IMPLICIT",
    "USE",
    "USE_EXPAND",
    "USE_EXPAND_HIDDEN",
    "USE_EXPAND_IMPLICIT",
    "USE_EXPAND_UNPREFIXED",
];

/// Makes the header of an index of `packages` instances, written at `timestamp` (seconds since the epoch).
///
/// Besides the fixed names it takes every variable that USE_EXPAND_IMPLICIT and USE_EXPAND_UNPREFIXED name, and
/// `USE_EXPAND_VALUES_*` of the former, which let a client use the index without the profile.
pub fn header(settings: &HeaderSettings, packages: usize, timestamp: u64) -> Stanza {
    let mut header = Stanza::new();
    let mut put = |key: &str, value: Option<&String>| {
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            header.insert(key.to_owned(), value.clone());
        }
    };
    let variable = |key: &str| settings.variables.get(key);
    let words = |key: &str| variable(key).map_or("", String::as_str).split_whitespace();
    put("CHOST", variable("CHOST"));
    if settings.profile.is_some() && variable("IUSE_IMPLICIT").is_some() {
        put("PROFILE", settings.profile.as_ref());
        put("URI", settings.uri.as_ref());
        put("TTL", settings.ttl.as_ref());
        for key in KEYS {
            put(key, variable(key));
        }
        for key in words("USE_EXPAND_IMPLICIT").chain(words("USE_EXPAND_UNPREFIXED")) {
            put(key, variable(key));
        }
        for key in words("USE_EXPAND_IMPLICIT") {
            let key = format!("USE_EXPAND_VALUES_{key}");
            put(&key, variable(&key));
        }
    }
    put("PACKAGES", Some(&packages.to_string()));
    put("TIMESTAMP", Some(&timestamp.to_string()));
    put("VERSION", Some(&"0".to_owned()));
    header
}
