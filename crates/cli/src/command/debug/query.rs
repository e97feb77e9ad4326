//! `farm debug query`.

use std::ffi::{OsStr, OsString};
use std::io::Read as _;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::PathBuf;

use clap::{Args, Subcommand};
use serde_json::json;

use crate::args::{ExecutorArgs, WordArgs};
use crate::domain::{self, Words};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::progress::Mode;

/// The arguments of `farm debug query`.
#[derive(Debug, Args)]
pub(super) struct QueryArgs {
    #[command(subcommand)]
    query: Query,
}

/// What is asked of the graph.
#[derive(Debug, Subcommand)]
enum Query {
    /// Print the names of everything a node needs
    Deps(ReachArgs),
    /// Print the names of everything that needs a node
    Rdeps(ReachArgs),
    /// Print the names of the nodes that a change of files can concern, in all farms
    Affected(AffectedArgs),
}

/// The arguments of `farm debug query deps` and `rdeps`.
#[derive(Debug, Args)]
struct ReachArgs {
    #[command(flatten)]
    words: WordArgs,
    /// Go so many steps at most [default: as far as there are any]
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    depth: Option<u32>,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// The arguments of `farm debug query affected`.
#[derive(Debug, Args)]
struct AffectedArgs {
    /// A file, whether or not it is there; `-` for names on standard input, one a line, as `git diff --name-only` prints them
    /// (can be repeated)
    #[arg(value_name = "FILE", required = true, value_hint = clap::ValueHint::FilePath)]
    files: Vec<OsString>,
    /// Names on standard input end with a NUL, as `git diff -z` prints them
    #[arg(short = 'z', long)]
    null: bool,
    /// Print a JSON array
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// Answers a question about the graph.
pub(super) fn run(app: &App, args: &QueryArgs, results: &mut Results) -> Result<Status, CliError> {
    match &args.query {
        Query::Deps(args) => reach(app, args, "deps", results),
        Query::Rdeps(args) => reach(app, args, "rdeps", results),
        Query::Affected(args) => affected(app, args, results),
    }
}

fn reach(app: &App, args: &ReachArgs, query: &str, results: &mut Results) -> Result<Status, CliError> {
    let words = Words::parse(&args.words.words);
    if words.targets.is_empty() {
        let message = format!("which node? `farm debug query {query}` needs a target");
        return Err(CliError::input(message).hint("`farm targets` lists them"));
    }
    let depth = args.depth.map(|depth| usize::try_from(depth).unwrap_or(usize::MAX));
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let ask = if query == "deps" { domain::deps } else { domain::rdeps };
    match ask(&invocation.setup, &words, depth, &*invocation.display) {
        Ok(names) => {
            print(&names, args.json, results);
            Ok(Status::Done)
        }
        Err(error) => invocation.fail(error),
    }
}

fn affected(app: &App, args: &AffectedArgs, results: &mut Results) -> Result<Status, CliError> {
    let mut files: Vec<PathBuf> = Vec::new();
    for file in &args.files {
        if file == "-" {
            let mut bytes = Vec::new();
            let read = std::io::stdin().lock().read_to_end(&mut bytes);
            read.map_err(|error| CliError::environment(format!("cannot read standard input: {error}")))?;
            files.extend(names(&bytes, args.null)?);
        } else {
            files.push(file.into());
        }
    }
    let invocation = Invocation::start(app, args.executor.executor, Mode::Quiet, false)?;
    let affected = match domain::affected(&invocation.setup, &files, &*invocation.display) {
        Ok(affected) => affected,
        Err(error) => return invocation.fail(error),
    };
    print(&affected.nodes, args.json, results);
    let notes: Vec<String> = affected.notes.iter().map(|note| format!("note: {note}")).collect();
    app.say(&notes);
    Ok(Status::Done)
}

/// The names that a list holds.
fn names(bytes: &[u8], null: bool) -> Result<Vec<PathBuf>, CliError> {
    let end = if null { b'\0' } else { b'\n' };
    let lines = bytes.split(|byte| *byte == end).filter(|line| !line.is_empty());
    lines
        .map(|line| {
            // Git's way to write a name that has unusual characters. Read as it stands it would be another name, and be missed.
            if !null && line.starts_with(b"\"") && line.ends_with(b"\"") {
                let shown = OsStr::from_bytes(line).display();
                let message = format!("the name {shown} is quoted, so it may be another one");
                return Err(CliError::input(message).hint("take `git diff --name-only -z`, and `-z` here"));
            }
            Ok(OsString::from_vec(line.to_vec()).into())
        })
        .collect()
}

fn print(names: &[String], as_json: bool, results: &mut Results) {
    if as_json {
        results.json(&json!(names));
        return;
    }
    for name in names {
        results.line(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_from_a_list() {
        let read = |bytes: &[u8], null| names(bytes, null).map_err(|error| error.message);
        assert_eq!(read(b"a b\nc\n", false).unwrap(), [PathBuf::from("a b"), "c".into()]);
        assert_eq!(
            read(b"a\nb\0\"c\"\0", true).unwrap(),
            [PathBuf::from("a\nb"), "\"c\"".into()]
        );
        assert_eq!(read(b"", false).unwrap(), Vec::<PathBuf>::new());
        let error = read(b"a\n\"b\\303\"\n", false).unwrap_err();
        assert_eq!(error, r#"the name "b\303" is quoted, so it may be another one"#);
    }
}
