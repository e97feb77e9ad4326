//! Moves tokens as the [`Ledger`] says.

use std::collections::BTreeMap;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};

use super::Options;
use super::ledger::Ledger;
use super::worker::Message;
use crate::graph::NodeId;
use crate::tokens::{TokenLine, TokenSource, Wake};

/// How often lines are looked at: whoever has taken up all tokens is lent more at the next look.
const LOOK_MS: u64 = 50;

/// Lines of running actions that the dispatcher has not seen yet. It is not woken for them: no line is lent anything before the
/// next look, and an action that ends before that was short.
#[derive(Default)]
pub(super) struct Offers(Mutex<Vec<(NodeId, Arc<dyn TokenLine>)>>);

impl Offers {
    /// A running action can be lent tokens. To be said before its end is.
    pub(super) fn add(&self, node: NodeId, line: Arc<dyn TokenLine>) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push((node, line));
    }

    fn take(&self) -> Vec<(NodeId, Arc<dyn TokenLine>)> {
        std::mem::take(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// The tokens of a run, and the ways they take.
pub(super) struct Tokens {
    ledger: Ledger<NodeId>,
    offers: Arc<Offers>,
    lines: BTreeMap<NodeId, Arc<dyn TokenLine>>,
    source: Option<Arc<dyn TokenSource>>,
    wake: Option<Wake>,
    looked_ms: u64,
}

impl Tokens {
    pub(super) fn new(options: &Options) -> Self {
        let ledger = match options.tokens {
            None => Ledger::own(options.jobs),
            Some(_) => Ledger::guest(options.jobs),
        };
        Self {
            ledger,
            offers: Arc::default(),
            lines: BTreeMap::new(),
            source: options.tokens.clone(),
            wake: None,
            looked_ms: 0,
        }
    }

    /// News of tokens go to this inbox from now on.
    pub(super) fn open(&mut self, inbox: &Sender<Message>) {
        let inbox = inbox.clone();
        let wake: Wake = Arc::new(move || {
            // Once the run is over nobody wants to hear of tokens.
            let _ = inbox.send(Message::Tokens);
        });
        if let Some(source) = &self.source {
            source.open(Arc::clone(&wake));
        }
        self.wake = Some(wake);
    }

    /// Whether an action could start.
    pub(super) fn any(&self) -> bool {
        self.ledger.any()
    }

    /// Takes the token of an action that starts.
    pub(super) fn start(&mut self) {
        self.ledger.start();
    }

    /// See [`Ledger::share`].
    pub(super) fn share(&self, ready: usize) -> usize {
        self.ledger.share(ready)
    }

    /// Where running actions say that they can be lent tokens.
    pub(super) fn offers(&self) -> Arc<Offers> {
        Arc::clone(&self.offers)
    }

    /// Opens the lines that are new.
    fn take_offers(&mut self) {
        for (node, line) in self.offers.take() {
            if let Some(wake) = &self.wake {
                line.open(Arc::clone(wake));
            }
            self.ledger.open(node);
            self.lines.insert(node, line);
        }
    }

    /// An action has ended.
    pub(super) fn end(&mut self, node: NodeId) {
        // Its line may be among them, and must not be opened later.
        self.take_offers();
        self.lines.remove(&node);
        self.ledger.end(node);
    }

    /// Takes in what came back or arrived, and looks at the lines if it is time to.
    pub(super) fn fetch(&mut self, now_ms: u64) {
        self.take_offers();
        if let Some(source) = &self.source {
            self.ledger.arrived(source.take_arrived());
        }
        let looks = now_ms.abs_diff(self.looked_ms) >= LOOK_MS;
        if looks {
            self.looked_ms = now_ms;
        }
        for (node, line) in &self.lines {
            self.ledger.returned(*node, line.take_returned());
            if looks {
                self.ledger.look(*node, line.unused());
            }
        }
    }

    /// Sends tokens where they should be, while so many nodes would start if they had one.
    pub(super) fn settle(&mut self, waiting: usize) {
        let moves = self.ledger.moves(waiting);
        for (node, count) in moves.lend {
            if let Some(line) = self.lines.get(&node) {
                line.lend(count);
            }
        }
        for (node, count) in moves.want_back {
            if let Some(line) = self.lines.get(&node) {
                line.want_back(count);
            }
        }
        if let Some(source) = &self.source {
            source.want(moves.want);
            source.give_back(moves.give_back);
        }
    }
}

/// A guest goes as it came: with the one token that is its own.
impl Drop for Tokens {
    fn drop(&mut self) {
        if let Some(source) = &self.source {
            source.want(0);
            self.ledger.arrived(source.take_arrived());
        }
        self.settle(0);
    }
}
