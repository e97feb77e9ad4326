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

/// Whether a text is anywhere in a file, which may be large.
fn holds(file: &Path, text: &str) -> bool {
    let status = Command::new("grep")
        .args(["--quiet", "--text", "--fixed-strings", "-e", text])
        .arg(file)
        .status();
    status.unwrap().success()
}

#[test]
fn a_token_is_in_no_layer() {
    let space = FarmSpace::ready();
    // A package that is made anew once the overlay comes from a server that wants a token.
    let source = format!("{OVERLAY}/app-misc/leaf/files/leaf.c");
    space.write(
        &source,
        format!("const char another[] = \"another\";\n{}", space.read(&source)),
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

    // A root of the same run, too; then the former one again, so that only one package is built.
    space.write("farms/tiny/root.d/etc/secrets-test", "x\n");
    let output = space
        .farm(&["build", "--json", "tiny:repo/tiny", "tiny:root"])
        .succeeded();
    for node in ["repo/tiny", "root"] {
        assert!(output.ran().contains(&format!("tiny:{node}")), "{node}: {output}");
    }
    let root = space.place("tiny:root", "image")["id"].as_str().unwrap().to_owned();
    space.remove("farms/tiny/root.d/etc/secrets-test");
    let output = space.farm(&["build", "--json", "tiny:image/leaf"]).succeeded();
    for node in ["pkg/app-misc/leaf-1.0", "image/leaf"] {
        assert!(output.ran().contains(&format!("tiny:{node}")), "{node}: {output}");
    }
    let leaf = space.place("tiny:image/leaf", "image")["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let login = server
        .requests()
        .into_iter()
        .find_map(|request| request.authorization)
        .unwrap();
    let login = login.strip_prefix("Basic ").unwrap();
    for image in [&root, &leaf] {
        let saved = space.folder().join("saved.tar");
        docker(&["save", "--output", saved.to_str().unwrap(), image]);
        assert!(holds(&saved, "etc/passwd"), "not what an image looks like");
        let told = space.folder().join("told");
        let history = docker(&["history", "--no-trunc", image]);
        fs_err::write(&told, history + &docker(&["inspect", image])).unwrap();
        for secret in [TOKEN, login, "FARM_TOKEN_FILE"] {
            assert!(!holds(&saved, secret) && !holds(&told, secret), "{secret} in {image}");
        }
    }

    // What was fetched is there without the server, and without the token.
    server.stop();
    fs_err::remove_file(&token).unwrap();
    let again = space.build(&[]).succeeded();
    assert!(!again.ran().contains("tiny:repo/tiny"), "{again}");
}
