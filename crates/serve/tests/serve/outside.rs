//! Attempts to get what lies outside of the folder.

use std::os::unix::fs::symlink;

use fs_err as fs;

use crate::support::Site;

const SECRET: &str = "a secret of somebody else";

#[test]
fn no_request_leads_out() {
    let site = Site::new();
    fs::write(site.beside("secret"), SECRET).unwrap();
    fs::create_dir(site.beside("rooted")).unwrap();
    fs::write(site.beside("rooted/secret"), SECRET).unwrap();
    site.write("sub/file", "inside");
    site.write(".hidden/secret", SECRET);
    symlink("../secret", site.path("link")).unwrap();
    symlink("..", site.path("up")).unwrap();
    symlink(site.beside("secret"), site.path("absolute")).unwrap();
    symlink(".hidden", site.path("sub/.link")).unwrap();
    symlink("/proc/self/root", site.path("magic")).unwrap();
    symlink("/dev/zero", site.path("device")).unwrap();
    let whole = site.beside("secret").display().to_string();
    let attempts = [
        "/../secret".to_owned(),
        "/../../../../../../../../etc/passwd".to_owned(),
        "/sub/../../secret".to_owned(),
        "/sub/..%2f..%2fsecret".to_owned(),
        "/%2e%2e/secret".to_owned(),
        "/%2E%2e%2Fsecret".to_owned(),
        "/.%2e/secret".to_owned(),
        "/..;/secret".to_owned(),
        "/..%00/secret".to_owned(),
        "/sub/file%00.txt".to_owned(),
        "/%2Fetc/passwd".to_owned(),
        "//etc/passwd".to_owned(),
        format!("/{whole}"),
        whole.clone(),
        format!("http://test{whole}"),
        "http://test/../secret".to_owned(),
        format!("file://{whole}"),
        "/..\\secret".to_owned(),
        "/%5c../secret".to_owned(),
        "/%252e%252e/secret".to_owned(),
        "/%c0%ae%c0%ae/secret".to_owned(),
        "/ed/../rooted/secret".to_owned(),
        "/.hidden/secret".to_owned(),
        "/%2ehidden/secret".to_owned(),
        "/sub/.link/secret".to_owned(),
        "/link".to_owned(),
        "/up/secret".to_owned(),
        "/up/".to_owned(),
        "/up/rooted/secret".to_owned(),
        "/absolute".to_owned(),
        "/magic/etc/passwd".to_owned(),
        "/magic/".to_owned(),
        "/device".to_owned(),
    ];
    for path in attempts {
        for headers in [&[][..], &[("Range", "bytes=0-9")]] {
            let answer = site.get_with(&path, headers);
            assert!([400, 404].contains(&answer.status()), "{path}: {answer:?}");
        }
    }
    // What hyper itself refuses, and what is no path.
    for request in [
        "GET ../secret HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET secret HTTP/1.1\r\nHost: x\r\n\r\n",
        "GET * HTTP/1.1\r\nHost: x\r\n\r\n",
    ] {
        let mut client = site.client();
        client.send_raw(request.as_bytes());
        let answer = client.answer();
        assert!([400, 404].contains(&answer.status()), "{request}: {answer:?}");
    }
    let listing = site.get("/");
    for name in ["link", "up", "absolute", "magic", "device", "hidden", "secret"] {
        assert!(!listing.text().contains(name), "{name}: {}", listing.text());
    }
    assert_eq!(site.get("/sub/file").text(), "inside");
}

/// A folder that turns into a link out of the root, and back, again and again.
#[test]
fn no_race_leads_out() {
    let site = Site::new();
    fs::create_dir(site.beside("outside")).unwrap();
    fs::write(site.beside("outside/file"), SECRET).unwrap();
    site.write("inside/file", "inside");
    let swapping = std::sync::atomic::AtomicBool::new(true);
    let (link, outside) = (site.path("link"), site.beside("outside"));
    std::thread::scope(|scope| {
        scope.spawn(|| {
            let (one, other) = (site.beside("one"), site.beside("other"));
            while swapping.load(std::sync::atomic::Ordering::Relaxed) {
                symlink("inside", &one).unwrap();
                fs::rename(&one, &link).unwrap();
                symlink(&outside, &other).unwrap();
                fs::rename(&other, &link).unwrap();
            }
        });
        let mut client = site.client();
        let mut texts = std::collections::BTreeMap::<String, usize>::new();
        for _ in 0..2000 {
            client.send("GET", "/link/file", &[]);
            *texts.entry(client.answer().text().to_owned()).or_default() += 1;
        }
        // First, as the scope waits for whoever swaps, also when something is found wrong.
        swapping.store(false, std::sync::atomic::Ordering::Relaxed);
        assert!(!texts.contains_key(SECRET), "{texts:?}");
        assert!(texts.contains_key("inside"), "the race was not run: {texts:?}");
    });
}
