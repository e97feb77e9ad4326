//! Where the job tokens are, and where they should go: the policy, without anything that moves them.
//!
//! * Every token the run has is in hand, held by a running action, or in the line of one: [`Ledger::is_balanced`].
//! * A ready node comes first: as long as one waits, nothing is lent, and every line is asked for what nobody took up.
//! * What no ready node needs is lent, in equal parts, to the lines whose clients have taken up all they were lent: nobody can
//!   see whether they wait for more. A line that leaves a token unused is not offered another, and has to let it go when
//!   another line has none left. After that it is left alone for a while, which doubles each time: tokens would else go round
//!   in circles between lines that nobody uses.
//! * A guest of another pool does not sit on tokens: what nobody uses goes back to their owner.

use std::collections::BTreeMap;

/// The longest that a line is left alone after it gave tokens back unused, in looks.
const LONGEST_REST: u32 = 16;

/// The tokens of one run, over the actions `Id`.
#[derive(Debug)]
pub(super) struct Ledger<Id> {
    /// Never more than this.
    bound: usize,
    /// Tokens the run has; all, unless it is a guest.
    owned: usize,
    /// Tokens of the pool it is a guest of; `false` if it has its own.
    guest: bool,
    in_hand: usize,
    /// Running actions, with one token each.
    running: usize,
    lines: BTreeMap<Id, Line>,
}

/// What is known of the line of one action.
#[derive(Debug, Default)]
struct Line {
    lent: usize,
    /// How many of them nobody has taken up, at the last look or since.
    unused: usize,
    /// How many it had left when it last gave some back unused: no more than this were of use.
    enough: usize,
    /// How many it was asked for.
    asked: usize,
    /// Looks in a row at which there were unused ones.
    idle: u32,
    /// Looks until it is offered tokens again.
    rest: u32,
    /// How long it was left alone last time.
    rested: u32,
}

/// What has to be done now, so that the tokens go where they should.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Moves<Id> {
    /// Lines and how many tokens to put in.
    pub(super) lend: Vec<(Id, usize)>,
    /// Lines of which another number of tokens is wanted back than before.
    pub(super) want_back: Vec<(Id, usize)>,
    /// How many tokens to ask the owner of the pool for.
    pub(super) want: usize,
    /// How many to give back to him.
    pub(super) give_back: usize,
}

impl<Id: Copy + Ord> Ledger<Id> {
    /// A pool of its own with this many tokens.
    pub(super) fn own(tokens: usize) -> Self {
        let bound = tokens.max(1);
        Self {
            bound,
            owned: bound,
            guest: false,
            in_hand: bound,
            running: 0,
            lines: BTreeMap::new(),
        }
    }

    /// A guest that has one token and may take others, up to `bound` in all.
    pub(super) fn guest(bound: usize) -> Self {
        Self {
            owned: 1,
            guest: true,
            in_hand: 1,
            ..Self::own(bound)
        }
    }

    /// Whether there is a token in hand.
    pub(super) fn any(&self) -> bool {
        self.in_hand > 0
    }

    /// Takes the token that an action holds while it runs. There is [one](Self::any).
    pub(super) fn start(&mut self) {
        self.in_hand -= 1;
        self.running += 1;
    }

    /// An action has ended, however: its line is gone, so that everything it was lent is back.
    pub(super) fn end(&mut self, id: Id) {
        let lent = self.lines.remove(&id).map_or(0, |line| line.lent);
        self.running -= 1;
        self.in_hand += 1 + lent;
    }

    /// The number of jobs that one more action could count on, if everybody who is `ready` started now.
    pub(super) fn share(&self, ready: usize) -> usize {
        (self.in_hand / ready.max(1)).max(1)
    }

    /// A running action can be lent tokens, from the next look on.
    pub(super) fn open(&mut self, id: Id) {
        let line = Line {
            rest: 1,
            ..Line::default()
        };
        self.lines.insert(id, line);
    }

    /// Tokens that nobody had taken up came back.
    pub(super) fn returned(&mut self, id: Id, count: usize) {
        let Some(line) = self.lines.get_mut(&id).filter(|_| count > 0) else {
            return;
        };
        debug_assert!(count <= line.lent, "a line gives back what it was lent");
        line.lent -= count;
        line.unused = line.unused.saturating_sub(count);
        line.asked = line.asked.saturating_sub(count);
        line.idle = 0;
        line.enough = line.lent;
        line.rested = (line.rested * 2).clamp(1, LONGEST_REST);
        line.rest = line.rested;
        self.in_hand += count;
    }

    /// Tokens came from the pool the run is a guest of.
    pub(super) fn arrived(&mut self, count: usize) {
        self.owned += count;
        self.in_hand += count;
    }

    /// What a line looks like now. Looks come at a steady pace.
    pub(super) fn look(&mut self, id: Id, unused: usize) {
        let Some(line) = self.lines.get_mut(&id) else { return };
        line.unused = unused.min(line.lent);
        line.rest = line.rest.saturating_sub(1);
        if line.unused > 0 {
            line.idle += 1;
        } else {
            line.idle = 0;
            if line.lent > line.enough {
                line.rested = 0;
            }
        }
    }

    /// What to do, with so many nodes that would start if they had a token. What is lent or given back is booked at once.
    pub(super) fn moves(&mut self, waiting: usize) -> Moves<Id> {
        let mut moves = Moves {
            lend: Vec::new(),
            want_back: Vec::new(),
            want: 0,
            give_back: 0,
        };
        let (back, needed) = if waiting > 0 {
            (waiting.saturating_sub(self.in_hand), waiting)
        } else {
            moves.lend = self.lend();
            // As many again as it has taken up: who wants many gets them soon, and who wants one more is not flooded.
            let hungry = self.hungry().map(|id| self.lines[&id].lent.max(1)).sum();
            (hungry, hungry)
        };
        for (id, line) in &mut self.lines {
            let unwanted = self.guest && waiting == 0 && line.idle > 1;
            // A ready node takes from any line what turns up; lines take from each other what lay there at the last look.
            let available = match (waiting, line.idle) {
                (1.., _) => line.lent,
                (0, 1..) => line.unused,
                (0, 0) => 0,
            };
            let asked = if unwanted { line.unused } else { back.min(available) };
            if asked != line.asked {
                line.asked = asked;
                moves.want_back.push((*id, asked));
            }
        }
        if self.guest {
            moves.want = needed
                .saturating_sub(self.in_hand)
                .min(self.bound - self.owned.min(self.bound));
            if needed == 0 {
                moves.give_back = self.in_hand.min(self.owned - 1);
                self.in_hand -= moves.give_back;
                self.owned -= moves.give_back;
            }
        }
        debug_assert!(self.is_balanced(), "no token is lost or made up");
        moves
    }

    /// Everything in hand, in equal parts, to the lines that may want more.
    fn lend(&mut self) -> Vec<(Id, usize)> {
        let hungry: Vec<Id> = self.hungry().collect();
        let mut parts = Vec::new();
        for (nth, id) in hungry.iter().enumerate() {
            let part = self.in_hand.div_ceil(hungry.len() - nth);
            if let Some(line) = self.lines.get_mut(id).filter(|_| part > 0) {
                line.lent += part;
                line.unused = part;
                self.in_hand -= part;
                parts.push((*id, part));
            }
        }
        parts
    }

    /// The lines whose clients may want more, those with the least first.
    fn hungry(&self) -> impl Iterator<Item = Id> {
        let mut hungry: Vec<(usize, Id)> = self
            .lines
            .iter()
            .filter(|(_, line)| line.unused == 0 && line.rest == 0)
            .map(|(id, line)| (line.lent, *id))
            .collect();
        hungry.sort_unstable();
        hungry.into_iter().map(|(_, id)| id)
    }

    /// Every token is in exactly one place.
    pub(super) fn is_balanced(&self) -> bool {
        let lent: usize = self.lines.values().map(|line| line.lent).sum();
        self.in_hand + self.running + lent == self.owned && self.owned <= self.bound.max(1)
    }
}

#[cfg(test)]
#[path = "ledger_tests.rs"]
mod tests;
