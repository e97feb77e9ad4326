//! `farm doctor`.

use std::os::unix::fs::PermissionsExt as _;
use std::path::PathBuf;

use crate::args::ExecutorArgs;
use crate::error::CliError;
use crate::exit::Status;
use crate::invocation::App;
use crate::output::Results;

/// A program that farm calls, the Debian package that has it, and what needs it.
struct Tool {
    program: &'static str,
    package: &'static str,
    purpose: &'static str,
}

const TOOLS: [Tool; 4] = [
    Tool {
        program: "mmdebstrap",
        package: "mmdebstrap",
        purpose: "bases with `hosted: debian`",
    },
    Tool {
        program: "git",
        package: "git",
        purpose: "repositories with `git:`",
    },
    Tool {
        program: "gpg",
        package: "gnupg",
        purpose: "`sign:` without FARM_SIGNING_KEY_FILE, `farm key new`, `farm binhost check`",
    },
    Tool {
        program: "dot",
        package: "graphviz",
        purpose: "`farm graph --format svg`",
    },
];

/// Prints what is there and what is missing. A missing tool is told of but no failure, as not every farm needs it; without an
/// executor or room for scratch nothing can be built.
pub(crate) fn run(app: &App, args: &ExecutorArgs, results: &mut Results) -> Result<Status, CliError> {
    let mut status = Status::Done;
    let mut missing = Vec::new();
    match app
        .setup(args.executor)
        .map(|setup| (setup.connect)(&std::collections::BTreeMap::new()))?
    {
        Ok(executor) => results.line(&format!("executor    {}", executor.name())),
        Err(error) => {
            status = Status::Environment;
            results.line(&format!("executor    none: {error}"));
        }
    }
    let scratch = &app.environment.scratch;
    let writable = rustix::fs::access(scratch, rustix::fs::Access::WRITE_OK | rustix::fs::Access::EXEC_OK);
    match writable {
        Ok(()) => results.line(&format!("scratch     {}", scratch.display())),
        Err(error) => {
            status = Status::Environment;
            results.line(&format!("scratch     {}: {error}", scratch.display()));
        }
    }
    for tool in &TOOLS {
        match find(&app.environment.path, tool.program) {
            Some(path) => results.line(&format!("{:<10}  {}", tool.program, path.display())),
            None => {
                missing.push(tool.package);
                results.line(&format!("{:<10}  not found; needed for {}", tool.program, tool.purpose));
            }
        }
    }
    results.flush();
    if status != Status::Done {
        app.say(&["nothing can be built as it is: see above".to_owned()]);
    }
    if !missing.is_empty() {
        app.say(&[format!("if you need them: apt-get install {}", missing.join(" "))]);
    }
    Ok(status)
}

fn find(path: &[PathBuf], program: &str) -> Option<PathBuf> {
    path.iter().map(|folder| folder.join(program)).find(|file| {
        fs_err::metadata(file).is_ok_and(|metadata| metadata.is_file() && metadata.permissions().mode() & 0o111 != 0)
    })
}
