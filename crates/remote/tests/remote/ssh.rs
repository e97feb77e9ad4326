//! What only ssh and rsync do.

use std::os::unix::fs::PermissionsExt as _;
use std::sync::atomic::Ordering;

use farm_remote::{Address, RemoteError};
use fs_err as fs;

use crate::support::lab::{Publisher, files, served};
use crate::support::site::{Site, environment, script};

#[test]
fn modes_are_those_of_a_shared_folder() {
    let site = Site::ssh();
    let publisher = Publisher::at(&site);
    // Whatever became of them here, for example under another umask.
    let close = || {
        for (path, mode) in [("Packages", 0o600), ("cat", 0o700), ("cat/a/a-1-1.gpkg.tar", 0o640)] {
            let path = publisher.mirror.folder().join(path);
            fs::set_permissions(path, std::fs::Permissions::from_mode(mode)).unwrap();
        }
    };
    publisher.publish_while(&[("cat/a-1", "one")], &close).unwrap();
    let mode = |path: &str| fs::metadata(site.folder.join(path)).unwrap().permissions().mode() & 0o7777;
    for path in ["", "cat", "cat/a", "releases"] {
        assert_eq!(mode(path), 0o2775, "{path}");
    }
    for path in files(&site.folder) {
        assert_eq!(mode(&path), 0o644, "{path}");
    }
}

#[test]
fn one_connection_does_it_all() {
    let site = Site::ssh();
    let publisher = Publisher::at(&site);
    let names: Vec<String> = (0..40).map(|number| format!("cat/p{number}-1")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    publisher.publish(&packages).unwrap();
    assert_eq!(site.front.faults.connections.load(Ordering::SeqCst), 1);
    assert_eq!(served(&site.folder).len(), 40);
}

#[test]
fn an_unknown_host_key_is_not_accepted() {
    let site = Site::ssh();
    fs::write(site.dir.path().join("known"), "").unwrap();
    let error = Publisher::at(&site).publish(&[("cat/a-1", "one")]).unwrap_err();
    assert!(matches!(error, RemoteError::Refused { .. }), "{error}");
    assert!(error.hint().unwrap().contains("known_hosts"), "{error}");
}

#[test]
fn a_key_that_is_not_known_there_is_said() {
    let site = Site::ssh();
    fs::write(site.dir.path().join("authorized"), "").unwrap();
    let publisher = Publisher::at(&site);
    let error = publisher.publish(&[("cat/a-1", "one")]).unwrap_err();
    assert!(error.hint().unwrap().contains("authorized_keys"), "{error}");
    assert!(publisher.log.waits.lock().unwrap().is_empty());
}

#[test]
fn a_machine_without_rsync_is_said() {
    let site = Site::ssh();
    let publisher = Publisher::at(&site);
    // rsync is called by name there, too.
    let bin = site.dir.path().join("bin");
    script(
        &bin.join("ssh"),
        &format!(
            "for last; do :; done\ncase \"$*\" in *' rsync --server'*) echo 'sh: 1: rsync: not found' >&2; exit 127;; esac\n\
         exec /usr/bin/ssh -F {}/ssh.conf \"$@\"\n",
            site.dir.path().display()
        ),
    );
    let error = publisher.publish(&[("cat/a-1", "one")]).unwrap_err();
    assert_eq!(error.hint(), Some("install rsync there"), "{error}");
}

#[test]
fn programs_that_are_not_here_are_named() {
    let site = Site::ssh();
    let path = site.dir.path().join("nothing").into_os_string();
    let access = farm_remote::Access::new(environment(&[("PATH", path)]));
    let error = Publisher::with(&site.address, &access)
        .publish(&[("cat/a-1", "one")])
        .unwrap_err();
    assert!(
        matches!(error, RemoteError::NoProgram { program: "ssh", .. }),
        "{error}"
    );
}

#[test]
fn a_folder_with_strange_words_is_quoted() {
    let site = Site::ssh();
    let folder = site.folder.join("it's $(a) \"b\" ");
    let address = Address::parse(&format!("{}/it's $(a) \"b\" /x", site.address)).unwrap();
    Publisher::with(&address, &site.access)
        .publish(&[("cat/a-1", "one")])
        .unwrap();
    assert_eq!(served(&folder.join("x")), ["cat/a/a-1-1.gpkg.tar"]);
}

#[test]
fn a_folder_that_may_not_be_written_is_said() {
    let site = Site::ssh();
    let root = site.folder.parent().unwrap().parent().unwrap();
    // A file in its way refuses the superuser, too.
    fs::write(root.join("pkgs"), "").unwrap();
    let error = Publisher::at(&site).publish(&[("cat/a-1", "one")]).unwrap_err();
    assert!(error.to_string().contains("pkgs"), "{error}");
    assert_eq!(error.kind(), farm_remote::ErrorKind::Environment);
}
