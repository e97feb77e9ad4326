//! Stock Portage as a client of `farm serve`.

use std::io::{BufRead as _, BufReader, Read as _};
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::clients::unsigned_client;
use crate::support::FarmSpace;

#[test]
fn stock_portage_installs_what_is_served() {
    let space = FarmSpace::ready();
    let mut command = space.command(&["serve", "--listen", "127.0.0.1:0"]);
    let mut serving = command.stderr(Stdio::piped()).spawn().unwrap();
    let mut stderr = BufReader::new(serving.stderr.take().unwrap());
    let own = format!("/tiny/{}.opt", space.flavour());
    let mut said = String::new();
    let url = loop {
        let begin = said.len();
        assert_ne!(stderr.read_line(&mut said).unwrap(), 0, "it ended: {said}");
        let line = said[begin..].trim();
        if let Some(url) = line.strip_prefix("sync-uri = ").filter(|url| url.ends_with(&own)) {
            break url.to_owned();
        }
    };
    let rest = std::thread::spawn(move || {
        let mut text = String::new();
        stderr.read_to_string(&mut text).unwrap();
        text
    });

    let client = unsigned_client(&url, &space.path("farms/tiny/gentoo"));
    let told = client.emerge("app-misc/leaf");
    assert!(told.contains("Emerging binary"), "{told}");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42");
    // It has the index, and asks whether there is a newer one.
    client.emerge("--pretend app-misc/leaf");

    kill_process(Pid::from_child(&serving), Signal::TERM).unwrap();
    assert_eq!(serving.wait().unwrap().code(), Some(0));
    let log = rest.join().unwrap();
    let asked = |path: &str, status: &str| {
        let wanted = format!(" GET {own}/{path}");
        log.lines().any(|line| line.contains(&wanted) && line.contains(status))
    };
    assert!(asked("Packages.gz", " 200, "), "{log}");
    assert!(asked("app-misc/leaf/leaf-", ".gpkg.tar 200, "), "{log}");
    assert!(asked("Packages.gz", " 304, "), "{log}");
    assert!(!log.contains("broken off"), "{log}");
}
