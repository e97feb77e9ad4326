//! Many clients, slow clients, and clients that want too much.

use std::net::Shutdown;
use std::time::{Duration, Instant};

use farm_serve::Limits;

use crate::support::{PATIENCE, Site, pattern};

/// More than the buffers of both ends of a connection hold.
const LEN: u64 = 64 << 20;

#[test]
fn requests_one_after_the_other_on_one_connection() {
    let site = Site::new();
    for name in ["a", "b", "c"] {
        site.write(name, name.repeat(1000));
    }
    let mut client = site.client();
    for name in ["a", "b", "c"] {
        client.send("GET", &format!("/{name}"), &[]);
        assert_eq!(client.answer().text(), name.repeat(1000));
    }
    client.send("GET", "/a", &[("Connection", "close")]);
    assert_eq!(client.answer().status(), 200);
    assert_eq!(client.rest(), b"");
}

#[test]
fn requests_that_do_not_wait_for_answers() {
    let site = Site::new();
    let big = pattern(1_000_000);
    site.write("big", &big);
    site.write("small", "small");
    let mut client = site.client();
    for path in ["/big", "/small", "/missing", "/", "/big", "/small"] {
        client.send("GET", path, &[]);
    }
    assert!(client.answer().body == big);
    assert_eq!(client.answer().text(), "small");
    assert_eq!(client.answer().status(), 404);
    assert_eq!(client.answer().header("content-type"), "text/html; charset=utf-8");
    assert!(client.answer().body == big);
    assert_eq!(client.answer().text(), "small");
}

#[test]
fn a_client_that_closes_its_side_after_asking() {
    let site = Site::new();
    let big = pattern(5_000_000);
    site.write("big", &big);
    let mut client = site.client();
    client.send("GET", "/big", &[]);
    client.stream().shutdown(Shutdown::Write).unwrap();
    assert!(client.answer().body == big);
}

#[test]
fn a_hundred_clients_at_once() {
    let site = Site::new();
    let files: Vec<Vec<u8>> = (0..10).map(|at| pattern(200_000 + at)).collect();
    for (at, bytes) in files.iter().enumerate() {
        site.write(&format!("{at}"), bytes);
    }
    let mut clients: Vec<_> = (0..100).map(|_| site.client()).collect();
    for (at, client) in clients.iter_mut().enumerate() {
        client.send("GET", &format!("/{}", at % 10), &[]);
    }
    for (at, client) in clients.iter_mut().enumerate().rev() {
        assert!(client.answer().body == files[at % 10]);
    }
}

/// More of them than threads.
#[test]
fn clients_that_take_nothing_hold_up_nobody() {
    let site = Site::new();
    site.sparse("big", LEN);
    site.write("small", "small");
    let mut slow: Vec<_> = (0..40).map(|_| site.client()).collect();
    for client in &mut slow {
        client.send("GET", "/big", &[]);
    }
    for client in &mut slow {
        client.head();
    }
    let begun = Instant::now();
    for _ in 0..20 {
        assert_eq!(site.get("/small").text(), "small");
    }
    assert!(begun.elapsed() < PATIENCE / 2);
    assert_eq!(
        slow[7].bytes(LEN).len() as u64,
        LEN,
        "and whoever begins to read gets all of it"
    );
}

#[test]
fn who_takes_nothing_for_long_is_let_go() {
    let site = Site::with(Limits {
        stalled: Duration::from_millis(300),
        ..Limits::default()
    });
    site.sparse("big", LEN);
    let mut client = site.client();
    client.send("GET", "/big", &[]);
    let told = site.told(|access| access.path == "/big");
    assert!(!told.whole && told.bytes < LEN, "{told:?}");
    client.head();
    assert!((client.rest().len() as u64) < LEN);
}

#[test]
fn who_asks_nothing_for_long_is_let_go() {
    let site = Site::with(Limits {
        idle: Duration::from_millis(300),
        ..Limits::default()
    });
    site.write("file", "x");
    let begun = Instant::now();
    let mut silent = site.client();
    let mut slow = site.client();
    slow.send_raw(b"GET /file HT");
    let mut kept = site.client();
    kept.send("GET", "/file", &[]);
    assert_eq!(kept.answer().text(), "x");
    for client in [&mut silent, &mut slow, &mut kept] {
        assert_eq!(client.rest(), b"");
    }
    assert!(begun.elapsed() >= Duration::from_millis(300));
}

#[test]
fn who_is_too_many_waits() {
    let site = Site::with(Limits {
        connections: 2,
        ..Limits::default()
    });
    site.write("file", "x");
    let mut first = site.client();
    let mut second = site.client();
    for client in [&mut first, &mut second] {
        client.send("GET", "/file", &[]);
        assert_eq!(client.answer().text(), "x");
    }
    let mut third = site.client();
    third.send("GET", "/file", &[]);
    third
        .stream()
        .set_read_timeout(Some(Duration::from_millis(300)))
        .unwrap();
    let waiting = std::io::Read::read(&mut third.stream(), &mut [0]).unwrap_err();
    assert_eq!(waiting.kind(), std::io::ErrorKind::WouldBlock);
    drop(first);
    third.stream().set_read_timeout(Some(PATIENCE)).unwrap();
    assert_eq!(third.answer().text(), "x");
    second.send("GET", "/file", &[]);
    assert_eq!(second.answer().text(), "x");
}

#[test]
fn headers_that_are_too_long() {
    let site = Site::new();
    site.write("file", "x");
    let long = "x".repeat(10_000);
    assert_eq!(site.get_with("/file", &[("X-Long", &long)]).status(), 200);
    let longer = "x".repeat(20_000);
    let mut client = site.client();
    client.send("GET", "/file", &[("X-Long", &longer)]);
    assert_eq!(client.head().status, 431);
}

#[test]
fn what_is_no_request() {
    let site = Site::new();
    let mut client = site.client();
    client.send_raw(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03 this is TLS\r\n\r\n");
    assert_eq!(client.head().status, 400);
    assert_eq!(client.rest(), b"");
}

/// What a client sends along with a request is no request.
#[test]
fn a_request_with_content() {
    let site = Site::new();
    site.write("file", "x");
    site.write("other", "y");
    let content = "GET /other HTTP/1.1\r\nHost: test\r\n\r\n";
    let mut client = site.client();
    let length = content.len();
    client.send_raw(
        format!(
            "GET /file HTTP/1.1\r\nHost: test\r\nContent-Length: {length}\r\n\r\n{content}\
             GET /file HTTP/1.1\r\nHost: test\r\nConnection: close\r\n\r\n"
        )
        .as_bytes(),
    );
    assert_eq!(client.answer().text(), "x");
    let rest = String::from_utf8(client.rest()).unwrap();
    assert!(rest.is_empty() || rest.ends_with("\r\n\r\nx"), "{rest}");
    assert!(rest.matches("HTTP/1.1").count() <= 1, "{rest}");
}
