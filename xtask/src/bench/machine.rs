//! The machine, and the versions of the tools on it.

use std::path::Path;
use std::process::Command;

use fs_err as fs;

use super::Failure;
use super::options::Options;
use super::tools::Tool;
use crate::command::{ended, output};
use crate::{Outcome, failed};

/// Fails unless every tool can be called, and GNU time, which measures memory.
pub(crate) fn require(tools: &[Tool]) -> Result<(), Failure> {
    for tool in tools {
        let (program, from) = tool.program();
        require_program(program, from).map_err(|error| match error {
            Failure::Missing(why) => Failure::Missing(format!("{why}, or leave it out with --tools")),
            other => other,
        })?;
    }
    require_program("/usr/bin/time", "Debian package time")
}

/// Fails unless a program can be called, and says `from` where it can be had.
pub(crate) fn require_program(program: &str, from: &str) -> Result<(), Failure> {
    match ended(Command::new(program).arg("--version")) {
        Ok(ended) if ended.code == 0 => Ok(()),
        _ => Err(Failure::Missing(format!(
            "{program} cannot be run: install it ({from})"
        ))),
    }
}

/// What a reader must know of the circumstances, as a Markdown list.
pub(crate) fn description(farm: &Path, options: &Options) -> Outcome<String> {
    let mut text = String::new();
    if let Some(date) = &options.date {
        text.push_str(&format!("* {date}\n"));
    }
    text.push_str(&format!("* {}\n", machine()?));
    let mut versions = vec![first_line(&mut Command::new(farm))?];
    for tool in &options.tools {
        let (program, _) = tool.program();
        let version = first_line(&mut Command::new(program))?;
        let version = if version.starts_with(char::is_numeric) {
            format!("{program} {version}")
        } else {
            version
        };
        if !versions.contains(&version) {
            versions.push(version);
        }
    }
    text.push_str(&format!("* {}\n", versions.join("; ")));
    text.push_str(&format!(
        "* rounds: {}; seed: {}; load at the start: {}\n",
        options.runs,
        options.seed,
        load()?
    ));
    Ok(text)
}

/// The machine in a line.
pub(crate) fn machine() -> Outcome<String> {
    let cores = std::thread::available_parallelism().map_err(failed)?;
    let (processor, memory) = (processor()?, memory()?);
    let kernel = read("/proc/sys/kernel/osrelease")?;
    Ok(format!(
        "{cores} cores ({processor}), {memory} of memory, Linux {kernel}"
    ))
}

/// How many processes wanted to run, on average over one, five and fifteen minutes.
pub(crate) fn load() -> Outcome<String> {
    let text = read("/proc/loadavg")?;
    Ok(text.split_whitespace().take(3).collect::<Vec<_>>().join(", "))
}

pub(crate) fn first_line(command: &mut Command) -> Outcome<String> {
    let text = output(command.arg("--version"))?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn processor() -> Outcome<String> {
    Ok(value(&read("/proc/cpuinfo")?, "model name").unwrap_or_else(|| "unknown".to_owned()))
}

fn memory() -> Outcome<String> {
    let kib = value(&read("/proc/meminfo")?, "MemTotal")
        .and_then(|text| text.trim_end_matches(" kB").parse::<u64>().ok())
        .ok_or("/proc/meminfo does not say how much memory there is")?;
    Ok(format!("{} GiB", kib.div_ceil(1024 * 1024)))
}

/// The value of the first `name: value` in such a file.
fn value(text: &str, name: &str) -> Option<String> {
    let pairs = text.lines().filter_map(|line| line.split_once(':'));
    let mut found = pairs.filter(|(key, _)| key.trim() == name);
    found.next().map(|(_, value)| value.trim().to_owned())
}

fn read(path: &str) -> Outcome<String> {
    Ok(fs::read_to_string(path).map_err(failed)?.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_missing_is_named() {
        let Err(Failure::Missing(why)) = require_program("no-such-program", "Debian package none") else {
            panic!("it is there");
        };
        assert_eq!(why, "no-such-program cannot be run: install it (Debian package none)");
    }

    #[test]
    fn a_value_is_found() {
        assert_eq!(
            value("a: 1\nmodel name\t: Some CPU\n", "model name").as_deref(),
            Some("Some CPU")
        );
        assert_eq!(value("a: 1\n", "b"), None);
    }
}
