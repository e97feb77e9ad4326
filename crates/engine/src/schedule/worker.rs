//! Worker threads: they run actions and report, and hold no state of the run.

use std::sync::mpsc::{Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};

use crate::driver::{Clock, Driver, Failure, FailureKind, Run};
use crate::event::Event;
use crate::graph::NodeId;
use crate::guard::{Guard, Output};
use crate::node::NodeSpec;
use crate::reason::Reason;

/// An action to be run.
pub(super) struct Job<A> {
    pub(super) node: NodeId,
    pub(super) spec: Arc<NodeSpec<A>>,
    pub(super) dependencies: Vec<Option<Guard>>,
    pub(super) jobs: usize,
    pub(super) reason: Reason,
}

/// What workers tell the dispatcher.
pub(super) enum Message {
    Event(Event),
    Finished(Finished),
}

/// An action that ended.
pub(super) struct Finished {
    pub(super) node: NodeId,
    pub(super) jobs: usize,
    pub(super) outcome: Result<Vec<Output>, Failure>,
    pub(super) started_ms: u64,
    pub(super) ms: u64,
}

/// Runs jobs until there are no more.
pub(super) fn work<D: Driver>(
    driver: &D,
    clock: &dyn Clock,
    jobs: &Mutex<Receiver<Job<D::Action>>>,
    messages: &Sender<Message>,
) {
    loop {
        // The lock is held while waiting: whoever holds it takes the next job, the others wait for the lock.
        let next = jobs.lock().unwrap_or_else(PoisonError::into_inner).recv();
        let Ok(job) = next else { return };
        let started_ms = clock.now_ms();
        let events = |event| {
            // The dispatcher is only gone when nobody wants events any more.
            let _ = messages.send(Message::Event(event));
        };
        let run = Run {
            dependencies: job.dependencies,
            jobs: job.jobs,
            reason: job.reason,
            events: &events,
        };
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| driver.run(&job.spec, &run)))
            .unwrap_or_else(|panic| Err(Failure::new(FailureKind::Bug, panic_message(&*panic))));
        let finished = Finished {
            node: job.node,
            jobs: job.jobs,
            outcome,
            started_ms,
            ms: clock.now_ms().saturating_sub(started_ms),
        };
        if messages.send(Message::Finished(finished)).is_err() {
            return;
        }
    }
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("the action panicked: {text}")
}
