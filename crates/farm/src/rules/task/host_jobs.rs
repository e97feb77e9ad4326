//! The job tokens of a task on the host: a FIFO of its own, named in `MAKEFLAGS`.

use std::os::fd::{AsRawFd, OwnedFd};
use std::process::{Command, Stdio};
use std::sync::{Arc, OnceLock};

use farm_engine::Run;
use farm_job_tokens::{Fifo, Make, makeflags};

use super::host::PATH;
use crate::action::TaskData;
use crate::context::Context;

/// An offer of tokens to one task. The programs of a task that ended may not use it any more, nor do they keep what they took.
pub(super) struct Jobs {
    makeflags: String,
    /// For makes that must inherit it. Closed when the task has ended.
    _inherited: Option<OwnedFd>,
}

impl Jobs {
    /// Has tokens lent to the programs of a task. `None` if it has a `MAKEFLAGS` of its own, if the host's make is a stranger,
    /// or if there can be no FIFO: then the task has the one job that every action has.
    pub(super) fn offer(context: &Context, run: &Run<'_>, task: &TaskData) -> Option<Self> {
        if task.env.contains_key("MAKEFLAGS") {
            return None;
        }
        let make = make();
        if make == Make::Foreign {
            return None;
        }
        let fifo = Fifo::create(&context.new_fifo_path().ok()?).ok()?;
        let inherited = match make {
            Make::Descriptors => Some(fifo.open_to_inherit().ok()?),
            Make::Modern | Make::Foreign => None,
        };
        let descriptor = inherited.as_ref().map(AsRawFd::as_raw_fd);
        let makeflags = makeflags(fifo.path(), descriptor);
        (run.tokens)(Arc::new(fifo));
        Some(Self {
            makeflags,
            _inherited: inherited,
        })
    }

    /// What the task's programs find the tokens by. No part of any key, as the number of jobs is none.
    pub(super) fn makeflags(&self) -> &str {
        &self.makeflags
    }
}

/// The make that tasks find, which does not change while farm runs.
fn make() -> Make {
    static FOUND: OnceLock<Make> = OnceLock::new();
    let ask = || {
        let said = Command::new("make")
            .arg("--version")
            .env_clear()
            .env("PATH", PATH)
            .stdin(Stdio::null())
            .stderr(Stdio::null())
            .output();
        match said {
            Ok(said) => Make::from_version(&String::from_utf8_lossy(&said.stdout)),
            // There is none.
            Err(_) => Make::Modern,
        }
    };
    *FOUND.get_or_init(ask)
}
