//! Programs beside the command.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex};

use crate::common::Lab;
use farm_executor::{Companion, Exit};

/// Says some lines to its program, and writes down what it hears.
#[derive(Default)]
struct Talker {
    argv: Vec<&'static str>,
    to_say: Mutex<VecDeque<&'static str>>,
    heard: Mutex<String>,
    gone: Mutex<bool>,
}

impl Companion for Talker {
    fn argv(&self) -> Vec<String> {
        self.argv.iter().map(|word| (*word).to_owned()).collect()
    }

    fn input(&self) -> Option<Vec<u8>> {
        let line = self.to_say.lock().unwrap().pop_front()?;
        Some(line.as_bytes().to_vec())
    }

    fn output(&self, bytes: &[u8]) {
        self.heard.lock().unwrap().push_str(&String::from_utf8_lossy(bytes));
    }

    fn gone(&self) {
        *self.gone.lock().unwrap() = true;
    }
}

/// Waits until the companion has left a file.
const WAIT: &str = "while [ ! -e /said ]; do sleep 0.1; done; cat /said";

#[test]
fn a_companion_is_talked_to_while_the_command_runs() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let talker = Arc::new(Talker {
        argv: vec![
            "/bin/sh",
            "-c",
            "while read x; do echo heard $x; echo $x > /new; mv /new /said; done",
        ],
        to_say: Mutex::new(["one\n"].into()),
        ..Talker::default()
    });
    let mut spec = lab.script(&image, WAIT);
    spec.companion = Some(talker.clone());
    let outcome = lab.run(&spec);
    // It still waits for words when the command ends, and does not keep the run.
    assert_eq!((outcome.exit.unwrap(), outcome.log.as_str()), (Exit::Code(0), "one\n"));
    assert_eq!(*talker.heard.lock().unwrap(), "heard one\n");
    assert_eq!(lab.containers_left(), 0);
}

#[test]
fn a_companion_that_cannot_be_started_does_no_harm() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let talker = Arc::new(Talker {
        argv: vec!["/no/such/program"],
        to_say: Mutex::new(["one\n"].into()),
        ..Talker::default()
    });
    let mut spec = lab.script(&image, "sleep 2; echo done");
    spec.companion = Some(talker.clone());
    let outcome = lab.run(&spec);
    assert_eq!((outcome.exit.unwrap(), outcome.log.as_str()), (Exit::Code(0), "done\n"));
    assert!(*talker.gone.lock().unwrap());
}

#[test]
fn a_companion_that_has_nothing_to_say_is_not_started() {
    let lab = Lab::new();
    let image = lab.image(|_| {});
    let talker = Arc::new(Talker {
        argv: vec!["/bin/sh", "-c", "echo > /said"],
        ..Talker::default()
    });
    let mut spec = lab.script(&image, "sleep 1; ls /said 2>&1 || true");
    spec.companion = Some(talker.clone());
    let outcome = lab.run(&spec);
    assert!(outcome.log.contains("No such file"), "{}", outcome.log);
    assert!(!*talker.gone.lock().unwrap());
}
