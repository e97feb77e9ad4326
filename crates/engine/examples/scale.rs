//! What the engine itself costs, without anything to build: `scale SHAPE COUNT` makes a graph of about COUNT nodes, builds it from
//! nothing, builds it again with everything up to date, and looks at it in a dry run without guards, each time with as many
//! nodes, and tells for each how long it took and how much memory the process had and had at most by then.
//!
//! `chain` has every node need the one before, `wide` has none need any, `fan` has all need the first, and `join` has the last
//! need all others.

#![expect(clippy::print_stdout, reason = "a program for people who measure")]

use std::error::Error;
use std::time::Instant;

use farm_engine::{
    Class, Dependency, Difference, Digest, Driver, Failure, Graph, Guard, Input, MemoryGuards, NodeSpec, Options,
    Output, Presence, Run, SystemClock, build,
};

/// Makes of every node a digest of its name.
struct Names;

impl Driver for Names {
    type Action = ();

    fn run(&self, node: &NodeSpec<()>, _: &Run<'_>) -> Result<Vec<Output>, Failure> {
        Ok(vec![Output {
            role: "out".to_owned(),
            digest: Digest::of(node.name.as_bytes()),
            place: String::new(),
        }])
    }

    fn presence(&self, _: &NodeSpec<()>, _: &Guard) -> Presence {
        Presence::Present
    }

    fn rebuilds(&self, _: &NodeSpec<()>) -> bool {
        false
    }

    fn differences(&self, _: &NodeSpec<()>, _: &Guard, _: &[Output]) -> Vec<Difference> {
        Vec::new()
    }

    fn expand(&self, _: &NodeSpec<()>, _: &Guard) -> Result<Vec<NodeSpec<()>>, Failure> {
        Ok(Vec::new())
    }

    fn wants(&self, _: &NodeSpec<()>) -> bool {
        true
    }
}

fn name(number: usize) -> String {
    format!("scale:step/{number}")
}

fn specs(shape: &str, count: usize) -> Result<Vec<NodeSpec<()>>, String> {
    let needs = |number: usize| match shape {
        "chain" => Ok(number.checked_sub(1).into_iter().collect()),
        "wide" => Ok(Vec::new()),
        "fan" if number == 0 => Ok(Vec::new()),
        "fan" => Ok(vec![0]),
        "join" if number + 1 < count => Ok(Vec::new()),
        "join" => Ok((0..number).collect::<Vec<_>>()),
        other => Err(format!("{other}: there are chain, wide, fan and join")),
    };
    let spec = |number| {
        let needs = needs(number)?.into_iter();
        Ok(NodeSpec {
            name: name(number),
            kind: "step".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs: vec![Input::text("command", "make it")],
            dependencies: needs.map(|need| Dependency::output(name(need), "out")).collect(),
            expands: false,
            memory: 0,
            action: (),
        })
    };
    (0..count).map(spec).collect()
}

/// Megabytes of memory that the process has and had at most, where the system tells.
fn memory() -> String {
    let status = fs_err::read_to_string("/proc/self/status").unwrap_or_default();
    let megabytes = |field: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(field))?;
        Some(line.split_whitespace().next()?.parse::<u64>().ok()? / 1024)
    };
    match (megabytes("VmRSS:"), megabytes("VmHWM:")) {
        (Some(now), Some(most)) => format!("{now} MB, at most {most} MB"),
        _ => "unknown".to_owned(),
    }
}

fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let mut next = || arguments.next().ok_or("usage: scale SHAPE COUNT");
    let (shape, count) = (next()?, next()?.parse()?);
    let (guards, fresh) = (MemoryGuards::default(), MemoryGuards::default());
    for (what, guards, options) in [
        ("first build", &guards, Options::build(2)),
        ("all cached", &guards, Options::build(2)),
        ("dry run, cached", &guards, Options::dry_run(true)),
        ("dry run, never built", &fresh, Options::dry_run(true)),
    ] {
        let specs = specs(&shape, count)?;
        let begun = Instant::now();
        let mut graph = Graph::new();
        graph.add(specs)?;
        let added = begun.elapsed();
        let summary = build(&mut graph, &Names, guards, &SystemClock, &(), &options)?;
        let (all, added) = (begun.elapsed().as_secs_f64(), added.as_secs_f64());
        let counts = summary.counts;
        println!(
            "{what:20} {all:6.2} s, of which the graph {added:5.2} s; built {}, cached {}; memory {}",
            counts.built,
            counts.cached,
            memory()
        );
    }
    Ok(())
}
