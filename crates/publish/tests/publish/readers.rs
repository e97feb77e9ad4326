//! Clients that read while releases come one after the other.

use std::io::Read as _;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use farm_portage::index::{FileDigests, Index};
use farm_publish::{RELEASES_FOR_CLIENTS, TIMESTAMP_STEP};
use fs_err as fs;

use crate::support::Lab;

/// Reads the index as a client does: the compressed one, or the plain one.
fn read_index(folder: &Path, name: &str) -> Index {
    let mut file = fs::File::open(folder.join(name)).unwrap();
    let mut text = String::new();
    if name == "Packages.gz" {
        flate2::read::GzDecoder::new(file).read_to_string(&mut text).unwrap();
    } else {
        file.read_to_string(&mut text).unwrap();
    }
    let index = Index::parse(&text).unwrap();
    assert_eq!(index.header["PACKAGES"], index.packages.len().to_string());
    index
}

fn timestamp(index: &Index) -> u64 {
    index.header["TIMESTAMP"].parse().unwrap()
}

/// Reads an index and everything that it lists. Every release raises TIMESTAMP alike, which tells how many came
/// meanwhile; a file that is gone sooner than promised is a failure.
fn install_all(folder: &Path, name: &str) -> usize {
    let index = read_index(folder, name);
    let mut whole = 0;
    for stanza in &index.packages {
        match fs::read(folder.join(&stanza["PATH"])) {
            Ok(bytes) => {
                let digests = FileDigests::of(&bytes[..]).unwrap();
                assert_eq!(
                    (digests.size.to_string(), &digests.md5, &digests.sha1),
                    (stanza["SIZE"].clone(), &stanza["MD5"], &stanza["SHA1"])
                );
                whole += 1;
            }
            Err(error) => {
                let passed = (timestamp(&read_index(folder, name)) - timestamp(&index)) / TIMESTAMP_STEP;
                assert!(passed > RELEASES_FOR_CLIENTS, "after {passed} releases: {error}");
            }
        }
    }
    whole
}

#[test]
fn clients_never_see_half_a_release() {
    let lab = Lab::new();
    let stable = lab.package("dev-libs/stable-1", "s");
    let release = |round: u32| {
        let changing = lab.package("dev-libs/x-1", &format!("content {}", round % 7));
        let coming = lab.package(&format!("net-misc/y-{}", round % 3), "y");
        [stable.clone(), changing, coming]
    };
    lab.publish(&release(0));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        let readers = ["Packages", "Packages.gz"].map(|name| {
            let (done, folder) = (&done, &lab.folder);
            scope.spawn(move || {
                let mut whole = 0;
                while !done.load(Ordering::Relaxed) {
                    whole += install_all(folder, name);
                }
                whole
            })
        });
        for round in 1..=50 {
            assert!(lab.publish(&release(round)).changed);
        }
        done.store(true, Ordering::Relaxed);
        for reader in readers {
            assert!(reader.join().unwrap() > 0);
        }
    });
    assert_eq!(install_all(&lab.folder, "Packages"), 3);
}
