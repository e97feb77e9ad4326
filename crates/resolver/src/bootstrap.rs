//! Packages that are built first, with other flags, to break a circle (`bootstrap:`).
//!
//! Where `freetype` with `harfbuzz` is built with `harfbuzz`, and that with `freetype`, people build `freetype` without `harfbuzz`, then
//! `harfbuzz`, then `freetype` again. farm does the same: a plan of its own says how the first instances are built; every other plan is made
//! as if they were installed, so that Portage finds what it needs and still builds the real ones, because their flags differ; and a
//! build root for which Portage counted on one of them gets it. Nothing else ever sees them.

use std::collections::{BTreeMap, BTreeSet};

use crate::{NodeRef, Package, Plan, runtime_closure};

/// The packages that the members of a bootstrap plan chose, by `category/PF`, as indices into its packages.
#[must_use]
pub fn instances(plan: &Plan) -> BTreeMap<&str, usize> {
    let chosen = plan.roots.iter().filter_map(|root| match root.node {
        NodeRef::Package(index) => Some((plan.packages[index].cpv.as_str(), index)),
        NodeRef::Installed(_) => None,
    });
    chosen.collect()
}

/// What Portage is to find in `/var/db/pkg` while it makes the other plans: the text of each file by `CATEGORY/PF/FILE`. There is no
/// CONTENTS, as nothing is merged: the entries are for the resolver alone.
///
/// The files are those of vdb(5) that `portage.dbapi.vartree` reads for a dependency graph.
#[must_use]
pub fn vdb_entries(plan: &Plan) -> BTreeMap<String, String> {
    let chosen = instances(plan);
    let packages = chosen.into_values().map(|index| &plan.packages[index]);
    packages.flat_map(vdb_entry).collect()
}

/// The packages of the root that the instances replace, as `category/PF`.
#[must_use]
pub fn replaced(plan: &Plan) -> BTreeSet<String> {
    let chosen = instances(plan);
    let packages = chosen.into_values().map(|index| &plan.packages[index]);
    packages.filter_map(|package| package.replaces.clone()).collect()
}

fn vdb_entry(package: &Package) -> impl Iterator<Item = (String, String)> {
    let environment = |name: &str| package.environment.get(name).cloned().unwrap_or_default();
    let slot = format!("{}/{}", package.slot, package.subslot);
    let dependencies = &package.dependencies;
    let files = [
        ("BDEPEND", dependencies.bdepend.clone()),
        ("CATEGORY", package.category.clone()),
        ("CFLAGS", environment("CFLAGS")),
        ("CHOST", environment("CHOST")),
        ("COUNTER", "1".to_owned()),
        ("CXXFLAGS", environment("CXXFLAGS")),
        ("DEFINED_PHASES", package.defined_phases.join(" ")),
        ("DEPEND", dependencies.depend.clone()),
        ("EAPI", package.eapi.clone()),
        ("IDEPEND", dependencies.idepend.clone()),
        ("IUSE", package.iuse.join(" ")),
        ("KEYWORDS", package.keywords.join(" ")),
        ("LDFLAGS", environment("LDFLAGS")),
        ("LICENSE", package.license.clone()),
        ("PDEPEND", dependencies.pdepend.clone()),
        ("PF", format!("{}-{}", package.name, package.version)),
        ("PROPERTIES", package.properties.join(" ")),
        ("RDEPEND", dependencies.rdepend.clone()),
        ("RESTRICT", package.restrict.join(" ")),
        ("SLOT", slot),
        ("USE", package.use_flags.join(" ")),
        ("repository", package.repository.clone()),
    ];
    let folder = package.cpv.clone();
    // Portage takes an absent file for an empty one, and an empty one for nothing to say.
    let said = files.into_iter().filter(|(_, text)| !text.is_empty());
    said.map(move |(name, text)| (format!("{folder}/{name}"), text + "\n"))
}

/// Of a bootstrap plan, the package with this index and all that it needs at run time, in merge order, and the packages of the root that
/// these need, as `category/PF`.
pub(crate) fn with_needs(plan: &Plan, index: usize) -> (Vec<usize>, Vec<String>) {
    let closure = runtime_closure(plan, [NodeRef::Package(index)]);
    let installed = closure.installed.iter().map(|&index| plan.installed[index].cpv.clone());
    (closure.packages, installed.collect())
}
