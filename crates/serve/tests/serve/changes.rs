//! Files that change while they are served.

use fs_err as fs;

use crate::support::Site;

/// More than the buffers of both ends of a connection hold.
const LEN: u64 = 64 << 20;

#[test]
fn a_file_that_is_replaced_is_served_as_it_was() {
    let site = Site::new();
    let len = usize::try_from(LEN).unwrap();
    site.write("file", vec![b'a'; len]);
    site.write("new", vec![b'b'; len]);
    let mut client = site.client();
    client.send("GET", "/file", &[]);
    let head = client.head();
    assert_eq!(head.length(), LEN);
    fs::rename(site.path("new"), site.path("file")).unwrap();
    assert!(
        client.bytes(LEN).iter().all(|&byte| byte == b'a'),
        "the old file, whole"
    );
    client.send("GET", "/file", &[]);
    let again = client.answer();
    assert!(again.body.iter().all(|&byte| byte == b'b'));
    assert_ne!(again.header("etag"), head.header("etag"));
}

#[test]
fn a_file_that_becomes_shorter_ends_the_connection() {
    let site = Site::new();
    site.sparse("file", LEN);
    let mut client = site.client();
    client.send("GET", "/file", &[]);
    assert_eq!(client.head().length(), LEN);
    client.bytes(1000);
    let file = fs::OpenOptions::new().write(true).open(site.path("file")).unwrap();
    file.set_len(1000).unwrap();
    let rest = client.rest();
    assert!(1000 + (rest.len() as u64) < LEN, "nothing is made up");
    let told = site.told(|access| access.path == "/file");
    assert!(!told.whole && told.bytes < LEN, "{told:?}");
}

#[test]
fn a_file_that_grows_is_served_as_long_as_it_was() {
    let site = Site::new();
    site.sparse("file", LEN);
    let mut client = site.client();
    client.send("GET", "/file", &[]);
    assert_eq!(client.head().length(), LEN);
    let file = fs::OpenOptions::new().write(true).open(site.path("file")).unwrap();
    file.set_len(2 * LEN).unwrap();
    client.bytes(LEN);
    // The next answer follows, and not the rest of the file.
    client.send("HEAD", "/file", &[]);
    assert_eq!(client.head().length(), 2 * LEN);
}

#[test]
fn a_file_that_is_removed_is_served_to_its_end() {
    let site = Site::new();
    site.sparse("file", LEN);
    let mut client = site.client();
    client.send("GET", "/file", &[]);
    client.head();
    fs::remove_file(site.path("file")).unwrap();
    client.bytes(LEN);
    client.send("GET", "/file", &[]);
    assert_eq!(client.answer().status(), 404);
}
