//! `farm binhost`.

mod render;

use std::path::PathBuf;
use std::time::{Duration, Instant};

use clap::{Args, Subcommand, ValueHint};
use serde::Serialize;

use crate::args::ExecutorChoice;
use crate::domain::{self, BinhostWords, Setup};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// How often long work says how far it is.
const SAY_EVERY: Duration = Duration::from_secs(5);

const ABOUT_BINHOSTS: &str = "\
The binhost is the one that the farm publishes to, with its flavour, wherever that is; of a farm that publishes nowhere, its local \
one. `--folder` names another, for which no manifest is needed.

A release is named by its number, by a tag, or by the word `current`, which is the one that clients see. A word that is \
the name of a farm means the farm.";

/// The arguments of `farm binhost`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT_BINHOSTS)]
pub(crate) struct BinhostArgs {
    #[command(subcommand)]
    command: BinhostCommand,
}

/// What to do with a binhost.
#[derive(Debug, Subcommand)]
enum BinhostCommand {
    /// List the releases, the newest first
    List(ListArgs),
    /// Say which packages are different between two releases
    Diff(DiffArgs),
    /// Name a release, which keeps it
    Tag(TagArgs),
    /// Publish the packages of an older release again, as a new one
    Rollback(RollbackArgs),
    /// Forget old releases, and remove what only they list
    Prune(PruneArgs),
    /// Check index, packages, signatures and records, and name every fault
    Check(CheckArgs),
    /// Take over a binhost that something else published
    Import(ImportArgs),
}

/// Which binhost.
#[derive(Debug, Args)]
struct FolderArgs {
    /// Folder of the binhost's index, in place of a farm
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    folder: Option<PathBuf>,
}

/// A farm.
#[derive(Debug, Args)]
struct FarmArgs {
    /// The farm, and variables of its manifest
    #[arg(value_name = "FARM | KEY=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    folder: FolderArgs,
}

/// Who signs.
#[derive(Debug, Args)]
struct SignArgs {
    /// Key that signs what is written, where a folder is named; of a farm's binhost the manifest says it
    #[arg(long, value_name = "KEY", requires = "folder")]
    sign: Option<String>,
}

#[derive(Debug, Args)]
struct ListArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print one JSON object a release
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct DiffArgs {
    /// The first release and the second, which is the current one if it is left out; without both, what the current one
    /// changed. Besides, the farm and variables of its manifest
    #[arg(value_name = "RELEASE | FARM | KEY=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct TagArgs {
    /// The tag: letters, digits, `.`, `_` and `-`, with a letter first. One that is there already moves
    #[arg(value_name = "NAME")]
    name: String,
    /// The release, by default the current one. Besides, the farm and variables of its manifest
    #[arg(value_name = "RELEASE | FARM | KEY=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    folder: FolderArgs,
    /// Take the tag away
    #[arg(long)]
    delete: bool,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// The release, by default the one before the current one. Besides, the farm and variables of its manifest
    #[arg(value_name = "RELEASE | FARM | KEY=VALUE")]
    words: Vec<String>,
    #[command(flatten)]
    folder: FolderArgs,
    #[command(flatten)]
    sign: SignArgs,
}

#[derive(Debug, Args)]
struct PruneArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// How many of the newest releases stay. Tagged ones stay besides, and the last three in any case, as clients may be at work
    /// with their index. (Publishing itself keeps ten)
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    keep: u64,
    /// Say what would be removed, and remove nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct CheckArgs {
    #[command(flatten)]
    farm: FarmArgs,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
}

#[derive(Debug, Args)]
struct ImportArgs {
    /// The other binhost: the folder of its `Packages`, or its http(s) address
    #[arg(value_name = "DIR | URL", value_hint = ValueHint::DirPath)]
    from: String,
    #[command(flatten)]
    farm: FarmArgs,
    #[command(flatten)]
    sign: SignArgs,
}

impl BinhostArgs {
    /// Whether it changes a binhost, so that it is done even if nobody could be told.
    pub(super) fn writes(&self) -> bool {
        match &self.command {
            BinhostCommand::Tag(_) | BinhostCommand::Rollback(_) | BinhostCommand::Import(_) => true,
            BinhostCommand::Prune(args) => !args.dry_run,
            BinhostCommand::List(_) | BinhostCommand::Diff(_) | BinhostCommand::Check(_) => false,
        }
    }
}

/// Carries out one of them.
pub(crate) fn run(app: &App, args: &BinhostArgs, results: &mut Results) -> Result<Status, CliError> {
    let setup = app.setup(ExecutorChoice::Auto)?;
    match &args.command {
        BinhostCommand::List(args) => list(app, &setup, args, results),
        BinhostCommand::Diff(args) => diff(app, &setup, args, results),
        BinhostCommand::Tag(args) => tag(app, &setup, args, results),
        BinhostCommand::Rollback(args) => rollback(app, &setup, args, results),
        BinhostCommand::Prune(args) => prune(app, &setup, args, results),
        BinhostCommand::Check(args) => check(app, &setup, args, results),
        BinhostCommand::Import(args) => import(app, &setup, args, results),
    }
}

fn list(app: &App, setup: &Setup, args: &ListArgs, results: &mut Results) -> Result<Status, CliError> {
    let releases = domain::binhost_releases(setup, &args.farm.given(None), &mut now_and_then(app))?;
    if args.json {
        for release in &releases {
            results.json(&json(release)?);
        }
    } else {
        for line in render::list(&releases) {
            results.line(&line);
        }
    }
    Ok(Status::Done)
}

fn diff(app: &App, setup: &Setup, args: &DiffArgs, results: &mut Results) -> Result<Status, CliError> {
    let diff = domain::binhost_diff(setup, &given(&args.words, &args.folder, None), &mut now_and_then(app))?;
    if args.json {
        results.json(&json(&diff)?);
    } else {
        for line in render::diff(&diff) {
            results.line(&line);
        }
    }
    Ok(Status::Done)
}

fn tag(app: &App, setup: &Setup, args: &TagArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = given(&args.words, &args.folder, None);
    let line = if args.delete {
        let release = domain::binhost_untag(setup, &words, &args.name, &mut now_and_then(app))?;
        format!("{} was release {release}", args.name)
    } else {
        render::tagged(&domain::binhost_tag(setup, &words, &args.name, &mut now_and_then(app))?)
    };
    results.line(&line);
    Ok(Status::Done)
}

fn rollback(app: &App, setup: &Setup, args: &RollbackArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = given(&args.words, &args.folder, args.sign.sign.as_ref());
    let done = domain::binhost_rollback(setup, &words, &mut now_and_then(app))?;
    for line in render::rolled_back(&done) {
        results.line(&line);
    }
    results.flush();
    app.say(&render::after_rollback(&done));
    Ok(Status::Done)
}

fn prune(app: &App, setup: &Setup, args: &PruneArgs, results: &mut Results) -> Result<Status, CliError> {
    let pruned = domain::binhost_prune(
        setup,
        &args.farm.given(None),
        args.keep,
        args.dry_run,
        &mut now_and_then(app),
    )?;
    if args.json {
        results.json(&json(&pruned)?);
        return Ok(Status::Done);
    }
    for line in render::pruned(&pruned, args.dry_run) {
        results.line(&line);
    }
    results.flush();
    app.say(&render::after_prune(&pruned));
    Ok(Status::Done)
}

fn check(app: &App, setup: &Setup, args: &CheckArgs, results: &mut Results) -> Result<Status, CliError> {
    let audit = domain::binhost_check(setup, &args.farm.given(None), &mut now_and_then(app))?;
    if args.json {
        results.json(&json(&audit)?);
    } else {
        for line in render::faults(&audit) {
            results.line(&line);
        }
        results.flush();
        app.say(&[render::audited(&audit)]);
    }
    Ok(if audit.faults.is_empty() {
        Status::Done
    } else {
        Status::Failed
    })
}

fn import(app: &App, setup: &Setup, args: &ImportArgs, results: &mut Results) -> Result<Status, CliError> {
    let words = args.farm.given(args.sign.sign.as_ref());
    let (imported, signed) = domain::binhost_import(setup, &words, &args.from, &mut now_and_then(app))?;
    for line in render::imported(&imported) {
        results.line(&line);
    }
    results.flush();
    app.say(&render::after_import(&imported, signed));
    Ok(Status::Done)
}

impl FarmArgs {
    fn given(&self, sign: Option<&String>) -> BinhostWords {
        given(&self.words, &self.folder, sign)
    }
}

fn given(words: &[String], folder: &FolderArgs, sign: Option<&String>) -> BinhostWords {
    BinhostWords {
        folder: folder.folder.clone(),
        words: words.to_vec(),
        sign: sign.cloned(),
    }
}

fn json(value: &impl Serialize) -> Result<serde_json::Value, CliError> {
    serde_json::to_value(value).map_err(|error| CliError::bug(error.to_string()))
}

/// Says what is under way to people, and not more often than they can read.
fn now_and_then(app: &App) -> impl FnMut(&str) + '_ {
    let mut last = Instant::now();
    move |line| {
        if last.elapsed() >= SAY_EVERY {
            last = Instant::now();
            app.say(&[line.to_owned()]);
        }
    }
}
