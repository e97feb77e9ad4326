//! dpkg's record of what is installed.

use std::collections::{BTreeMap, BTreeSet};

/// A package that dpkg's status file lists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InstalledPackage {
    /// Package name.
    pub name: String,
    /// Architecture it was built for, `all` if for every one.
    pub architecture: String,
    /// Full version, with epoch and revision.
    pub version: String,
    /// dpkg's three words, `install ok installed` for one that is really there.
    pub status: String,
    /// Groups of alternatives of `Pre-Depends` and `Depends`, names only.
    pub depends: Vec<Vec<String>>,
    /// Names of `Provides`.
    pub provides: Vec<String>,
}

impl InstalledPackage {
    /// Whether it is unpacked and configured.
    #[must_use]
    pub fn is_installed(&self) -> bool {
        self.status == "install ok installed"
    }
}

/// Reads `/var/lib/dpkg/status` (deb822(5)); stanzas without a name or version are left out.
#[must_use]
pub fn parse_status(text: &str) -> Vec<InstalledPackage> {
    text.split("\n\n").filter_map(parse_stanza).collect()
}

fn parse_stanza(stanza: &str) -> Option<InstalledPackage> {
    let mut fields: BTreeMap<&str, String> = BTreeMap::new();
    let mut current = "";
    for line in stanza.lines() {
        if line.starts_with([' ', '\t']) {
            if let Some(value) = fields.get_mut(current) {
                value.push_str(line);
            }
        } else if let Some((name, value)) = line.split_once(':') {
            current = name;
            fields.insert(name, value.trim().to_owned());
        }
    }
    let field = |name: &str| fields.get(name).map(String::as_str);
    let groups = |name: &str| field(name).into_iter().flat_map(relation_groups);
    Some(InstalledPackage {
        name: field("Package")?.to_owned(),
        architecture: field("Architecture").unwrap_or_default().to_owned(),
        version: field("Version")?.to_owned(),
        status: field("Status").unwrap_or_default().to_owned(),
        depends: groups("Pre-Depends").chain(groups("Depends")).collect(),
        provides: groups("Provides").flatten().collect(),
    })
}

/// `a (>= 1) | b:any, c` to names (Debian Policy 7.1); versions are dpkg's business, which has already checked them.
fn relation_groups(text: &str) -> impl Iterator<Item = Vec<String>> {
    text.split(',').filter(|group| !group.trim().is_empty()).map(|group| {
        group
            .split('|')
            .filter_map(|alternative| {
                let word = alternative.trim().split([' ', '(', '[', '<']).next()?;
                Some(word.split(':').next().unwrap_or(word).to_owned())
            })
            .collect()
    })
}

/// Names of the installed packages that `roots` need at run time, themselves included.
///
/// Of a group of alternatives everything that is installed counts, and so does every installed provider of a virtual
/// package: any of them may be what is used. Essential packages, on which others need not declare a dependency, count
/// only where one is declared.
#[must_use]
pub fn dependency_closure<'a>(
    installed: &'a [InstalledPackage],
    roots: impl IntoIterator<Item = &'a str>,
) -> BTreeSet<&'a str> {
    let mut by_name: BTreeMap<&str, Vec<&InstalledPackage>> = BTreeMap::new();
    for package in installed.iter().filter(|package| package.is_installed()) {
        by_name.entry(&package.name).or_default().push(package);
        for name in &package.provides {
            by_name.entry(name).or_default().push(package);
        }
    }
    let mut closure = BTreeSet::new();
    let mut pending: Vec<&str> = roots.into_iter().collect();
    while let Some(name) = pending.pop() {
        for package in by_name.get(name).into_iter().flatten() {
            if closure.insert(package.name.as_str()) {
                pending.extend(package.depends.iter().flatten().map(String::as_str));
            }
        }
    }
    closure
}

#[cfg(test)]
mod tests {
    use super::*;

    const STATUS: &str = "\
Package: gcc
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3
Depends: cpp (= 4:12.2.0-3), gcc-12 (>= 12.2.0-1~)
Description: compiler
 The compiler.
 .
 Depends: nothing

Package: gcc-12
Status: install ok installed
Architecture: amd64
Version: 12.2.0-14
Pre-Depends: libc6:any (>= 2.36)
Depends: awk, nothere | binutils

Package: cpp
Status: install ok installed
Architecture: amd64
Version: 4:12.2.0-3

Package: mawk
Status: install ok installed
Architecture: amd64
Version: 1.3
Provides: awk
Depends: libc6

Package: binutils
Status: install ok installed
Architecture: amd64
Version: 2.40-2
Depends: gcc

Package: libc6
Status: install ok installed
Architecture: amd64
Version: 2.36-9

Package: old
Status: deinstall ok config-files
Architecture: amd64
Version: 1
";

    #[test]
    fn status_is_read() {
        let packages = parse_status(STATUS);
        assert_eq!(packages.len(), 7);
        assert_eq!(packages[0].depends, [["cpp"], ["gcc-12"]]);
        assert_eq!(
            packages[1].depends,
            [vec!["libc6"], vec!["awk"], vec!["nothere", "binutils"]]
        );
        assert_eq!(packages[3].provides, ["awk"]);
        assert!(!packages[6].is_installed());
    }

    #[test]
    fn the_closure_goes_through_alternatives_virtual_packages_and_cycles() {
        let packages = parse_status(STATUS);
        let closure = dependency_closure(&packages, ["gcc"]);
        let names: Vec<_> = closure.into_iter().collect();
        assert_eq!(names, ["binutils", "cpp", "gcc", "gcc-12", "libc6", "mawk"]);
        assert!(dependency_closure(&packages, ["old", "unknown"]).is_empty());
    }

    #[test]
    fn a_chain_of_any_length_is_walked() {
        let packages: Vec<_> = (0..50_000)
            .map(|index| InstalledPackage {
                name: format!("p{index}"),
                architecture: "all".into(),
                version: "1".into(),
                status: "install ok installed".into(),
                depends: vec![vec![format!("p{}", index + 1)]],
                provides: Vec::new(),
            })
            .collect();
        assert_eq!(dependency_closure(&packages, ["p0"]).len(), 50_000);
    }
}
