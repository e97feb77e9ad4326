//! What is published of a plan, and what cannot be: pure lists.

use std::collections::{BTreeMap, BTreeSet};

use farm_publish::Lacking;

use super::join::{JoinedPlan, PlannedPackage};
use super::{package, quickpkg};

/// One package to be published.
#[derive(Debug, Clone, PartialEq)]
pub struct PublishedPackage {
    /// Its node.
    pub node: String,
    /// `CATEGORY/PF`.
    pub cpv: String,
    /// `CATEGORY/NAME` and slot.
    pub place: Lacking,
    /// Indices among the packages of what it needs at run time.
    pub runtime: BTreeSet<usize>,
}

/// Packages of the base that are published as the base has them.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Untouched {
    /// The node that packs them; `None` where there are none.
    pub node: Option<String>,
    /// By `CATEGORY/PF`.
    pub packages: BTreeMap<String, Lacking>,
}

impl Untouched {
    /// Those of a plan.
    pub(super) fn of(farm: &str, joined: &JoinedPlan) -> Self {
        let place = |name: &str| {
            let (cp, slot) = name.split_once(':').unwrap_or((name, "0"));
            Lacking {
                cp: cp.to_owned(),
                slot: slot.to_owned(),
            }
        };
        let packages = joined.untouched.iter();
        Self {
            node: (!joined.untouched.is_empty()).then(|| quickpkg::node_name(farm)),
            packages: packages.map(|(cpv, name)| (cpv.clone(), place(name))).collect(),
        }
    }

    /// What is said where none of them was packed.
    pub(super) fn not_packed(&self) -> String {
        let number = self.packages.len();
        format!("{number} packages of the base are not published: they were not packed")
    }
}

/// Why each package cannot be published; `None` for those that can, with all that they need at run time.
pub(super) fn obstacles(packages: &[PublishedPackage], is_built: impl Fn(usize) -> bool) -> Vec<Option<Obstacle>> {
    let mut obstacles: Vec<Option<Obstacle>> = (0..packages.len())
        .map(|at| (!is_built(at)).then_some(Obstacle::NotBuilt))
        .collect();
    let mut needed_by = vec![Vec::new(); packages.len()];
    for (at, package) in packages.iter().enumerate() {
        for &need in &package.runtime {
            needed_by[need].push(at);
        }
    }
    let mut pending: Vec<usize> = (0..packages.len()).filter(|&at| obstacles[at].is_some()).collect();
    while let Some(at) = pending.pop() {
        for &other in &needed_by[at] {
            if obstacles[other].is_none() {
                obstacles[other] = Some(Obstacle::Needs(at));
                pending.push(other);
            }
        }
    }
    obstacles
}

/// What keeps a package from being published.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Obstacle {
    /// It failed, or was not begun.
    NotBuilt,
    /// It needs the package with this index, which is not published either.
    Needs(usize),
}

/// The list of what is not published, a line each, and what stays in its place.
pub(super) fn of_lacking(
    packages: &[PublishedPackage],
    obstacles: &[Option<Obstacle>],
    held: &[String],
) -> Vec<String> {
    let lines = packages.iter().zip(obstacles).filter_map(|(package, obstacle)| {
        let why = match (*obstacle)? {
            Obstacle::NotBuilt => "it was not built".to_owned(),
            Obstacle::Needs(at) => format!("it needs {}", packages[at].cpv),
        };
        Some(format!("{} is not published: {why}", package.cpv))
    });
    let stays = held.iter().map(|name| format!("{name} stays, of the release before"));
    lines.chain(stays).collect()
}

/// What is published of a plan: its packages but for those that only break circles, and what was built for the root, unless a subject or a
/// later generation has the same with the same flags: clients could not tell them apart.
pub(crate) fn published(farm: &str, joined: &JoinedPlan) -> Vec<PublishedPackage> {
    let mut found: Vec<PublishedPackage> = Vec::new();
    let mut seen: BTreeSet<(&str, &[String])> = BTreeSet::new();
    let mut add = |list: &[PlannedPackage], chosen: Vec<usize>| {
        let offset = found.len();
        let place = |index: &usize| Some(offset + chosen.binary_search(index).ok()?);
        let published = chosen.iter().map(|&index| {
            let planned = &list[index];
            let package = &planned.package;
            PublishedPackage {
                node: package::node_name(farm, planned),
                cpv: package.cpv.clone(),
                place: Lacking {
                    cp: format!("{}/{}", package.category, package.name),
                    slot: package.slot.clone(),
                },
                runtime: planned.runtime.iter().filter_map(place).collect(),
            }
        });
        found.extend(published.collect::<Vec<_>>());
    };
    let own: Vec<usize> = (0..joined.packages.len())
        .filter(|&index| !joined.packages[index].is_bootstrap())
        .collect();
    for &index in &own {
        let package = &joined.packages[index].package;
        seen.insert((&package.cpv, &package.use_flags));
    }
    let mut of_root: Vec<usize> = (0..joined.below.len())
        .rev()
        .filter(|&index| {
            let package = &joined.below[index].package;
            seen.insert((&package.cpv, &package.use_flags))
        })
        .collect();
    of_root.reverse();
    add(&joined.packages, own);
    add(&joined.below, of_root);
    found
}

#[cfg(test)]
mod tests {
    use farm_engine::Digest;
    use farm_resolver::Package;

    use super::*;

    /// Packages that need those with these indices.
    fn packages(needs: &[&[usize]]) -> Vec<PublishedPackage> {
        let package = |(at, needs): (usize, &&[usize])| PublishedPackage {
            node: format!("f:pkg/a/p{at}-1"),
            cpv: format!("a/p{at}-1"),
            place: Lacking {
                cp: format!("a/p{at}"),
                slot: "0".to_owned(),
            },
            runtime: needs.iter().copied().collect(),
        };
        needs.iter().enumerate().map(package).collect()
    }

    #[test]
    fn a_package_goes_with_all_that_it_needs_or_not_at_all() {
        // Two that need each other, of which one needs what was not built; and a chain beside them.
        let packages = packages(&[&[1], &[0, 2], &[], &[4], &[]]);
        let found = obstacles(&packages, |at| at != 2);
        use Obstacle::{Needs, NotBuilt};
        assert_eq!(found, [Some(Needs(1)), Some(Needs(2)), Some(NotBuilt), None, None]);
        let lines = of_lacking(&packages, &found, &["a/p0-1-7".to_owned()]);
        assert_eq!(
            lines,
            [
                "a/p0-1 is not published: it needs a/p1-1",
                "a/p1-1 is not published: it needs a/p2-1",
                "a/p2-1 is not published: it was not built",
                "a/p0-1-7 stays, of the release before",
            ]
        );
        assert_eq!(obstacles(&packages, |_| true), [None; 5]);
    }

    fn planned(name: &str, subject: &str, flags: &[&str], runtime: &[usize]) -> PlannedPackage {
        let package = Package {
            cpv: format!("a/{name}-1"),
            category: "a".into(),
            name: name.into(),
            slot: "0".into(),
            use_flags: flags.iter().map(|flag| (*flag).to_owned()).collect(),
            ..Package::default()
        };
        PlannedPackage {
            name: format!("a/{name}-1@{subject}"),
            subjects: vec![subject.to_owned()],
            package,
            dependencies: Vec::new(),
            runtime: runtime.iter().copied().collect(),
            installed: Vec::new(),
            made: Vec::new(),
            bound: BTreeMap::new(),
            unowned: Digest::of(b""),
            portage: String::new(),
            left_out: Vec::new(),
            files: BTreeMap::new(),
        }
    }

    #[test]
    fn what_was_built_for_the_root_is_published_once_and_what_breaks_circles_never() {
        let joined = JoinedPlan {
            packages: vec![
                planned("font", "bootstrap", &[], &[]),
                planned("shape", "apps", &[], &[2]),
                planned("font", "apps", &["shape"], &[1]),
                planned("libc", "apps", &["x"], &[]),
            ],
            below: vec![
                planned("gcc", "toolchain", &[], &[1]),
                planned("libc", "toolchain", &[], &[]),
                planned("libc", "update", &[], &[]),
                planned("libc", "update", &["x"], &[]),
                planned("bash", "update", &[], &[2]),
            ],
            ..JoinedPlan::default()
        };
        let found: Vec<_> = published("f", &joined)
            .into_iter()
            .map(|package| (package.node, package.runtime.into_iter().collect::<Vec<_>>()))
            .collect();
        let expected = [
            ("f:pkg/a/shape-1@apps", vec![1]),
            ("f:pkg/a/font-1@apps", vec![0]),
            ("f:pkg/a/libc-1@apps", vec![]),
            // What it needs of the first generation was built anew in the second, which is published in its place.
            ("f:pkg/a/gcc-1@toolchain", vec![]),
            ("f:pkg/a/libc-1@update", vec![]),
            ("f:pkg/a/bash-1@update", vec![4]),
        ];
        let expected = expected.map(|(node, runtime)| (node.to_owned(), runtime));
        assert_eq!(found, expected);
    }
}
