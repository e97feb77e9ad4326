//! The declared outputs of all tasks, indexed: a farm may have a hundred thousand, and each input is looked up among them.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

use farm_manifest::Spanned;
use farm_manifest::model::Task;

use super::overlap::PathSet;

/// One declared output.
pub(super) struct Declared<'a> {
    pub(super) task: &'a Task,
    pub(super) output: &'a Spanned<String>,
}

impl Declared<'_> {
    /// What it can be. Worked out for the few that are compared: of all together it would take more memory than the manifest.
    fn paths(&self) -> PathSet {
        PathSet::new(self.task.folder.as_str(), &self.output.value)
    }
}

/// The declared outputs in the order of the manifest.
pub(super) struct Outputs<'a> {
    declared: Vec<Declared<'a>>,
    /// Where the outputs with this beginning are in `declared`, ascending. Two that can name one file have beginnings of which
    /// one begins with the other, so that a sorted map has them side by side; only those are compared.
    by_beginning: BTreeMap<String, Vec<usize>>,
}

impl<'a> Outputs<'a> {
    /// Indexes what these tasks declare.
    pub(super) fn of(tasks: &'a [Task]) -> Self {
        let outputs = tasks
            .iter()
            .flat_map(|task| task.outputs.iter().map(move |output| (task, output)));
        let mut index = Self {
            declared: Vec::new(),
            by_beginning: BTreeMap::new(),
        };
        for (task, output) in outputs {
            let declared = Declared { task, output };
            for beginning in declared.paths().beginnings() {
                index
                    .by_beginning
                    .entry(beginning)
                    .or_default()
                    .push(index.declared.len());
            }
            index.declared.push(declared);
        }
        index
    }

    /// All that can name a file which is in `wanted`, too; in the order of the manifest.
    pub(super) fn meeting(&self, wanted: &PathSet) -> Vec<&Declared<'a>> {
        let places: BTreeSet<usize> = self.related(wanted).into_iter().flatten().copied().collect();
        places
            .into_iter()
            .map(|at| &self.declared[at])
            .filter(|declared| declared.paths().overlaps(wanted))
            .collect()
    }

    /// Whether a task makes the file at this path, relative to `folder`.
    pub(super) fn hold(&self, folder: &str, path: &str) -> bool {
        let file = PathSet::path(folder, path);
        self.related(&file)
            .into_iter()
            .flatten()
            .any(|at| self.declared[*at].paths().overlaps(&file))
    }

    /// Every output that can name a file which an earlier one of another task can name, with the first such.
    pub(super) fn clashes(&self) -> impl Iterator<Item = (&Declared<'a>, &Declared<'a>)> {
        self.declared.iter().enumerate().filter_map(|(at, later)| {
            let paths = later.paths();
            let clashes = |earlier: &usize| {
                let other = &self.declared[*earlier];
                *earlier < at && other.task.name.value != later.task.name.value && other.paths().overlaps(&paths)
            };
            let related = self.related(&paths).into_iter();
            let earliest = related
                .filter_map(|places| places.iter().copied().find(clashes))
                .min()?;
            Some((&self.declared[earliest], later))
        })
    }

    /// The outputs whose beginning continues one of the set's, or the other way round.
    fn related(&self, wanted: &PathSet) -> Vec<&[usize]> {
        let mut found = Vec::new();
        for beginning in wanted.beginnings() {
            self.longer(&beginning, &mut found);
            self.shorter(&beginning, &mut found);
        }
        found
    }

    fn longer<'s>(&'s self, beginning: &str, found: &mut Vec<&'s [usize]>) {
        let from_there = (Bound::Included(beginning), Bound::Unbounded);
        let longer = self.by_beginning.range::<str, _>(from_there);
        let longer = longer.take_while(|(other, _)| other.starts_with(beginning));
        found.extend(longer.map(|(_, places)| places.as_slice()));
    }

    /// Goes from the nearest entry before to the one before what both have in common, so that few are looked at.
    fn shorter<'s>(&'s self, beginning: &str, found: &mut Vec<&'s [usize]>) {
        let mut before = Bound::Excluded(beginning);
        while let Some((other, places)) = self
            .by_beginning
            .range::<str, _>((Bound::Unbounded, before))
            .next_back()
        {
            let common = common(beginning, other);
            before = if common.len() == other.len() {
                found.push(places);
                Bound::Excluded(common)
            } else {
                Bound::Included(common)
            };
        }
    }
}

/// What both texts begin with.
fn common<'a>(text: &'a str, other: &str) -> &'a str {
    let same = text.bytes().zip(other.bytes()).take_while(|(one, other)| one == other);
    &text[..text.floor_char_boundary(same.count())]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use farm_manifest::model::{Place, Run};
    use farm_manifest::{Sources, Span};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn task(number: usize, output: &str, span: Span) -> Task {
        Task {
            name: Spanned::new(format!("t{number}"), span),
            folder: "f".into(),
            place: Spanned::new(Place::Host, span),
            needs: Vec::new(),
            inputs: Vec::new(),
            run: Spanned::new(Run::Shell("true".to_owned()), span),
            outputs: vec![Spanned::new(output.to_owned(), span)],
            env: BTreeMap::new(),
            span,
        }
    }

    fn tasks(outputs: &[String]) -> Vec<Task> {
        let mut sources = Sources::default();
        let file = sources.add("farm.yaml", Vec::new());
        let span = sources.span(file, 0, 0);
        outputs
            .iter()
            .enumerate()
            .map(|(number, output)| task(number, output, span))
            .collect()
    }

    /// Few different characters, so that much overlaps.
    fn pattern() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "b", "ab", "é", "è", "/", "/", "*", "?", "**", "/**/", "[a-b]", "[!a]", "{a,b}", "{a/b,}", r"\*",
        ]);
        vec(piece, 1..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_comparing_with_everything_finds(outputs in vec(pattern(), 0..8), wanted in pattern()) {
            let tasks = tasks(&outputs);
            let index = Outputs::of(&tasks);
            let sets: Vec<PathSet> = outputs.iter().map(|output| PathSet::new("f", output)).collect();

            let wanted = PathSet::new("f", &wanted);
            let compared: Vec<String> = (0..sets.len())
                .filter(|at| sets[*at].overlaps(&wanted))
                .map(|at| format!("t{at}"))
                .collect();
            let found: Vec<&str> = index.meeting(&wanted).iter().map(|found| found.task.name.value.as_str()).collect();
            prop_assert_eq!(found, compared);

            let compared: Vec<(String, String)> = (0..sets.len())
                .filter_map(|later| {
                    let earlier = (0..later).find(|earlier| sets[*earlier].overlaps(&sets[later]))?;
                    Some((format!("t{earlier}"), format!("t{later}")))
                })
                .collect();
            let found: Vec<(String, String)> = index
                .clashes()
                .map(|(earlier, later)| (earlier.task.name.value.clone(), later.task.name.value.clone()))
                .collect();
            prop_assert_eq!(found, compared);
        }

        #[test]
        fn so_is_who_makes_a_file(outputs in vec(pattern(), 0..8), path in "[abé]{1,2}(/[abé]{1,2}){0,3}") {
            let tasks = tasks(&outputs);
            let file = PathSet::path("f", &path);
            let compared = outputs.iter().any(|output| PathSet::new("f", output).overlaps(&file));
            prop_assert_eq!(Outputs::of(&tasks).hold("f", &path), compared);
        }
    }
}
