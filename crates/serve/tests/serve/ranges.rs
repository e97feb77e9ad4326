//! Parts of files.

use std::time::Duration;

use crate::support::{Answer, Site, pattern};

fn part(site: &Site, range: &str) -> Answer {
    site.get_with("/file", &[("Range", range)])
}

#[test]
fn single_parts() {
    let site = Site::new();
    let bytes = pattern(300_000);
    site.write("file", &bytes);
    for (range, first, last) in [
        ("bytes=0-499", 0, 499),
        ("bytes=500-", 500, 299_999),
        ("bytes=-500", 299_500, 299_999),
        ("bytes=299999-400000", 299_999, 299_999),
        ("bytes=131072-262143", 131_072, 262_143),
        ("bytes=400000-,7-7", 7, 7),
    ] {
        let answer = part(&site, range);
        assert_eq!(answer.status(), 206, "{range}");
        assert_eq!(answer.header("content-range"), format!("bytes {first}-{last}/300000"));
        assert!(answer.body == bytes[first..=last], "{range}");
        assert_eq!(answer.header("content-type"), "application/octet-stream");
        assert!(answer.head.find("etag").is_some() && answer.head.find("last-modified").is_some());
    }
}

#[test]
fn parts_that_are_not_there() {
    let site = Site::new();
    site.write("file", "0123456789");
    for range in ["bytes=10-", "bytes=-0", "bytes=20-30,40-"] {
        let answer = part(&site, range);
        assert_eq!(
            (answer.status(), answer.header("content-range")),
            (416, "bytes */10"),
            "{range}"
        );
    }
    for range in ["bytes=5-4", "lines=1-2", "bytes=a-", "bytes=0-9,0-9"] {
        let answer = part(&site, range);
        assert_eq!((answer.status(), answer.text()), (200, "0123456789"), "{range}");
        assert_eq!(answer.head.find("content-range"), None);
    }
}

#[test]
fn ranges_are_for_get_alone() {
    let site = Site::new();
    site.write("file", "0123456789");
    let answer = site.ask("HEAD", "/file", &[("Range", "bytes=0-1")]);
    assert_eq!((answer.status(), answer.header("content-length")), (200, "10"));
}

#[test]
fn several_parts_in_one_answer() {
    let site = Site::new();
    let bytes = pattern(300_000);
    site.write("file.gz", &bytes);
    let answer = site.get_with("/file.gz", &[("Range", "bytes=200000-,0-9, 100-299")]);
    assert_eq!(answer.status(), 206);
    assert_eq!(answer.head.find("content-range"), None);
    let media = answer.header("content-type");
    let boundary = media.strip_prefix("multipart/byteranges; boundary=").unwrap();
    let mut expected = Vec::new();
    for (first, last) in [(200_000, 299_999), (0, 9), (100, 299)] {
        let head = format!(
            "--{boundary}\r\nContent-Type: application/gzip\r\nContent-Range: bytes {first}-{last}/300000\r\n\r\n"
        );
        expected.extend_from_slice(head.as_bytes());
        expected.extend_from_slice(&bytes[first..=last]);
        expected.extend_from_slice(b"\r\n");
    }
    expected.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
    assert!(answer.body == expected);
    let again = site.get_with("/file.gz", &[("Range", "bytes=0-1,3-4")]);
    assert_ne!(
        again.header("content-type"),
        media,
        "nobody can know the boundary before"
    );
}

#[test]
fn going_on_with_the_same_file_or_beginning_again() {
    let site = Site::new();
    site.write("file", "0123456789");
    // A tag is weak for as long as the file could change without another one.
    std::thread::sleep(Duration::from_millis(1100));
    let first = part(&site, "bytes=0-4");
    let (tag, date) = (
        first.header("etag").to_owned(),
        first.header("last-modified").to_owned(),
    );
    let rest = |condition: &str| {
        let answer = site.get_with("/file", &[("Range", "bytes=5-"), ("If-Range", condition)]);
        (answer.status(), answer.text().to_owned())
    };
    assert_eq!(rest(&tag), (206, "56789".to_owned()));
    assert_eq!(rest(&date), (206, "56789".to_owned()));
    assert_eq!(rest(&format!("W/{tag}")), (200, "0123456789".to_owned()));
    assert_eq!(rest("\"another\""), (200, "0123456789".to_owned()));
    site.write("file", "abcdefghij");
    assert_eq!(rest(&tag), (200, "abcdefghij".to_owned()));
}
