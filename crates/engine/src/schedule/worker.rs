//! Worker threads: they run actions and report, and hold no state of the run.

use std::collections::{BTreeSet, VecDeque};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use super::lending::Offers;
use crate::driver::{Clock, Difference, Driver, Failure, FailureKind, Presence, Run};
use crate::event::Event;
use crate::graph::NodeId;
use crate::guard::{Guard, Output};
use crate::node::NodeSpec;
use crate::reason::Reason;

/// An action to be run.
pub(super) struct Job<A> {
    pub(super) node: NodeId,
    pub(super) spec: Arc<NodeSpec<A>>,
    pub(super) dependencies: Vec<Option<Arc<Guard>>>,
    pub(super) jobs: usize,
    pub(super) reason: Reason,
    /// What to compare with.
    pub(super) former: Option<Arc<Guard>>,
}

/// What an action made.
pub(super) struct Made {
    pub(super) outputs: Vec<Output>,
    /// In what they differ from those recorded; `None` when there was nothing to compare with.
    pub(super) differences: Option<Vec<Difference>>,
}

/// Jobs that wait for a worker. One worker wakes for each: that costs a short task much.
pub(super) struct Jobs<A> {
    waiting: Mutex<Waiting<A>>,
    more: Condvar,
}

struct Waiting<A> {
    jobs: VecDeque<Job<A>>,
    closed: bool,
}

impl<A> Default for Jobs<A> {
    fn default() -> Self {
        let waiting = Waiting {
            jobs: VecDeque::new(),
            closed: false,
        };
        Self {
            waiting: Mutex::new(waiting),
            more: Condvar::new(),
        }
    }
}

impl<A> Jobs<A> {
    pub(super) fn push(&self, job: Job<A>) {
        self.waiting().jobs.push_back(job);
        self.more.notify_one();
    }

    /// No more jobs come, once what is returned is dropped, however that comes about: workers end.
    pub(super) fn closing(&self) -> Closing<'_, A> {
        Closing(self)
    }

    /// Waits for a job; `None` if no more come.
    fn next(&self) -> Option<Job<A>> {
        let idle = |waiting: &mut Waiting<A>| waiting.jobs.is_empty() && !waiting.closed;
        let waited = self.more.wait_while(self.waiting(), idle);
        waited.unwrap_or_else(PoisonError::into_inner).jobs.pop_front()
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting<A>> {
        // Every change is one call, so that a panic leaves nothing half-made.
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// See [`Jobs::closing`].
pub(super) struct Closing<'a, A>(&'a Jobs<A>);

impl<A> Drop for Closing<'_, A> {
    fn drop(&mut self) {
        self.0.waiting().closed = true;
        self.0.more.notify_all();
    }
}

/// What workers tell the dispatcher.
pub(super) enum Message {
    Event(Event),
    /// There are tokens to fetch.
    Tokens,
    Finished(Finished),
}

/// An action that ended.
pub(super) struct Finished {
    pub(super) node: NodeId,
    pub(super) outcome: Result<Made, Failure>,
    pub(super) started_ms: u64,
    pub(super) ms: u64,
}

/// Runs jobs until there are no more.
pub(super) fn work<D: Driver>(
    driver: &D,
    clock: &dyn Clock,
    jobs: &Jobs<D::Action>,
    offers: &Offers,
    messages: &Sender<Message>,
) {
    while let Some(job) = jobs.next() {
        let started_ms = clock.now_ms();
        let events = |event| {
            // The dispatcher is only gone when nobody wants events any more.
            let _ = messages.send(Message::Event(event));
        };
        let tokens = |line| offers.add(job.node, line);
        let run = Run {
            dependencies: job.dependencies,
            jobs: job.jobs,
            reason: job.reason,
            events: &events,
            tokens: &tokens,
        };
        let outcome = caught(|| driver.run(&job.spec, &run));
        let ms = clock.now_ms().saturating_sub(started_ms);
        let outcome = match &job.former {
            Some(former) => caught(|| compare(driver, &job.spec, former, outcome)),
            None => outcome.map(|outputs| Made {
                outputs,
                differences: None,
            }),
        };
        let finished = Finished {
            node: job.node,
            outcome,
            started_ms,
            ms,
        };
        if messages.send(Message::Finished(finished)).is_err() {
            return;
        }
    }
}

/// Compares what a node made with what is recorded of it, which is then brought back: also when the action failed, as it may
/// have replaced it by then.
fn compare<D: Driver>(
    driver: &D,
    spec: &NodeSpec<D::Action>,
    former: &Guard,
    outcome: Result<Vec<Output>, Failure>,
) -> Result<Made, Failure> {
    let compared = outcome.map(|outputs| {
        let differing = differing_roles(&former.outputs, &outputs);
        let mut differences = Vec::new();
        if !differing.is_empty() {
            differences = driver.differences(spec, former, &outputs);
        }
        if differences.is_empty() {
            differences.extend(differing.into_iter().map(|role| Difference::new(role, "content")));
        }
        Made {
            outputs,
            differences: Some(differences),
        }
    });
    match (compared, driver.presence(spec, former)) {
        (Ok(_), Presence::Lost(what)) => {
            let message = format!("it was compared, and what was there before cannot stay: {what}");
            Err(Failure::new(FailureKind::Environment, message).hint("run it again: it is made anew"))
        }
        (compared, _) => compared,
    }
}

/// The roles whose digests are not the same in both, or that only one has.
fn differing_roles(former: &[Output], now: &[Output]) -> BTreeSet<String> {
    let differs_from = |others: &[Output], output: &Output| {
        let other = others.iter().find(|other| other.role == output.role);
        other.is_none_or(|other| other.digest != output.digest)
    };
    let gone = former.iter().filter(|output| differs_from(now, output));
    let new = now.iter().filter(|output| differs_from(former, output));
    gone.chain(new).map(|output| output.role.clone()).collect()
}

/// A panic of the driver's is a failure of the node, and no end of the run.
fn caught<T>(action: impl FnOnce() -> Result<T, Failure>) -> Result<T, Failure> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(action))
        .unwrap_or_else(|panic| Err(Failure::new(FailureKind::Bug, panic_message(&*panic))))
}

fn panic_message(panic: &(dyn std::any::Any + Send)) -> String {
    let text = panic
        .downcast_ref::<String>()
        .map(String::as_str)
        .or_else(|| panic.downcast_ref::<&str>().copied())
        .unwrap_or("no message");
    format!("the action panicked: {text}")
}
