//! The engine, through its own client.

use std::process::{Command, Stdio};

/// Runs `docker` and returns what it printed, without the line feed at the end.
///
/// # Panics
///
/// If it fails, with what it said.
pub(crate) fn docker(arguments: &[&str]) -> String {
    let output = Command::new("docker")
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    assert!(
        output.status.success(),
        "docker {}: {}",
        arguments.join(" "),
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}

/// Whether the engine has an image of this name or id.
pub(crate) fn image_exists(name: &str) -> bool {
    Command::new("docker")
        .args(["image", "inspect", name])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .unwrap()
        .success()
}

/// Takes names away that match `REPOSITORY:TAG` with `*`; an image goes with its last name. What is gone already is not missed.
pub(crate) fn remove_tags(pattern: &str) {
    let filter = format!("reference={pattern}");
    let listed = docker(&[
        "image",
        "ls",
        "--filter",
        &filter,
        "--format",
        "{{.Repository}}:{{.Tag}}",
    ]);
    for name in listed.lines().filter(|name| !name.contains("<none>")) {
        // Another test may take the last name of the same image at the same moment.
        let _ = Command::new("docker")
            .args(["image", "rm", name])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}

/// Removes every container with this label, running or not.
pub(crate) fn remove_containers(label: &str) {
    let filter = format!("label={label}");
    let listed = docker(&["ps", "--all", "--quiet", "--filter", &filter]);
    for id in listed.lines() {
        let _ = Command::new("docker")
            .args(["rm", "--force", "--volumes", id])
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
    }
}
