//! One publisher, release after release, at every kind of remote.

use std::os::unix::fs::MetadataExt as _;

use farm_remote::connect;
use fs_err as fs;

use crate::support::lab::{Counted, Publisher, files, served};
use crate::support::site::Site;

#[test]
fn a_release_is_there_as_it_was_made() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        let pushed = publisher.publish(&[("cat/a-1", "one"), ("other/b-2", "two")]).unwrap();
        assert_eq!(
            (pushed.changed, pushed.uploaded, pushed.removed),
            (true, 2, 0),
            "{kind}"
        );
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-1.gpkg.tar", "other/b/b-2-1.gpkg.tar"],
            "{kind}"
        );
        let expected = [
            "Packages",
            "Packages.gz",
            "cat/a/a-1-1.gpkg.tar",
            "other/b/b-2-1.gpkg.tar",
            "releases/0001.json",
            "releases/settled",
        ];
        assert_eq!(files(&site.folder), expected, "{kind}");
        for path in expected {
            let mirrored = fs::read(publisher.mirror.folder().join(path)).unwrap();
            assert_eq!(fs::read(site.folder.join(path)).unwrap(), mirrored, "{kind}: {path}");
        }
        assert!(publisher.is_in_force().unwrap(), "{kind}");
    }
}

#[test]
fn the_same_again_changes_nothing_and_asks_little() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        let packages = [("cat/a-1", "one"), ("cat/b-1", "two")];
        publisher.publish(&packages).unwrap();
        let before = files(&site.folder);
        let pushed = publisher.publish(&packages).unwrap();
        assert_eq!((pushed.changed, pushed.uploaded), (false, 0), "{kind}");
        assert_eq!(files(&site.folder), before, "{kind}");
        // Whether what was published is there, two requests tell.
        let remote = connect(&site.address, &site.access, &publisher.log).unwrap();
        let counted = Counted::over(&*remote);
        assert!(publisher.mirror.is_in_force(&counted).unwrap(), "{kind}");
        assert_eq!(counted.calls(), 2, "{kind}");
        let pulled = publisher.mirror.pull(&counted).unwrap();
        publisher.mirror.push(&counted, &pulled).unwrap();
        assert_eq!(counted.calls(), 6, "{kind}");
    }
}

#[test]
fn only_what_is_new_is_uploaded_and_what_nobody_needs_goes() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        let (a, b) = (("cat/a-1", "one"), ("cat/b-1", "old"));
        publisher.publish(&[a, b]).unwrap();
        let pushed = publisher.publish(&[a, ("cat/b-1", "new")]).unwrap();
        assert_eq!((pushed.uploaded, pushed.removed), (1, 0), "{kind}");
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-1.gpkg.tar", "cat/b/b-1-2.gpkg.tar"],
            "{kind}"
        );
        // The build before stays as long as farm_publish has it stay here, and goes then, whatever else goes with it.
        let old = "cat/b/b-1-1.gpkg.tar";
        for number in 0..100 {
            assert!(publisher.mirror.folder().join(old).exists(), "{kind} {number}");
            publisher.publish(&[a, ("cat/b-1", &number.to_string())]).unwrap();
            assert_eq!(files(&site.folder), files(publisher.mirror.folder()), "{kind} {number}");
            if !site.folder.join(old).exists() {
                break;
            }
        }
        assert!(!site.folder.join(old).exists(), "{kind}");
        assert_eq!(served(&site.folder).len(), 2, "{kind}");
    }
}

#[test]
fn a_fresh_machine_goes_on_where_the_other_ended() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.publish(&[("cat/a-1", "one"), ("cat/b-1", "two")]).unwrap();
        let fresh = Publisher::at(&site);
        let same = fresh.publish(&[("cat/a-1", "one"), ("cat/b-1", "two")]).unwrap();
        assert!(!same.changed, "{kind}");
        let pushed = fresh.publish(&[("cat/a-1", "one"), ("cat/b-1", "other")]).unwrap();
        assert_eq!((pushed.uploaded, pushed.removed), (1, 0), "{kind}");
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-1.gpkg.tar", "cat/b/b-1-2.gpkg.tar"],
            "{kind}"
        );
        // And the first one after it; the old build is a new instance.
        let pushed = first.publish(&[("cat/a-1", "one"), ("cat/b-1", "two")]).unwrap();
        assert_eq!((pushed.uploaded, pushed.removed), (1, 0), "{kind}");
        assert_eq!(
            served(&site.folder),
            ["cat/a/a-1-1.gpkg.tar", "cat/b/b-1-3.gpkg.tar"],
            "{kind}"
        );
        // What only the remote has was left there.
        assert!(site.folder.join("cat/b/b-1-1.gpkg.tar").exists(), "{kind}");
        assert!(site.folder.join("cat/b/b-1-2.gpkg.tar").exists(), "{kind}");
    }
}

#[test]
fn a_mirror_that_was_lost_is_made_again() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        let packages = [("cat/a-1", "one")];
        publisher.publish(&packages).unwrap();
        fs::remove_dir_all(publisher.mirror.folder()).unwrap();
        assert!(!publisher.is_in_force().unwrap(), "{kind}");
        let pushed = publisher.publish(&packages).unwrap();
        assert!(!pushed.changed, "{kind}");
        assert!(publisher.is_in_force().unwrap(), "{kind}");
    }
}

#[test]
fn an_emptied_remote_is_filled_again_and_no_stamp_used_twice() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        publisher.publish(&[("cat/a-1", "one")]).unwrap();
        publisher.publish(&[("cat/a-1", "two")]).unwrap();
        fs::remove_dir_all(&site.folder).unwrap();
        assert!(!publisher.is_in_force().unwrap(), "{kind}");
        publisher.publish(&[("cat/a-1", "one")]).unwrap();
        assert_eq!(served(&site.folder), ["cat/a/a-1-3.gpkg.tar"], "{kind}");
    }
}

#[test]
fn an_index_that_somebody_damaged_is_mended() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        publisher.publish(&[("cat/a-1", "one")]).unwrap();
        for name in ["Packages", "Packages.gz"] {
            fs::write(site.folder.join(name), "x").unwrap();
            assert!(!publisher.is_in_force().unwrap(), "{kind}");
            let pushed = publisher.publish(&[("cat/a-1", "one")]).unwrap();
            assert_eq!((pushed.changed, pushed.uploaded), (true, 0), "{kind}");
            assert!(publisher.is_in_force().unwrap(), "{kind}");
        }
    }
}

#[test]
fn build_ids_of_an_index_that_farm_did_not_write_are_not_used_again() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        fs::create_dir_all(&site.folder).unwrap();
        let index = "PACKAGES: 1\nTIMESTAMP: 1600000000\nVERSION: 0\n\nCPV: cat/a-1\nBUILD_ID: 7\nBUILD_TIME: 1600000000\n\
                     PATH: cat/a/a-1-7.gpkg.tar\nSIZE: 1\n\n";
        fs::write(site.folder.join("Packages"), index).unwrap();
        publisher.publish(&[("cat/a-1", "one")]).unwrap();
        assert_eq!(served(&site.folder), ["cat/a/a-1-8.gpkg.tar"], "{kind}");
    }
}

#[test]
fn a_folder_that_was_published_to_as_a_folder_is_taken_over() {
    // Where there is a listing: a web server has none, and its folder would begin at release 1 at least.
    for (kind, site) in [Site::each()[0], Site::each()[2]] {
        let site = site();
        let publisher = Publisher::at(&site);
        for content in ["one", "two", "three"] {
            publisher.publish(&[("cat/a-1", content)]).unwrap();
        }
        fs::remove_file(site.folder.join("releases/settled")).unwrap();
        fs::remove_file(site.folder.join("releases/0001.json")).unwrap();
        let fresh = Publisher::at(&site);
        fresh.publish(&[("cat/a-1", "four")]).unwrap();
        assert_eq!(served(&site.folder), ["cat/a/a-1-4.gpkg.tar"], "{kind}");
        assert!(site.folder.join("releases/0004.json").exists(), "{kind}");
    }
}

#[test]
fn times_are_kept_where_remotes_have_times() {
    for site in [Site::ssh(), Site::http()] {
        let publisher = Publisher::at(&site);
        publisher.publish(&[("cat/a-1", "one")]).unwrap();
        for path in ["Packages", "Packages.gz", "cat/a/a-1-1.gpkg.tar"] {
            let time = |folder: &std::path::Path| fs::metadata(folder.join(path)).unwrap().mtime();
            assert_eq!(time(&site.folder), time(publisher.mirror.folder()), "{path}");
        }
    }
}

#[test]
fn more_files_than_one_list_names() {
    let site = Site::s3();
    let publisher = Publisher::at(&site);
    let names: Vec<String> = (0..30).map(|number| format!("cat/p{number}-1")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    let pushed = publisher.publish(&packages).unwrap();
    assert_eq!(pushed.uploaded, 30);
    let remote = connect(&site.address, &site.access, &publisher.log).unwrap();
    assert_eq!(remote.list("releases").unwrap().unwrap(), ["0001.json", "settled"]);
    assert_eq!(served(&site.folder).len(), 30);
}
