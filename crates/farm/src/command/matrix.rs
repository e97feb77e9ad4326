//! The cells of a farm's `matrix:`: one command, one run a cell, one after the other. What is equal in two cells has the same key, and is made
//! once.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use farm_engine::{Counts, Event, EventSink, Summary};
use farm_manifest::{Overrides, load};
use fs_err as fs;

use super::{FarmError, Setup, Words};
use crate::workspace::Workspace;

/// One run of a command.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Cell {
    /// What is wanted in it, with the variables that make it the cell it is.
    pub(super) words: Words,
    /// The farm and the cell, `KEY=VALUE,…`; `None` where there is no matrix.
    pub(super) name: Option<(String, String)>,
}

impl Cell {
    /// Says which cell comes, if there are several.
    pub(super) fn announce(&self, events: &dyn EventSink) {
        if let Some((farm, name)) = &self.name {
            let message = format!("{farm} with {}", name.replace(',', " "));
            events.event(&Event::Note { message });
        }
    }

    /// A node's name that no other cell's node has.
    fn name_of(&self, node: &str) -> String {
        match &self.name {
            Some((farm, name)) => match node.strip_prefix(farm.as_str()) {
                Some(rest) => format!("{farm}[{name}]{rest}"),
                None => node.to_owned(),
            },
            None => node.to_owned(),
        }
    }
}

/// The runs that a command line asks for: farms without a matrix together, the others once a cell. A variable of the matrix that has a value from
/// the command line or the environment has that one only.
///
/// # Errors
///
/// The user's: words that name nothing. Mistakes in manifests are for whoever builds to tell.
pub(super) fn cells(setup: &Setup, words: &Words) -> Result<Vec<Cell>, FarmError> {
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let (mut plain, mut cells) = (Words::default(), Vec::new());
    let mut farms_without = 0;
    let wanted = words.resolve(&workspace)?;
    for farm in wanted.keys() {
        let of_farm = words.of(farm, &workspace);
        let chosen = variables(setup, words, &workspace, farm);
        if chosen.is_empty() {
            farms_without += 1;
            plain.targets.extend(of_farm.targets.clone());
        }
        for cell in chosen {
            let name: Vec<String> = cell.iter().map(|(key, value)| format!("{key}={value}")).collect();
            let mut words = of_farm.clone();
            words.variables.extend(cell);
            cells.push(Cell {
                words,
                name: Some((farm.clone(), name.join(","))),
            });
        }
    }
    if cells.is_empty() {
        return Ok(vec![Cell {
            words: words.clone(),
            name: None,
        }]);
    }
    if farms_without > 0 {
        plain.variables.clone_from(&words.variables);
        let name = None;
        cells.insert(0, Cell { words: plain, name });
    }
    Ok(cells)
}

/// The values of each cell of a farm; none where it has no matrix, or one that the command line has narrowed to a single cell.
fn variables(setup: &Setup, words: &Words, workspace: &Workspace, farm: &str) -> Vec<Vec<(String, String)>> {
    // Most farms have none, and a large manifest takes long to be read.
    let manifest = workspace.root.join("farms").join(farm).join("farm.yaml");
    let text = fs::read_to_string(manifest).unwrap_or_default();
    if !["matrix", "include"].iter().any(|word| text.contains(word)) {
        return Vec::new();
    }
    let overrides = Overrides {
        environment: setup.environment.clone(),
        command_line: words.variables.clone(),
    };
    let Ok(loaded) = load(&workspace.root, farm, &overrides) else {
        return Vec::new();
    };
    let is_chosen = |name: &str| {
        let given = words.variables.iter().any(|(given, _)| given == name);
        given || setup.environment.contains_key(&format!("FARM_{name}"))
    };
    let mut cells = vec![Vec::new()];
    for (name, values) in loaded.farm.matrix.iter().filter(|(name, _)| !is_chosen(name)) {
        let with = |cell: &Vec<(String, String)>, value: &str| {
            let mut cell = cell.clone();
            cell.push((name.clone(), value.to_owned()));
            cell
        };
        let more = |cell| values.iter().map(move |value| with(cell, &value.value));
        cells = cells.iter().flat_map(more).collect();
    }
    cells.retain(|cell| !cell.is_empty());
    cells
}

/// Runs a command once a cell. It ends with the first failure unless `keep_going`.
pub(super) fn each(
    setup: &Setup,
    words: &Words,
    keep_going: bool,
    events: &dyn EventSink,
    run: impl Fn(&Cell, &dyn EventSink) -> Result<Summary, FarmError>,
) -> Result<Summary, FarmError> {
    let cells = cells(setup, words)?;
    if let [only] = cells.as_slice() {
        only.announce(events);
        return run(only, events);
    }
    let together = Together {
        events,
        ended: Mutex::default(),
    };
    let mut whole: Option<Summary> = None;
    let mut outcome = Ok(());
    for cell in &cells {
        cell.announce(events);
        match run(cell, &together) {
            Ok(summary) => {
                let stops = summary.interrupted || (!summary.failures.is_empty() && !keep_going);
                let summary = renamed(summary, cell);
                whole = Some(match whole {
                    Some(whole) => added(whole, summary),
                    None => summary,
                });
                if stops {
                    break;
                }
            }
            Err(error) => {
                outcome = Err(error);
                break;
            }
        }
    }
    together.end();
    outcome?;
    whole.ok_or_else(|| FarmError::bug("a matrix without cells"))
}

fn renamed(mut summary: Summary, cell: &Cell) -> Summary {
    for node in &mut summary.nodes {
        node.name = cell.name_of(&node.name);
    }
    for (name, _) in &mut summary.failures {
        *name = cell.name_of(name);
    }
    for name in &mut summary.reproducible {
        *name = cell.name_of(name);
    }
    for (name, _) in &mut summary.not_reproducible {
        *name = cell.name_of(name);
    }
    summary
}

fn added(mut whole: Summary, more: Summary) -> Summary {
    whole.nodes.extend(more.nodes);
    whole.counts = sum(whole.counts, more.counts);
    whole.failures.extend(more.failures);
    whole.reproducible.extend(more.reproducible);
    whole.not_reproducible.extend(more.not_reproducible);
    whole.interrupted |= more.interrupted;
    whole
}

fn sum(one: Counts, other: Counts) -> Counts {
    Counts {
        built: one.built + other.built,
        cached: one.cached + other.cached,
        cutoff: one.cutoff + other.cutoff,
        failed: one.failed + other.failed,
        skipped: one.skipped + other.skipped,
    }
}

/// Passes events on, and makes one end of the ends of several runs.
struct Together<'a> {
    events: &'a dyn EventSink,
    ended: Mutex<Vec<(Counts, u64, u64, bool)>>,
}

impl Together<'_> {
    fn end(&self) {
        let ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let Some((mut counts, mut not_reproducible, mut ms, mut interrupted)) = ended.first().copied() else {
            return;
        };
        for (more, others, longer, stopped) in &ended[1..] {
            counts = sum(counts, *more);
            not_reproducible += others;
            ms += longer;
            interrupted |= stopped;
        }
        self.events.event(&Event::BuildFinished {
            counts,
            not_reproducible,
            ms,
            interrupted,
        });
    }
}

impl EventSink for Together<'_> {
    fn event(&self, event: &Event) {
        match event {
            Event::BuildFinished {
                counts,
                not_reproducible,
                ms,
                interrupted,
            } => {
                let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
                ended.push((*counts, *not_reproducible, *ms, *interrupted));
            }
            other => self.events.event(other),
        }
    }
}

/// What several cells say, as one list with the cell at each.
pub(super) fn labelled(cell: &Cell, json: serde_json::Value) -> Vec<serde_json::Value> {
    let mut farms = match json {
        serde_json::Value::Array(farms) => farms,
        other => vec![other],
    };
    if cell.name.is_some() {
        let values: BTreeMap<&str, &str> = cell
            .words
            .variables
            .iter()
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        for farm in &mut farms {
            farm["cell"] = serde_json::json!(values);
        }
    }
    farms
}
