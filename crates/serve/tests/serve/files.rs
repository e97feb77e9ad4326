//! Files and folders, and everything else that may be asked for.

use farm_serve::{ErrorKind, Limits, ServeError, Server};
use filetime::FileTime;
use fs_err as fs;

use crate::support::{Site, pattern};

#[test]
fn a_file_with_its_headers() {
    let site = Site::new();
    let bytes = pattern(1 << 20);
    site.write("app-misc/a/a-1-1.gpkg.tar", &bytes);
    let time = FileTime::from_unix_time(784_111_777, 500);
    filetime::set_file_mtime(site.path("app-misc/a/a-1-1.gpkg.tar"), time).unwrap();
    let answer = site.get("/app-misc/a/a-1-1.gpkg.tar");
    assert_eq!(answer.status(), 200);
    assert!(answer.body == bytes);
    assert_eq!(answer.header("content-length"), "1048576");
    assert_eq!(answer.header("content-type"), "application/x-tar");
    assert_eq!(answer.header("accept-ranges"), "bytes");
    assert_eq!(answer.header("last-modified"), "Sun, 06 Nov 1994 08:49:37 GMT");
    assert!(answer.header("etag").ends_with('"'), "{:?}", answer.head);
    assert!(answer.header("date").ends_with(" GMT"));
    let told = site.told(|_| true);
    assert_eq!(
        (
            told.method.as_str(),
            told.path.as_str(),
            told.status,
            told.bytes,
            told.whole
        ),
        ("GET", "/app-misc/a/a-1-1.gpkg.tar", 200, 1 << 20, true)
    );
}

#[test]
fn a_compressed_file_is_no_coding_of_another() {
    let site = Site::new();
    site.write("Packages", "TIMESTAMP: 1\n");
    site.write("Packages.gz", b"\x1f\x8b...");
    let plain = site.get("/Packages");
    assert_eq!(
        (plain.header("content-type"), plain.text()),
        ("text/plain; charset=utf-8", "TIMESTAMP: 1\n")
    );
    let packed = site.get_with("/Packages.gz", &[("Accept-Encoding", "gzip")]);
    assert_eq!(packed.header("content-type"), "application/gzip");
    assert_eq!(
        (packed.head.find("content-encoding"), &packed.body[..]),
        (None, &b"\x1f\x8b..."[..])
    );
}

#[test]
fn head_is_get_without_content() {
    let site = Site::new();
    site.write("file", "0123456789");
    site.write("empty", "");
    fs::create_dir(site.path("folder")).unwrap();
    let mut client = site.client();
    for path in ["/file", "/empty", "/folder/", "/folder", "/missing"] {
        client.send("GET", path, &[]);
        let whole = client.answer();
        client.send("HEAD", path, &[]);
        let mut head = client.answer_to("HEAD");
        assert!(head.body.is_empty());
        head.body.clone_from(&whole.body);
        assert_eq!(head.head.status, whole.head.status, "{path}");
        for name in ["content-length", "content-type", "last-modified", "etag", "location"] {
            // The tag of a file that was just written may turn from a weak into a strong one.
            let value = |answer: &crate::support::Answer| {
                answer
                    .head
                    .find(name)
                    .map(|value| value.trim_start_matches("W/").to_owned())
            };
            assert_eq!(value(&head), value(&whole), "{path}: {name}");
        }
    }
    assert_eq!(
        site.told(|access| access.method == "HEAD" && access.path == "/file")
            .bytes,
        0
    );
}

#[test]
fn names_of_all_kinds() {
    let site = Site::new();
    for name in ["a b", "ä+~%41", "<&\">", "x:y?z#"] {
        site.write(name, name);
    }
    let listing = site.get("/");
    for (name, encoded) in [
        ("a b", "/a%20b"),
        ("ä+~%41", "/%C3%A4%2B~%2541"),
        ("<&\">", "/%3C%26%22%3E"),
        ("x:y?z#", "/x%3Ay%3Fz%23"),
    ] {
        assert_eq!(site.get(encoded).text(), name);
        assert!(
            listing.text().contains(&format!("href=\"{}\"", &encoded[1..])),
            "{}",
            listing.text()
        );
    }
    assert_eq!(
        site.get("//a%20b?query=1").text(),
        "a b",
        "slashes and queries say nothing"
    );
}

#[test]
fn folders_are_listed() {
    let site = Site::new();
    site.write("sub/b", "bb");
    site.write("sub/.hidden", "h");
    fs::create_dir(site.path("sub/a")).unwrap();
    let moved = site.get("/sub");
    assert_eq!((moved.status(), moved.header("location")), (301, "/sub/"));
    let listing = site.get("/sub/");
    assert_eq!(
        (listing.status(), listing.header("content-type")),
        (200, "text/html; charset=utf-8")
    );
    let text = listing.text();
    let (a, b) = (text.find("href=\"a/\"").unwrap(), text.find("href=\"b\"").unwrap());
    assert!(a < b && !text.contains("hidden"), "{text}");
    // Where to a client is sent is made of names, not of what was asked for.
    assert_eq!(site.get("//sub").header("location"), "/sub/");
}

#[test]
fn what_is_not_there_or_not_to_be_done() {
    let site = Site::new();
    site.write("file", "x");
    site.write(".git/config", "x");
    for (path, status, text) in [
        ("/missing", 404, "404 Not Found\n"),
        ("/file/", 404, "404 Not Found\n"),
        ("/file/x", 404, "404 Not Found\n"),
        ("/.git/config", 404, "404 Not Found\n"),
        ("/%zz", 400, "400 Bad Request\n"),
        (&format!("/{}", "x".repeat(300)), 404, "404 Not Found\n"),
    ] {
        let answer = site.get(path);
        assert_eq!((answer.status(), answer.text()), (status, text), "{path}");
        assert_eq!(answer.header("content-type"), "text/plain; charset=utf-8");
    }
    for method in ["POST", "PUT", "DELETE", "OPTIONS", "PATCH", "BREW"] {
        let answer = site.ask(method, "/file", &[]);
        assert_eq!(
            (answer.status(), answer.header("allow")),
            (405, "GET, HEAD"),
            "{method}"
        );
    }
    assert_eq!(fs::read_to_string(site.path("file")).unwrap(), "x");
}

/// Root may read everything, so that this says something to other users only.
#[test]
fn a_file_that_may_not_be_read() {
    let site = Site::new();
    site.write("file", "x");
    fs::set_permissions(site.path("file"), std::os::unix::fs::PermissionsExt::from_mode(0o000)).unwrap();
    let expected = if rustix::process::geteuid().is_root() { 200 } else { 403 };
    assert_eq!(site.get("/file").status(), expected);
}

#[test]
fn folders_and_addresses_that_cannot_be_served() {
    let site = Site::new();
    site.write("file", "x");
    let bind = |name: &str, address| Server::bind(&site.path(name), address, Limits::default()).unwrap_err();
    let free = "127.0.0.1:0".parse().unwrap();
    let missing = bind("missing", free);
    assert!(matches!(missing, ServeError::NotThere(_)) && missing.kind() == ErrorKind::Input);
    let file = bind("file", free);
    assert!(matches!(file, ServeError::NotAFolder(_)) && file.kind() == ErrorKind::Input);
    let in_use = bind("", site.address);
    assert!(matches!(in_use, ServeError::InUse(_)) && in_use.kind() == ErrorKind::Environment);
    let nowhere = bind("", "192.0.2.1:0".parse().unwrap());
    assert!(matches!(nowhere, ServeError::Listen { .. }) && nowhere.kind() == ErrorKind::Environment);
}
