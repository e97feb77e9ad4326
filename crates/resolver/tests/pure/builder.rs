//! Small plans in a few words.

use farm_resolver::{DependencyKind, Edge, Installed, NodeRef, Package, Plan, Root};

/// A plan of packages `c/NAME-1`, in merge order.
pub(crate) fn plan(names: &[&str]) -> Plan {
    let package = |name: &&str| Package {
        cpv: format!("c/{name}-1"),
        category: "c".into(),
        name: (*name).into(),
        version: "1".into(),
        slot: "0".into(),
        line: format!("[ebuild  N     ] c/{name}-1::r  0 KiB"),
        ..Package::default()
    };
    Plan {
        packages: names.iter().map(package).collect(),
        ..Plan::default()
    }
}

pub(crate) trait Building {
    fn installed(self, names: &[&str]) -> Self;
    fn edge(self, parent: &str, child: &str, kinds: &[DependencyKind]) -> Self;
    fn roots(self, names: &[&str]) -> Self;
    fn node(&self, name: &str) -> NodeRef;
    fn names(&self, packages: &[usize]) -> Vec<String>;
}

impl Building for Plan {
    /// Adds packages of the root, called `c/NAME-0`, which a package of that name replaces.
    fn installed(mut self, names: &[&str]) -> Self {
        for name in names {
            self.installed.push(Installed {
                cpv: format!("c/{name}-0"),
                ..Installed::default()
            });
            for package in &mut self.packages {
                if package.name == *name {
                    package.replaces = Some(format!("c/{name}-0"));
                }
            }
        }
        self
    }

    /// `+NAME` is a package of the root.
    fn edge(mut self, parent: &str, child: &str, kinds: &[DependencyKind]) -> Self {
        let (parent, child) = (self.node(parent), self.node(child));
        let atoms = vec![
            self.cpv(child)
                .rsplit_once('-')
                .expect("a CPV has a version")
                .0
                .to_owned(),
        ];
        self.edges.push(Edge {
            parent,
            child,
            atoms,
            kinds: kinds.to_vec(),
            slot_operator: false,
            satisfied: None,
        });
        self
    }

    fn roots(mut self, names: &[&str]) -> Self {
        for name in names {
            let node = self.node(name);
            self.roots.push(Root {
                member: format!("c/{name}"),
                atom: format!("c/{name}"),
                node,
            });
        }
        self
    }

    fn node(&self, name: &str) -> NodeRef {
        match name.strip_prefix('+') {
            Some(name) => NodeRef::Installed(
                self.installed
                    .iter()
                    .position(|package| package.cpv == format!("c/{name}-0"))
                    .expect("the test names a package of the root"),
            ),
            None => NodeRef::Package(
                self.packages
                    .iter()
                    .position(|package| package.name == name)
                    .expect("the test names a package of the plan"),
            ),
        }
    }

    fn names(&self, packages: &[usize]) -> Vec<String> {
        packages
            .iter()
            .map(|&index| self.packages[index].name.clone())
            .collect()
    }
}
