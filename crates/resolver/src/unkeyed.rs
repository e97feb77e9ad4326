//! The variables of a package's environment that do not enter its key: one reviewed list, a reason each.
//!
//! Whatever is not in this list counts, so that a variable nobody thought of rebuilds too much rather than too little. Three kinds may be here:
//! what cannot reach the package's bytes, what the normal form of a package takes out again, and what the key holds in another way.

use std::collections::BTreeMap;

const PATH: &str = "a path that is the same in every build, or that leaves no trace in a package";
const NOISE: &str = "how much is printed, and how";
const FETCH: &str = "fetch nodes download, each checked against the Manifest; builds have no network";
const SIGN: &str = "packages are signed and verified when they are published, not when they are built";
const JOBS: &str = "job counts; the normal form takes them out of the package";
const PEOPLE: &str = "who runs it, and on what terminal";
const ELSEWHERE: &str = "the ebuild, its eclasses and the Manifest are in the key themselves";

/// Name and reason, sorted by name.
pub const UNKEYED: &[(&str, &str)] = &[
    ("ACCEPT_CHOSTS", "decides what may be merged, not what is made"),
    (
        "ACCEPT_KEYWORDS",
        "decides which version is taken; Portage filters it from the ebuild's environment",
    ),
    (
        "ACCEPT_PROPERTIES",
        "decides which version is taken; Portage filters it from the ebuild's environment",
    ),
    (
        "ACCEPT_RESTRICT",
        "decides which version is taken; Portage filters it from the ebuild's environment",
    ),
    (
        "BASH_FUNC____in_portage_iuse%%",
        "made from IUSE_EFFECTIVE, which is in the key; its order is random",
    ),
    ("BINPKG_GPG_SIGNING_BASE_COMMAND", SIGN),
    ("BINPKG_GPG_SIGNING_DIGEST", SIGN),
    ("BINPKG_GPG_SIGNING_GPG_HOME", SIGN),
    ("BINPKG_GPG_SIGNING_KEY", SIGN),
    ("BINPKG_GPG_VERIFY_BASE_COMMAND", SIGN),
    ("BINPKG_GPG_VERIFY_GPG_HOME", SIGN),
    ("COLORTERM", NOISE),
    ("COLUMNS", NOISE),
    ("DISTDIR", PATH),
    ("EMERGE_DEFAULT_OPTS", "options of emerge; farm gives its own"),
    ("FETCHCOMMAND", FETCH),
    ("FETCHCOMMAND_SSH", FETCH),
    ("GENTOO_MIRRORS", FETCH),
    ("GNUMAKEFLAGS", JOBS),
    ("GPG_VERIFY_GROUP_DROP", SIGN),
    ("GPG_VERIFY_USER_DROP", SIGN),
    ("HOSTNAME", PEOPLE),
    ("KEYWORDS", ELSEWHERE),
    ("LOGNAME", PEOPLE),
    ("MAKEFLAGS", JOBS),
    ("MAKEOPTS", JOBS),
    ("NINJAOPTS", JOBS),
    ("NOCOLOR", NOISE),
    ("NO_COLOR", NOISE),
    ("PKGDIR", PATH),
    ("PORTAGE_ACTUAL_DISTDIR", PATH),
    (
        "PORTAGE_ARCHLIST",
        "the names of all architectures the repositories know; only Portage's own checks read it",
    ),
    ("PORTAGE_BINHOST", "farm hands every binary package over itself"),
    ("PORTAGE_COMPRESSION_COMMAND", JOBS),
    ("PORTAGE_CONFIGROOT", PATH),
    ("PORTAGE_DEBUG", NOISE),
    ("PORTAGE_DEPCACHEDIR", PATH),
    ("PORTAGE_INTERNAL_CALLER", "Portage's mark for its own children"),
    (
        "PORTAGE_REPOSITORIES",
        "where repositories lie and how they are synchronised; what of them takes part is in the key file by file",
    ),
    (
        "PORTAGE_REPO_REVISIONS",
        "the tree's commit; the normal form takes it out of the package",
    ),
    ("PORTAGE_TMPDIR", PATH),
    ("PORTAGE_TRUST_HELPER", SIGN),
    ("PORTAGE_VERBOSE", NOISE),
    ("PORTDIR", PATH),
    ("PORTDIR_OVERLAY", PATH),
    ("PORT_LOGDIR", PATH),
    ("RESUMECOMMAND", FETCH),
    ("RESUMECOMMAND_SSH", FETCH),
    ("RPMDIR", PATH),
    ("SYNC", "how repositories are synchronised; farm does that"),
    ("TERM", PEOPLE),
    ("USER", PEOPLE),
];

/// Why a variable does not enter the key, or `None` if it does.
#[must_use]
pub fn reason(name: &str) -> Option<&'static str> {
    UNKEYED
        .binary_search_by(|(other, _)| other.cmp(&name))
        .ok()
        .map(|place| UNKEYED[place].1)
}

/// The part of a package's environment that enters its key.
#[must_use]
pub fn keyed_environment(environment: &BTreeMap<String, String>) -> BTreeMap<String, String> {
    environment
        .iter()
        .filter(|(name, _)| reason(name).is_none())
        .map(|(name, value)| (name.clone(), value.clone()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_list_is_sorted_and_every_reason_says_something() {
        assert!(UNKEYED.windows(2).all(|pair| pair[0].0 < pair[1].0));
        assert!(UNKEYED.iter().all(|(_, reason)| reason.len() > 8));
    }

    #[test]
    fn unknown_names_count() {
        let environment =
            ["CFLAGS", "MAKEOPTS", "SOMETHING_NEW", "DISTDIR", "USE"].map(|name| (name.to_owned(), "x".to_owned()));
        let keyed = keyed_environment(&BTreeMap::from(environment));
        assert_eq!(
            keyed.into_keys().collect::<Vec<_>>(),
            ["CFLAGS", "SOMETHING_NEW", "USE"]
        );
    }

    #[test]
    fn what_decides_bytes_is_never_listed() {
        for name in [
            "CFLAGS",
            "CHOST",
            "FEATURES",
            "INSTALL_MASK",
            "LC_ALL",
            "PATH",
            "PKG_INSTALL_MASK",
            "SOURCE_DATE_EPOCH",
            "TZ",
            "USE",
        ] {
            assert_eq!(reason(name), None, "{name}");
        }
    }
}
