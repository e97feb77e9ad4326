//! User patches: which files below `/etc/portage/patches` are applied to a package, and in which order.
//!
//! The rule is that of `eapply_user` in Portage's `phase-helpers.sh`. Up to six folders are looked into, from the least specific to the
//! most: `PN`, `PN:SLOT`, `P`, `P:SLOT`, `P-PR`, `P-PR:SLOT`, below the category. Of two files of one name the one in the more
//! specific folder counts; an empty one takes the name away. What is left is applied in the byte order of the names, whatever the
//! folder.

use std::collections::BTreeMap;
use std::fmt;

use crate::cpv::Cpv;
use crate::name::{Category, PackageName};
use crate::version::{Version, split_version};

/// What a folder of user patches is for: `CATEGORY/NAME[-VERSION[-rN]][:SLOT]`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct PatchScope {
    category: Category,
    name: PackageName,
    version: Option<Version>,
    slot: Option<String>,
}

impl PatchScope {
    /// Reads the name of a folder below `patches/`. `None` for what Portage never looks into.
    #[must_use]
    pub fn parse(folder: &str) -> Option<Self> {
        let (category, rest) = folder.split_once('/')?;
        let (package, slot) = match rest.split_once(':') {
            Some((package, slot)) => (package, Some(slot.to_owned())),
            None => (rest, None),
        };
        let (name, version) = match split_version(package) {
            Some((name, version)) => (name, Some(Version::parse(version).ok()?)),
            None => (package, None),
        };
        Some(Self {
            category: Category::parse(category).ok()?,
            name: PackageName::parse(name).ok()?,
            version,
            slot,
        })
    }

    /// All versions of a package.
    #[must_use]
    pub fn any(cpv: &Cpv) -> Self {
        Self {
            category: cpv.category.clone(),
            name: cpv.name.clone(),
            version: None,
            slot: None,
        }
    }

    /// All versions of a package in this slot.
    #[must_use]
    pub fn slot(cpv: &Cpv, slot: &str) -> Self {
        Self {
            slot: Some(slot.to_owned()),
            ..Self::any(cpv)
        }
    }

    /// One version of a package in all its revisions, which unpack the same source.
    #[must_use]
    pub fn version(cpv: &Cpv) -> Self {
        Self {
            version: Version::parse(cpv.version.without_revision()).ok(),
            ..Self::any(cpv)
        }
    }

    /// One revision of one version of a package.
    #[must_use]
    pub fn revision(cpv: &Cpv) -> Self {
        let text = format!("{}-{}", cpv.version.without_revision(), cpv.pr());
        Self {
            version: Version::parse(&text).ok(),
            ..Self::any(cpv)
        }
    }

    /// `CATEGORY/NAME`.
    #[must_use]
    pub fn cp(&self) -> String {
        format!("{}/{}", self.category, self.name)
    }

    /// Whether Portage looks into the folder for this package. `slot` is without a subslot.
    #[must_use]
    pub fn reaches(&self, cpv: &Cpv, slot: &str) -> bool {
        let folder = self.to_string();
        folders(cpv, slot).contains(&folder)
    }

    /// Whether some version of a package can be reached by both. Versions and slots are held against each other as texts, as
    /// names of folders are.
    #[must_use]
    pub fn can_meet(&self, other: &Self) -> bool {
        let versions = match (&self.version, &other.version) {
            (Some(one), Some(other)) => {
                one.as_str() == other.as_str()
                    || one.without_revision() == other.as_str()
                    || other.without_revision() == one.as_str()
            }
            _ => true,
        };
        let slots = match (&self.slot, &other.slot) {
            (Some(one), Some(other)) => one == other,
            _ => true,
        };
        self.category == other.category && self.name == other.name && versions && slots
    }
}

impl fmt::Display for PatchScope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.category, self.name)?;
        if let Some(version) = &self.version {
            write!(f, "-{version}")?;
        }
        match &self.slot {
            Some(slot) => write!(f, ":{slot}"),
            None => Ok(()),
        }
    }
}

/// The folders below `patches/` that Portage looks into for a package, the most specific one last. `slot` is without a subslot.
#[must_use]
pub fn folders(cpv: &Cpv, slot: &str) -> [String; 6] {
    let any = cpv.cp();
    let version = format!("{}/{}", cpv.category, cpv.p());
    let revision = format!("{version}-{}", cpv.pr());
    let of_slot = |folder: &str| format!("{folder}:{slot}");
    [
        any.clone(),
        of_slot(&any),
        version.clone(),
        of_slot(&version),
        revision.clone(),
        of_slot(&revision),
    ]
}

/// Whether Portage takes a file of this name for a patch.
#[must_use]
pub fn is_patch(file: &str) -> bool {
    file.ends_with(".patch") || file.ends_with(".diff")
}

/// A file below `patches/`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PatchFile<'a> {
    /// The folder, `CATEGORY/NAME[-VERSION[-rN]][:SLOT]`.
    pub folder: &'a str,
    /// The file's name.
    pub name: &'a str,
    /// Whether nothing is in it.
    pub empty: bool,
}

/// Which of these files Portage applies to a package, in the order in which it does. `slot` is without a subslot.
#[must_use]
pub fn applied<'a>(files: &[PatchFile<'a>], cpv: &Cpv, slot: &str) -> Vec<PatchFile<'a>> {
    let mut by_name: BTreeMap<&str, PatchFile<'a>> = BTreeMap::new();
    for folder in folders(cpv, slot) {
        for file in files.iter().filter(|file| file.folder == folder && is_patch(file.name)) {
            if file.empty {
                by_name.remove(file.name);
            } else {
                by_name.insert(file.name, *file);
            }
        }
    }
    by_name.into_values().collect()
}

/// What the log of a build says of user patches.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PatchLog {
    /// The names of those that were applied, in their order.
    pub applied: Vec<String>,
    /// The one that could not be, with which the build ended.
    pub failed: Option<String>,
}

impl PatchLog {
    /// Reads a log, with or without colours: emerge's `--color=n` does not reach what phases say. What an ebuild applies of its own
    /// is left out: it is not between the lines with which `eapply_user` begins and ends.
    #[must_use]
    pub fn read(log: &str) -> Self {
        let mut found = Self::default();
        let mut pending: Option<String> = None;
        let mut inside = false;
        for line in log.lines() {
            let plain = without_escapes(line);
            let Some(said) = plain.trim_end().strip_prefix(" * ") else {
                continue;
            };
            if said.starts_with("Applying user patches from ") {
                inside = true;
            } else if inside && said == "User patches applied." {
                found.applied.extend(pending.take());
                inside = false;
            } else if inside && let Some(name) = said.strip_prefix("Applying ") {
                found.applied.extend(pending.take());
                let name = name.split_once(" ...").map_or(name, |(name, _)| name);
                pending = Some(name.to_owned());
            }
        }
        found.failed = pending;
        found
    }
}

/// A line without the sequences that move a terminal's cursor or colour its text (`ESC [ … LETTER`).
fn without_escapes(line: &str) -> String {
    let mut plain = String::new();
    let mut rest = line;
    while let Some((before, sequence)) = rest.split_once("\u{1b}[") {
        plain.push_str(before);
        let end = sequence.find(|c: char| c.is_ascii_alphabetic());
        rest = end.map_or("", |end| &sequence[end + 1..]);
    }
    plain + rest
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cpv(text: &str) -> Cpv {
        Cpv::parse(text).unwrap()
    }

    fn file<'a>(folder: &'a str, name: &'a str) -> PatchFile<'a> {
        PatchFile {
            folder,
            name,
            empty: false,
        }
    }

    fn names(files: &[PatchFile<'_>], package: &str) -> Vec<String> {
        let applied = applied(files, &cpv(package), "0");
        applied
            .iter()
            .map(|file| format!("{}/{}", file.folder, file.name))
            .collect()
    }

    #[test]
    fn a_package_has_six_folders() {
        assert_eq!(
            folders(&cpv("a/b-1.2-r3"), "4"),
            ["a/b", "a/b:4", "a/b-1.2", "a/b-1.2:4", "a/b-1.2-r3", "a/b-1.2-r3:4"]
        );
        assert_eq!(folders(&cpv("a/b-1.2"), "0")[4], "a/b-1.2-r0");
    }

    #[test]
    fn scopes_are_read_and_written() {
        for text in ["a/b", "a/b:0", "a/b-1.2", "a/b-1.2:4", "a/b-1.2-r0", "a/b-c-1:2"] {
            assert_eq!(PatchScope::parse(text).unwrap().to_string(), text);
        }
        for text in ["a", "a/", "a/b/c", "/b", "a/-b"] {
            assert_eq!(PatchScope::parse(text), None, "{text}");
        }
        let package = cpv("a/b-1.2-r3");
        assert_eq!(PatchScope::any(&package).to_string(), "a/b");
        assert_eq!(PatchScope::slot(&package, "4").to_string(), "a/b:4");
        assert_eq!(PatchScope::version(&package).to_string(), "a/b-1.2");
        assert_eq!(PatchScope::revision(&package).to_string(), "a/b-1.2-r3");
        assert_eq!(PatchScope::revision(&cpv("a/b-1")).to_string(), "a/b-1-r0");
    }

    #[test]
    fn scopes_reach_what_portage_looks_into() {
        let table = [
            ("a/b", "a/b-1", "0", true),
            ("a/b:0", "a/b-1", "0", true),
            ("a/b:1", "a/b-1", "0", false),
            ("a/b-1", "a/b-1-r2", "0", true),
            ("a/b-1-r2", "a/b-1-r2", "0", true),
            ("a/b-1-r2", "a/b-1", "0", false),
            ("a/b-1-r0", "a/b-1", "0", true),
            ("a/b-1.0", "a/b-1", "0", false),
            ("a/b-c", "a/b-1", "0", false),
            ("x/b", "a/b-1", "0", false),
        ];
        for (scope, package, slot, wanted) in table {
            let reaches = PatchScope::parse(scope).unwrap().reaches(&cpv(package), slot);
            assert_eq!(reaches, wanted, "{scope} {package}:{slot}");
        }
    }

    #[test]
    fn scopes_meet_where_one_version_can_be_reached_by_both() {
        let table = [
            ("a/b", "a/b-1", true),
            ("a/b:1", "a/b-1", true),
            ("a/b:1", "a/b:2", false),
            ("a/b-1", "a/b-2", false),
            ("a/b-1", "a/b-1-r2", true),
            ("a/b-1-r1", "a/b-1-r2", false),
            ("a/b-1:0", "a/b-1-r2:0", true),
            ("a/b-1:0", "a/b-1-r2:1", false),
            ("a/b", "a/c", false),
            ("a/b", "x/b", false),
        ];
        for (one, other, wanted) in table {
            let scope = |text| PatchScope::parse(text).unwrap();
            assert_eq!(scope(one).can_meet(&scope(other)), wanted, "{one} {other}");
            assert_eq!(scope(other).can_meet(&scope(one)), wanted, "{other} {one}");
        }
    }

    #[test]
    fn the_more_specific_folder_wins_and_names_give_the_order() {
        let files = [
            file("a/b-1", "2.patch"),
            file("a/b", "3.diff"),
            file("a/b", "1.patch"),
            file("a/b-1-r0", "1.patch"),
            file("a/b", "README"),
            file("a/b-2", "0.patch"),
        ];
        assert_eq!(
            names(&files, "a/b-1"),
            ["a/b-1-r0/1.patch", "a/b-1/2.patch", "a/b/3.diff"]
        );
        assert_eq!(names(&files, "a/b-2"), ["a/b-2/0.patch", "a/b/1.patch", "a/b/3.diff"]);
        assert!(names(&files, "a/c-1").is_empty());
    }

    #[test]
    fn an_empty_file_takes_less_specific_ones_away() {
        let files = [
            file("a/b", "1.patch"),
            PatchFile {
                empty: true,
                ..file("a/b-1", "1.patch")
            },
        ];
        assert!(names(&files, "a/b-1").is_empty());
        assert_eq!(names(&files, "a/b-2"), ["a/b/1.patch"]);
    }

    #[test]
    fn logs_tell_what_was_applied() {
        let log = " * Applying own.patch ...\n [ ok ]\n * =====\n * Applying user patches from /etc/portage/patches ...\n \
                   * Applying a.patch ...\n [ ok ]\n * Applying b c.patch ...                 [ ok ]\n * User patches applied.\n \
                   * Applying late.patch ...\n";
        let read = PatchLog::read(log);
        assert_eq!(read.applied, ["a.patch", "b c.patch"]);
        assert_eq!(read.failed, None);
    }

    #[test]
    fn colours_of_a_log_hide_nothing() {
        let log = " \u{1b}[32m*\u{1b}[0m Applying user patches from /etc/portage/patches ...\n \u{1b}[32m*\u{1b}[0m Applying \
                   a.patch ...\n\u{1b}[A\u{1b}[72C \u{1b}[34;01m[ \u{1b}[32;01mok\u{1b}[34;01m ]\u{1b}[0m\n \u{1b}[32m*\u{1b}[0m \
                   User patches applied.\n";
        assert_eq!(PatchLog::read(log).applied, ["a.patch"]);
        assert_eq!(without_escapes("a\u{1b}[0mb\u{1b}[1"), "ab");
    }

    #[test]
    fn logs_tell_which_one_failed() {
        let log = " * Applying user patches from /etc/portage/patches ...\n * Applying a.patch ...\n [ ok ]\n \
                   * Applying b.patch ...\nHunk #1 FAILED at 1.\n [ !! ]\n * ERROR: a/b-1::x failed (prepare phase):\n";
        let read = PatchLog::read(log);
        assert_eq!(read.applied, ["a.patch"]);
        assert_eq!(read.failed.as_deref(), Some("b.patch"));
    }
}
