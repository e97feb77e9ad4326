//! Package files that come back: to a machine that did not make them, or to one that wants to look at them.

use std::os::unix::fs::MetadataExt as _;

use farm_publish::{Rollback, packages_of, rollback, tag};
use farm_remote::{Mirror, Pushed, Remote, RemoteError};
use fs_err as fs;

use crate::support::lab::{Publisher, files, served};
use crate::support::site::Site;

const OLD: [(&str, &str); 2] = [("cat/a-1", "one"), ("cat/b-1", "old")];
const NEW: [(&str, &str); 2] = [("cat/a-1", "one"), ("cat/b-1", "new")];
const OLD_FILES: [&str; 2] = ["cat/a/a-1-1.gpkg.tar", "cat/b/b-1-1.gpkg.tar"];

/// Brings the packages of the first release.
fn fetch_first(remote: &dyn Remote, mirror: &Mirror) -> Result<usize, RemoteError> {
    mirror.fetch(remote, &packages_of(mirror.folder(), 1)?)
}

#[test]
fn the_packages_of_a_release_come_as_they_were_made() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.publish(&OLD).unwrap();
        first.publish(&NEW).unwrap();
        let fresh = Publisher::at(&site);
        let pushed = fresh.change(|remote, mirror| {
            assert_eq!(fetch_first(remote, mirror)?, 2, "{kind}");
            assert_eq!(fetch_first(remote, mirror)?, 0, "{kind}");
            Ok(())
        });
        assert_eq!(pushed.unwrap(), Pushed::default(), "{kind}");
        for path in OLD_FILES {
            let (ours, made) = (fresh.mirror.folder().join(path), first.mirror.folder().join(path));
            assert_eq!(fs::read(&ours).unwrap(), fs::read(&made).unwrap(), "{kind}: {path}");
            let (ours, made) = (fs::metadata(&ours).unwrap(), fs::metadata(&made).unwrap());
            assert_eq!(
                (ours.mtime(), ours.mode()),
                (made.mtime(), made.mode()),
                "{kind}: {path}"
            );
        }
        let strange = files(fresh.mirror.folder())
            .into_iter()
            .find(|path| path.contains(".farm-"));
        assert_eq!(strange, None, "{kind}");
    }
}

#[test]
fn a_fresh_machine_tags_and_rolls_back() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.publish(&OLD).unwrap();
        first.publish(&NEW).unwrap();
        let before = served(&site.folder);

        let fresh = Publisher::at(&site);
        let pushed = fresh.change(|_, mirror| {
            tag(mirror.folder(), "good", "1").unwrap();
            Ok(())
        });
        let pushed = pushed.unwrap();
        assert_eq!(
            (pushed.changed, pushed.uploaded, pushed.removed),
            (true, 0, 0),
            "{kind}"
        );
        assert_eq!(served(&site.folder), before, "{kind}");
        let tags = |folder: &std::path::Path| fs::read(folder.join("releases/tags.json")).unwrap();
        assert_eq!(tags(&site.folder), tags(fresh.mirror.folder()), "{kind}");

        // Another machine, which learns of the tag.
        let other = Publisher::at(&site);
        let pushed = other.change(|remote, mirror| {
            fetch_first(remote, mirror)?;
            let back = Rollback {
                folder: mirror.folder(),
                to: Some("good"),
                deny: &[],
                private: true,
                signer: None,
            };
            assert_eq!(rollback(&back, &mut |_| {}).unwrap().release, 3, "{kind}");
            Ok(())
        });
        assert_eq!(pushed.unwrap().uploaded, 1, "{kind}");
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-1.gpkg.tar", "cat/b/b-1-3.gpkg.tar"],
            "{kind}"
        );
        // What the releases before list is still there.
        assert!(site.folder.join("cat/b/b-1-2.gpkg.tar").exists(), "{kind}");
    }
}

#[test]
fn a_server_may_die_while_packages_come() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        let content: String = (0..20_000_u32)
            .map(|n| blake3::hash(&n.to_le_bytes()).to_hex().to_string())
            .collect();
        first.publish(&[("cat/a-1", &content), ("cat/b-1", "old")]).unwrap();
        let fresh = Publisher::at(&site);
        let broken = fresh.change(|remote, mirror| {
            site.front.die_after_sending(300_000);
            fetch_first(remote, mirror).map(drop)
        });
        assert!(
            matches!(broken, Err(RemoteError::Unreachable { .. })),
            "{kind}: {broken:?}"
        );
        let big = fresh.mirror.folder().join(OLD_FILES[0]);
        assert!(!big.exists(), "{kind}: a part of a file has its name");
        site.front.revive();
        let done = fresh.change(|remote, mirror| fetch_first(remote, mirror).map(drop));
        done.unwrap();
        assert_eq!(
            fs::read(&big).unwrap(),
            fs::read(first.mirror.folder().join(OLD_FILES[0])).unwrap(),
            "{kind}"
        );
        let stray = files(fresh.mirror.folder())
            .into_iter()
            .find(|path| path.contains(".farm-"));
        assert_eq!(stray, None, "{kind}");
    }
}

#[test]
fn what_is_not_as_it_was_put_there_is_refused() {
    for (kind, site) in Site::each() {
        let site = site();
        Publisher::at(&site).publish(&OLD).unwrap();
        let there = site.folder.join(OLD_FILES[1]);
        let good = fs::read(&there).unwrap();
        let mut bad = good.clone();
        bad[700] ^= 1;
        let why = |fresh: &Publisher| {
            let result = fresh.change(|remote, mirror| fetch_first(remote, mirror).map(drop));
            let error = result.unwrap_err();
            assert!(matches!(error, RemoteError::Damaged { .. }), "{kind}: {error}");
            assert!(!fresh.mirror.folder().join(OLD_FILES[1]).exists(), "{kind}");
            error.to_string()
        };
        fs::write(&there, bad).unwrap();
        let said = why(&Publisher::at(&site));
        assert!(
            said.contains("b-1-1.gpkg.tar cannot be used: it is not what was put there"),
            "{kind}: {said}"
        );
        fs::remove_file(&there).unwrap();
        let said = why(&Publisher::at(&site));
        assert!(
            said.contains("b-1-1.gpkg.tar cannot be used: it is gone"),
            "{kind}: {said}"
        );
    }
}

#[test]
fn all_that_clients_see_comes_with_its_faults() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.publish(&OLD).unwrap();
        first.publish(&NEW).unwrap();
        fs::remove_file(site.folder.join(OLD_FILES[1])).unwrap();
        fs::write(site.folder.join(OLD_FILES[0]), "damaged").unwrap();
        let fresh = Publisher::at(&site);
        fresh
            .change(|remote, mirror| {
                assert_eq!(mirror.fetch_all(remote)?, 2, "{kind}");
                let mut there = files(&site.folder);
                there.retain(|path| path != "releases/settled");
                assert_eq!(files(mirror.folder()), there, "{kind}");
                assert_eq!(
                    fs::read(mirror.folder().join(OLD_FILES[0])).unwrap(),
                    b"damaged",
                    "{kind}"
                );
                Ok(())
            })
            .unwrap();
    }
}

#[test]
fn a_push_that_did_not_end_is_completed_by_whoever_has_the_packages() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.publish(&OLD).unwrap();
        // As a publisher leaves it that dies before its second package.
        fs::remove_file(site.folder.join("releases/settled")).unwrap();
        fs::remove_file(site.folder.join(OLD_FILES[1])).unwrap();
        let fresh = Publisher::at(&site);
        let tagged = |publisher: &Publisher| {
            publisher.change(|_, mirror| {
                tag(mirror.folder(), "good", "1").unwrap();
                Ok(())
            })
        };
        // A web server lists nothing: without what was settled, nobody finds the first release but whoever made it.
        let error = fresh.change(|_, mirror| {
            if mirror.folder().join("releases/0001.json").exists() {
                tag(mirror.folder(), "good", "1").unwrap();
            }
            Ok(())
        });
        let error = error.unwrap_err();
        assert!(
            matches!(error, RemoteError::Unfinished { .. } | RemoteError::Mirror { .. }),
            "{kind}: {error}"
        );
        tagged(&first).unwrap();
        assert_eq!(served(&site.folder), OLD_FILES, "{kind}");
    }
}
