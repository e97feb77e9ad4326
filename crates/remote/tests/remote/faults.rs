//! Servers that die, answer with errors, or are full: the old release is served whole, and the next run completes.

use farm_remote::{Created, ErrorKind, RemoteError, connect};
use fs_err as fs;

use crate::support::lab::{Log, Publisher, files, served};
use crate::support::site::{Site, can_confine, is_root};

const OLD: [(&str, &str); 2] = [("cat/a-1", "one"), ("cat/b-1", "old")];
const NEW: [(&str, &str); 3] = [("cat/a-1", "one"), ("cat/b-1", "new"), ("cat/c-1", "more")];

#[test]
fn a_server_may_die_at_any_byte() {
    // All at once: they mostly wait.
    std::thread::scope(|scope| {
        for (kind, site) in Site::each() {
            scope.spawn(move || die_everywhere(kind, &site()));
        }
    });
}

fn die_everywhere(kind: &str, site: &Site) {
    // Handshakes of ssh are long.
    let step = if kind == "ssh" { 8000 } else { 4000 };
    let publisher = Publisher::at(site);
    publisher.publish(&OLD).unwrap();
    let mut deaths = 0;
    for budget in (0..).step_by(step) {
        let old = served(&site.folder);
        site.front.die_after(budget);
        let result = publisher.publish(&NEW);
        let now = served(&site.folder);
        if !site.front.is_dead() {
            result.unwrap();
            break;
        }
        deaths += 1;
        if let Err(error) = result {
            assert!(
                matches!(error, RemoteError::Unreachable { .. }),
                "{kind} after {budget}: {error}"
            );
            assert_eq!(error.kind(), ErrorKind::Environment);
        }
        assert!(now == old || now.len() == NEW.len(), "{kind} after {budget}: {now:?}");
        // The next run completes it: a machine that was not there before can, too, and does so in every second case.
        site.front.revive();
        let fresh = Publisher::at(site);
        let next = if deaths % 2 == 0 { &publisher } else { &fresh };
        next.publish(&NEW).unwrap();
        assert_eq!(served(&site.folder).len(), NEW.len(), "{kind} after {budget}");
        assert!(next.is_in_force().unwrap(), "{kind} after {budget}");
        let stray = files(&site.folder)
            .into_iter()
            .find(|path| path.contains("/.farm-publish/"));
        assert_eq!(stray, None, "{kind} after {budget}");
        // Back to the old packages for the next death.
        publisher.publish(&OLD).unwrap();
    }
    assert!(deaths >= 4, "{kind}: {deaths}");
}

#[test]
fn what_was_uploaded_before_a_death_is_not_uploaded_again() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        // What does not compress.
        let content: String = (0..20_000u32)
            .map(|number| blake3::hash(&number.to_le_bytes()).to_hex()[..8].to_owned())
            .collect();
        let names: Vec<String> = (0..16).map(|number| format!("cat/p{number}-1")).collect();
        let contents: Vec<String> = names.iter().map(|name| format!("{name}{content}")).collect();
        let packages: Vec<(&str, &str)> = names
            .iter()
            .map(String::as_str)
            .zip(contents.iter().map(String::as_str))
            .collect();
        site.front.die_after(900_000);
        let error = publisher.publish(&packages).unwrap_err();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{kind}: {error}");
        assert_eq!(served(&site.folder), [""; 0], "{kind}");
        site.front.revive();
        let whole = || {
            let there = files(&site.folder);
            let packages = there
                .iter()
                .filter(|path| path.starts_with("cat/") && !path.contains("/."));
            packages.count()
        };
        // The server is still at what it was sent when its clients have gone; on a busy machine, at its first file.
        for _ in 0..200 {
            if whole() > 0 {
                break;
            }
            std::thread::sleep(std::time::Duration::from_millis(50));
        }
        let there = whole();
        let pushed = publisher.publish(&packages).unwrap();
        // What the server was still at when it was looked at counts as well.
        assert!(pushed.uploaded <= packages.len() - there, "{kind}: {there}");
        assert!(0 < there && there < packages.len(), "{kind}: {there}");
        assert_eq!(served(&site.folder).len(), packages.len(), "{kind}");
    }
}

#[test]
fn three_failures_are_waited_out() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        site.front.refuse(3);
        publisher.publish(&OLD).unwrap();
        assert_eq!(*publisher.log.waits.lock().unwrap(), [1, 2, 4], "{kind}");
        let lines = publisher.log.lines.lock().unwrap();
        assert_eq!(
            lines.iter().filter(|line| line.contains("trying again in")).count(),
            3,
            "{kind}: {lines:?}"
        );
        assert_eq!(served(&site.folder).len(), OLD.len(), "{kind}");
    }
}

#[test]
fn a_server_that_stays_away_is_given_up() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        publisher.publish(&OLD).unwrap();
        site.front.refuse(1000);
        let error = publisher.publish(&NEW).unwrap_err();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{kind}: {error}");
        assert_eq!(*publisher.log.waits.lock().unwrap(), [1, 2, 4, 8, 16], "{kind}");
        assert!(
            matches!(publisher.is_in_force(), Err(RemoteError::Unreachable { .. })),
            "{kind}"
        );
        assert_eq!(served(&site.folder).len(), OLD.len(), "{kind}");
    }
}

#[test]
fn a_full_disk_is_said_at_once_and_more_room_is_enough() {
    if !can_confine() {
        return;
    }
    type Make = fn(u64) -> Site;
    // Only the superuser's sshd serves in another namespace.
    let ssh = is_root().then_some(("ssh", Site::small_ssh as Make));
    for (kind, make) in ssh.into_iter().chain([("http", Site::small_http as Make)]) {
        let site = make(400 << 10);
        let publisher = Publisher::at(&site);
        publisher.publish(&OLD).unwrap();
        let old = served(&site.folder);
        let filler = site.folder.join("../../filler");
        let content: String = (0..40_000u32)
            .map(|number| blake3::hash(&number.to_le_bytes()).to_hex()[..8].to_owned())
            .collect();
        let big = [("cat/big-1", content.as_str())];
        fs::write(&filler, vec![0; 200 << 10]).unwrap();
        let error = publisher.publish(&big).unwrap_err();
        if kind == "ssh" {
            assert!(matches!(error, RemoteError::Full { .. }), "{kind}: {error}");
            assert!(publisher.log.waits.lock().unwrap().is_empty(), "{kind}");
        } else {
            // nginx says 500, whatever the reason.
            assert!(
                error.to_string().contains("a full disk is one reason"),
                "{kind}: {error}"
            );
        }
        assert_eq!(served(&site.folder), old, "{kind}");
        fs::remove_file(&filler).unwrap();
        publisher.publish(&big).unwrap();
        assert_eq!(served(&site.folder), ["cat/big/big-1-1.gpkg.tar"], "{kind}");
    }
}

#[test]
fn what_was_cut_off_is_no_claim() {
    for (kind, site) in Site::each() {
        let site = site();
        let log = Log::default();
        let remote = connect(&site.address, &site.access, &log).unwrap();
        let record = vec![b'x'; 300_000];
        site.front.die_after(100_000);
        let error = remote.create("releases/0001.json", &record).unwrap_err();
        assert!(matches!(error, RemoteError::Unreachable { .. }), "{kind}: {error}");
        site.front.revive();
        assert_eq!(
            remote.create("releases/0001.json", &record).unwrap(),
            Created::Made,
            "{kind}"
        );
        assert_eq!(
            fs::read(site.folder.join("releases/0001.json")).unwrap(),
            record,
            "{kind}"
        );
    }
}
