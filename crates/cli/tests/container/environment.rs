//! Machines that are not as one wishes: no engine, another user, a full disk, nothing to write on.

use std::path::Path;

use crate::support::{FarmSpace, Mounted, Output, User, run};

const BAR: &str = "farms/tiny/overlay/dev-libs/bar/files/bar.c";
const LEAF: &str = "farms/tiny/overlay/app-misc/leaf/leaf-1.0.ebuild";

/// Makes bar run, and what needs it.
fn change_bar(space: &FarmSpace) {
    space.edit(BAR, "foo_count() + 1", "foo_count() + 2");
}

/// Whether a run built bar without having to make its plan again.
#[track_caller]
fn assert_goes_on(output: &Output) {
    let ran = output.ran();
    assert!(ran.contains("tiny:pkg/app-misc/leaf-1.0"), "{output}");
    assert!(!ran.contains("tiny:plan/libs"), "what was finished ran again: {output}");
}

#[test]
fn an_engine_is_needed_only_when_something_runs_in_it() {
    let space = FarmSpace::ready();
    let nowhere = format!("unix://{}", space.folder().join("nothing.sock").display());
    let without = |arguments: &[&str]| {
        let mut command = space.command(arguments);
        command.env("DOCKER_HOST", &nowhere);
        run(command)
    };
    without(&["build", "tiny", "--json"]).assert_ran("nothing to do and no engine", &[]);
    let quiet = without(&["build", "tiny"]).succeeded();
    assert!(!quiet.stderr.contains("docker"), "{quiet}");
    let dry = without(&["build", "tiny", "-n", "--json"]).succeeded();
    assert!(!dry.stdout.contains("\"run\""), "{dry}");

    change_bar(&space);
    let output = without(&["build", "tiny"]).ended(3);
    assert!(output.stderr.contains("no docker engine answers at"), "{output}");
    assert!(
        output.stderr.contains("is the engine installed and started?"),
        "{output}"
    );
    assert!(
        output.stderr.contains("hint: start the engine, or join its group"),
        "{output}"
    );
    let _ = space.build(&[]).succeeded();
}

#[test]
fn a_user_who_may_not_use_the_engine() {
    let space = FarmSpace::ready();
    let user = User::new(&[]);
    change_bar(&space);
    user.take(&space);
    let output = run(user.command(&space, &["build", "tiny"])).ended(3);
    assert!(output.stderr.contains("permission denied"), "{output}");
    assert!(output.stderr.contains("adduser YOU docker"), "{output}");
}

#[test]
fn an_ordinary_user_in_group_docker() {
    let space = FarmSpace::ready();
    let user = User::new(&["docker"]);
    change_bar(&space);
    // Whoever calls sudo leaves a trace.
    let programs = space.folder().join("programs");
    let asked = space.folder().join("sudo-was-called");
    fs_err::create_dir(&programs).unwrap();
    fs_err::write(
        programs.join("sudo"),
        format!("#!/bin/sh\necho \"$@\" > {}\nexec \"$@\"\n", asked.display()),
    )
    .unwrap();
    let executable = std::os::unix::fs::PermissionsExt::from_mode(0o755);
    fs_err::set_permissions(programs.join("sudo"), executable).unwrap();
    let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", programs.display());
    user.take(&space);

    let farm = |arguments: &[&str]| {
        let mut command = user.command(&space, arguments);
        command.env("PATH", &path);
        run(command).succeeded()
    };
    let output = farm(&["build", "tiny", "--json"]);
    assert!(output.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{output}");
    assert!(output.ran().contains("tiny:task/greet"), "{output}");
    let target = space.folder().join("pkgs");
    let variable = format!("PKGS=file://{}", target.display());
    let _ = farm(&["publish-pkgs", "tiny", "--unsigned", &variable]);
    let published = target.join(format!("{}.opt", space.flavour()));
    assert!(
        published.join("Packages").is_file(),
        "nothing at {}",
        published.display()
    );
    let mode = |path: &Path| std::os::unix::fs::MetadataExt::mode(&fs_err::metadata(path).unwrap()) & 0o7777;
    assert_eq!((mode(&published), mode(&published.join("Packages"))), (0o2775, 0o644));

    farm(&["build", "tiny", "--json"]).assert_ran("once more", &[]);
    // The copy of the program is the test's.
    fs_err::remove_file(space.folder().join("farm")).unwrap();
    assert_eq!(user.not_his(space.folder()), [""; 0].map(std::path::PathBuf::from));
    assert!(!asked.exists(), "sudo {}", fs_err::read_to_string(&asked).unwrap());
}

#[test]
fn no_room_for_temporary_files() {
    let space = FarmSpace::ready();
    change_bar(&space);
    let scratch = space.folder().join("scratch");
    let disk = Mounted::disk(&scratch, 8);
    let build = || {
        let mut command = space.command(&["build", "tiny", "--json"]);
        command.env("FARM_SCRATCH", &scratch);
        run(command)
    };
    let output = build().ended(3);
    assert!(output.stderr.contains("No space left on device"), "{output}");
    assert!(
        output
            .stderr
            .contains("hint: free some room, or put scratch space elsewhere with FARM_SCRATCH"),
        "{output}"
    );
    // A tree of the image passes through.
    disk.resize(4 * 1024 * 1024);
    assert_goes_on(&build().succeeded());
}

#[test]
fn no_room_for_results() {
    let space = FarmSpace::ready();
    change_bar(&space);
    // Bar fits, leaf does not: noise cannot be packed.
    let noise =
        "python3 -c 'import random; open(\"noise\", \"wb\").write(random.Random(1).randbytes(8 << 20))' || die\n";
    space.edit(
        LEAF,
        "\tdobin leaf\n",
        &format!("\tdobin leaf\n\t{noise}\tinsinto /usr/share\n\tdoins noise\n"),
    );
    let state = space.path(".farm");
    let aside = space.folder().join("state");
    fs_err::rename(&state, &aside).unwrap();
    let disk = Mounted::disk(&state, 12 * 1024);
    let status = std::process::Command::new("cp")
        .args(["-a", "-T"])
        .args([&aside, &state])
        .status()
        .unwrap();
    assert!(status.success(), "the state does not fit");

    let output = space.build(&[]).ended(3);
    assert!(output.stderr.contains("No space left on device"), "{output}");
    assert!(output.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{output}");
    assert_eq!(
        output.with_result("failed").into_iter().collect::<Vec<_>>(),
        ["tiny:pkg/app-misc/leaf-1.0"],
        "{output}"
    );
    disk.resize(256 * 1024);
    let output = space.build(&[]).succeeded();
    assert_goes_on(&output);
    assert!(!output.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{output}");
    space.build(&[]).assert_ran("with room", &[]);
    // What it made in the engine is known there only.
    let _ = space.farm(&["clean"]);
}

#[test]
fn a_workspace_that_cannot_be_written() {
    let space = FarmSpace::ready();
    change_bar(&space);
    let mounted = Mounted::read_only(&space.path(""));
    let output = space.farm(&["build", "tiny"]).ended(3);
    assert!(output.stderr.contains("Read-only file system"), "{output}");
    // Looking is possible all the same.
    let looked = space.farm(&["targets", "tiny"]).succeeded();
    assert!(looked.stdout.contains("tiny:image/leaf"), "{looked}");
    drop(mounted);
    let output = space.build(&[]).succeeded();
    assert!(output.ran().contains("tiny:pkg/dev-libs/bar-2.0"), "{output}");
}

#[test]
fn the_state_of_a_newer_farm_is_left_alone() {
    let space = FarmSpace::ready();
    let guards = space.path(".farm/guards");
    let mut bytes = fs_err::read(&guards).unwrap();
    // The version follows twelve bytes that say what the file is.
    bytes[12] += 1;
    fs_err::write(&guards, &bytes).unwrap();
    let output = space.farm(&["build", "tiny"]).ended(3);
    assert!(output.stderr.contains("newer"), "{output}");
    assert_eq!(fs_err::read(&guards).unwrap(), bytes);
    bytes[12] -= 1;
    fs_err::write(&guards, &bytes).unwrap();
    space.build(&[]).assert_ran("with the right farm", &[]);
}
