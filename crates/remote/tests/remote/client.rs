//! Client files at every kind of remote.

use std::path::Path;

use farm_remote::{Created, Remote, RemoteError, Upload, connect};
use fs_err as fs;

use crate::support::lab::{Publisher, files};
use crate::support::site::Site;

const PACKAGES: &[(&str, &str)] = &[("cat/a-1", "one")];
const ONE: &[(&str, &str)] = &[("README", "one\n"), ("profile/parent", "0001-x\n"), ("sets/a", "x/y\n")];
const TWO: &[(&str, &str)] = &[("README", "two\n"), ("profile/parent", "0001-x\n"), ("key.asc", "k\n")];

/// The files of `client/` and the archives that are there.
fn client_files(site: &Site) -> Vec<String> {
    let mut found = files(&site.folder);
    found.retain(|path| path.starts_with("client/") || path.starts_with("releases/client/"));
    found
}

/// Whether `client/` is there as these files, and its archive beside it.
fn has(site: &Site, wanted: &[(&str, &str)]) -> bool {
    let read = |path: &str| fs::read(site.folder.join(path)).unwrap_or_default();
    let placed = client_files(site)
        .iter()
        .filter(|path| path.starts_with("client/"))
        .count();
    placed == wanted.len() + 1
        && wanted
            .iter()
            .all(|(path, text)| read(&format!("client/{path}")) == text.as_bytes())
        && site.folder.join(archive_of(&read("client/client.tar.gz"))).exists()
}

fn archive_of(bytes: &[u8]) -> String {
    format!("releases/client/{}.tar.gz", blake3::hash(bytes))
}

#[test]
fn they_are_there_as_they_were_made_and_follow_releases() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        publisher.has_client_files(ONE);
        publisher.publish(PACKAGES).unwrap();
        assert!(has(&site, ONE), "{kind}: {:?}", client_files(&site));
        assert_eq!(files(&site.folder), files(publisher.mirror.folder()), "{kind}");
        assert!(!publisher.publish(PACKAGES).unwrap().changed, "{kind}");

        // Other client files alone: a release, no package, and what is no more is gone.
        publisher.has_client_files(TWO);
        let pushed = publisher.publish(PACKAGES).unwrap();
        assert_eq!((pushed.changed, pushed.uploaded), (true, 0), "{kind}");
        assert!(has(&site, TWO), "{kind}: {:?}", client_files(&site));
        assert_eq!(files(&site.folder), files(publisher.mirror.folder()), "{kind}");
        assert!(!site.folder.join("client/sets/a").exists(), "{kind}");
        for path in files(publisher.mirror.folder()) {
            let mirrored = fs::read(publisher.mirror.folder().join(&path)).unwrap();
            assert_eq!(fs::read(site.folder.join(&path)).unwrap(), mirrored, "{kind}: {path}");
        }
    }
}

#[test]
fn a_fresh_machine_knows_them_and_old_archives_go() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.has_client_files(ONE);
        first.publish(PACKAGES).unwrap();
        let archive = archive_of(&fs::read(site.folder.join("client/client.tar.gz")).unwrap());
        let fresh = Publisher::at(&site);
        fresh.has_client_files(ONE);
        assert!(!fresh.publish(PACKAGES).unwrap().changed, "{kind}");
        for number in 0..100 {
            fresh.has_client_files(&[("README", &number.to_string())]);
            fresh.publish(PACKAGES).unwrap();
            if !site.folder.join(&archive).exists() {
                break;
            }
        }
        assert!(!site.folder.join(&archive).exists(), "{kind}");
        // As many as releases that are kept, each with one of its own.
        let archives = client_files(&site).len() - 2;
        // And whoever comes after has them all.
        let last = Publisher::at(&site);
        last.has_client_files(ONE);
        last.publish(PACKAGES).unwrap();
        let mut theirs = files(&site.folder);
        theirs.retain(|path| path.starts_with("releases/client/"));
        let mut ours = files(last.mirror.folder());
        ours.retain(|path| path.starts_with("releases/client/"));
        assert_eq!(ours, theirs, "{kind}");
        let records = fs::read_dir(site.folder.join("releases"))
            .unwrap()
            .filter(|entry| entry.as_ref().unwrap().file_name().to_string_lossy().ends_with(".json"))
            .count();
        assert_eq!(archives, records, "{kind}");
    }
}

/// A remote whose publisher dies when it is about to put the index.
#[derive(Debug)]
struct DiesBeforeTheIndex<'a>(&'a dyn Remote);

impl Remote for DiesBeforeTheIndex<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        self.0.get(path)
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        self.0.size(path)
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, RemoteError> {
        self.0.list(folder)
    }

    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError> {
        self.0.upload(root, files)
    }

    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError> {
        self.0.download(root, paths)
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError> {
        self.0.create(path, bytes)
    }

    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError> {
        if files.iter().any(|file| file.path.starts_with("Packages")) {
            return Err(RemoteError::Stopped);
        }
        self.0.replace(root, files)
    }

    fn remove(&self, paths: &[String]) -> Result<(), RemoteError> {
        self.0.remove(paths)
    }
}

#[test]
fn what_a_dead_push_left_is_replaced_by_the_next() {
    for (kind, site) in Site::each() {
        let site = site();
        let publisher = Publisher::at(&site);
        publisher.has_client_files(ONE);
        publisher.publish(PACKAGES).unwrap();
        let dead = Publisher::at(&site);
        let remote = connect(&site.address, &site.access, &dead.log).unwrap();
        let pulled = dead.mirror.pull(&*remote).unwrap();
        dead.has_client_files(TWO);
        dead.make(PACKAGES);
        dead.mirror.push(&DiesBeforeTheIndex(&*remote), &pulled).unwrap_err();
        assert_eq!(fs::read(site.folder.join("client/README")).unwrap(), b"two\n", "{kind}");
        // The first one goes on with what it had, of which it knows that it was there.
        publisher.publish(PACKAGES).unwrap();
        assert_eq!(fs::read(site.folder.join("client/README")).unwrap(), b"one\n", "{kind}");
        assert!(publisher.is_in_force().unwrap(), "{kind}");
        assert!(has(&site, ONE), "{kind}: {:?}", client_files(&site));
    }
}

#[test]
fn whoever_only_names_a_release_leaves_them() {
    for (kind, site) in Site::each() {
        let site = site();
        let first = Publisher::at(&site);
        first.has_client_files(ONE);
        first.publish(PACKAGES).unwrap();
        first.has_client_files(TWO);
        first.publish(PACKAGES).unwrap();
        // A mirror that has no `client/` yet, on which nothing is published.
        let other = Publisher::at(&site);
        let remote = connect(&site.address, &site.access, &other.log).unwrap();
        let pulled = other.mirror.pull(&*remote).unwrap();
        farm_publish::tag(other.mirror.folder(), "good", "1").unwrap();
        assert!(other.mirror.push(&*remote, &pulled).unwrap().changed, "{kind}");
        assert!(has(&site, TWO), "{kind}: {:?}", client_files(&site));
        assert_eq!(client_files(&site).len(), 4 + 2, "{kind}");

        // Whoever looks at what is there has it all.
        let looks = Publisher::at(&site);
        looks.mirror.pull(&*remote).unwrap();
        looks.mirror.fetch_all(&*remote).unwrap();
        assert_eq!(
            files(looks.mirror.folder()),
            files(&site.folder)
                .into_iter()
                .filter(|path| path != "releases/settled")
                .collect::<Vec<_>>(),
            "{kind}"
        );
    }
}
