//! What the program hands to every command: where it was started, and what it may see of the user's environment.

use std::collections::BTreeMap;
use std::path::PathBuf;

use farm_executor::CancelToken;
use farm_signing::{Gpg, KeySource};

use super::outer_jobs::OuterJobs;
use crate::context::Connect;
use crate::git::GitEnvironment;

/// What a command is given by the program.
pub struct Setup {
    /// `-C`.
    pub workspace: Option<PathBuf>,
    /// Where the program was started.
    pub current_dir: PathBuf,
    /// The `FARM_*` variables, by full name.
    pub environment: BTreeMap<String, String>,
    /// Room for big temporary files.
    pub scratch: PathBuf,
    /// Makes the connection to an executor. Taken by the first command that is run.
    pub connect: std::sync::Arc<Connect>,
    /// The program itself: another one may find another thing.
    pub program: Option<PathBuf>,
    /// Stops running actions.
    pub cancel: CancelToken,
    /// The job server of whoever started the program.
    pub outer_jobs: std::sync::Arc<OuterJobs>,
    /// The command line, for whoever finds the workspace locked.
    pub holder: String,
    /// The command line after the program's name, for the record of the run.
    pub arguments: Vec<String>,
    /// What makes keys and checks signatures.
    pub gpg: Gpg,
    /// Where the keys are that sign packages.
    pub keys: KeySource,
    /// What remotes that are published to may see of the user's environment.
    pub remotes: farm_remote::Access,
    /// What of the user's environment farm must know to call git.
    pub git: GitEnvironment,
}
