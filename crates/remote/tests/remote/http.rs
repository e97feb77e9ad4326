//! What only web servers do.

use farm_remote::{Address, RemoteError, connect};
use fs_err as fs;

use crate::support::lab::{Publisher, served};
use crate::support::site::{Site, environment};

#[test]
fn who_publishes_is_read_from_netrc() {
    let site = Site::http();
    let private = format!("http://127.0.0.1:{}/private/opt", site.front.port);
    let address = Address::parse(&private).unwrap();
    let publish = |access| Publisher::with(&address, &access).publish(&[("cat/a-1", "one")]);

    let error = publish(site.access.clone()).unwrap_err();
    assert!(matches!(error, RemoteError::Refused { .. }), "{error}");
    assert!(error.hint().unwrap().contains(".netrc"));

    let folder = site.folder.ancestors().nth(2).unwrap().join("private/opt");
    fs::write(
        site.dir.path().join(".netrc"),
        "machine 127.0.0.1 login me password wrong\n",
    )
    .unwrap();
    assert!(matches!(publish(site.access.clone()), Err(RemoteError::Refused { .. })));
    let elsewhere = site.dir.path().join("passwords");
    fs::write(&elsewhere, "machine 127.0.0.1 login me password s3cret\n").unwrap();
    let home = site.dir.path().as_os_str().to_owned();
    let access = farm_remote::Access::new(environment(&[("HOME", home), ("NETRC", elsewhere.into_os_string())]));
    publish(access).unwrap();
    assert_eq!(served(&folder), ["cat/a/a-1-1.gpkg.tar"]);
}

#[test]
fn a_server_that_cannot_rename_or_remove_is_used_all_the_same() {
    let site = Site::nginx("PUT MKCOL", None);
    let publisher = Publisher::at(&site);
    for content in ["1", "2", "3", "4", "5", "6"] {
        publisher.publish(&[("cat/a-1", content)]).unwrap();
    }
    assert_eq!(served(&site.folder), ["cat/a/a-1-6.gpkg.tar"]);
    let other = Publisher::at(&site);
    let error = publisher.publish_while(&[("cat/a-1", "8")], &|| {
        other.publish(&[("cat/a-1", "7")]).unwrap();
    });
    assert!(matches!(error, Err(RemoteError::Overtaken { number: 7, .. })));
}

#[test]
fn a_server_that_takes_no_put_says_so() {
    let site = Site::nginx("DELETE", None);
    let error = Publisher::at(&site).publish(&[("cat/a-1", "one")]).unwrap_err();
    assert!(matches!(error, RemoteError::Unable { .. }), "{error}");
    assert!(error.hint().unwrap().contains("dav_methods"));
}

#[test]
fn connections_are_used_again() {
    let site = Site::http();
    let publisher = Publisher::at(&site);
    let names: Vec<String> = (0..60).map(|number| format!("cat/p{number}-1")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    publisher.publish(&packages).unwrap();
    let connections = site.front.faults.connections.load(std::sync::atomic::Ordering::SeqCst);
    assert!(site.requests().len() > 120);
    assert!(connections <= 20, "{connections}");
    // A release that follows asks for nothing that is known to be there.
    let before = site.requests().len();
    let more: Vec<(&str, &str)> = packages.iter().copied().chain([("cat/more-1", "x")]).collect();
    publisher.publish(&more).unwrap();
    let asked = site.requests().len() - before;
    assert!(asked < 25, "{asked}");
}

#[test]
fn a_file_that_is_too_big_for_the_server_is_said_at_once() {
    let site = Site::http();
    let publisher = Publisher::at(&site);
    publisher.publish(&[("cat/a-1", "one")]).unwrap();
    let content: String = (0..300_000u32)
        .map(|number| blake3::hash(&number.to_le_bytes()).to_hex()[..16].to_owned())
        .collect();
    let error = publisher
        .publish(&[("cat/a-1", "one"), ("cat/big-1", &content)])
        .unwrap_err();
    assert!(matches!(error, RemoteError::Full { .. }), "{error}");
    assert!(publisher.log.waits.lock().unwrap().is_empty());
    assert_eq!(served(&site.folder), ["cat/a/a-1-1.gpkg.tar"]);
}

#[test]
fn a_place_that_moved_is_said_with_where_it_is() {
    let site = Site::http();
    let publisher = Publisher::at(&site);
    publisher.publish(&[("cat/a-1", "one")]).unwrap();
    let remote = connect(&site.address, &site.access, &publisher.log).unwrap();
    // nginx sends whoever asks for a folder to the same with a slash.
    let error = remote.get("releases").unwrap_err();
    assert!(matches!(error, RemoteError::Unable { .. }), "{error}");
    assert!(error.to_string().contains("/pkgs/opt/releases/"), "{error}");
}

#[test]
fn names_are_quoted() {
    let site = Site::http();
    let address = Address::parse(&format!("{}/a b%25/é", site.address)).unwrap();
    Publisher::with(&address, &site.access)
        .publish(&[("dev-libs/libsigc++-2.12", "one")])
        .unwrap();
    let folder = site.folder.join("a b%/é");
    assert_eq!(served(&folder), ["dev-libs/libsigc++/libsigc++-2.12-1.gpkg.tar"]);
}
