//! Images in a registry.

use crate::support::registry::{Address, Registry};
use crate::support::{FarmSpace, docker, image_exists};

#[test]
fn an_image_is_pulled_by_the_digest_that_was_printed() {
    let registry = Registry::start();
    let space = FarmSpace::ready();
    // Its own image, so that it can be removed.
    space.edit(
        "farms/tiny/farm.yaml",
        "# brings dev-util/tool",
        "# (again) brings dev-util/tool",
    );
    space.edit(
        "farms/tiny/farm.yaml",
        "entrypoint: [/usr/bin/leaf]",
        "entrypoint: [/usr/bin/leaf], labels: { org.farm.test: \"1\" }",
    );
    let to = format!("REGISTRY={}", registry.address());
    let first = space.farm(&["publish-image", "tiny", &to]).succeeded();
    let printed = first.stdout.trim_end();
    let (reference, digest) = printed.split_once('@').unwrap();
    assert_eq!(
        reference,
        format!("{}/tiny/leaf:{}.opt", registry.address(), space.flavour())
    );
    assert!(digest.starts_with("sha256:") && digest.len() == 71, "{printed}");

    // Published again, nothing happens, and it is printed again.
    let again = space.farm(&["publish-image", "tiny", &to]).succeeded();
    assert_eq!(again.stdout.trim_end(), printed);
    assert!(again.stderr.contains("nothing to do"), "{again}");

    let id = space.place("tiny:image/leaf", "image")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    docker(&["image", "rm", "--force", &id]);
    assert!(!image_exists(&id));
    let by_digest = format!("{}/tiny/leaf@{digest}", registry.address());
    docker(&["pull", "--quiet", &by_digest]);
    let said = docker(&[
        "run",
        "--rm",
        "--label",
        "org.farm.test=1",
        "--network",
        "none",
        &by_digest,
    ]);
    assert_eq!(said, "hello, the answer is 42");
    docker(&["image", "rm", &by_digest]);

    // The engine lost the image and the registry has it: it is made again, the same, and the digest is the same.
    let after = space.farm(&["publish-image", "tiny", &to]).succeeded();
    assert_eq!(after.stdout.trim_end(), printed);
}

#[test]
fn a_registry_out_of_reach_is_the_environments_fault() {
    let space = FarmSpace::ready();
    let nobody = Address::unused();
    let output = space
        .farm(&["publish-image", "tiny", &format!("REGISTRY={}", &*nobody)])
        .ended(3);
    assert_eq!(output.stdout, "", "nothing is published, so nothing is printed");
    assert!(output.stderr.contains(&*nobody), "{output}");
    assert!(output.stderr.contains("hint:"), "{output}");
}
