//! `farm serve` beside nginx: the same folder, the same clients, in turns.

mod clients;
mod servers;

use std::path::{Path, PathBuf};

use fs_err as fs;

use super::options::number;
use super::table::{compared, duration};
use super::{Failure, machine, program};
use crate::{Outcome, ensure, failed};
use clients::Client;
use servers::{Kind, Server};

/// How many small files there are: as many as a big binhost has packages of one category.
const SMALL_FILES: usize = 1000;

/// The length of the big file, in bytes.
const BIG: u64 = 1 << 30;

/// What is measured.
#[derive(Debug)]
struct Options {
    runs: usize,
    farm: Option<PathBuf>,
    date: Option<String>,
}

impl Options {
    fn parse(words: &[&str]) -> Outcome<Self> {
        let mut options = Self {
            runs: 5,
            farm: None,
            date: None,
        };
        for pair in words.chunks(2) {
            match *pair {
                ["--runs", value] => options.runs = number(value)?,
                ["--farm", value] => options.farm = Some(PathBuf::from(value)),
                ["--date", value] => options.date = Some(value.to_owned()),
                _ => return Err(format!("what is {}?", pair.join(" "))),
            }
        }
        ensure(options.runs > 0, || "--runs 0 measures nothing".to_owned())?;
        Ok(options)
    }
}

/// What one server took, round by round, in seconds.
#[derive(Debug, Default)]
struct Row {
    took: Vec<f64>,
    /// Of its processors.
    processor: Vec<f64>,
}

/// Does it, and prints a table.
#[expect(
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "the result of this program, and its progress"
)]
pub(super) fn run(root: &Path, words: &[&str]) -> Result<(), Failure> {
    let options = Options::parse(words).map_err(Failure::Usage)?;
    clients::require()?;
    servers::require()?;
    let farm = program(root, options.farm.as_deref())?;
    let space = tempfile::tempdir().map_err(failed)?;
    let folder = space.path().join("root");
    lay_out(&folder)?;
    let script = clients::script(space.path(), SMALL_FILES)?;
    let mut servers = Vec::new();
    for kind in Kind::ALL {
        let server = Server::start(kind, &farm, &folder, &space.path().join(kind.name()))?;
        clients::compare(&server.address, &folder)?;
        servers.push(server);
    }
    let mut rows: Vec<[Row; 2]> = Client::ALL.iter().map(|_| Default::default()).collect();
    for round in 1..=options.runs {
        for (client, row) in Client::ALL.iter().zip(&mut rows) {
            eprintln!("bench: round {round} of {}: {}", options.runs, client.name());
            for (server, row) in servers.iter().zip(row) {
                let before = server.processor_time()?;
                let (took, share) = client.ask(&server.address, &script)?;
                row.took.push(took);
                row.processor.push((server.processor_time()? - before) * share);
            }
        }
    }
    print!("{}", description(&options, &farm)?);
    print!("{}", table(&rows));
    Ok(())
}

fn description(options: &Options, farm: &Path) -> Outcome<String> {
    let date = options
        .date
        .as_ref()
        .map_or_else(String::new, |date| format!("* {date}\n"));
    Ok(format!(
        "{date}* {}\n* {}; {}; {}\n* rounds: {}; load at the end: {}\n\n",
        machine::machine()?,
        machine::first_line(&mut std::process::Command::new(farm))?,
        servers::nginx_version()?,
        clients::wrk_version()?,
        options.runs,
        machine::load()?
    ))
}

fn table(rows: &[[Row; 2]]) -> String {
    let mut text = "| what clients ask for | farm | nginx |\n| --- | --: | --: |\n".to_owned();
    for (client, [farm, nginx]) in Client::ALL.iter().zip(rows) {
        let mut line = |name: &str, farm: &[f64], nginx: &[f64]| {
            let (own, other) = (compared(farm, farm, duration), compared(nginx, farm, duration));
            text.push_str(&format!("| {name} | {own} | {other} |\n"));
        };
        line(client.name(), &farm.took, &nginx.took);
        line("the server's processor time", &farm.processor, &nginx.processor);
    }
    text
}

/// Small files of 1 to 32 KiB, and the big one, with bytes that no file system can leave out.
fn lay_out(folder: &Path) -> Outcome {
    fs::create_dir_all(folder.join("small")).map_err(failed)?;
    let mebibyte: Vec<u8> = (0..1_u32 << 20)
        .map(|at| (at.wrapping_mul(2_654_435_761) >> 24) as u8)
        .collect();
    for number in 0..SMALL_FILES {
        let len = (1 + number % 32) * 1024;
        let path = folder.join("small").join(number.to_string());
        fs::write(path, &mebibyte[number..number + len]).map_err(failed)?;
    }
    let mut big = fs::File::create(folder.join("big")).map_err(failed)?;
    for _ in 0..BIG >> 20 {
        std::io::Write::write_all(&mut big, &mebibyte).map_err(failed)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians_and_ratios_are_in_the_table() {
        let row = |took: f64| Row {
            took: vec![took],
            processor: vec![took / 2.0],
        };
        let rows: Vec<[Row; 2]> = Client::ALL.iter().map(|_| [row(0.02), row(0.03)]).collect();
        let text = table(&rows);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[2..4],
            [
                "| 1,000 small files, one connection | 20 ms | 30 ms (1.5) |",
                "| the server's processor time | 10 ms | 15 ms (1.5) |",
            ]
        );
        assert_eq!(lines.len(), 2 + 2 * Client::ALL.len());
    }

    #[test]
    fn wrong_words_are_named() {
        assert_eq!(Options::parse(&["--runs"]).unwrap_err(), "what is --runs?");
        assert_eq!(
            Options::parse(&["--runs", "0"]).unwrap_err(),
            "--runs 0 measures nothing"
        );
        assert_eq!(Options::parse(&["--seed", "1"]).unwrap_err(), "what is --seed 1?");
        assert_eq!(Options::parse(&["--runs", "2"]).unwrap().runs, 2);
    }
}
