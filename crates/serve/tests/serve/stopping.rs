//! The end of the server.

use std::net::TcpStream;
use std::time::{Duration, Instant};

use farm_serve::Limits;

use crate::support::{Site, eventually};

/// More than the buffers of both ends of a connection hold.
const LEN: u64 = 64 << 20;

#[test]
fn what_is_under_way_comes_to_its_end() {
    let mut site = Site::new();
    site.sparse("big", LEN);
    let mut client = site.client();
    client.send("GET", "/big", &[]);
    assert_eq!(client.head().length(), LEN);
    site.stop();
    eventually("for nobody to be let in", || TcpStream::connect(site.address).err());
    client.bytes(LEN);
    assert_eq!(client.rest(), b"", "the connection is not kept");
    assert_eq!(site.end(), 0);
    assert!(site.told(|_| true).whole);
}

#[test]
fn whoever_asks_nothing_is_not_waited_for() {
    let mut site = Site::new();
    site.write("file", "x");
    let mut kept = site.client();
    kept.send("GET", "/file", &[]);
    assert_eq!(kept.answer().text(), "x");
    let mut silent = site.client();
    let begun = Instant::now();
    site.stop();
    assert_eq!(site.end(), 0);
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    assert_eq!((kept.rest(), silent.rest()), (Vec::new(), Vec::new()));
}

#[test]
fn who_takes_too_long_is_cut_off() {
    let mut site = Site::with(Limits {
        grace: Duration::from_millis(300),
        ..Limits::default()
    });
    site.sparse("big", LEN);
    let mut client = site.client();
    client.send("GET", "/big", &[]);
    client.head();
    site.stop();
    assert_eq!(site.end(), 1);
    assert!((client.rest().len() as u64) < LEN);
    assert!(!site.told(|_| true).whole);
}
