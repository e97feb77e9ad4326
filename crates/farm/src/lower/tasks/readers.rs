//! Which tasks a file of the workspace concerns, by what they declare: also a file that is not there, or not yet.

use std::collections::{BTreeMap, BTreeSet};

use farm_manifest::model::Task;

use super::overlap::PathSet;

/// The declared inputs and outputs of all tasks of a farm, indexed by the path they begin with.
pub(crate) struct TaskFiles<'a> {
    declared: Vec<(&'a str, PathSet)>,
    by_beginning: BTreeMap<String, Vec<usize>>,
}

impl<'a> TaskFiles<'a> {
    /// Indexes what these tasks declare.
    pub(crate) fn of(tasks: &'a [Task]) -> Self {
        let mut index = Self {
            declared: Vec::new(),
            by_beginning: BTreeMap::new(),
        };
        for task in tasks {
            for text in task.inputs.iter().chain(&task.outputs) {
                let paths = PathSet::new(task.folder.as_str(), &text.value);
                for beginning in paths.beginnings() {
                    let places = index.by_beginning.entry(beginning).or_default();
                    places.push(index.declared.len());
                }
                index.declared.push((&task.name.value, paths));
            }
        }
        index
    }

    /// The names of the tasks of which an input or an output can be the file at `path`, relative to the workspace. (An output
    /// that somebody changed is not up to date.)
    pub(crate) fn tasks(&self, path: &str) -> BTreeSet<&'a str> {
        let file = PathSet::path("", path);
        let mut found = BTreeSet::new();
        for whole in file.beginnings() {
            // What a set that holds the file begins with, the file's path begins with.
            let beginnings = whole.char_indices().map(|(at, _)| &whole[..at]).chain([whole.as_str()]);
            let places = beginnings
                .filter_map(|beginning| self.by_beginning.get(beginning))
                .flatten();
            let declared = places.map(|place| &self.declared[*place]);
            found.extend(
                declared
                    .filter(|(_, paths)| paths.overlaps(&file))
                    .map(|(task, _)| *task),
            );
        }
        found
    }

    /// The names of the tasks of which an input or an output can be at `folder`, relative to the workspace, or in it.
    pub(crate) fn tasks_below(&self, folder: &str) -> BTreeSet<&'a str> {
        let folder = PathSet::new("", folder);
        let declared = self.declared.iter().filter(|(_, paths)| paths.overlaps(&folder));
        declared.map(|(task, _)| *task).collect()
    }
}

#[cfg(test)]
mod tests {
    use farm_manifest::model::{Place, Run};
    use farm_manifest::{Sources, Spanned};
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn tasks(inputs: &[String]) -> Vec<Task> {
        let mut sources = Sources::default();
        let file = sources.add("farm.yaml", Vec::new());
        let span = sources.span(file, 0, 0);
        let task = |(number, input): (usize, &String)| Task {
            name: Spanned::new(format!("t{number}"), span),
            folder: "f".into(),
            place: Spanned::new(Place::Host, span),
            needs: Vec::new(),
            inputs: vec![Spanned::new(input.clone(), span)],
            run: Spanned::new(Run::Shell("true".to_owned()), span),
            outputs: Vec::new(),
            env: BTreeMap::new(),
            span,
        };
        inputs.iter().enumerate().map(task).collect()
    }

    fn found(inputs: &[&str], path: &str) -> Vec<String> {
        let inputs: Vec<String> = inputs.iter().map(|input| (*input).to_owned()).collect();
        let tasks = tasks(&inputs);
        TaskFiles::of(&tasks)
            .tasks(path)
            .into_iter()
            .map(str::to_owned)
            .collect()
    }

    #[test]
    fn files_folders_and_globs() {
        let inputs = ["a.C", "src/", "src/**/*.h", "*.{C,h}", "b"];
        assert_eq!(found(&inputs, "f/a.C"), ["t0", "t3"]);
        assert_eq!(found(&inputs, "f/src/deep/x.h"), ["t1", "t2"]);
        assert_eq!(found(&inputs, "f/b/below"), ["t4"]);
        assert!(found(&inputs, "g/a.C").is_empty());
        assert!(found(&inputs, "f").is_empty());
        let inputs = inputs.map(str::to_owned);
        let tasks = tasks(&inputs);
        let below: Vec<&str> = TaskFiles::of(&tasks).tasks_below("f/src").into_iter().collect();
        assert_eq!(below, ["t1", "t2"]);
    }

    fn pattern() -> impl Strategy<Value = String> {
        let piece = prop::sample::select(vec![
            "a", "b", "é", "/", "/", "*", "?", "**", "/**/", "[a-b]", "[!a]", "{a,b}", "{a/b,}",
        ]);
        vec(piece, 1..6).prop_map(|pieces| pieces.concat())
    }

    proptest! {
        #[test]
        fn what_is_found_is_what_comparing_with_everything_finds(
            inputs in vec(pattern(), 0..8), path in "f/[abé]{1,2}(/[abé]{1,2}){0,3}",
        ) {
            let tasks = tasks(&inputs);
            let compared: Vec<String> = (0..inputs.len())
                .filter(|at| PathSet::new("f", &inputs[*at]).overlaps(&PathSet::path("", &path)))
                .map(|at| format!("t{at}"))
                .collect();
            let found: Vec<&str> = TaskFiles::of(&tasks).tasks(&path).into_iter().collect();
            prop_assert_eq!(found, compared);
        }
    }
}
