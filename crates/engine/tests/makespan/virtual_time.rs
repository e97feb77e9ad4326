//! A clock that goes on by itself when everything that runs waits for it.
//!
//! An action waits until the clock shows its end. The clock may only go on when the scheduler has nothing left to start, and
//! the scheduler does not say when that is so. But it reads what workers tell it only then: so every action tells it
//! something when it begins, and one of them again whenever another action is finished. Once such a message has come back
//! from the scheduler as an event, everything that could start has started. Actions end one at a time, the earliest first.

use std::collections::BTreeMap;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use farm_engine::{Clock, Event, EventSink, Run};

/// What a waiting action is to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Order {
    Wait,
    /// Tell the scheduler something, and go on waiting.
    Tell,
    End,
}

/// When an action ends, and its name.
type Ending = (u64, String);

#[derive(Debug, Default)]
struct State {
    now_ms: u64,
    /// Actions that the scheduler has started and not yet seen the end of.
    in_flight: usize,
    waiting: BTreeMap<Ending, (Order, Arc<Condvar>)>,
    /// Whether an action was let go whose end the scheduler has not yet seen.
    ending: bool,
}

impl State {
    /// Gives an order to the action that ends first, if there is one.
    fn order(&mut self, order: Order) {
        if let Some((given, wake)) = self.waiting.values_mut().next() {
            *given = order;
            wake.notify_one();
        }
    }
}

/// Clock, sink of events, and what actions wait for.
#[derive(Debug, Default)]
pub(crate) struct VirtualTime(Mutex<State>);

impl VirtualTime {
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns when the clock shows `ms` more than now.
    pub(crate) fn wait(&self, node: &str, ms: u64, run: &Run<'_>) {
        let wake = Arc::new(Condvar::new());
        let mut state = self.state();
        let ending = (state.now_ms + ms, node.to_owned());
        state.waiting.insert(ending.clone(), (Order::Tell, Arc::clone(&wake)));
        while let Some((order, _)) = state.waiting.get_mut(&ending) {
            match order {
                Order::Wait => state = wake.wait(state).unwrap_or_else(PoisonError::into_inner),
                Order::Tell => {
                    *order = Order::Wait;
                    (run.events)(Event::NodeProgress {
                        name: node.to_owned(),
                        message: String::new(),
                    });
                }
                Order::End => {
                    state.waiting.remove(&ending);
                    state.now_ms = ending.0;
                }
            }
        }
    }
}

impl Clock for VirtualTime {
    fn now_ms(&self) -> u64 {
        self.state().now_ms
    }
}

impl EventSink for VirtualTime {
    fn event(&self, event: &Event) {
        let mut state = self.state();
        match event {
            Event::NodeStarted { .. } => state.in_flight += 1,
            Event::NodeFinished { .. } => {
                state.in_flight -= 1;
                state.ending = false;
                state.order(Order::Tell);
            }
            Event::NodeProgress { .. } if !state.ending && state.waiting.len() == state.in_flight => {
                state.ending = true;
                state.order(Order::End);
            }
            _ => {}
        }
    }
}
