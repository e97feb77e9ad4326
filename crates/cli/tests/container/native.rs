//! `-march=native`: explicit flags in the key and in the package, those of the processor at hand.

use std::io::Read as _;

use farm_engine::GuardStore as _;
use farm_guard_file::{GuardFile, Mode};

use crate::support::{FarmSpace, docker, run};

const PROFILE: &str = "farms/tiny/overlay/profiles/binfarm/opt/make.defaults";

/// A file of the metadata of the package that a node made last.
fn metadata(space: &FarmSpace, node: &str, name: &str) -> String {
    let kept = space.place(node, "payload");
    let digest = kept["blobs"]["package"]["digest"].as_str().unwrap();
    let path = format!(".farm/store/blobs/{}/{}", &digest[..2], &digest[2..]);
    let mut package = tar::Archive::new(fs_err::File::open(space.path(&path)).unwrap());
    for member in package.entries().unwrap() {
        let member = member.unwrap();
        if !member.path().unwrap().ends_with("metadata.tar.zst") {
            continue;
        }
        let mut metadata = tar::Archive::new(zstd::Decoder::new(member).unwrap());
        for file in metadata.entries().unwrap() {
            let mut file = file.unwrap();
            if file.path().unwrap().ends_with(name) {
                let mut text = String::new();
                file.read_to_string(&mut text).unwrap();
                return text.trim().to_owned();
            }
        }
    }
    panic!("{node} has no {name}");
}

/// What the compiler of the farm's root makes of flags: every target option and its value.
fn target_options(space: &FarmSpace, flags: &str) -> String {
    let image = space.place("tiny:root", "image");
    // With it the assembler would have to read what is printed.
    let flags = flags.replace("-pipe", "");
    let script = format!("gcc {flags} -Q --help=target && gcc {flags} -Q --help=params");
    docker(&[
        "run",
        "--rm",
        "--network",
        "none",
        "--label",
        "org.farm.test=1",
        image["id"].as_str().unwrap(),
        "/bin/sh",
        "-ec",
        &script,
    ])
}

#[test]
fn native_becomes_what_it_means_here() {
    let space = FarmSpace::ready();
    // In the profile of a repository, which nobody but Portage reads, and for one package otherwise.
    space.edit(PROFILE, "CFLAGS=\"-O2 -pipe\"", "CFLAGS=\"-O2 -march=native -pipe\"");
    space.write(
        "profiles/common/env/tuned.conf",
        "CFLAGS=\"-O1 -mno-sse4.2 -mtune=native\"\n",
    );
    space.write("profiles/common/package.env", "dev-libs/libfoo tuned.conf\n");
    let output = space.build(&[]).succeeded();
    assert!(output.ran().contains("tiny:pkg/app-misc/leaf-1.0"), "{output}");

    let leaf = metadata(&space, "tiny:pkg/app-misc/leaf-1.0", "CFLAGS");
    let libfoo = metadata(&space, "tiny:pkg/dev-libs/libfoo-1.2", "CFLAGS");
    for flags in [&leaf, &libfoo] {
        assert!(!flags.contains("native"), "{flags}");
    }
    assert!(leaf.starts_with("-O2 -march=") && leaf.ends_with(" -pipe"), "{leaf}");
    assert!(libfoo.starts_with("-O1 ") && libfoo.contains(" -mtune="), "{libfoo}");
    assert!(!libfoo.contains("-march="), "{libfoo}");
    assert_eq!(
        target_options(&space, &leaf),
        target_options(&space, "-O2 -march=native -pipe")
    );
    assert_eq!(
        target_options(&space, &libfoo),
        target_options(&space, "-O1 -mno-sse4.2 -mtune=native")
    );

    // People read what it became, and the flags themselves are in the key.
    let said = "-march=native is -march=";
    let notes = |text: &str| text.matches(said).count();
    assert_eq!(notes(&output.stdout), 1, "{output}");
    let plan = space.farm(&["plan", "tiny"]).succeeded();
    assert_eq!(notes(&plan.stdout), 1, "{plan}");
    let key = space
        .guards()
        .into_iter()
        .filter(|guard| guard.node == "tiny:pkg/app-misc/leaf-1.0")
        .max_by_key(|guard| guard.started_ms)
        .unwrap();
    let input = key.inputs.iter().find(|input| input.name == "env/CFLAGS").unwrap();
    assert!(format!("{input:?}").contains(&leaf), "{input:?} and {leaf}");

    space.build(&[]).assert_ran("nothing changed", &[]);
    let mut without = space.command(&["build", "tiny", "--json"]);
    let nowhere = space.folder().join("nothing.sock");
    without.env("DOCKER_HOST", format!("unix://{}", nowhere.display()));
    run(without).assert_ran("nothing to do and no engine", &[]);

    // As if everything had been brought here from a machine with another processor.
    let guards = GuardFile::open(&space.path(".farm/guards"), Mode::Write)
        .unwrap()
        .guards;
    let there = space.place("tiny:plan/apps", "native")["processor"].clone();
    let there = there.as_str().unwrap();
    let elsewhere = there.chars().rev().collect::<String>();
    for mut guard in guards.all() {
        let mut moved = false;
        for output in &mut guard.outputs {
            moved |= output.place.contains(there);
            output.place = output.place.replace(there, &elsewhere);
        }
        if moved {
            guards.record(guard).unwrap();
        }
    }
    drop(guards);
    space.build(&[]).assert_ran(
        "another processor that means the same flags",
        &["plan/libs", "plan/apps"],
    );
    space.build(&[]).assert_ran("back to where it was made", &[]);
}

#[test]
fn what_cannot_be_made_explicit_is_refused() {
    let space = FarmSpace::ready();
    space.edit("profiles/type/opt/make.conf", "CPPFLAGS=", "CC=\"clang\"\nCPPFLAGS=");
    space.edit(PROFILE, "CFLAGS=\"-O2 -pipe\"", "CFLAGS=\"-O2 -march=native -pipe\"");
    let output = space.farm(&["build", "tiny"]).ended(2);
    assert!(
        output
            .stderr
            .contains("cannot be made explicit: CC is clang, which the root does not have; write the flags out"),
        "{output}"
    );

    // Here only the shell that builds knows.
    space.edit("profiles/type/opt/make.conf", "CC=\"clang\"\n", "");
    space.edit(PROFILE, "-march=native ", "");
    space.write("profiles/common/bashrc", "CFLAGS+=\" -march=native\"\n");
    let output = space.farm(&["build", "tiny:pkg/dev-libs/libfoo"]).ended(2);
    assert!(
        output
            .stderr
            .contains("CFLAGS came to hold -march=native while it was built"),
        "{output}"
    );
    assert!(
        output
            .stderr
            .contains("hint: a bashrc, a hook in env/ or the ebuild adds it"),
        "{output}"
    );
}
