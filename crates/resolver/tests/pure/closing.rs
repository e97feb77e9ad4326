use std::collections::BTreeSet;

use farm_resolver::DependencyKind::{Build, Install, Post, Runtime};
use farm_resolver::suggest::bootstrap_lines;
use farm_resolver::{ClosureError, Edge, LeftOutReason, NodeRef, Plan, closures, runtime_closure};
use proptest::prelude::*;

use crate::builder::{Building, plan};

#[test]
fn build_dependencies_of_dependencies_are_not_there() {
    let plan = plan(&["tool", "library", "program"])
        .edge("library", "tool", &[Build])
        .edge("program", "library", &[Build]);
    let roots = closures(&plan).unwrap();
    assert_eq!(plan.names(&roots[2].packages), ["library"]);
}

#[test]
fn runtime_dependencies_of_the_package_itself_are_not_there_but_those_of_its_phases_are() {
    let plan = plan(&["data", "helper", "program"])
        .edge("program", "data", &[Runtime])
        .edge("program", "helper", &[Install, Runtime]);
    let roots = closures(&plan).unwrap();
    assert_eq!(plan.names(&roots[2].packages), ["helper"]);
    assert_eq!(runtime_closure(&plan, [plan.node("program")]).packages, [0, 1, 2]);
}

#[test]
fn a_runtime_dependency_outside_the_circle_is_waited_for_even_if_it_comes_later() {
    let plan = plan(&["library", "program", "data"])
        .edge("program", "library", &[Build])
        .edge("library", "data", &[Post]);
    let roots = closures(&plan).unwrap();
    assert_eq!(plan.names(&roots[1].packages), ["library", "data"]);
    assert_eq!(roots[1].left_out, []);
}

#[test]
fn a_genuine_circle_is_an_error_that_names_every_step() {
    let plan = plan(&["egg", "shell", "hen"])
        .edge("egg", "hen", &[Build])
        .edge("hen", "shell", &[Runtime])
        .edge("shell", "egg", &[Build]);
    let error = closures(&plan).unwrap_err();
    assert_eq!(
        error.to_string(),
        "c/egg-1 cannot be built before itself: c/egg-1 is built with c/hen-1, which needs c/shell-1, which is built with c/egg-1"
    );
    let lines: Vec<_> = bootstrap_lines(&error).into_iter().map(|line| line.text).collect();
    assert_eq!(lines, ["\"=c/hen-1\": {}", "\"=c/egg-1\": {}"]);
}

#[test]
fn a_package_that_is_built_with_an_older_self_uses_the_roots() {
    let mut plan = plan(&["compiler"])
        .installed(&["compiler", "base"])
        .edge("compiler", "compiler", &[Build]);
    plan.edges[0].satisfied = Some(0);
    plan.implicit = vec![1];
    let roots = closures(&plan).unwrap();
    assert_eq!(roots[0].installed, [0, 1]);
    assert_eq!(
        roots[0].left_out[0].reason,
        LeftOutReason::InRoot("c/compiler-0".into())
    );
    plan.edges[0].satisfied = None;
    plan.packages[0].replaces = None;
    assert!(matches!(closures(&plan), Err(ClosureError::BuildCycle(edges)) if edges.len() == 1));
}

#[test]
fn what_a_package_of_the_root_was_built_with_does_not_matter() {
    let plan = plan(&["compiler", "program"])
        .installed(&["library"])
        .edge("program", "+library", &[Build])
        .edge("+library", "compiler", &[Build]);
    let roots = closures(&plan).unwrap();
    assert_eq!(roots[1].packages, [0; 0]);
    assert_eq!(roots[1].installed, [0]);
}

#[test]
fn a_very_long_chain_needs_no_deep_stack() {
    const LENGTH: usize = 100_000;
    let mut plan = plan(&[]);
    let one = crate::builder::plan(&["x"]).packages.remove(0);
    plan.packages = vec![one; LENGTH];
    let edge = |parent: usize, child, kind| Edge {
        parent: NodeRef::Package(parent),
        child: NodeRef::Package(child),
        atoms: Vec::new(),
        kinds: vec![kind],
        slot_operator: false,
        satisfied: None,
    };
    plan.edges = (1..LENGTH).map(|index| edge(index, index - 1, Build)).collect();
    assert_eq!(closures(&plan).unwrap()[LENGTH - 1].packages, [LENGTH - 2]);
    plan.edges = (1..LENGTH).map(|index| edge(index, index - 1, Runtime)).collect();
    assert_eq!(
        runtime_closure(&plan, [NodeRef::Package(LENGTH - 1)]).packages.len(),
        LENGTH
    );
}

/// Plans whose build edges Portage would have put in order, and whose runtime edges go anywhere.
fn any_plan() -> impl Strategy<Value = Plan> {
    const NAMES: [&str; 12] = ["a", "b", "c", "d", "e", "f", "g", "h", "i", "j", "k", "l"];
    let edges = prop::collection::vec((0..NAMES.len(), 0..NAMES.len(), 0..4_usize), 0..40);
    edges.prop_map(|edges| {
        let mut plan = plan(&NAMES);
        for (one, other, kind) in edges {
            let kind = [Build, Install, Runtime, Post][kind];
            let (parent, child) = if matches!(kind, Build | Install) {
                (one.max(other), one.min(other))
            } else {
                (one, other)
            };
            if parent != child {
                plan = plan.edge(NAMES[parent], NAMES[child], &[kind]);
            }
        }
        plan
    })
}

proptest! {
    #[test]
    fn waits_never_form_a_circle(plan in any_plan()) {
        let roots = closures(&plan).unwrap();
        let mut done = BTreeSet::new();
        while let Some(next) = (0..roots.len()).find(|index| {
            !done.contains(index) && roots[*index].packages.iter().all(|dependency| done.contains(dependency))
        }) {
            done.insert(next);
        }
        prop_assert_eq!(done.len(), roots.len());
    }

    #[test]
    fn every_direct_dependency_is_there_and_every_other_is_there_or_recorded(plan in any_plan()) {
        let roots = closures(&plan).unwrap();
        for (index, root) in roots.iter().enumerate() {
            for edge in &plan.edges {
                let NodeRef::Package(child) = edge.child else { unreachable!("nothing is installed") };
                let direct = edge.parent == NodeRef::Package(index) && edge.kinds.iter().any(|kind| matches!(kind, Build | Install));
                let NodeRef::Package(parent) = edge.parent else { unreachable!("nothing is installed") };
                let indirect = root.packages.contains(&parent) && edge.kinds.iter().any(|kind| !matches!(kind, Build));
                let recorded = root.left_out.iter().any(|left| left.cpv == plan.cpv(edge.child) && left.wanted_by == plan.cpv(edge.parent));
                prop_assert!(!direct || root.packages.contains(&child));
                prop_assert!(!indirect || root.packages.contains(&child) || recorded);
            }
        }
    }

    #[test]
    fn the_order_of_edges_does_not_matter(plan in any_plan()) {
        let mut turned = plan.clone();
        turned.edges.reverse();
        prop_assert_eq!(closures(&turned).unwrap(), closures(&plan).unwrap());
    }
}
