//! All situations of one graph, tool after tool, several times.

use std::path::Path;
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::graph::{Graph, Shape};
use super::measure::{Meter, Run};
use super::options::Options;
use super::tools::{Place, Tool};
use crate::{Outcome, failed};

/// What is measured, in the order in which it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Situation {
    /// Nothing is there.
    First,
    /// Nothing has changed since the first build. Apart from the next one, because here farm makes its notes for it.
    FirstLook,
    /// Nothing has changed, and this has been seen before.
    Nothing,
    /// The same, in KiB.
    Memory,
    /// What would be done after an edit of the leaf.
    DryRun,
    /// A line more in the leaf.
    Leaf,
    /// A line more in the hub.
    Hub,
    /// A comment more in the hub: what is made from it stays the same.
    Comment,
}

impl Situation {
    /// All of them, in order.
    pub(crate) const ALL: [Self; 8] = [
        Self::First,
        Self::FirstLook,
        Self::Nothing,
        Self::Memory,
        Self::DryRun,
        Self::Leaf,
        Self::Hub,
        Self::Comment,
    ];
}

/// What one tool did with one graph.
pub(crate) struct Column {
    /// Who.
    pub(crate) tool: Tool,
    /// For each situation, in order, the seconds of each round; KiB for memory.
    pub(crate) rows: [Vec<f64>; Situation::ALL.len()],
    /// The processor seconds of the first builds.
    pub(crate) processor: Vec<f64>,
    /// Where it failed, and how. It took no part after that.
    pub(crate) failure: Option<(Situation, String)>,
}

/// What all tools did with one graph.
pub(crate) struct Results {
    /// Its shape.
    pub(crate) shape: Shape,
    /// The graph.
    pub(crate) graph: Graph,
    /// The tools; farm is the first.
    pub(crate) columns: Vec<Column>,
}

/// The tools before one graph.
pub(crate) struct Session {
    /// Holds the places, and goes with them.
    _folder: TempDir,
    meter: Meter,
    places: Vec<Place>,
    runs: usize,
    results: Results,
}

impl Session {
    /// Makes the graph and a place for every tool.
    pub(crate) fn new(farm: &Path, shape: Shape, nodes: usize, options: &Options) -> Outcome<Self> {
        let folder = tempfile::Builder::new()
            .prefix("farm-bench-")
            .tempdir()
            .map_err(failed)?;
        let jobs = thread::available_parallelism().map_err(failed)?.get();
        let tools = std::iter::once(Tool::Farm).chain(options.tools.iter().copied());
        let place = |tool: Tool| Place::new(tool, farm, folder.path().join(tool.name()), jobs);
        let places: Vec<Place> = tools.map(place).collect();
        let column = |place: &Place| Column {
            tool: place.tool,
            rows: Default::default(),
            processor: Vec::new(),
            failure: None,
        };
        Ok(Self {
            meter: Meter::new(folder.path()),
            runs: options.runs,
            results: Results {
                shape,
                graph: Graph::new(shape, nodes, options.seed),
                columns: places.iter().map(column).collect(),
            },
            places,
            _folder: folder,
        })
    }

    /// Measures everything. A tool that fails is a result; one that makes something else than the others is an error.
    pub(crate) fn run(mut self) -> Outcome<Results> {
        for round in 1..=self.runs {
            for situation in Situation::ALL {
                self.say(round, situation);
                self.prepare(situation, round)?;
                for number in 0..self.places.len() {
                    if self.results.columns[number].failure.is_none() {
                        self.measure(number, situation)?;
                    }
                }
            }
            self.compare()?;
        }
        Ok(self.results)
    }

    fn measure(&mut self, number: usize, situation: Situation) -> Outcome {
        let place = &self.places[number];
        let column = &mut self.results.columns[number];
        let run: Run<f64> = match situation {
            Situation::First => self.meter.cost(&place.build())?.map(|cost| {
                column.processor.push(cost.processor);
                cost.took
            }),
            Situation::Memory => self.meter.cost(&place.build())?.map(|cost| cost.kib),
            Situation::DryRun => self.meter.time(&mut place.dry_run())?,
            _ => self.meter.time(&mut place.build())?,
        };
        match run {
            Ok(value) => column.rows[situation as usize].push(value),
            Err(why) => column.failure = Some((situation, why)),
        }
        Ok(())
    }

    /// Brings the places of all tools into a situation.
    fn prepare(&self, situation: Situation, round: usize) -> Outcome {
        let Graph { leaf, hub, .. } = self.results.graph;
        match situation {
            Situation::First => {
                self.places
                    .iter()
                    .try_for_each(|place| place.lay_out(&self.results.graph))?;
                // Farm makes no record of a run that read a manifest which was just written: a change in the same tick of the clock
                // would leave no trace. People take longer from the editor to the shell.
                thread::sleep(Duration::from_millis(100));
                Ok(())
            }
            Situation::DryRun => self.edit(leaf, &format!("round {round}")),
            Situation::Hub => self.edit(hub, &format!("round {round}")),
            Situation::Comment => self.edit(hub, &format!("# round {round}")),
            Situation::FirstLook | Situation::Nothing | Situation::Memory | Situation::Leaf => Ok(()),
        }
    }

    fn edit(&self, source: usize, line: &str) -> Outcome {
        // Tup looks at the seconds of a file's time only, and misses an edit in the second of the last one it saw.
        thread::sleep(Duration::from_millis(1100));
        self.places.iter().try_for_each(|place| place.edit(source, line))
    }

    /// Fails if a tool made something else than the others.
    fn compare(&self) -> Outcome {
        let columns = self.results.columns.iter();
        let mut well = self
            .places
            .iter()
            .zip(columns)
            .filter(|(_, column)| column.failure.is_none());
        let Some((first, _)) = well.next() else {
            return Ok(());
        };
        let expected = first.outputs(&self.results.graph)?;
        for (place, _) in well {
            let made = place.outputs(&self.results.graph)?;
            if let Some(task) = (0..made.len()).find(|&task| made[task] != expected[task]) {
                let (name, other) = (place.tool.name(), first.tool.name());
                return Err(format!("{name} and {other} differ in what task {task} made"));
            }
        }
        Ok(())
    }

    #[expect(clippy::print_stderr, reason = "this program talks to developers and nobody else")]
    fn say(&self, round: usize, situation: Situation) {
        let Results { shape, graph, .. } = &self.results;
        let (nodes, runs) = (graph.tasks.len(), self.runs);
        eprintln!(
            "bench: {nodes} {}, round {round} of {runs}: {situation:?}",
            shape.name()
        );
    }
}
