//! Stub packages: what Debian provides, registered in `/var/db/pkg`.
//!
//! `package.provided` would ignore slots and USE, leave `:=` unbound and let `has_version` say no. A stub is an installed
//! package like any other, with slot and version mapped from dpkg's, USE as far as it is true, and no files: dpkg owns
//! those. Only Portage itself has CONTENTS, since it does not come from a Debian package.
//!
//! The table is `stubs.toml`; a row applies if the Debian packages that it names are installed.

use std::collections::{BTreeMap, BTreeSet};

use serde::Deserialize;

use crate::debian::{InstalledPackage, dependency_closure};

/// Name of the file in a stub's VDB entry that lists the Debian packages behind it: sorted lines `NAME VERSION`, being
/// the packages that make it up and everything they depend on. A farm's package keys take the base from these files.
pub const FARM_DPKG: &str = "FARM_DPKG";

/// The table as text; part of [`recipe_digest`](crate::recipe_digest).
pub(crate) const TABLE: &str = include_str!("../stubs.toml");

/// What the stubs have in common.
#[derive(Debug, Clone)]
pub struct StubContext<'a> {
    /// Debian architecture, such as `amd64`.
    pub architecture: &'a str,
    /// Version of Portage.
    pub portage: &'a str,
    /// CONTENTS of sys-apps/portage.
    pub portage_contents: &'a str,
    /// Seconds; BUILD_TIME of every stub.
    pub epoch: u64,
    /// Names of the shared libraries that each installed Debian package has.
    pub libraries: &'a BTreeMap<String, BTreeSet<String>>,
}

/// One package of `/var/db/pkg`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StubPackage {
    /// `sys-devel/gcc`.
    pub name: String,
    /// `12.2.0`.
    pub version: String,
    /// SLOT, with subslot if it has one.
    pub slot: String,
    /// Names and contents of the files of its entry.
    pub files: BTreeMap<String, String>,
}

impl StubPackage {
    /// `sys-devel/gcc-12.2.0`, which is also the entry's folder in `/var/db/pkg`.
    #[must_use]
    pub fn cpv(&self) -> String {
        format!("{}-{}", self.name, self.version)
    }
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    stub: BTreeMap<String, Row>,
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Row {
    debian: Vec<String>,
    version: Option<String>,
    slot: Option<String>,
    #[serde(default, rename = "use")]
    flags: BTreeMap<String, String>,
    #[serde(default)]
    libraries: Vec<String>,
    #[serde(default)]
    rdepend: String,
}

/// What an architecture of Debian's is called elsewhere.
struct Architecture {
    /// Gentoo's ARCH and keyword.
    keyword: &'static str,
    /// The triplet of Debian's compiler.
    chost: &'static str,
    /// Category of sonames in PROVIDES (`portage/dep/soname/multilib_category.py`).
    multilib: &'static str,
}

const ARCHITECTURES: &[(&str, Architecture)] = &[
    (
        "amd64",
        Architecture {
            keyword: "amd64",
            chost: "x86_64-linux-gnu",
            multilib: "x86_64",
        },
    ),
    (
        "arm64",
        Architecture {
            keyword: "arm64",
            chost: "aarch64-linux-gnu",
            multilib: "arm_64",
        },
    ),
    (
        "i386",
        Architecture {
            keyword: "x86",
            chost: "i686-linux-gnu",
            multilib: "x86_32",
        },
    ),
    (
        "ppc64el",
        Architecture {
            keyword: "ppc64",
            chost: "powerpc64le-linux-gnu",
            multilib: "ppc_64",
        },
    ),
    (
        "riscv64",
        Architecture {
            keyword: "riscv",
            chost: "riscv64-linux-gnu",
            multilib: "riscv_lp64d",
        },
    ),
];

/// The stubs of a root with these Debian packages, sorted by name.
///
/// A row whose version cannot be made one of Gentoo's is left out, as is every row on an architecture that this crate
/// does not know: a missing stub is a clear refusal of the resolver's, a wrong one is not.
#[must_use]
pub fn stub_packages(installed: &[InstalledPackage], context: &StubContext<'_>) -> Vec<StubPackage> {
    let Some((_, architecture)) = ARCHITECTURES.iter().find(|(name, _)| *name == context.architecture) else {
        return Vec::new();
    };
    let table: Table = toml::from_str(TABLE).expect("the table is part of the program and read by a test");
    let versions: BTreeMap<&str, &str> = installed
        .iter()
        .filter(|package| package.is_installed())
        .map(|package| (package.name.as_str(), package.version.as_str()))
        .collect();
    let applies = |row: &Row| row.debian.iter().all(|name| versions.contains_key(name.as_str()));
    let rows: Vec<(&String, &Row)> = table.stub.iter().filter(|(_, row)| applies(row)).collect();
    let claimed: BTreeSet<&str> = rows
        .iter()
        .flat_map(|(_, row)| row.debian.iter().chain(&row.libraries))
        .map(String::as_str)
        .collect();

    let mut stubs = Vec::new();
    for (name, row) in rows {
        let version = match row.version.as_deref() {
            Some(fixed) => Some(fixed.replace("{portage}", context.portage)),
            None => gentoo_version(versions[row.debian[0].as_str()]),
        };
        let Some(version) = version else { continue };
        let slot = slot(row.slot.as_deref().unwrap_or("0"), &version);
        let mut sonames: BTreeSet<&str> = BTreeSet::new();
        let mut parts: BTreeSet<&str> = row.debian.iter().map(String::as_str).collect();
        for library in &row.libraries {
            if library == "*" {
                let rest = context
                    .libraries
                    .iter()
                    .filter(|(package, _)| !claimed.contains(package.as_str()));
                sonames.extend(rest.flat_map(|(_, names)| names).map(String::as_str));
            } else if versions.contains_key(library.as_str()) {
                parts.insert(library);
            }
        }
        sonames.extend(
            parts
                .iter()
                .filter_map(|part| context.libraries.get(*part))
                .flatten()
                .map(String::as_str),
        );
        let closure = dependency_closure(installed, parts);
        let behind: String = closure
            .into_iter()
            .map(|package| format!("{package} {}\n", versions[package]))
            .collect();

        let mut files = entry(name, &version, &slot, row, &versions, architecture, context);
        files.insert("COUNTER".to_owned(), stubs.len().to_string());
        files.insert(FARM_DPKG.to_owned(), behind);
        if !sonames.is_empty() {
            let list = sonames.into_iter().collect::<Vec<_>>().join(" ");
            files.insert("PROVIDES".to_owned(), format!("{}: {list}\n", architecture.multilib));
        }
        stubs.push(StubPackage {
            name: name.clone(),
            version,
            slot,
            files,
        });
    }
    stubs
}

/// The files of an entry that say one word each; Portage ends every one but COUNTER with a newline.
fn entry(
    name: &str,
    version: &str,
    slot: &str,
    row: &Row,
    versions: &BTreeMap<&str, &str>,
    architecture: &Architecture,
    context: &StubContext<'_>,
) -> BTreeMap<String, String> {
    let (category, package) = name.split_once('/').expect("names of the table are checked by a test");
    let is_on = |by: &str| match by {
        "yes" => true,
        "no" => false,
        debian => versions.contains_key(debian),
    };
    let iuse: Vec<&str> = row.flags.keys().map(String::as_str).collect();
    let implicit = [architecture.keyword, "elibc_glibc", "kernel_linux"];
    let mut enabled: Vec<&str> = row
        .flags
        .iter()
        .filter(|(_, by)| is_on(by))
        .map(|(flag, _)| flag.as_str())
        .chain(implicit)
        .collect();
    enabled.sort_unstable();
    let mut effective: Vec<&str> = iuse.iter().copied().chain(implicit).collect();
    effective.sort_unstable();
    let words = [
        ("BUILD_TIME", context.epoch.to_string()),
        ("CATEGORY", category.to_owned()),
        ("CBUILD", architecture.chost.to_owned()),
        ("CHOST", architecture.chost.to_owned()),
        ("DEFINED_PHASES", "-".to_owned()),
        ("DESCRIPTION", format!("Provided by Debian: {}", row.debian.join(" "))),
        ("EAPI", "8".to_owned()),
        ("IUSE", iuse.join(" ")),
        ("IUSE_EFFECTIVE", effective.join(" ")),
        ("KEYWORDS", architecture.keyword.to_owned()),
        ("PF", format!("{package}-{version}")),
        ("RDEPEND", row.rdepend.clone()),
        ("SIZE", "0".to_owned()),
        ("SLOT", slot.to_owned()),
        ("USE", enabled.join(" ")),
        ("repository", "gentoo".to_owned()),
    ];
    let mut files: BTreeMap<String, String> = words
        .into_iter()
        .filter(|(_, value)| !value.is_empty())
        .map(|(key, value)| (key.to_owned(), format!("{value}\n")))
        .collect();
    let contents = if name == "sys-apps/portage" {
        context.portage_contents
    } else {
        ""
    };
    files.insert("CONTENTS".to_owned(), contents.to_owned());
    files
}

fn slot(template: &str, version: &str) -> String {
    let mut numbers = version.split('.');
    let major = numbers.next().unwrap_or_default();
    let both = numbers
        .next()
        .map_or_else(|| major.to_owned(), |minor| format!("{major}.{minor}"));
    template.replace("{major.minor}", &both).replace("{major}", major)
}

/// The upstream part of a Debian version as a version of Gentoo's (PMS 3.2), if there is one.
///
/// Epoch and revision go. What is left is read as far as it is numbers joined by dots, one letter, and one suffix
/// `~rc1`, `~beta2`, `~alpha1` or `~pre3`; a repacking mark such as `+dfsg` or `.dfsg` is dropped.
#[must_use]
pub fn gentoo_version(debian: &str) -> Option<String> {
    let without_epoch = debian.split_once(':').map_or(debian, |(_, rest)| rest);
    let upstream = without_epoch
        .rsplit_once('-')
        .map_or(without_epoch, |(upstream, _)| upstream);
    let end = upstream
        .find(|c: char| !c.is_ascii_digit() && c != '.')
        .unwrap_or(upstream.len());
    let (numbers, rest) = upstream.split_at(end);
    let numbers = numbers.trim_end_matches('.');
    if numbers.is_empty() || numbers.split('.').any(str::is_empty) {
        return None;
    }
    Some(format!("{numbers}{}", suffix(rest)))
}

fn suffix(rest: &str) -> String {
    let mut chars = rest.chars();
    let letter = chars.next().filter(char::is_ascii_lowercase);
    if let Some(letter) = letter
        && chars.next().is_none_or(|next| !next.is_ascii_alphanumeric())
    {
        return letter.to_string();
    }
    for kind in ["alpha", "beta", "pre", "rc"] {
        if let Some(number) = rest.strip_prefix('~').and_then(|rest| rest.strip_prefix(kind)) {
            let digits: String = number.chars().take_while(char::is_ascii_digit).collect();
            return format!("_{kind}{digits}");
        }
    }
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::debian::parse_status;

    #[test]
    fn versions_become_gentoos() {
        for (debian, gentoo) in [
            ("4:12.2.0-3", "12.2.0"),
            ("2.36-9+deb12u14", "2.36"),
            ("1.5.4+dfsg2-5", "1.5.4"),
            ("1:1.2.13.dfsg-1", "1.2.13"),
            ("1.1.1n-0+deb11u5", "1.1.1n"),
            ("3.0.0~rc2-1", "3.0.0_rc2"),
            ("20230311+deb12u1", "20230311"),
            ("1.6.1-1+b1", "1.6.1"),
            ("6.0-28", "6.0"),
            ("3.11.2-1+b1", "3.11.2"),
            ("2.1~beta-1", "2.1_beta"),
        ] {
            assert_eq!(gentoo_version(debian).as_deref(), Some(gentoo), "{debian}");
        }
        assert_eq!(gentoo_version("v1-1"), None);
        assert_eq!(gentoo_version("1..2"), None);
    }

    #[test]
    fn slots_follow_the_version() {
        assert_eq!(slot("{major}", "12.2.0"), "12");
        assert_eq!(slot("0/{major.minor}", "5.36.0"), "0/5.36");
        assert_eq!(slot("{major.minor}", "7"), "7");
    }

    #[test]
    fn the_table_is_well_formed() {
        let table: Table = toml::from_str(TABLE).unwrap();
        let mut libraries = BTreeSet::new();
        for (name, row) in &table.stub {
            let (category, package) = name.split_once('/').unwrap();
            assert!(
                !category.is_empty() && !package.is_empty() && !package.contains('/'),
                "{name}"
            );
            assert!(!row.debian.is_empty(), "{name}");
            for library in &row.libraries {
                assert!(libraries.insert(library), "{library} is claimed twice");
            }
        }
    }

    #[test]
    fn a_stub_says_what_dpkg_says() {
        let status = "Package: gcc\nStatus: install ok installed\nVersion: 4:12.2.0-3\nDepends: libgcc-s1\n\n\
                      Package: g++\nStatus: install ok installed\nVersion: 4:12.2.0-3\n\n\
                      Package: libgcc-s1\nStatus: install ok installed\nVersion: 12.2.0-14\nDepends: libc6\n\n\
                      Package: libc6\nStatus: install ok installed\nVersion: 2.36-9\n\n\
                      Package: base-files\nStatus: install ok installed\nVersion: 12.4\n";
        let installed = parse_status(status);
        let soname = |package: &str, name: &str| (package.to_owned(), BTreeSet::from([name.to_owned()]));
        let libraries = BTreeMap::from([
            soname("libgcc-s1", "libgcc_s.so.1"),
            soname("libc6", "libc.so.6"),
            soname("other", "libo.so.1"),
        ]);
        let context = StubContext {
            architecture: "amd64",
            portage: "3.0.83",
            portage_contents: "",
            epoch: 17,
            libraries: &libraries,
        };
        let stubs = stub_packages(&installed, &context);
        let names: Vec<_> = stubs.iter().map(StubPackage::cpv).collect();
        // No glibc without its development files.
        assert_eq!(names, ["sys-devel/gcc-12.2.0", "sys-libs/debian-libraries-12.4"]);
        let gcc = &stubs[0];
        assert_eq!(gcc.slot, "12");
        assert_eq!(gcc.files["IUSE"], "cxx fortran nls openmp sanitize vtv\n");
        assert_eq!(
            gcc.files["USE"],
            "amd64 cxx elibc_glibc kernel_linux nls openmp sanitize\n"
        );
        assert_eq!(gcc.files["PROVIDES"], "x86_64: libgcc_s.so.1\n");
        // g++ turns a flag on without being part of it; what gcc depends on is.
        assert_eq!(
            gcc.files[FARM_DPKG],
            "gcc 4:12.2.0-3\nlibc6 2.36-9\nlibgcc-s1 12.2.0-14\n"
        );
        assert_eq!(gcc.files["COUNTER"], "0");
        // libc6 belongs to no row that applies, so its name must not be lost.
        assert_eq!(stubs[1].files["PROVIDES"], "x86_64: libc.so.6 libo.so.1\n");
    }

    #[test]
    fn an_unknown_architecture_has_no_stubs() {
        let libraries = BTreeMap::new();
        let context = StubContext {
            architecture: "m68k",
            portage: "3",
            portage_contents: "",
            epoch: 0,
            libraries: &libraries,
        };
        assert!(stub_packages(&[], &context).is_empty());
    }
}
