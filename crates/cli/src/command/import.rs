//! `farm import`.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueHint};

use crate::args::ExecutorChoice;
use crate::domain::{self, ImportKind, ImportOptions, ImportedFarms};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// The arguments of `farm import`.
#[derive(Debug, Args)]
pub(crate) struct ImportArgs {
    #[command(subcommand)]
    from: ImportFrom,
}

/// Whose folder becomes a farm.
#[derive(Debug, Subcommand)]
enum ImportFrom {
    /// Take over a HEP-Soft folder: presets, literal roots, Makefile
    HepSoft(FromArgs),
    /// Take over a Gentoomuch configuration: stages, package sets, Portage folders, patches
    Gentoomuch(FromArgs),
}

/// The arguments of both.
#[derive(Debug, Args)]
struct FromArgs {
    /// Folder that is taken over; nothing in it is changed
    #[arg(value_name = "DIR", value_hint = ValueHint::DirPath)]
    source: PathBuf,
    /// Name of the farm [default: that of the folder]
    #[arg(long, value_name = "NAME")]
    name: Option<String>,
    /// Workspace that the farm comes into, which need not be there [default: the one around here, or the current folder]
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    to: Option<PathBuf>,
    /// Ebuild repository that says which packages have another name today (can be repeated)
    #[arg(long = "repo", value_name = "DIR", value_hint = ValueHint::DirPath)]
    repositories: Vec<PathBuf>,
    /// Print the manifest and the report; write nothing
    #[arg(short = 'n', long)]
    dry_run: bool,
}

impl ImportArgs {
    fn parts(&self) -> (ImportKind, &FromArgs) {
        match &self.from {
            ImportFrom::HepSoft(args) => (ImportKind::HepSoft, args),
            ImportFrom::Gentoomuch(args) => (ImportKind::Gentoomuch, args),
        }
    }

    /// Whether files are written.
    pub(crate) fn writes(&self) -> bool {
        !self.parts().1.dry_run
    }
}

/// Takes a folder over; prints what could not be taken over as it was, and in a dry run the manifests before it.
pub(crate) fn run(app: &App, args: &ImportArgs, results: &mut Results) -> Result<Status, CliError> {
    let (kind, args) = args.parts();
    let options = ImportOptions {
        kind,
        source: args.source.clone(),
        name: args.name.clone(),
        to: args.to.clone(),
        repositories: args.repositories.clone(),
        dry_run: args.dry_run,
    };
    let imported = domain::import(&app.setup(ExecutorChoice::Auto)?, &options)?;
    if args.dry_run {
        for (path, text) in &imported.manifests {
            results.line(&format!("# {path}"));
            results.line(text);
        }
    }
    results.bytes(imported.report.to_string().as_bytes());
    results.flush();
    app.say(&ending(&imported, args.dry_run));
    if imported.mistakes.is_empty() {
        return Ok(Status::Done);
    }
    for error in imported.mistakes {
        app.say(&CliError::from(error).lines(app.environment.paint));
    }
    Ok(Status::Failed)
}

/// What was done, and what comes next.
fn ending(imported: &ImportedFarms, dry_run: bool) -> Vec<String> {
    let farms: Vec<&str> = imported.manifests.iter().map(|(path, _)| path.as_str()).collect();
    let verb = if dry_run { "would write" } else { "wrote" };
    let mut lines = vec![format!(
        "{verb} {} and {} other files in {}; the report has {} lines",
        farms.join(", "),
        imported.files - farms.len(),
        imported.workspace.display(),
        imported.report.sorted().len()
    )];
    if !dry_run && imported.mistakes.is_empty() {
        lines.push("next: read the report, then `farm plan`".to_owned());
    }
    lines
}
