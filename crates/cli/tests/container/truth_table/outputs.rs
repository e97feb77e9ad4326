//! Outputs that are lost or damaged.

use fs_err as fs;

use super::{BAR, LEAF, MANIFEST};
use crate::support::{FarmSpace, docker};

#[test]
fn an_image_that_somebody_removed() {
    let space = FarmSpace::ready();
    // An image like no other test's.
    let label = format!("labels: {{ space: {} }}, ", space.flavour());
    let name = format!("farm/tiny-leaf:{}.opt", space.flavour());
    space.edit(
        MANIFEST,
        "entrypoint: [/usr/bin/leaf]",
        &format!("{label}entrypoint: [/usr/bin/leaf]"),
    );
    space.runs("a label of an image", &[&["image/leaf", "task/greet"]]);
    let image = space.place("tiny:image/leaf", "image");
    let id = image["id"].as_str().unwrap();
    docker(&["image", "rm", "--force", id]);
    let why = space.farm(&["why", "tiny:image/leaf"]).succeeded();
    assert!(why.stdout.contains("gone"), "{why}");
    space
        .runs("an image that is gone", &[&["image/leaf"]])
        .assert_cut_off(&["task/greet"]);
    assert_eq!(
        space.place("tiny:image/leaf", "image")["id"],
        id,
        "the same image again"
    );

    // An image that did not have to be made is found under its name, too.
    let former = docker(&["image", "inspect", "--format", "{{.Id}}", &name]);
    assert_eq!(former, id);
    space.edit(MANIFEST, &label, "");
    space.runs("no label", &[]);
    let now = docker(&["image", "inspect", "--format", "{{.Id}}", &name]);
    assert_ne!(now, id);
}

#[test]
fn a_blob_that_was_cut_short() {
    let space = FarmSpace::ready();
    let blobs = space.place(&format!("tiny:{BAR}"), "payload");
    let digest = blobs["blobs"]["package"]["digest"].as_str().unwrap();
    let path = space.path(&format!(".farm/store/blobs/{}/{}", &digest[..2], &digest[2..]));
    let bytes = fs::read(&path).unwrap();
    fs::remove_file(&path).unwrap();
    fs::write(&path, &bytes[..bytes.len() / 2]).unwrap();
    let output = space.runs("a truncated blob", &[&[BAR]]);
    output.assert_cut_off(&[LEAF, "binhost", "image/leaf"]);
    assert_eq!(fs::read(&path).unwrap(), bytes, "the same package again");
}

#[test]
fn an_output_that_was_changed_by_hand() {
    let space = FarmSpace::ready();
    space.write("farms/tiny/greeting.txt", "by hand\n");
    space.runs("a changed output", &[]);
    assert_eq!(space.read("farms/tiny/greeting.txt"), "hello, the answer is 42\n");
    space.remove("farms/tiny/greeting.txt");
    space.runs("an output that is gone", &[]);
    assert_eq!(space.read("farms/tiny/greeting.txt"), "hello, the answer is 42\n");
}
