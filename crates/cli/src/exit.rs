//! What the exit status says. The numbers are fixed: scripts and continuous integration rely on them.

use farm_engine::FailureKind;

/// A signal that asks to stop.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Signal {
    /// Ctrl-C.
    Interrupt,
    /// `kill`, or the end of a job.
    Terminate,
}

/// How a command ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Status {
    /// What was asked for is done.
    Done,
    /// A node failed, a check found faults, or an output could not be reproduced.
    Failed,
    /// The arguments or the manifest are wrong, or a name is unknown.
    Usage,
    /// The machine: no executor, nothing to be fetched, a lock, a full disk, the state of a newer farm.
    Environment,
    /// A bug of farm's.
    Bug,
    /// It was asked to stop, and did.
    Stopped(Signal),
}

impl Status {
    /// The number the process ends with.
    pub(crate) fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Usage => 2,
            Self::Environment => 3,
            Self::Bug => 70,
            // 128 and the signal's number, as shells have it.
            Self::Stopped(Signal::Interrupt) => 130,
            Self::Stopped(Signal::Terminate) => 143,
        }
    }
}

impl From<FailureKind> for Status {
    fn from(kind: FailureKind) -> Self {
        match kind {
            FailureKind::Step => Self::Failed,
            FailureKind::Input => Self::Usage,
            FailureKind::Environment => Self::Environment,
            FailureKind::Bug => Self::Bug,
        }
    }
}

/// The status of a run in which several things may have gone wrong.
///
/// A run that was stopped says so, whatever else failed: it is not complete. Else a bug comes first, because nothing else it
/// says can be trusted; then a step, because it needs somebody to look; then the input; and the environment last, because
/// a script may just try again.
pub(crate) fn exit_code(
    failures: impl IntoIterator<Item = FailureKind>,
    not_reproducible: bool,
    stopped: Option<Signal>,
) -> Status {
    let rank = |status: &Status| match status {
        Status::Stopped(_) => 5,
        Status::Bug => 4,
        Status::Failed => 3,
        Status::Usage => 2,
        Status::Environment => 1,
        Status::Done => 0,
    };
    failures
        .into_iter()
        .map(Status::from)
        .chain(not_reproducible.then_some(Status::Failed))
        .chain(stopped.map(Status::Stopped))
        .max_by_key(rank)
        .unwrap_or(Status::Done)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn worst_first() {
        use FailureKind::{Bug, Environment, Input, Step};
        let table: [(&[FailureKind], bool, Option<Signal>, u8); 14] = [
            (&[], false, None, 0),
            (&[Step], false, None, 1),
            (&[], true, None, 1),
            (&[Input], false, None, 2),
            (&[Environment], false, None, 3),
            (&[Bug], false, None, 70),
            (&[Environment, Step], false, None, 1),
            (&[Input, Step, Environment], false, None, 1),
            (&[Environment, Input], false, None, 2),
            (&[Step, Bug, Input], false, None, 70),
            (&[Environment], true, None, 1),
            (&[], false, Some(Signal::Interrupt), 130),
            (&[Step], true, Some(Signal::Interrupt), 130),
            (&[Bug], false, Some(Signal::Terminate), 143),
        ];
        for (failures, not_reproducible, stopped, code) in table {
            let status = exit_code(failures.iter().copied(), not_reproducible, stopped);
            assert_eq!(status.code(), code, "{failures:?} {not_reproducible} {stopped:?}");
        }
    }
}
