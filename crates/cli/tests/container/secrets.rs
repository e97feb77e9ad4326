//! What of a token is in roots and images: nothing.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;

use crate::support::git_server::GitServer;
use crate::support::{FarmSpace, docker};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";
const TOKEN: &str = "wheat-0123456789";

fn git(folder: &Path, arguments: &[&str]) {
    let status = Command::new("git")
        .args(["-c", "user.name=a", "-c", "user.email=a@example.org"])
        .args(arguments)
        .current_dir(folder)
        .status();
    assert!(status.unwrap().success(), "git {arguments:?}");
}

#[test]
fn a_token_is_in_no_layer() {
    let space = FarmSpace::ready();
    // A root and a package that are made anew once the overlay comes from a server that wants a token.
    space.write("farms/tiny/root.d/etc/secrets-test", "x\n");
    space.edit(
        &format!("{OVERLAY}/app-misc/leaf/leaf-1.0.ebuild"),
        "LICENSE=",
        "# Another.\n\nLICENSE=",
    );
    let overlay = space.path(OVERLAY);
    git(&overlay, &["init", "--quiet", "-b", "main"]);
    git(&overlay, &["add", "."]);
    git(&overlay, &["commit", "--quiet", "-m", "one"]);
    let served = space.folder().join("served");
    git(
        &overlay,
        &[
            "clone",
            "--quiet",
            "--bare",
            ".",
            served.join("tiny.git").to_str().unwrap(),
        ],
    );
    let mut server = GitServer::serve_with_login(&served, "oauth2", TOKEN);
    let token = space.folder().join("home/token");
    fs_err::write(&token, TOKEN).unwrap();
    fs_err::set_permissions(&token, std::fs::Permissions::from_mode(0o600)).unwrap();
    space.edit(
        MANIFEST,
        "{ path: overlay }",
        &format!("{{ git: \"{}\" }}", server.url("tiny.git")),
    );
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n\nflavour:",
        server.url("")
    );
    space.edit(MANIFEST, "flavour:", &secrets);

    let output = space.build(&["tiny:image/leaf", "tiny:binfarm"]).succeeded();
    for node in ["repo/tiny", "root", "pkg/app-misc/leaf-1.0", "image/leaf"] {
        assert!(output.ran().contains(&format!("tiny:{node}")), "{node}: {output}");
    }
    let login = server
        .requests()
        .into_iter()
        .find_map(|request| request.authorization)
        .unwrap();
    let login = login.strip_prefix("Basic ").unwrap();
    for (node, what) in [("root", "root"), ("image/leaf", "leaf")] {
        let image = space.place(&format!("tiny:{node}"), "image")["id"]
            .as_str()
            .unwrap()
            .to_owned();
        let saved = space.folder().join(format!("{what}.tar"));
        docker(&["save", "--output", saved.to_str().unwrap(), &image]);
        let mut seen = fs_err::read(&saved).unwrap();
        assert!(
            seen.windows(8).any(|part| part == b"app-misc") || what == "root",
            "not what a layer looks like"
        );
        seen.extend(docker(&["history", "--no-trunc", &image]).into_bytes());
        seen.extend(docker(&["inspect", &image]).into_bytes());
        for secret in [TOKEN, login, "FARM_TOKEN_FILE"] {
            assert!(
                !seen.windows(secret.len()).any(|part| part == secret.as_bytes()),
                "{secret} in {what}"
            );
        }
    }

    // What was fetched is there without the server, and without the token.
    server.stop();
    fs_err::remove_file(&token).unwrap();
    let again = space.build(&[]).succeeded();
    assert!(!again.ran().contains("tiny:repo/tiny"), "{again}");
}
