//! Generated graphs: the same seed gives the same graph, for every tool.

use std::collections::BTreeSet;

/// What a graph looks like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Shape {
    /// Every task has a source of its own, and every tenth a common header as well; no task needs another.
    Wide,
    /// Every task needs the one before.
    Chain,
    /// Rows as long as there are rows; every task needs two of the row before.
    Lattice,
    /// As wide, with tasks that take a hundred others each, until one is left.
    FanIn,
    /// As in a farm: one base, a tenth libraries, then packages that need a few libraries, then images that need packages.
    Tiers,
}

impl Shape {
    /// All of them, with their names.
    pub(crate) const ALL: [(Self, &str); 5] = [
        (Self::Wide, "wide"),
        (Self::Chain, "chain"),
        (Self::Lattice, "lattice"),
        (Self::FanIn, "fan-in"),
        (Self::Tiers, "tiers"),
    ];

    /// What it is called.
    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(shape, _)| *shape == self)
            .map_or("", |(_, name)| name)
    }
}

/// One step: it makes the file `out/NUMBER`.
#[derive(Debug, Default)]
pub(crate) struct Task {
    /// The sources it reads.
    pub(crate) sources: Vec<usize>,
    /// The tasks whose output it reads; all of them come before it.
    pub(crate) needs: Vec<usize>,
}

/// The tasks, and the sources that are edited.
#[derive(Debug)]
pub(crate) struct Graph {
    /// All steps, dependencies first.
    pub(crate) tasks: Vec<Task>,
    /// How many sources there are.
    pub(crate) sources: usize,
    /// A source on which little hangs.
    pub(crate) leaf: usize,
    /// A source on which much hangs. Only tasks that drop comments read it.
    pub(crate) hub: usize,
}

impl Graph {
    /// A graph of exactly `nodes` tasks, which are 20 or more.
    pub(crate) fn new(shape: Shape, nodes: usize, seed: u64) -> Self {
        match shape {
            Shape::Wide => wide(nodes),
            Shape::Chain => chain(nodes),
            Shape::Lattice => lattice(nodes),
            Shape::FanIn => fan_in(nodes),
            Shape::Tiers => tiers(nodes, seed),
        }
    }

    /// The files that a task reads.
    pub(crate) fn inputs(&self, task: usize) -> Vec<String> {
        let Task { sources, needs } = &self.tasks[task];
        let needs = needs.iter().map(|&need| output(need));
        needs.chain(sources.iter().map(|&number| source(number))).collect()
    }

    /// The command line of a task, for a shell.
    ///
    /// Tasks that read sources only put them together without their comments. The others take checksums: what they make
    /// changes with every input, as with a plain concatenation, but does not double from row to row of a lattice.
    pub(crate) fn command(&self, task: usize) -> String {
        let program = if self.drops_comments(task) {
            "sed /^#/d"
        } else {
            "cksum"
        };
        format!("{program} {} > {}", self.inputs(task).join(" "), output(task))
    }

    /// Whether a comment in its inputs makes no difference to what the task makes.
    pub(crate) fn drops_comments(&self, task: usize) -> bool {
        self.tasks[task].needs.is_empty()
    }

    /// The tasks on which no other hangs.
    pub(crate) fn sinks(&self) -> Vec<usize> {
        let needed: BTreeSet<usize> = self.tasks.iter().flat_map(|task| task.needs.iter().copied()).collect();
        (0..self.tasks.len()).filter(|task| !needed.contains(task)).collect()
    }

    /// How many tasks read a source.
    pub(crate) fn readers(&self, source: usize) -> usize {
        self.tasks.iter().filter(|task| task.sources.contains(&source)).count()
    }

    /// How many tasks read a source, or the output of such a task, and so on.
    pub(crate) fn dependants(&self, source: usize) -> usize {
        let mut affected = vec![false; self.tasks.len()];
        for (number, task) in self.tasks.iter().enumerate() {
            affected[number] = task.sources.contains(&source) || task.needs.iter().any(|&need| affected[need]);
        }
        affected.into_iter().filter(|&affected| affected).count()
    }
}

/// The name of a source.
pub(crate) fn source(number: usize) -> String {
    format!("src/{number}")
}

/// The name of what a task makes.
pub(crate) fn output(task: usize) -> String {
    format!("out/{task}")
}

fn wide(nodes: usize) -> Graph {
    let header = nodes;
    let task = |number| Task {
        sources: if number % 10 == 9 {
            vec![number, header]
        } else {
            vec![number]
        },
        needs: Vec::new(),
    };
    Graph {
        tasks: (0..nodes).map(task).collect(),
        sources: nodes + 1,
        leaf: 0,
        hub: header,
    }
}

fn chain(nodes: usize) -> Graph {
    let mut tasks: Vec<Task> = (0..nodes)
        .map(|number| Task {
            sources: Vec::new(),
            needs: number.checked_sub(1).into_iter().collect(),
        })
        .collect();
    tasks[0].sources.push(0);
    tasks[nodes - 1].sources.push(1);
    Graph {
        tasks,
        sources: 2,
        leaf: 1,
        hub: 0,
    }
}

fn lattice(nodes: usize) -> Graph {
    let row = nodes.isqrt();
    let mut tasks: Vec<Task> = (0..nodes)
        .map(|number| {
            let Some(above) = number.checked_sub(row) else {
                return Task {
                    sources: vec![number],
                    needs: Vec::new(),
                };
            };
            let column = number % row;
            Task {
                sources: Vec::new(),
                needs: vec![above, above - column + (column + 1) % row],
            }
        })
        .collect();
    tasks[nodes - 1].sources.push(row);
    Graph {
        tasks,
        sources: row + 1,
        leaf: row,
        hub: 0,
    }
}

fn fan_in(nodes: usize) -> Graph {
    const WIDTH: usize = 100;
    // Each task that takes a hundred others leaves ninety-nine fewer to take.
    let mergers = (nodes - 1).div_ceil(WIDTH);
    let mut graph = wide(nodes - mergers);
    let mut next = 0;
    for merger in nodes - mergers..nodes {
        let end = if merger == nodes - 1 { merger } else { next + WIDTH };
        graph.tasks.push(Task {
            sources: Vec::new(),
            needs: (next..end).collect(),
        });
        next = end;
    }
    graph
}

fn tiers(nodes: usize, seed: u64) -> Graph {
    let mut random = Random(seed);
    let (libraries, packages) = (1..nodes / 10, nodes / 10..nodes * 9 / 10);
    let task = |number| {
        let needs = if number == 0 {
            BTreeSet::new()
        } else if libraries.contains(&number) {
            BTreeSet::from([0])
        } else if packages.contains(&number) {
            random.some_of(&libraries, 4)
        } else {
            random.some_of(&packages, 20)
        };
        Task {
            sources: vec![number],
            needs: needs.into_iter().collect(),
        }
    };
    Graph {
        tasks: (0..nodes).map(task).collect(),
        sources: nodes,
        leaf: nodes - 1,
        hub: 0,
    }
}

/// SplitMix64: short, good enough, and the same everywhere.
struct Random(u64);

impl Random {
    fn below(&mut self, end: usize) -> usize {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % end as u64) as usize
    }

    /// From one to `most` numbers of `range`.
    fn some_of(&mut self, range: &std::ops::Range<usize>, most: usize) -> BTreeSet<usize> {
        let count = 1 + self.below(most);
        (0..count).map(|_| range.start + self.below(range.len())).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_shape_has_the_tasks_asked_for_and_no_task_needs_a_later_one() {
        for (shape, name) in Shape::ALL {
            for nodes in [20, 101, 102, 1000, 10_000] {
                let graph = Graph::new(shape, nodes, 1);
                assert_eq!(graph.tasks.len(), nodes, "{name}");
                for (number, task) in graph.tasks.iter().enumerate() {
                    assert!(
                        !task.sources.is_empty() || !task.needs.is_empty(),
                        "{name} {nodes} {number}"
                    );
                    assert!(task.needs.iter().all(|&need| need < number), "{name} {nodes} {number}");
                    assert!(
                        task.sources.iter().all(|&source| source < graph.sources),
                        "{name} {nodes}"
                    );
                }
            }
        }
    }

    #[test]
    fn only_tasks_that_drop_comments_read_the_hub() {
        for (shape, name) in Shape::ALL {
            let graph = Graph::new(shape, 1000, 1);
            for (number, task) in graph.tasks.iter().enumerate() {
                assert!(
                    !task.sources.contains(&graph.hub) || graph.drops_comments(number),
                    "{name}"
                );
            }
        }
    }

    #[test]
    fn what_hangs_on_what_is_edited() {
        let counts = |shape| {
            let graph = Graph::new(shape, 1000, 1);
            (
                graph.dependants(graph.leaf),
                graph.readers(graph.hub),
                graph.dependants(graph.hub),
            )
        };
        assert_eq!(counts(Shape::Wide), (1, 100, 100));
        assert_eq!(counts(Shape::Chain), (1, 1, 1000));
        // A triangle, until the rows are full: 1 + 2 + ... + 31, and one row more.
        assert_eq!(counts(Shape::Lattice), (1, 1, 31 * 32 / 2 + 31 + 8));
        assert_eq!(counts(Shape::FanIn), (3, 99, 109));
        assert_eq!(counts(Shape::Tiers), (1, 1, 1000));
    }

    #[test]
    fn the_seed_decides() {
        let needs = |seed| {
            let tasks = Graph::new(Shape::Tiers, 1000, seed).tasks;
            tasks.into_iter().map(|task| task.needs).collect::<Vec<_>>()
        };
        assert_eq!(needs(1), needs(1));
        assert_ne!(needs(1), needs(2));
    }

    #[test]
    fn a_fan_in_ends_in_one_task() {
        for nodes in [20, 101, 102, 1000, 10_000] {
            assert_eq!(Graph::new(Shape::FanIn, nodes, 1).sinks(), [nodes - 1]);
        }
    }
}
