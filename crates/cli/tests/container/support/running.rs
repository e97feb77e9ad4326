//! A run of the program that is under way.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::thread::JoinHandle;

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use super::Output;
use super::space::words;

/// A run with `--json`, of which the test reads the events while they happen. Killed when dropped.
pub(crate) struct Running {
    child: Child,
    command: String,
    stdout: BufReader<ChildStdout>,
    /// Everything that was read of standard output.
    text: String,
    stderr: Option<JoinHandle<String>>,
}

impl Running {
    /// Starts a prepared command.
    pub(crate) fn start(mut command: Command) -> Self {
        let words = words(&command);
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = BufReader::new(child.stdout.take().unwrap());
        let mut stderr = child.stderr.take().unwrap();
        let reader = std::thread::spawn(move || {
            let mut text = String::new();
            stderr.read_to_string(&mut text).unwrap();
            text
        });
        Self {
            child,
            command: words,
            stdout,
            text: String::new(),
            stderr: Some(reader),
        }
    }

    /// Its number.
    pub(crate) fn id(&self) -> u32 {
        self.child.id()
    }

    /// Whether it has not ended yet.
    pub(crate) fn is_running(&mut self) -> bool {
        self.child.try_wait().unwrap().is_none()
    }

    /// The next event; `None` when it ended.
    pub(crate) fn next(&mut self) -> Option<Value> {
        let begin = self.text.len();
        self.stdout.read_line(&mut self.text).unwrap();
        let line = &self.text[begin..];
        // What was being written at the moment of a kill is no event.
        line.ends_with('\n').then(|| serde_json::from_str(line).unwrap())
    }

    /// Reads events up to one that is wanted.
    ///
    /// # Panics
    ///
    /// If none comes, with everything the program said.
    #[track_caller]
    pub(crate) fn until(mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Self {
        while let Some(event) = self.next() {
            if wanted(&event) {
                return self;
            }
        }
        panic!("never came to {what}: {}", self.end());
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits for its end; half a line that was written when it was killed is left out.
    pub(crate) fn end(mut self) -> Output {
        self.stdout.read_to_string(&mut self.text).unwrap();
        let whole = self.text.rfind('\n').map_or(0, |at| at + 1);
        self.text.truncate(whole);
        let status = self.child.wait().unwrap();
        Output {
            command: self.command.clone(),
            status: status.code(),
            stdout: std::mem::take(&mut self.text),
            stderr: self.stderr.take().unwrap().join().unwrap(),
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        // It has ended, unless the test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Whether an event says that a node's run reached a point, as Portage words it (`Compiling source`).
pub(crate) fn reached<'a>(node: &'a str, message: &'a str) -> impl Fn(&Value) -> bool + 'a {
    move |event| {
        event["event"] == "node-progress"
            && event["name"] == node
            && event["message"].as_str().is_some_and(|text| text.starts_with(message))
    }
}
