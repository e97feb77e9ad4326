//! What only S3 does.

use std::sync::atomic::Ordering;

use farm_remote::{Access, Address, RemoteError, connect};

use crate::support::lab::{Publisher, served};
use crate::support::site::{Site, environment};

#[test]
fn a_wrong_key_is_refused_at_once() {
    let site = Site::s3();
    let access = Access::new(environment(&[
        (
            "AWS_ENDPOINT_URL",
            format!("http://127.0.0.1:{}", site.front.port).into(),
        ),
        ("AWS_ACCESS_KEY_ID", "farm".into()),
        ("AWS_SECRET_ACCESS_KEY", "chaff".into()),
    ]));
    let publisher = Publisher::with(&site.address, &access);
    let error = publisher.publish(&[("cat/a-1", "one")]).unwrap_err();
    assert!(matches!(error, RemoteError::Refused { .. }), "{error}");
    assert!(error.to_string().contains("SignatureDoesNotMatch"), "{error}");
    assert!(!error.to_string().contains("chaff"), "{error}");
    assert!(error.hint().unwrap().contains("AWS_SECRET_ACCESS_KEY"));
    assert!(publisher.log.waits.lock().unwrap().is_empty());
}

#[test]
fn a_bucket_that_is_not_there_is_named() {
    let site = Site::s3();
    let address = Address::parse("s3://elsewhere/pkgs").unwrap();
    let error = Publisher::with(&address, &site.access)
        .publish(&[("cat/a-1", "one")])
        .unwrap_err();
    assert!(error.to_string().contains("elsewhere"), "{error}");
    assert!(matches!(error, RemoteError::Unable { .. }), "{error}");
}

#[test]
fn a_bucket_without_a_prefix_and_names_that_are_quoted() {
    let site = Site::s3();
    let address = Address::parse("s3://binhost").unwrap();
    let publisher = Publisher::with(&address, &site.access);
    publisher.publish(&[("dev-libs/libsigc++-2.12", "one")]).unwrap();
    let bucket = site.folder.ancestors().nth(2).unwrap();
    assert_eq!(served(bucket), ["dev-libs/libsigc++/libsigc++-2.12-1.gpkg.tar"]);
    // What is there with its size is known from the list by that name.
    let remote = connect(&address, &site.access, &publisher.log).unwrap();
    assert_eq!(
        remote.list("dev-libs/libsigc++").unwrap().unwrap(),
        ["libsigc++-2.12-1.gpkg.tar"]
    );
}

#[test]
fn connections_are_used_again() {
    let site = Site::s3();
    let publisher = Publisher::at(&site);
    let names: Vec<String> = (0..60).map(|number| format!("cat/p{number}-1")).collect();
    let packages: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "x")).collect();
    publisher.publish(&packages).unwrap();
    let connections = site.front.faults.connections.load(Ordering::SeqCst);
    assert!(connections <= 20, "{connections}");
}
