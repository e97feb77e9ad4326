//! Walks over graphs, compared with answers that are slow and plainly right; and a long chain.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::walk::{Edges, Way};
use farm_engine::{Class, Dependency, Graph, Need, NodeId, NodeSpec, is_keyed};
use proptest::collection::vec;
use proptest::prelude::*;

fn node(number: usize, needs: Vec<Dependency>) -> NodeSpec<()> {
    NodeSpec {
        name: number.to_string(),
        kind: "test".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: Vec::new(),
        dependencies: needs,
        expands: false,
        pools: BTreeMap::new(),
        action: (),
    }
}

fn id(graph: &Graph<()>, number: usize) -> NodeId {
    graph.find(&number.to_string()).unwrap()
}

fn number(graph: &Graph<()>, node: NodeId) -> usize {
    graph.spec(node).name.parse().unwrap()
}

/// Edges as pairs of numbers; the graph adds its nodes backwards, so that ids say nothing of the order.
#[derive(Debug)]
struct Small {
    nodes: usize,
    /// Who needs whom, and whether it enters the key.
    edges: BTreeSet<(usize, usize, bool)>,
}

impl Small {
    fn graph(&self) -> Graph<()> {
        let spec = |number: usize| {
            let needs = self.edges.iter().filter(|(from, ..)| *from == number);
            let needs = needs.map(|(_, to, keyed)| match keyed {
                true => Dependency::output(to.to_string(), "out"),
                false => Dependency::before_run(to.to_string()),
            });
            node(number, needs.collect())
        };
        let mut graph = Graph::new();
        graph.add((0..self.nodes).rev().map(spec).collect()).unwrap();
        graph
    }

    /// How many steps lead from one node to another, by trying ever longer ways.
    fn steps(&self, from: usize, to: usize, may: impl Fn(bool) -> bool) -> Option<usize> {
        let mut there = BTreeSet::from([from]);
        for steps in 1..=self.nodes {
            there = self
                .edges
                .iter()
                .filter(|(from, _, keyed)| may(*keyed) && there.contains(from))
                .map(|(_, to, _)| *to)
                .collect();
            if there.contains(&to) {
                return Some(steps);
            }
        }
        None
    }
}

fn small() -> impl Strategy<Value = Small> {
    (2..9usize).prop_flat_map(|nodes| {
        vec((0..nodes, 0..nodes, any::<bool>()), 0..16).prop_map(move |pairs| {
            // An edge leads to a smaller number: no circle.
            let edges = pairs.into_iter().filter(|(a, b, _)| a != b);
            let edges = edges.map(|(a, b, keyed)| (a.max(b), a.min(b), keyed)).collect();
            Small { nodes, edges }
        })
    })
}

proptest! {
    #[test]
    fn what_is_reached_is_what_some_way_leads_to(
        small in small(), starts in vec(0..9usize, 0..3), depth in prop::option::of(0..4usize), keyed_only: bool, down: bool,
    ) {
        let graph = small.graph();
        let starts: Vec<usize> = starts.into_iter().filter(|start| *start < small.nodes).collect();
        let edges = Edges::of(&graph, |need| !keyed_only || is_keyed(need));
        let way = if down { Way::Dependencies } else { Way::Dependants };
        let ids: Vec<NodeId> = starts.iter().map(|start| id(&graph, *start)).collect();
        let mut reached: Vec<usize> = edges.reach(&ids, way, depth).into_iter().map(|node| number(&graph, node)).collect();
        reached.sort_unstable();

        let within = |start: usize, other: usize| {
            let (from, to) = if down { (start, other) } else { (other, start) };
            let steps = small.steps(from, to, |keyed| keyed || !keyed_only);
            steps.is_some_and(|steps| depth.is_none_or(|depth| steps <= depth))
        };
        let expected: Vec<usize> =
            (0..small.nodes).filter(|other| starts.iter().any(|start| within(*start, *other))).collect();
        prop_assert_eq!(reached, expected);
    }

    #[test]
    fn bottom_up_is_everything_needed_and_each_after_what_it_needs(small in small(), start in 0..9usize) {
        let graph = small.graph();
        let start = start.min(small.nodes - 1);
        let edges = Edges::of(&graph, |_| true);
        let order = edges.bottom_up(&[id(&graph, start), id(&graph, start)]);
        let mut expected: BTreeSet<NodeId> =
            edges.reach(&[id(&graph, start)], Way::Dependencies, None).into_iter().collect();
        expected.insert(id(&graph, start));
        prop_assert_eq!(order.iter().copied().collect::<BTreeSet<_>>(), expected.clone());
        prop_assert_eq!(order.len(), expected.len());
        for (at, node) in order.iter().enumerate() {
            for needed in graph.dependencies(*node) {
                prop_assert!(order[..at].contains(needed));
            }
        }
    }

    #[test]
    fn a_way_is_made_of_edges_and_none_is_shorter(small in small(), goals in vec(0..9usize, 0..3), keyed_only: bool) {
        let graph = small.graph();
        let goals: Vec<usize> = goals.into_iter().filter(|goal| *goal < small.nodes).collect();
        let ids: Vec<NodeId> = goals.iter().map(|goal| id(&graph, *goal)).collect();
        let ways = Edges::of(&graph, |need| !keyed_only || is_keyed(need)).ways_to(&ids);
        let may = |keyed: bool| keyed || !keyed_only;
        for from in 0..small.nodes {
            let path: Vec<usize> = ways.path(id(&graph, from)).map(|node| number(&graph, node)).collect();
            let shortest = goals
                .iter()
                .filter_map(|goal| if *goal == from { Some(0) } else { small.steps(from, *goal, may) })
                .min();
            prop_assert_eq!(path.len().checked_sub(1), shortest);
            if let Some(last) = path.last() {
                prop_assert_eq!(path[0], from);
                prop_assert!(goals.contains(last));
            }
            for step in path.windows(2) {
                prop_assert!(small.edges.iter().any(|(a, b, keyed)| [*a, *b] == *step && may(*keyed)));
            }
        }
    }
}

/// A shape that random graphs seldom have: whoever goes deep first comes to 4 by way of 3 and 2.
#[test]
fn the_way_that_is_found_last_can_be_the_shortest() {
    let edges = [(1, 0), (2, 0), (3, 2), (4, 3), (4, 1)];
    for flip in [false, true] {
        let named = |number: usize| match number {
            1 | 2 if flip => 3 - number,
            other => other,
        };
        let small = Small {
            nodes: 5,
            edges: edges.map(|(from, to)| (named(from), named(to), true)).into(),
        };
        let graph = small.graph();
        let ways = Edges::of(&graph, |_| true).ways_to(&[id(&graph, 0)]);
        let path: Vec<usize> = ways.path(id(&graph, 4)).map(|node| number(&graph, node)).collect();
        assert_eq!(path, [4, named(1), 0]);
    }
}

#[test]
fn a_chain_of_a_hundred_thousand_is_as_good_as_any_other_graph() {
    const LENGTH: usize = 100_000;
    let mut graph = Graph::new();
    let needs = |number: usize| {
        number
            .checked_sub(1)
            .map(|below| Dependency::output(below.to_string(), "out"))
    };
    graph
        .add(
            (0..LENGTH)
                .rev()
                .map(|number| node(number, needs(number).into_iter().collect()))
                .collect(),
        )
        .unwrap();
    let edges = Edges::of(&graph, |need| *need != Need::BeforeRun);
    let (leaf, top) = (id(&graph, 0), id(&graph, LENGTH - 1));
    assert_eq!(edges.reach(&[top], Way::Dependencies, None).len(), LENGTH - 1);
    assert_eq!(edges.reach(&[leaf], Way::Dependants, None).len(), LENGTH - 1);
    assert_eq!(edges.bottom_up(&[top]).first(), Some(&leaf));
    assert_eq!(edges.ways_to(&[leaf]).path(top).count(), LENGTH);
}
