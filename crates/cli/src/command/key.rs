//! `farm key`.

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand, ValueHint};

use crate::args::ExecutorChoice;
use crate::domain::{self, KeyOptions, MadeKey};
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// The arguments of `farm key`.
#[derive(Debug, Args)]
pub(crate) struct KeyArgs {
    #[command(subcommand)]
    command: KeyCommand,
}

/// What to do with keys.
#[derive(Debug, Subcommand)]
enum KeyCommand {
    /// Make a key, and say what the manifest and the clients need of it
    New(NewArgs),
}

/// The arguments of `farm key new`.
#[derive(Debug, Args)]
struct NewArgs {
    /// Whose key it is: a name, perhaps with `<MAIL>` behind it
    #[arg(default_value = "farm binary packages", value_name = "NAME")]
    name: String,
    /// Folder of the key ring; by default GnuPG's own: GNUPGHOME, or ~/.gnupg
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    home: Option<PathBuf>,
    /// File for the public key [default: binhost-KEYID.asc in the current folder]
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    public: Option<PathBuf>,
    /// Make a key that whoever can read the key ring can sign with, as a job at night must
    #[arg(long)]
    no_passphrase: bool,
}

/// Carries out one of them.
pub(crate) fn run(app: &App, args: &KeyArgs, results: &mut Results) -> Result<Status, CliError> {
    match &args.command {
        KeyCommand::New(args) => new(app, args, results),
    }
}

/// Makes a key; prints what is to be done with it.
fn new(app: &App, args: &NewArgs, results: &mut Results) -> Result<Status, CliError> {
    let options = KeyOptions {
        name: args.name.clone(),
        home: args.home.clone(),
        public: args.public.clone(),
        passphrase: !args.no_passphrase,
    };
    let made = domain::new_key(&app.setup(ExecutorChoice::Auto)?, &options)?;
    for line in steps(&made, args.home.as_deref()) {
        results.line(&line);
    }
    Ok(Status::Done)
}

/// What is to be done, with explanations as comments, so that each part can be copied to where it belongs.
fn steps(made: &MadeKey, home: Option<&Path>) -> Vec<String> {
    let mut lines = vec![
        "# In the manifest, under publish: pkgs:".to_owned(),
        format!("sign: {}", made.fingerprint),
    ];
    if let Some(home) = home {
        lines.push(format!("# farm finds it with: GNUPGHOME={}", home.display()));
    }
    lines.push(String::new());
    lines.push(format!("# The public key is in {}", made.public.display()));
    lines.push("# On every client, as root, where that file is:".to_owned());
    lines.extend(made.client_commands());
    lines.push(String::new());
    lines.extend(
        [
            "# In /etc/portage/binrepos.conf/farm.conf of every client:",
            "[farm]",
            "priority = 1",
            "sync-uri = http://binhost.example.org/FLAVOUR",
            "verify-signature = true",
            "",
            "# The key can be used for two years. This makes it last two years from the day it is given:",
        ]
        .map(str::to_owned),
    );
    lines.push(format!("# gpg --quick-set-expire {} 2y", made.fingerprint));
    lines.push("# Then give clients the public key again: gpg --armor --export, and import it as above.".to_owned());
    lines
}
