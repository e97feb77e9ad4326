//! The help of every command: the reference that `farm help` prints.

use crate::space::Space;

const COMMANDS: [&str; 22] = [
    "build",
    "publish-pkgs",
    "publish-image",
    "plan",
    "patch",
    "update",
    "binhost",
    "key",
    "distfiles",
    "import",
    "targets",
    "why",
    "graph",
    "log",
    "serve",
    "clean",
    "gc",
    "doctor",
    "debug",
    "schema",
    "completions",
    "man",
];

#[test]
fn reference() {
    let space = Space::new();
    let mut text = space.farm(&["--help"]).text();
    for command in COMMANDS {
        text.push_str(&format!(
            "\n===== farm {command} --help\n{}",
            space.farm(&[command, "--help"]).text()
        ));
    }
    insta::assert_snapshot!("reference", text);
}

#[test]
fn every_command_is_in_the_reference() {
    let help = Space::new().farm(&["--help"]).stdout;
    let listed: Vec<&str> = help
        .lines()
        .skip_while(|line| *line != "Commands:")
        .skip(1)
        .take_while(|line| !line.is_empty())
        .filter_map(|line| line.split_whitespace().next())
        .filter(|name| *name != "help")
        .collect();
    assert_eq!(listed, COMMANDS);
}

#[test]
fn manual_pages_and_completions() {
    let space = Space::new();
    for command in COMMANDS {
        let page = space.farm(&["man", command]);
        assert_eq!(page.status, Some(0), "{}", page.text());
        assert!(
            page.stdout.contains(&format!("farm-{command}")) || page.stdout.contains("farm\\-"),
            "{}",
            page.text()
        );
    }
    for shell in ["bash", "zsh", "fish"] {
        let completions = space.farm(&["completions", shell]);
        assert_eq!((completions.status, completions.stderr.as_str()), (Some(0), ""));
        assert!(completions.stdout.contains("publish-pkgs"), "{shell}");
    }
}

#[test]
fn version() {
    let ended = Space::new().farm(&["--version"]);
    assert_eq!(
        (ended.status, ended.stdout),
        (Some(0), format!("farm {}\n", env!("CARGO_PKG_VERSION")))
    );
}

#[test]
fn schema_is_json() {
    let ended = Space::new().farm(&["schema"]);
    assert_eq!((ended.status, ended.stderr.as_str()), (Some(0), ""));
    let schema: serde_json::Value = serde_json::from_str(&ended.stdout).unwrap();
    assert!(schema["properties"]["binfarm"].is_object(), "{schema}");
}
