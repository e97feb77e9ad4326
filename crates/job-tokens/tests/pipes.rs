//! Both sides, with the other side played by hand on real pipes.

#![expect(clippy::unwrap_used, reason = "a panic is how a test fails")]

use std::io::{Read as _, Write as _, pipe};
use std::os::fd::AsRawFd as _;
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use farm_engine::{TokenLine as _, TokenSource as _, Wake};
use farm_job_tokens::{Auth, Client, ClientError, Fifo};

/// Longer than any test takes that does not hang.
const PATIENCE: Duration = Duration::from_secs(60);

fn wake() -> (Wake, Receiver<()>) {
    let (sender, woken) = channel();
    let sender = Mutex::new(sender);
    let wake: Wake = Arc::new(move || {
        let _ = sender.lock().unwrap().send(());
    });
    (wake, woken)
}

fn fifo() -> (tempfile::TempDir, Fifo) {
    let folder = tempfile::tempdir().unwrap();
    let fifo = Fifo::create(&folder.path().join("jobs")).unwrap();
    (folder, fifo)
}

fn descriptors(read: &impl std::os::fd::AsRawFd, write: &impl std::os::fd::AsRawFd) -> Auth {
    Auth::Descriptors {
        read: read.as_raw_fd(),
        write: write.as_raw_fd(),
    }
}

#[test]
fn tokens_stay_while_no_client_is_there() {
    let (_folder, fifo) = fifo();
    fifo.lend(3);
    assert_eq!(fifo.unused(), 3);
    let mut client = fs_err::File::open(fifo.path()).unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    drop(client);
    assert_eq!(fifo.unused(), 1);
}

#[test]
fn what_nobody_took_up_comes_back_at_once() {
    let (_folder, fifo) = fifo();
    let (wake, woken) = wake();
    fifo.open(wake);
    fifo.lend(3);
    fifo.want_back(2);
    woken.recv_timeout(PATIENCE).unwrap();
    assert_eq!((fifo.take_returned(), fifo.take_returned(), fifo.unused()), (2, 0, 1));
}

#[test]
fn what_is_held_comes_back_when_it_is_put_down() {
    let (_folder, fifo) = fifo();
    let (wake, woken) = wake();
    fifo.open(wake);
    fifo.lend(2);
    let mut client = fs_err::File::options()
        .read(true)
        .write(true)
        .open(fifo.path())
        .unwrap();
    client.read_exact(&mut [0; 2]).unwrap();
    fifo.want_back(1);
    assert_eq!(fifo.take_returned(), 0);
    client.write_all(b"++").unwrap();
    woken.recv_timeout(PATIENCE).unwrap();
    // One was wanted; the other stays for whoever takes it up.
    assert_eq!((fifo.take_returned(), fifo.unused()), (1, 1));
}

#[test]
fn what_is_not_wanted_any_more_stays() {
    let (_folder, fifo) = fifo();
    let (wake, woken) = wake();
    fifo.open(wake);
    fifo.want_back(1);
    fifo.want_back(0);
    fifo.lend(1);
    assert!(woken.recv_timeout(Duration::from_millis(50)).is_err());
    assert_eq!((fifo.take_returned(), fifo.unused()), (0, 1));
}

#[test]
fn a_program_finds_the_inherited_descriptor_and_the_fifo_is_gone_in_the_end() {
    let (_folder, fifo) = fifo();
    fifo.lend(2);
    let inherited = fifo.open_to_inherit().unwrap();
    let number = inherited.as_raw_fd();
    assert!(number >= 100);
    let taken = std::process::Command::new("sh")
        .args(["-c", &format!("dd bs=1 count=1 status=none < /proc/self/fd/{number}")])
        .output()
        .unwrap();
    assert_eq!(taken.stdout, b"+");
    assert_eq!(fifo.unused(), 1);
    let path = fifo.path().to_owned();
    drop(fifo);
    assert!(!path.exists());
}

#[test]
fn a_client_takes_what_it_wants_and_no_more() {
    let (read, mut write) = pipe().unwrap();
    write.write_all(b"abc").unwrap();
    let client = Client::open(&descriptors(&read, &write)).unwrap();
    assert_eq!(client.take_arrived(), 0);
    client.want(2);
    assert_eq!(client.take_arrived(), 2);
    assert_eq!(rustix::io::ioctl_fionread(&read).unwrap(), 1);
}

#[test]
fn every_token_goes_back_as_it_came() {
    let (mut read, mut write) = pipe().unwrap();
    write.write_all(b"abcd").unwrap();
    let client = Client::open(&descriptors(&read, &write)).unwrap();
    client.want(3);
    assert_eq!(client.take_arrived(), 3);
    client.give_back(1);
    // One arrives that nobody fetches.
    client.want(1);
    drop(client);
    drop(write);
    let mut found = Vec::new();
    read.read_to_end(&mut found).unwrap();
    found.sort_unstable();
    assert_eq!(found, b"abcd");
}

#[test]
fn a_client_is_told_of_a_token_that_somebody_gives_back() {
    let (read, mut write) = pipe().unwrap();
    let client = Client::open(&descriptors(&read, &write)).unwrap();
    let (wake, woken) = wake();
    client.open(wake);
    client.want(2);
    write.write_all(b"x").unwrap();
    woken.recv_timeout(PATIENCE).unwrap();
    assert_eq!(client.take_arrived(), 1);
    // It is one client among others: reading does not block them, nor does it.
    assert!(
        !rustix::fs::fcntl_getfl(&read)
            .unwrap()
            .contains(rustix::fs::OFlags::NONBLOCK)
    );
}

#[test]
fn a_client_of_a_fifo() {
    let (_folder, fifo) = fifo();
    fifo.lend(1);
    let client = Client::open(&Auth::Fifo(fifo.path().to_owned())).unwrap();
    client.want(1);
    assert_eq!((client.take_arrived(), fifo.unused()), (1, 0));
    client.leave();
    assert_eq!(fifo.unused(), 1);
}

#[test]
fn what_is_no_job_server_is_not_taken_for_one() {
    let (read, write) = pipe().unwrap();
    let (_other_read, other_write) = pipe().unwrap();
    let file = tempfile::tempfile().unwrap();
    let refused = [
        Auth::Fifo("/nowhere/jobs".into()),
        Auth::Descriptors { read: -2, write: -2 },
        Auth::Descriptors {
            read: 100_000,
            write: 100_001,
        },
        descriptors(&file, &file),
        descriptors(&read, &other_write),
    ];
    for auth in refused {
        let found = Client::open(&auth);
        assert!(matches!(found, Err(ClientError::Closed)), "{auth:?}: {found:?}");
    }
    assert!(Client::open(&descriptors(&read, &write)).is_ok());
}
