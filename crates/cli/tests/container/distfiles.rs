//! Source files taken to a site without a network.

use blake2::Digest as _;
use fs_err as fs;

use crate::support::FarmSpace;

const MANIFEST: &str = "farms/tiny/farm.yaml";
const TOOL: &str = "farms/tiny/overlay/dev-util/tool";
const NAME: &str = "tool-words-1.0.txt";

/// A ready workspace of which one package has a source file, at an address where nobody answers.
fn space() -> FarmSpace {
    let space = FarmSpace::ready();
    space.edit(
        &format!("{TOOL}/tool-1.0.ebuild"),
        "LICENSE=",
        &format!("SRC_URI=\"http://localhost:9/{NAME}\"\n\nLICENSE="),
    );
    let hash: String = blake2::Blake2b512::digest(b"words\n")
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    space.write(&format!("{TOOL}/Manifest"), format!("DIST {NAME} 6 BLAKE2B {hash}\n"));
    space
}

#[test]
fn they_are_exported_where_there_is_a_network_and_imported_where_there_is_none() {
    let connected = space();
    connected.edit(MANIFEST, "flavour:", "distfiles: { dir: here }\n\nflavour:");
    connected.write(&format!("farms/tiny/here/{NAME}"), "words\n");
    let folder = connected.path("export");
    let folder = folder.to_str().unwrap();
    let output = connected.farm(&["distfiles", "export", folder, "tiny"]).succeeded();
    assert_eq!(
        output.stdout, "1 source file, 6 bytes; 1 written, the others were there\n",
        "{output}"
    );
    assert_eq!(connected.read(&format!("export/{NAME}")), "words\n");
    let output = connected.farm(&["distfiles", "export", folder, "tiny"]).succeeded();
    assert_eq!(
        output.stdout, "1 source file, 6 bytes; 0 written, the others were there\n",
        "{output}"
    );

    let lonely = space();
    // Another file of that name, and none.
    lonely.write(&format!("wrong/{NAME}"), "world\n");
    for (offered, said) in [("wrong", "BLAKE2B"), ("farms", "does not have it")] {
        let offered = lonely.path(offered);
        let output = lonely
            .farm(&["distfiles", "import", offered.to_str().unwrap(), "tiny"])
            .ended(2);
        assert!(output.stderr.contains(said), "{output}");
        assert!(
            !output.stderr.contains("localhost:9"),
            "nothing is downloaded: {output}"
        );
    }
    let output = lonely.farm(&["distfiles", "import", folder, "tiny"]).succeeded();
    assert_eq!(
        output.stdout, "1 source file, 6 bytes; 1 taken, the others were there\n",
        "{output}"
    );
    fs::remove_dir_all(folder).unwrap();
    let built = lonely.build(&["tiny:pkg/dev-util/tool"]);
    assert!(built.ran().contains("tiny:pkg/dev-util/tool-1.0"), "{built}");
    assert!(!built.ran().contains(&format!("tiny:fetch/{NAME}")), "{built}");
}
