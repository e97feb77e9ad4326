//! How long signing takes, beside `gpkg-sign` on the same packages.

#[path = "../../../signing/tests/support/mod.rs"]
mod keys;

use std::process::{Command, Stdio};
use std::time::Instant;

use farm_portage::gpkg::Signer;
use farm_publish::{Candidate, ReleaseSigner};
use farm_signing::SigningKey;
use fs_err as fs;

use crate::portage::portage;
use crate::support::Lab;

const PACKAGES: u32 = 100;

/// So many of them are enough to know how long gpkg-sign takes for one.
const SAMPLE: u32 = 10;

#[derive(Debug)]
struct Key(SigningKey);

impl ReleaseSigner for Key {
    fn fingerprint(&self) -> &str {
        self.0.fingerprint()
    }

    fn at(&self, time: u64) -> Box<dyn Signer + '_> {
        Box::new(self.0.at(time))
    }
}

#[test]
fn a_hundred_packages_are_signed_sooner_than_by_gpkg_sign() {
    let mut lab = Lab::new();
    let (keys, key) = keys::Keys::with_key();
    let candidates: Vec<Candidate> = (0..PACKAGES)
        .map(|number| lab.package(&format!("dev-libs/a-{number}"), "content"))
        .collect();
    lab.publish(&candidates);
    let unsigned = lab.path("unsigned");
    fs::create_dir(&unsigned).unwrap();
    for number in 0..SAMPLE {
        let name = format!("a-{number}-1.gpkg.tar");
        fs::copy(lab.folder.join("dev-libs/a").join(&name), unsigned.join(&name)).unwrap();
    }

    lab.signer = Some(Box::new(Key(key)));
    let start = Instant::now();
    let published = lab.publish(&candidates);
    let ours = start.elapsed() / PACKAGES;
    assert_eq!(published.added.len(), PACKAGES as usize);

    let start = Instant::now();
    for number in 0..SAMPLE {
        let output = gpkg_sign(&lab, &keys, &unsigned.join(format!("a-{number}-1.gpkg.tar")));
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
    let theirs = start.elapsed() / SAMPLE;
    let ratio = theirs.as_secs_f64() / ours.as_secs_f64();
    println!("a package: {ours:?}, by gpkg-sign {theirs:?}: {ratio:.1} times as long");
    assert!(ratio > 2.0, "a package takes {ours:?}, and gpkg-sign {theirs:?}");
}

fn gpkg_sign(lab: &Lab, keys: &keys::Keys, package: &std::path::Path) -> std::process::Output {
    let portage = portage();
    let home = keys.home().display();
    let configuration = lab.path("tmp-etc");
    fs::create_dir_all(configuration.join("etc/portage")).unwrap();
    fs::write(
        configuration.join("etc/portage/make.conf"),
        format!(
            "BINPKG_GPG_SIGNING_GPG_HOME=\"{home}\"\nBINPKG_GPG_SIGNING_KEY=\"farm@example.org\"\n\
             BINPKG_GPG_VERIFY_GPG_HOME=\"{home}\"\nPORTAGE_USERNAME=root\nPORTAGE_GRPNAME=root\n"
        ),
    )
    .unwrap();
    Command::new("python3")
        .env_clear()
        .env("PATH", "/usr/local/bin:/usr/bin:/bin")
        .env("HOME", lab.path(""))
        .env("LC_ALL", "C.UTF-8")
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PYTHONPATH", portage.join("lib"))
        .env("PORTAGE_CONFIGROOT", &configuration)
        .arg(portage.join("bin/gpkg-sign"))
        .arg(package)
        .stdin(Stdio::null())
        .output()
        .unwrap()
}
