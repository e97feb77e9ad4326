//! `farm patch`.

use clap::{Args, Subcommand, ValueEnum};
use farm_engine::Summary;

use crate::args::{ExecutorArgs, ExecutorChoice};
use crate::domain::{
    self, BuildOptions, Check, Dropped, PatchLine, PatchList, Prepared, Reach, SaveOptions, Saved, Tried,
};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::{App, Invocation};
use crate::output::Results;
use crate::summary;
use crate::text::columns;

const ABOUT_WORDS: &str = "\
A package is named as `NAME`, `CATEGORY/NAME`, `CATEGORY/NAME-VERSION`, or by an atom. A first word that is the name of a farm means \
the farm.";

/// The arguments of `farm patch`.
#[derive(Debug, Args)]
#[command(after_help = ABOUT_WORDS)]
pub(crate) struct PatchArgs {
    #[command(subcommand)]
    command: PatchCommand,
}

/// What to do with patches.
#[derive(Debug, Subcommand)]
enum PatchCommand {
    /// Make a git work tree of a package's source, as its ebuild leaves it after src_prepare
    Prep(PackageArgs),
    /// Build the package with what was changed in its work tree; the result is thrown away
    Try(PackageArgs),
    /// Save what was changed as a user patch in a configuration layer
    Save(SaveArgs),
    /// List the user patches, and what of today's plan they reach
    List(ListArgs),
    /// Remove a user patch, or a work tree
    Drop(DropArgs),
}

#[derive(Debug, Args)]
struct PackageArgs {
    /// The package; its farm before it, and variables of the manifest
    #[arg(value_name = "[FARM] ATOM [KEY=VALUE]")]
    words: Vec<String>,
    #[command(flatten)]
    jobs: JobArgs,
    #[command(flatten)]
    executor: ExecutorArgs,
}

/// How many jobs.
#[derive(Debug, Args)]
struct JobArgs {
    /// Number of jobs at once, over all nodes and what they start [default: one a processor, or those of the make that starts farm]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    jobs: Option<u16>,
}

#[derive(Debug, Args)]
struct SaveArgs {
    /// The package; its farm before it, and variables of the manifest
    #[arg(value_name = "[FARM] ATOM [KEY=VALUE]")]
    words: Vec<String>,
    /// Name of the patch [default: the package's]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Configuration layer to put it in [default: the one that is called as the farm, or the only one]
    #[arg(long, value_name = "LAYER")]
    layer: Option<String>,
    /// Versions of the package that it is for
    #[arg(long = "for", value_enum, default_value_t = ReachChoice::Version, value_name = "VERSIONS")]
    reach: ReachChoice,
}

/// Versions of a package.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ReachChoice {
    /// This version, in all its revisions
    Version,
    /// All versions in its slot
    Slot,
    /// All versions
    Any,
}

#[derive(Debug, Args)]
struct ListArgs {
    /// The farm, and variables of its manifest
    #[arg(value_name = "[FARM] [KEY=VALUE]")]
    words: Vec<String>,
    /// Say which ones no longer apply: prepare the source of every package that they reach, and build what that needs
    #[arg(long)]
    check: bool,
    #[command(flatten)]
    jobs: JobArgs,
    #[command(flatten)]
    executor: ExecutorArgs,
}

#[derive(Debug, Args)]
struct DropArgs {
    /// The package, and the name of one of its patches; without a name, its work tree. The farm before them
    #[arg(value_name = "[FARM] ATOM [NAME] [KEY=VALUE]")]
    words: Vec<String>,
    /// Remove a work tree even if changes in it are lost
    #[arg(long)]
    force: bool,
}

impl PatchArgs {
    /// Whether it changes files of the user's, so that it is done even if nobody could be told.
    pub(super) fn writes(&self) -> bool {
        matches!(
            self.command,
            PatchCommand::Prep(_) | PatchCommand::Save(_) | PatchCommand::Drop(_)
        )
    }
}

/// Carries out one of them.
pub(crate) fn run(app: &App, args: &PatchArgs, results: &mut Results) -> Result<Status, CliError> {
    match &args.command {
        PatchCommand::Prep(args) => prep(app, args, results),
        PatchCommand::Try(args) => try_out(app, args, results),
        PatchCommand::Save(args) => save(app, args, results),
        PatchCommand::List(args) => list(app, args, results),
        PatchCommand::Drop(args) => discard(app, args, results),
    }
}

fn options(jobs: &JobArgs) -> BuildOptions {
    BuildOptions {
        jobs: jobs.jobs.map(usize::from),
        ..BuildOptions::default()
    }
}

fn prep(app: &App, args: &PackageArgs, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let outcome = domain::patch_prep(
        &invocation.setup,
        &args.words,
        &options(&args.jobs),
        &*invocation.display,
    );
    match outcome {
        Ok((summary, prepared)) => Ok(end(
            app,
            &invocation,
            results,
            &summary,
            &lines(prepared.as_ref(), prepared_lines),
        )),
        Err(error) => invocation.fail(error),
    }
}

fn try_out(app: &App, args: &PackageArgs, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let outcome = domain::patch_try(
        &invocation.setup,
        &args.words,
        &options(&args.jobs),
        &*invocation.display,
    );
    match outcome {
        Ok((summary, tried)) => Ok(end(
            app,
            &invocation,
            results,
            &summary,
            &lines(tried.as_ref(), tried_lines),
        )),
        Err(error) => invocation.fail(error),
    }
}

fn list(app: &App, args: &ListArgs, results: &mut Results) -> Result<Status, CliError> {
    let invocation = Invocation::start(app, args.executor.executor, Invocation::mode(app), false)?;
    let setup = &invocation.setup;
    let outcome = domain::patch_list(
        setup,
        &args.words,
        args.check,
        &options(&args.jobs),
        &*invocation.display,
    );
    match outcome {
        Ok(list) => Ok(end(app, &invocation, results, &list.summary, &list_lines(&list))),
        Err(error) => invocation.fail(error),
    }
}

/// The end of a command that ran nodes: results, then what went wrong.
fn end(app: &App, invocation: &Invocation, results: &mut Results, summary: &Summary, lines: &[String]) -> Status {
    invocation.display.close();
    for line in lines {
        results.line(line);
    }
    results.flush();
    invocation
        .display
        .say(&summary::problems(summary, app.environment.paint));
    summary::status(summary, invocation.stopped())
}

fn lines<T>(outcome: Option<&T>, words: fn(&T) -> Vec<String>) -> Vec<String> {
    outcome.map(words).unwrap_or_default()
}

fn save(app: &App, args: &SaveArgs, results: &mut Results) -> Result<Status, CliError> {
    let options = SaveOptions {
        name: args.name.clone(),
        layer: args.layer.clone(),
        reach: match args.reach {
            ReachChoice::Version => Reach::Version,
            ReachChoice::Slot => Reach::Slot,
            ReachChoice::Any => Reach::Any,
        },
    };
    let saved = domain::patch_save(&app.setup(ExecutorChoice::Auto)?, &args.words, &options)?;
    for line in saved_lines(&saved) {
        results.line(&line);
    }
    Ok(Status::Done)
}

fn discard(app: &App, args: &DropArgs, results: &mut Results) -> Result<Status, CliError> {
    match domain::patch_drop(&app.setup(ExecutorChoice::Auto)?, &args.words, args.force)? {
        Dropped::Patch(path) | Dropped::WorkTree(path) => results.line(&format!("removed {path}")),
    }
    Ok(Status::Done)
}

fn prepared_lines(prepared: &Prepared) -> Vec<String> {
    let mut lines = vec![format!("{} is in {}", prepared.package, prepared.folder)];
    if !prepared.patches.is_empty() {
        lines.push(format!("already patched by {}", prepared.patches.join(", ")));
    }
    if prepared.left_out > 0 {
        lines.push(format!(
            "left out, as git cannot hold them: {} of its files and folders",
            prepared.left_out
        ));
    }
    lines.push(format!(
        "edit it, then: farm patch try {} {}",
        prepared.farm, prepared.package
    ));
    lines
}

fn tried_lines(tried: &Tried) -> Vec<String> {
    let mut lines = vec![
        format!("{} can be built with the difference", tried.package),
        format!("user patches applied: {}", tried.patches.join(", ")),
        format!("log: {}", tried.log),
    ];
    lines.extend(ignored_line(&tried.ignored));
    lines.push(format!("to keep it: farm patch save {} {}", tried.farm, tried.package));
    lines
}

fn saved_lines(saved: &Saved) -> Vec<String> {
    let mut lines = vec![format!("saved as {}", saved.path), format!("it is for {}", saved.atom)];
    lines.extend(ignored_line(&saved.ignored));
    if let Some(to_add) = &saved.to_add {
        lines.push(format!("{} does not use that layer yet: {to_add}", saved.farm));
    }
    lines
}

fn ignored_line(ignored: &[String]) -> Option<String> {
    let left_out = !ignored.is_empty();
    left_out.then(|| format!("not in it, as the source's .gitignore says: {}", ignored.join(", ")))
}

fn list_lines(list: &PatchList) -> Vec<String> {
    let rows: Vec<[String; 4]> = list
        .patches
        .iter()
        .map(|patch| {
            [
                patch.atom.clone(),
                patch.file.clone(),
                patch.layer.clone(),
                reach(patch),
            ]
        })
        .collect();
    let mut lines = columns(&rows);
    for tree in &list.trees {
        let state = if tree.unsaved {
            "with unsaved changes"
        } else {
            "nothing unsaved"
        };
        lines.push(format!("work tree {}: {state}", tree.folder));
    }
    if lines.is_empty() {
        lines.push("no user patches, and no work trees".to_owned());
    }
    lines
}

/// What a patch is applied to, in words.
fn reach(patch: &PatchLine) -> String {
    if let Some(layer) = &patch.replaced_by {
        return format!("replaced by that of the layer {layer}");
    }
    match &patch.reaches {
        None => "there is no plan that would say what it reaches".to_owned(),
        Some(packages) if packages.is_empty() => "reaches nothing in today's plan".to_owned(),
        Some(packages) => {
            let told: Vec<String> = packages
                .iter()
                .map(|(package, check)| match check {
                    None => package.clone(),
                    Some(Check::Applies) => format!("{package} (applies)"),
                    Some(Check::Fails) => format!("{package} (NO LONGER APPLIES)"),
                    Some(Check::Unused) => format!("{package} (its ebuild applies no user patches)"),
                    Some(Check::Unknown) => format!("{package} (unknown: its source cannot be prepared)"),
                })
                .collect();
            format!("reaches {}", told.join(", "))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(reaches: Option<&[(&str, Option<Check>)]>) -> PatchLine {
        let packages = |packages: &[(&str, Option<Check>)]| {
            let own = packages.iter().map(|(name, check)| ((*name).to_owned(), check.clone()));
            own.collect()
        };
        PatchLine {
            atom: "a/b".to_owned(),
            file: "fix.patch".to_owned(),
            layer: "common".to_owned(),
            reaches: reaches.map(packages),
            replaced_by: None,
        }
    }

    #[test]
    fn what_patches_reach() {
        assert_eq!(reach(&line(Some(&[]))), "reaches nothing in today's plan");
        assert_eq!(
            reach(&line(Some(&[("a/b-1", None), ("a/b-2", None)]))),
            "reaches a/b-1, a/b-2"
        );
        assert_eq!(
            reach(&line(Some(&[
                ("a/b-1", Some(Check::Applies)),
                ("a/b-2", Some(Check::Fails))
            ]))),
            "reaches a/b-1 (applies), a/b-2 (NO LONGER APPLIES)"
        );
        assert!(reach(&line(None)).contains("no plan"));
        let replaced = PatchLine {
            replaced_by: Some("type/dbg".to_owned()),
            ..line(Some(&[]))
        };
        assert_eq!(reach(&replaced), "replaced by that of the layer type/dbg");
    }
}
