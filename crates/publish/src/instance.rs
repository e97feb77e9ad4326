//! One published build of one package, and how the next one is numbered.

use std::collections::BTreeMap;

use farm_portage::cpv::Cpv;
use serde::{Deserialize, Serialize};

/// What publication puts into a package; see `farm_portage::normal::stamp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default, Serialize, Deserialize)]
pub(crate) struct Stamp {
    pub(crate) build_id: u64,
    /// Seconds since the epoch.
    pub(crate) build_time: u64,
}

/// The highest stamps that were ever given out, by CPV.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub(crate) struct Stamps(BTreeMap<String, Stamp>);

impl Stamps {
    /// Notes that an instance with this stamp is, or may be, known to clients.
    pub(crate) fn note(&mut self, cpv: &str, stamp: Stamp) {
        let last = self.0.entry(cpv.to_owned()).or_default();
        last.build_id = last.build_id.max(stamp.build_id);
        last.build_time = last.build_time.max(stamp.build_time);
    }

    /// Whether anything of this version was ever published.
    pub(crate) fn knows(&self, cpv: &str) -> bool {
        self.0.contains_key(cpv)
    }

    /// Gives out the stamp that a package has already: its BUILD_TIME, by which clients know that it is the one they have, and its
    /// BUILD_ID, or the next one that is free.
    pub(crate) fn adopt(&mut self, cpv: &str, wanted: Stamp) -> Stamp {
        let last = self.0.get(cpv).map_or(0, |last| last.build_id);
        let stamp = Stamp {
            build_id: wanted.build_id.max(last.saturating_add(1)),
            ..wanted
        };
        self.note(cpv, stamp);
        stamp
    }

    /// Gives out the next stamp: the next BUILD_ID, and a BUILD_TIME that is later than all before.
    ///
    /// Clients choose among equal versions by BUILD_TIME, so it must rise even if nothing tells a later time.
    pub(crate) fn next(&mut self, cpv: &str, epoch: u64) -> Stamp {
        let last = self.0.get(cpv).copied();
        let stamp = Stamp {
            build_id: last.map_or(0, |last| last.build_id).saturating_add(1),
            build_time: last.map_or(epoch, |last| epoch.max(last.build_time.saturating_add(1))),
        };
        self.note(cpv, stamp);
        stamp
    }
}

/// Where an instance lies, relative to the folder of the index (`FEATURES=binpkg-multi-instance`).
pub(crate) fn package_path(cpv: &Cpv, build_id: u64) -> String {
    format!("{}/{}-{build_id}.gpkg.tar", cpv.cp(), cpv.pf())
}

/// Reads the BUILD_ID out of the name of a file, if it is an instance of this version in either format of Portage.
pub(crate) fn build_id_of_file(cpv: &Cpv, file_name: &str) -> Option<u64> {
    let rest = file_name.strip_prefix(&cpv.pf())?.strip_prefix('-')?;
    let digits = rest.strip_suffix(".gpkg.tar").or_else(|| rest.strip_suffix(".xpak"))?;
    digits.parse().ok()
}

/// Whether a path is one that [`package_path`] could have made: a file that farm may remove must be.
pub(crate) fn is_package_path(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').collect();
    let [category, name, file] = parts[..] else {
        return false;
    };
    let plain = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains('\0');
    plain(category) && plain(name) && plain(file) && file.ends_with(".gpkg.tar")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn stamps_rise() {
        let mut stamps = Stamps::default();
        let stamp = |build_id, build_time| Stamp { build_id, build_time };
        assert_eq!(stamps.next("a/b-1", 100), stamp(1, 100));
        assert_eq!(stamps.next("a/b-1", 100), stamp(2, 101));
        assert_eq!(stamps.next("a/b-2", 100), stamp(1, 100));
        stamps.note("a/b-1", stamp(7, 0));
        assert_eq!(stamps.next("a/b-1", 50), stamp(8, 102));
        assert_eq!(stamps.next("a/b-1", 500), stamp(9, 500));
    }

    #[test]
    fn stamps_are_taken_over_if_they_are_free() {
        let mut stamps = Stamps::default();
        let stamp = |build_id, build_time| Stamp { build_id, build_time };
        assert!(!stamps.knows("a/b-1"));
        assert_eq!(stamps.adopt("a/b-1", stamp(4, 70)), stamp(4, 70));
        assert_eq!(stamps.adopt("a/b-1", stamp(4, 60)), stamp(5, 60));
        assert_eq!(stamps.adopt("a/b-2", stamp(0, 60)), stamp(1, 60));
        assert!(stamps.knows("a/b-1"));
        assert_eq!(stamps.next("a/b-1", 0), stamp(6, 71));
    }

    #[test]
    fn file_names_give_build_ids() {
        let cpv = Cpv::parse("a/b-1-r1").unwrap();
        assert_eq!(package_path(&cpv, 12), "a/b/b-1-r1-12.gpkg.tar");
        assert_eq!(build_id_of_file(&cpv, "b-1-r1-12.gpkg.tar"), Some(12));
        assert_eq!(build_id_of_file(&cpv, "b-1-r1-3.xpak"), Some(3));
        for other in [
            "b-1-2.gpkg.tar",
            "b-1-r1.gpkg.tar",
            "b-1-r1-x.gpkg.tar",
            "b-1-r1-2.gpkg.tar.sig",
        ] {
            assert_eq!(build_id_of_file(&cpv, other), None, "{other}");
        }
    }

    #[test]
    fn only_paths_of_packages_are_package_paths() {
        assert!(is_package_path("a/b/b-1-1.gpkg.tar"));
        for other in [
            "../b/c.gpkg.tar",
            "a/../c.gpkg.tar",
            "/b/c.gpkg.tar",
            "a/b.gpkg.tar",
            "a/b/c",
            "a/b/c/d.gpkg.tar",
        ] {
            assert!(!is_package_path(other), "{other}");
        }
    }
}
