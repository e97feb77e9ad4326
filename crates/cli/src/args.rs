//! The grammar of the command line. Doc comments are the help.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::command::binhost::BinhostArgs;
use crate::command::completions::CompletionsArgs;
use crate::command::debug::DebugArgs;
use crate::command::distfiles::DistfilesArgs;
use crate::command::gc::GcArgs;
use crate::command::graph::GraphArgs;
use crate::command::import::ImportArgs;
use crate::command::key::KeyArgs;
use crate::command::log::LogArgs;
use crate::command::man::ManArgs;
use crate::command::patch::PatchArgs;
use crate::command::plan::PlanArgs;
use crate::command::publish_pkgs::PublishPkgsArgs;
use crate::command::serve::ServeArgs;
use crate::command::targets::TargetsArgs;
use crate::command::update::UpdateArgs;
use crate::command::why::WhyArgs;

/// Build Gentoo packages, binhosts and images from one manifest, and only what changed
#[derive(Debug, Parser)]
#[command(name = "farm", version, after_help = AFTER_HELP)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: GlobalArgs,
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER_HELP: &str = "\
Environment:
  FARM_NAME                     A value for the variable NAME of a manifest
  FARM_SCRATCH                  Folder for big temporary files; by default TMPDIR, or /tmp
  FARM_SIGNING_KEY_FILE         File with the secret key that signs, in place of GnuPG's key ring
  FARM_SIGNING_PASSPHRASE_FILE  File with its passphrase in the first line

Exit status:
  0         Done
  1         A node failed, a check found faults, or an output was not reproducible
  2         Wrong arguments or manifest, or an unknown name
  3         The environment: no executor, a source out of reach, a lock, a full disk
  70        A bug of farm's
  130, 143  Stopped by a signal";

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct GlobalArgs {
    /// Folder that holds `farms/`; by default the nearest one from here upwards
    #[arg(short = 'C', long, global = true, value_name = "DIR", value_hint = clap::ValueHint::DirPath)]
    pub(crate) workspace: Option<PathBuf>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Build targets, and whatever they need
    Build(RunArgs),
    /// Build what is missing, then sign and publish the binary packages
    PublishPkgs(PublishPkgsArgs),
    /// Build what is missing, then push the images to their registry
    PublishImage(RunArgs),
    /// Show the merge list as emerge prints it
    Plan(PlanArgs),
    /// Edit the source of a package, and keep the change as a patch
    Patch(PatchArgs),
    /// Move the lock file to what names stand for today, and show the plan
    Update(UpdateArgs),
    /// Look at what was published, name it, go back to it, check it
    Binhost(BinhostArgs),
    /// Make a key that signs packages
    Key(KeyArgs),
    /// Take source files to a site without a network
    Distfiles(DistfilesArgs),
    /// Make a farm of a HEP-Soft or Gentoomuch folder
    Import(ImportArgs),
    /// List what can be built
    Targets(TargetsArgs),
    /// Say which input makes a node run, from what to what
    Why(WhyArgs),
    /// Draw the graph of nodes
    Graph(GraphArgs),
    /// Print the log of a node, or what happened in a run
    Log(LogArgs),
    /// Hand out binhosts over HTTP
    Serve(ServeArgs),
    /// Remove what farm made here: containers, images, and the workspace's state
    Clean(ExecutorArgs),
    /// Remove what no recent build needs from the workspace's state
    Gc(GcArgs),
    /// Check what farm needs of this machine
    Doctor(ExecutorArgs),
    /// Look inside: what was recorded of nodes and runs
    Debug(DebugArgs),
    /// Print the JSON Schema of a manifest, for editors
    Schema,
    /// Print the completions of a shell
    Completions(CompletionsArgs),
    /// Print a manual page
    Man(ManArgs),
}

/// What to work on.
#[derive(Debug, Clone, Args)]
pub(crate) struct WordArgs {
    /// A farm, a target, or a variable of the manifest (can be repeated)
    #[arg(value_name = "FARM[:TARGET] | TARGET | KEY=VALUE")]
    pub(crate) words: Vec<String>,
}

/// Who carries out actions.
#[derive(Debug, Clone, Args)]
pub(crate) struct ExecutorArgs {
    /// Who carries out actions
    #[arg(long, value_enum, default_value_t = ExecutorChoice::Auto, value_name = "EXECUTOR")]
    pub(crate) executor: ExecutorChoice,
}

/// An executor by name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(crate) enum ExecutorChoice {
    /// Docker or Podman, whichever answers
    Auto,
    /// Docker
    Docker,
    /// Namespaces, without a daemon (not yet)
    Sandbox,
}

/// What every command that builds takes.
#[derive(Debug, Clone, Args)]
pub(crate) struct RunArgs {
    #[command(flatten)]
    pub(crate) words: WordArgs,
    /// Number of jobs at once, over all nodes and what they start [default: one a processor, or those of the
    /// make that starts farm]
    #[arg(short, long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..))]
    pub(crate) jobs: Option<u16>,
    /// Go on with whatever does not depend on a failure
    #[arg(short, long)]
    pub(crate) keep_going: bool,
    /// Show what would run, and why; build, fetch and publish nothing
    #[arg(short = 'n', long)]
    pub(crate) dry_run: bool,
    /// In a dry run, make no plans either
    #[arg(long, requires = "dry_run")]
    pub(crate) no_plan: bool,
    /// Say of every node that runs which inputs changed, from what to what
    #[arg(long)]
    pub(crate) explain: bool,
    /// Build a node again and compare what it makes with what it made before, which stays; without targets, do only that
    /// (can be repeated)
    #[arg(long, value_name = "NODE")]
    pub(crate) rebuild: Vec<String>,
    /// Print JSON: one event a line, or one object in a dry run
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) executor: ExecutorArgs,
}

#[cfg(test)]
mod tests {
    use clap::CommandFactory as _;

    use super::*;

    #[test]
    fn the_grammar_holds_together() {
        Cli::command().debug_assert();
    }

    #[test]
    fn help_keeps_to_the_style() {
        for command in Cli::command().get_subcommands() {
            let about = command.get_about().map(ToString::to_string).unwrap_or_default();
            assert!(
                about.starts_with(char::is_uppercase) && !about.ends_with('.'),
                "{}: {about}",
                command.get_name()
            );
            for argument in command
                .get_arguments()
                .filter(|argument| argument.get_long() != Some("help"))
            {
                let help = argument.get_help().map(ToString::to_string).unwrap_or_default();
                assert!(
                    !help.is_empty() && !help.ends_with('.'),
                    "{} {}: {help}",
                    command.get_name(),
                    argument.get_id()
                );
            }
        }
    }
}
