//! The policy with clients that take and give as they please.

use super::*;

/// A line as its clients see it: tokens nobody holds, tokens they hold, and how many they would like to hold.
#[derive(Debug, Default)]
struct Client {
    unused: usize,
    busy: usize,
    appetite: usize,
    /// What the ledger asked back and did not get yet.
    owed: usize,
}

impl Client {
    /// Programs take up what they like, and what is asked back goes back.
    fn settle(&mut self) -> usize {
        let back = self.owed.min(self.unused);
        self.unused -= back;
        self.owed -= back;
        let taken = self.unused.min(self.appetite.saturating_sub(self.busy));
        self.unused -= taken;
        self.busy += taken;
        back
    }

    /// Programs give up what they have too much.
    fn shrink(&mut self, appetite: usize) {
        self.appetite = appetite;
        let given = self.busy.saturating_sub(appetite);
        self.busy -= given;
        self.unused += given;
    }
}

/// A ledger with clients, an outer pool perhaps, and nodes that wait.
struct Scene {
    ledger: Ledger<usize>,
    clients: BTreeMap<usize, Client>,
    waiting: usize,
    /// Tokens nobody holds in the outer pool, and how many were asked for.
    outside: usize,
    wanted: usize,
    moved: usize,
}

impl Scene {
    fn new(ledger: Ledger<usize>) -> Self {
        Self {
            ledger,
            clients: BTreeMap::new(),
            waiting: 0,
            outside: 0,
            wanted: 0,
            moved: 0,
        }
    }

    fn start(&mut self, id: usize, appetite: usize) {
        assert!(self.ledger.any());
        self.ledger.start();
        self.ledger.open(id);
        self.clients.insert(
            id,
            Client {
                appetite,
                ..Client::default()
            },
        );
    }

    fn end(&mut self, id: usize) {
        self.clients.remove(&id);
        self.ledger.end(id);
    }

    /// One round of the dispatcher's, at which it looks at the lines.
    fn round(&mut self) {
        let arrived = self.wanted.min(self.outside);
        self.outside -= arrived;
        self.ledger.arrived(arrived);
        for (id, client) in &mut self.clients {
            self.ledger.returned(*id, client.settle());
            self.ledger.look(*id, client.unused);
        }
        let moves = self.ledger.moves(self.waiting);
        assert!(self.ledger.is_balanced());
        assert!(self.waiting == 0 || moves.lend.is_empty(), "a node waits: {moves:?}");
        for (id, count) in moves.lend {
            self.clients.get_mut(&id).unwrap().unused += count;
            self.moved += count;
        }
        for (id, count) in moves.want_back {
            self.clients.get_mut(&id).unwrap().owed = count;
        }
        self.wanted = moves.want;
        self.outside += moves.give_back;
        // Programs see at once what is there for them.
        for client in self.clients.values_mut() {
            let taken = client.unused.min(client.appetite.saturating_sub(client.busy));
            client.unused -= taken;
            client.busy += taken;
        }
    }

    fn rounds(&mut self, count: usize) {
        for _ in 0..count {
            self.round();
        }
    }

    /// What each client's programs keep busy, beside the token of the action itself.
    fn busy(&self) -> Vec<usize> {
        self.clients.values().map(|client| client.busy).collect()
    }
}

#[test]
fn the_only_action_is_lent_everything() {
    let mut scene = Scene::new(Ledger::own(4));
    scene.start(1, 9);
    scene.round();
    assert_eq!(scene.busy(), [3]);
}

#[test]
fn an_action_that_ends_before_the_first_look_is_lent_nothing() {
    let mut ledger = Ledger::own(4);
    ledger.start();
    ledger.open(1);
    let moves = ledger.moves(0);
    assert_eq!((moves.lend, moves.want_back), (vec![], vec![]));
    ledger.look(1, 0);
    assert_eq!(ledger.moves(0).lend, [(1, 3)]);
}

#[test]
fn tokens_go_to_whoever_uses_them() {
    let mut scene = Scene::new(Ledger::own(8));
    scene.start(1, 0);
    scene.start(2, 9);
    scene.start(3, 0);
    scene.rounds(40);
    assert_eq!(scene.busy(), [0, 5, 0]);

    // And to another one, when that has changed.
    scene.clients.get_mut(&2).unwrap().shrink(0);
    scene.clients.get_mut(&3).unwrap().appetite = 9;
    scene.rounds(40);
    assert_eq!(scene.busy(), [0, 0, 5]);
}

#[test]
fn tokens_that_nobody_uses_come_to_rest() {
    let mut scene = Scene::new(Ledger::own(3));
    scene.start(1, 0);
    scene.start(2, 0);
    scene.rounds(100);
    let before = scene.moved;
    scene.rounds(100);
    assert!(scene.moved - before <= 20, "{} moves", scene.moved - before);
}

#[test]
fn a_ready_node_gets_what_nobody_took_up() {
    let mut scene = Scene::new(Ledger::own(4));
    scene.start(1, 1);
    scene.rounds(2);
    assert!(!scene.ledger.any(), "all is lent, and one is used");
    scene.waiting = 1;
    scene.round();
    scene.round();
    assert!(scene.ledger.any());
    assert_eq!(scene.busy(), [1]);
}

#[test]
fn a_ready_node_gets_what_is_given_back_before_others_do() {
    let mut scene = Scene::new(Ledger::own(4));
    scene.start(1, 9);
    scene.start(2, 9);
    scene.rounds(2);
    assert_eq!(scene.busy(), [1, 1]);
    scene.waiting = 1;
    scene.rounds(3);
    assert!(!scene.ledger.any());
    scene.clients.get_mut(&1).unwrap().shrink(0);
    scene.round();
    assert!(scene.ledger.any());
}

#[test]
fn what_was_lent_to_an_action_is_back_when_it_ends() {
    let mut scene = Scene::new(Ledger::own(4));
    scene.start(1, 9);
    scene.start(2, 9);
    scene.rounds(2);
    scene.end(1);
    scene.round();
    assert_eq!(scene.busy(), [3]);
    scene.end(2);
    assert!(scene.ledger.is_balanced());
    assert_eq!(scene.ledger.in_hand, 4);
}

#[test]
fn a_line_that_closed_is_not_heard_any_more() {
    let mut ledger = Ledger::own(2);
    ledger.start();
    ledger.open(1);
    ledger.moves(0);
    ledger.end(1);
    ledger.returned(1, 1);
    ledger.look(1, 1);
    assert!(ledger.is_balanced());
}

#[test]
fn a_guest_takes_what_it_can_use_and_leaves_the_rest() {
    let mut scene = Scene::new(Ledger::guest(9));
    scene.outside = 9;
    scene.waiting = 2;
    scene.start(1, 0);
    scene.rounds(2);
    scene.start(2, 1);
    scene.start(3, 0);
    scene.waiting = 0;
    scene.rounds(100);
    assert_eq!(scene.busy(), [0, 1, 0]);
    // Three actions and one job. Now and then it takes more, to see whether somebody wants it.
    let more = (0..100).filter(|_| {
        scene.round();
        scene.ledger.owned > 4
    });
    assert!(more.count() <= 60);

    (1..=3).for_each(|id| scene.end(id));
    scene.round();
    assert_eq!((scene.ledger.owned, scene.outside), (1, 9));
}

#[test]
fn a_guest_gives_back_what_nobody_takes_up() {
    let mut scene = Scene::new(Ledger::guest(4));
    scene.outside = 3;
    scene.start(1, 0);
    scene.rounds(100);
    let idle = (0..100).filter(|_| {
        scene.round();
        scene.outside < 3
    });
    // It asks now and then.
    assert!(idle.count() <= 40);
    scene.clients.get_mut(&1).unwrap().appetite = 9;
    scene.rounds(60);
    assert_eq!(scene.busy(), [3]);
    scene.end(1);
    scene.round();
    assert_eq!(scene.outside, 3);
}

proptest::proptest! {
    /// Whatever clients do: no token is made up, and none is lost.
    #[test]
    fn never_more_than_there_are(
        bound in 1..6_usize,
        guest: bool,
        steps in proptest::collection::vec((0..6_u8, 0..5_usize, 0..6_usize), 0..200),
    ) {
        let mut scene = Scene::new(if guest { Ledger::guest(bound) } else { Ledger::own(bound) });
        scene.outside = 3;
        for (what, id, appetite) in steps {
            match what {
                0 if scene.ledger.any() && !scene.clients.contains_key(&id) => scene.start(id, appetite),
                1 if scene.clients.contains_key(&id) => scene.end(id),
                2 => if let Some(client) = scene.clients.get_mut(&id) { client.shrink(appetite) },
                3 => scene.waiting = appetite.saturating_sub(3),
                _ => {}
            }
            scene.round();
            let busy: usize = scene.busy().iter().sum();
            proptest::prop_assert!(busy + scene.clients.len() <= bound);
            if guest {
                proptest::prop_assert_eq!(scene.ledger.owned - 1 + scene.outside, 3);
            }
        }
        let running: Vec<usize> = scene.clients.keys().copied().collect();
        running.into_iter().for_each(|id| scene.end(id));
        scene.waiting = 0;
        scene.rounds(2);
        proptest::prop_assert_eq!(scene.ledger.in_hand, if guest { 1 } else { bound });
    }
}
