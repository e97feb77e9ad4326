//! What is measured, as the command line says it.

use std::fmt::Debug;
use std::path::PathBuf;
use std::str::FromStr;

use super::graph::Shape;
use super::tools::Tool;
use crate::Outcome;

/// What to measure.
#[derive(Debug)]
pub(crate) struct Options {
    /// Sizes of graphs, in tasks.
    pub(crate) nodes: Vec<usize>,
    /// Shapes of graphs.
    pub(crate) shapes: Vec<Shape>,
    /// Who takes part beside farm.
    pub(crate) tools: Vec<Tool>,
    /// How often everything is measured.
    pub(crate) runs: usize,
    /// What the graphs are made from.
    pub(crate) seed: u64,
    /// An optimised farm.
    pub(crate) farm: Option<PathBuf>,
    /// When this is, in words.
    pub(crate) date: Option<String>,
}

impl Options {
    /// Reads the words of the command line. The error says which word is wrong.
    pub(crate) fn parse(words: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            nodes: vec![1000, 10_000],
            shapes: Shape::ALL.map(|(shape, _)| shape).to_vec(),
            tools: Tool::RIVALS.map(|(tool, _)| tool).to_vec(),
            runs: 5,
            seed: 1,
            farm: None,
            date: None,
        };
        for pair in words.chunks(2) {
            let [name, value] = pair else {
                return Err(format!("{} wants a value", pair[0]));
            };
            match *name {
                "--nodes" => options.nodes = numbers(value)?,
                "--shapes" => options.shapes = named(value, &Shape::ALL)?,
                "--tools" => options.tools = named(value, &Tool::RIVALS)?,
                "--runs" => options.runs = number(value)?,
                "--seed" => options.seed = number(value)?,
                "--farm" => options.farm = Some(PathBuf::from(value)),
                "--date" => options.date = Some((*value).to_owned()),
                _ => return Err(format!("what is {name}?")),
            }
        }
        if options.nodes.iter().any(|&nodes| nodes < 20) {
            return Err("graphs of less than 20 tasks have no shape".to_owned());
        }
        if options.runs == 0 {
            return Err("--runs 0 measures nothing".to_owned());
        }
        Ok(options)
    }
}

fn numbers(text: &str) -> Outcome<Vec<usize>> {
    text.split(',').map(number).collect()
}

pub(super) fn number<T: FromStr>(text: &str) -> Outcome<T> {
    text.parse().map_err(|_| format!("{text} is not a number"))
}

/// The things that a list of names means.
fn named<T: Copy + Debug>(text: &str, all: &[(T, &str)]) -> Outcome<Vec<T>> {
    let one = |wanted| {
        let found = all.iter().find(|(_, name)| *name == wanted);
        found.map(|(thing, _)| *thing).ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|(_, name)| *name).collect();
            format!("{wanted} is none of {}", names.join(", "))
        })
    };
    text.split(',').map(one).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_in_their_order() {
        let words = [
            "--tools",
            "make,ninja",
            "--nodes",
            "100,20",
            "--shapes",
            "tiers",
            "--runs",
            "2",
        ];
        let options = Options::parse(&words).unwrap();
        assert_eq!(options.tools, [Tool::Make, Tool::Ninja]);
        assert_eq!(options.nodes, [100, 20]);
        assert_eq!(options.shapes, [Shape::Tiers]);
        assert_eq!((options.runs, options.seed), (2, 1));
    }

    #[test]
    fn wrong_words_are_named() {
        let error = |words: &[&str]| Options::parse(words).unwrap_err();
        assert_eq!(
            error(&["--tools", "cmake"]),
            "cmake is none of ninja, ninja-restat, make, tup"
        );
        assert_eq!(error(&["--runs"]), "--runs wants a value");
        assert_eq!(error(&["--runs", "0"]), "--runs 0 measures nothing");
        assert_eq!(error(&["--seed", "x"]), "x is not a number");
        assert_eq!(error(&["--nodes", "3"]), "graphs of less than 20 tasks have no shape");
        assert_eq!(error(&["--what", "x"]), "what is --what?");
    }
}
