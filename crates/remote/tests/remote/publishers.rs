//! Two publishers at once, and many who want the same name.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};

use farm_remote::{Created, RemoteError, connect};
use fs_err as fs;

use crate::support::lab::{Log, Publisher, files, served};
use crate::support::site::Site;

#[test]
fn one_wins_and_the_other_says_so() {
    for (kind, site) in Site::each() {
        let site = site();
        let (first, second) = (Publisher::at(&site), Publisher::at(&site));
        first.publish(&[("cat/a-1", "start")]).unwrap();
        let error = second
            .publish_while(&[("cat/a-1", "second"), ("cat/b-1", "second")], &|| {
                first.publish(&[("cat/a-1", "first")]).unwrap();
            })
            .unwrap_err();
        assert!(
            matches!(error, RemoteError::Overtaken { number: 2, .. }),
            "{kind}: {error}"
        );
        // Nothing of the second is there, not even where both gave out the same BUILD_ID.
        assert_eq!(served(&site.folder), ["cat/a/a-1-2.gpkg.tar"], "{kind}");
        assert!(first.is_in_force().unwrap(), "{kind}");
        assert!(
            !files(&site.folder).iter().any(|path| path.starts_with("cat/b")),
            "{kind}"
        );

        // It takes over that release and follows it.
        second.publish(&[("cat/a-1", "second"), ("cat/b-1", "second")]).unwrap();
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-3.gpkg.tar", "cat/b/b-1-1.gpkg.tar"],
            "{kind}"
        );
        // And the first one, whose own build this is, too.
        first.publish(&[("cat/a-1", "first")]).unwrap();
        assert_eq!(served(&site.folder), ["cat/a/a-1-4.gpkg.tar"], "{kind}");
    }
}

#[test]
fn whoever_is_overtaken_while_uploading_leaves_the_newer_index() {
    for (kind, site) in Site::each() {
        let site = site();
        let (slow, fast) = (Publisher::at(&site), Publisher::at(&site));
        slow.publish(&[("cat/a-1", "start")]).unwrap();
        let log = Log::default();
        let remote = connect(&site.address, &site.access, &log).unwrap();
        let pulled = slow.mirror.pull(&*remote).unwrap();
        slow.make(&[("cat/a-1", "slow")]);
        // The slow one has claimed its release, and then somebody else makes the next.
        let record = fs::read(slow.mirror.folder().join("releases/0002.json")).unwrap();
        assert_eq!(remote.create("releases/0002.json", &record).unwrap(), Created::Made);
        fast.publish(&[("cat/a-1", "fast")]).unwrap();
        let error = slow.mirror.push(&*remote, &pulled).unwrap_err();
        assert!(
            matches!(error, RemoteError::Overtaken { number: 3, .. }),
            "{kind}: {error}"
        );
        assert_eq!(served(&site.folder), ["cat/a/a-1-3.gpkg.tar"], "{kind}");
        assert!(fast.is_in_force().unwrap(), "{kind}");
    }
}

#[test]
fn of_many_who_claim_one_succeeds() {
    for (kind, site) in Site::each() {
        let site = site();
        let (made, gate) = (AtomicUsize::new(0), Mutex::new(()));
        let claim = |number: usize| {
            // The S3 server of these tests looks and then writes, where S3 does both in one step: there one comes after the other.
            let _turn = (kind == "s3").then(|| gate.lock().unwrap());
            let log = Log::default();
            let remote = connect(&site.address, &site.access, &log).unwrap();
            let content = format!("claim of {number}");
            if remote.create("releases/0001.json", content.as_bytes()).unwrap() == Created::Made {
                made.fetch_add(1, Ordering::SeqCst);
                let there = fs::read_to_string(site.folder.join("releases/0001.json")).unwrap();
                assert_eq!(there, content, "{kind}");
            }
        };
        std::thread::scope(|scope| {
            for number in 0..4 {
                let claim = &claim;
                scope.spawn(move || claim(number));
            }
        });
        assert_eq!(made.into_inner(), 1, "{kind}");
        assert_eq!(files(&site.folder), ["releases/0001.json"], "{kind}");
    }
}
