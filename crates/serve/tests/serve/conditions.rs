//! Answers that depend on what the client has.

use fs_err as fs;

use crate::support::Site;

#[test]
fn what_a_client_has_is_not_sent_again() {
    let site = Site::new();
    site.write("Packages", "TIMESTAMP: 1\n");
    let first = site.get("/Packages");
    let (tag, date) = (first.header("etag"), first.header("last-modified"));
    for condition in [
        ("If-None-Match", tag),
        ("If-Modified-Since", date),
        ("If-None-Match", "*"),
    ] {
        let answer = site.get_with("/Packages", &[condition]);
        assert_eq!(
            (answer.status(), answer.head.find("content-length")),
            (304, None),
            "{condition:?}"
        );
        assert_eq!(
            answer.header("etag").trim_start_matches("W/"),
            tag.trim_start_matches("W/"),
            "{condition:?}"
        );
        let head = site.ask("HEAD", "/Packages", &[condition]);
        assert_eq!(head.status(), 304, "{condition:?}");
    }
    // A tag is asked before a date, and both before a range.
    let changed = [("If-None-Match", "\"other\""), ("If-Modified-Since", date)];
    assert_eq!(site.get_with("/Packages", &changed).status(), 200);
    let same = [("If-None-Match", tag), ("Range", "bytes=0-1")];
    assert_eq!(site.get_with("/Packages", &same).status(), 304);
}

#[test]
fn what_a_client_wants_unchanged() {
    let site = Site::new();
    site.write("file", "x");
    for (condition, status) in [
        (("If-Match", "\"other\""), 412),
        (("If-Match", "*"), 200),
        (("If-Unmodified-Since", "Sun, 06 Nov 1994 08:49:37 GMT"), 412),
        (("If-Unmodified-Since", "Fri, 31 Dec 9999 23:59:59 GMT"), 200),
    ] {
        assert_eq!(site.get_with("/file", &[condition]).status(), status, "{condition:?}");
    }
}

/// The connection can be used after an answer without content.
#[test]
fn a_connection_goes_on_after_304() {
    let site = Site::new();
    site.write("file", "x");
    let mut client = site.client();
    client.send("GET", "/file", &[("If-None-Match", "*")]);
    assert_eq!(client.answer().status(), 304);
    client.send("GET", "/file", &[]);
    assert_eq!(client.answer().text(), "x");
}

/// A publication sets times, and file systems use inodes again: the tag must change all the same.
#[test]
fn the_tag_of_a_file_in_the_place_of_another() {
    let site = Site::new();
    let mut tags = std::collections::BTreeSet::new();
    let time = filetime::FileTime::from_unix_time(1_700_000_000, 0);
    for round in 0..20 {
        site.write("new", format!("round {round:02}"));
        filetime::set_file_mtime(site.path("new"), time).unwrap();
        fs::rename(site.path("new"), site.path("file")).unwrap();
        let answer = site.get("/file");
        assert_eq!(answer.text(), format!("round {round:02}"));
        tags.insert(answer.header("etag").trim_start_matches("W/").to_owned());
        // Two changes in one tick of the clock have weak tags; these here shall differ.
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    assert_eq!(tags.len(), 20, "{tags:?}");
}
