//! The root in generations, on a base of more than twenty packages of which two are built with each other.

use std::collections::BTreeSet;

use fs_err as fs;

use crate::support::{FarmSpace, OVERLAY, Output, Part, docker, weekly_base, weekly_manifest, weekly_variant};

const MANIFEST: &str = "farms/tiny/farm.yaml";

/// The weekly base's packages, and a program that needs three of its libraries and is built with one of its two tools.
fn space() -> FarmSpace {
    let space = FarmSpace::weekly();
    Part::new("app-misc/user-1.0")
        .uses("dev-libs/l02")
        .built_with("dev-util/cc")
        .built_from(&["l02", "cc"])
        .write(&space);
    space
}

/// What a command prints in an image.
fn run(image: &str, command: &[&str]) -> String {
    let words = [
        "run",
        "--rm",
        "--label",
        "org.farm.test=1",
        "--network",
        "none",
        "--entrypoint",
    ];
    docker(&[&words[..], &command[..1], &[image], &command[1..]].concat())
}

/// Parts in an image, one below the other.
fn parts(image: &str, names: &[&str]) -> String {
    let paths: Vec<String> = names.iter().map(|name| format!("/usr/share/parts/{name}")).collect();
    let mut command = vec!["cat"];
    command.extend(paths.iter().map(String::as_str));
    run(image, &command)
}

/// Lines of the manifest that publish the farm's packages to a folder where clients fetch them.
fn publication(space: &FarmSpace) -> String {
    let folder = space.folder().join("published");
    format!("publish:\n  pkgs: {{ to: \"file://{}\" }}\n", folder.display())
}

/// Publishes them.
fn publish(space: &FarmSpace) -> Output {
    space.farm(&["publish-pkgs", "tiny", "--unsigned", "--json"])
}

/// The packages that clients find in that folder, of which the index lists each and each is there.
fn published(space: &FarmSpace) -> BTreeSet<String> {
    let folder = space.folder().join(format!("published/{}.opt", space.flavour()));
    let index = fs::read_to_string(folder.join("Packages")).unwrap();
    for path in index.lines().filter_map(|line| line.strip_prefix("PATH: ")) {
        assert!(folder.join(path).exists(), "{path} is not there");
    }
    let listed = index.lines().filter_map(|line| line.strip_prefix("CPV: "));
    listed.map(str::to_owned).collect()
}

fn names(wanted: &[&str]) -> BTreeSet<String> {
    wanted.iter().map(|name| (*name).to_owned()).collect()
}

/// The packages that were built, as their nodes are called below `pkg/`.
fn packages(output: &Output) -> Vec<String> {
    let ran = output.ran().into_iter();
    ran.filter_map(|name| Some(name.strip_prefix("tiny:pkg/")?.to_owned()))
        .collect()
}

#[test]
fn a_base_is_kept_up_to_date() {
    let space = space();
    let base = weekly_base();
    let rest = format!(
        "subjects:\n  apps: {{ packages: [app-misc/user] }}\nimages:\n  small: {{ from: base, subjects: [apps] }}\n{}",
        publication(&space)
    );
    let manifest = |binfarm: &str| weekly_manifest(&space, base, binfarm, &rest);
    let plain = manifest("");
    space.write(MANIFEST, &plain);
    let output = space.build(&[]);
    assert!(output.ran().contains("tiny:pkg/app-misc/user-1.0"), "{output}");

    // A base of which nothing is newer is left as it is, and nothing above it is built.
    let updated = manifest("  update: world\n");
    space.write(MANIFEST, &updated);
    space.build(&[]).assert_ran(
        "nothing is newer",
        &["plan/update", "generation/update", "root/update", "root", "plan"],
    );

    // A new version, and what it binds; what is above both in the root's records is built again, as one of them may have changed it.
    Part::new("dev-libs/l00-1.1").head("SLOT=\"0/2\"").write(&space);
    let output = space.build(&[]);
    let (l00, l01) = ("dev-libs/l00-1.1@update", "dev-libs/l01-1.0@update");
    assert_eq!(packages(&output), ["app-misc/user-1.0", l00, l01], "{output}");
    let root = format!("farm/tiny-root-update:{}.opt", space.flavour());
    let new = "l00 1.1\nl01 1.0\nl00 1.1\nl02 1.0\nl01 1.0\nl00 1.0";
    assert_eq!(parts(&root, &["l00", "l01", "l02"]), new);
    // The root's records say so too, and nothing of the old one is left in them.
    let records = run(&root, &["ls", "/var/db/pkg/dev-libs"]);
    assert!(records.starts_with("l00-1.1\nl01-1.0\nl02-1.0\n"), "{records}");
    // An image from the base gets what was replaced.
    let small = format!("farm/tiny-small:{}.opt", space.flavour());
    assert_eq!(parts(&small, &["l01"]), "l01 1.0\nl00 1.1");
    let index = space.read(&format!(".farm/binhost/tiny/{}.opt/Packages", space.flavour()));
    for cpv in ["app-misc/user-1.0", "dev-libs/l00-1.1", "dev-libs/l01-1.0"] {
        assert!(index.contains(&format!("CPV: {cpv}\n")), "{index}");
    }
    space.build(&[]).assert_ran("nothing changed", &[]);

    // Clients get them, and no others of the base.
    let output = publish(&space);
    output.assert_ran("what is published is there", &["publish-pkgs"]);
    let first = names(&["app-misc/user-1.0", "dev-libs/l00-1.1", "dev-libs/l01-1.0"]);
    assert_eq!(published(&space), first);

    // Whatever is asked for is built anew, though nothing of it is newer; what it is built into is the next root.
    space.write(MANIFEST, manifest("  update: world\n  rebuild: [dev-libs/l19]\n"));
    let output = publish(&space).succeeded();
    assert_eq!(packages(&output), ["dev-libs/l19-1.0@update"], "{output}");
    let mut more = first.clone();
    more.insert("dev-libs/l19-1.0".to_owned());
    assert_eq!(published(&space), more);

    // And back: everything is there.
    for back in [&plain, &updated] {
        space.write(MANIFEST, back);
        let output = space.build(&[]).succeeded();
        assert_eq!(packages(&output), [""; 0], "{output}");
        let cached = output.with_result("cached");
        let is_cached = |name: &str| cached.contains(&format!("tiny:pkg/{name}"));
        assert_eq!([l00, l01].map(is_cached), [back == &updated; 2], "{output}");
    }
    publish(&space).assert_ran("what was published before is published again", &["publish-pkgs"]);
    assert_eq!(published(&space), first);
}

#[test]
fn a_toolchain_comes_first_and_only_what_uses_it_is_built() {
    let space = space();
    let rest = format!(
        "subjects:\n  apps: {{ packages: [app-misc/user, dev-libs/bar] }}\n{}",
        publication(&space)
    );
    let manifest = |binfarm: &str| weekly_manifest(&space, weekly_base(), binfarm, &rest);
    space.write(MANIFEST, manifest(""));
    let first = space.build(&[]);
    assert!(first.ran().contains("tiny:pkg/app-misc/user-1.0"), "{first}");
    let bar = "tiny:pkg/dev-libs/bar-2.0";
    assert!(first.ran().contains(bar), "{first}");

    // A compiler, which is to be there before what it builds; and of the same version a library that everything stands on, and a tool that is
    // built with the compiler.
    Part::new("dev-util/cc-2.0")
        .built_with("dev-util/aa")
        .built_from(&["aa"])
        .write(&space);
    Part::new("dev-util/aa-1.0")
        .head("IUSE=\"+full\"")
        .built_with("full? ( dev-util/cc )")
        .built_from(&["cc"])
        .write(&space);
    let generations = "  toolchain: { dev-util/cc: {} }\n  rebuild: [dev-libs/l00, dev-util/aa]\n";
    space.write(MANIFEST, manifest(generations));
    // The plan of what comes later cannot be made before its root is.
    let dry = space.farm(&["build", "tiny", "-n", "--json"]).succeeded();
    assert!(dry.stdout.contains("tiny:pkg/dev-util/cc-2.0@toolchain"), "{dry}");
    let plan = space.farm(&["plan", "tiny"]).succeeded();
    assert!(plan.stdout.contains("dev-util/cc-2.0"), "{plan}");
    let next =
        "what comes after the root with toolchain is planned in that root: `farm build tiny:root/toolchain` makes it";
    assert!(plan.stderr.contains(next), "{plan}");
    let ebuild = format!("{OVERLAY}/dev-util/cc/cc-2.0.ebuild");
    let affected = space.farm(&["debug", "query", "affected", &ebuild]).ended(2);
    assert!(
        affected.stderr.contains("`farm build tiny:root/update` makes it"),
        "{affected}"
    );
    let output = publish(&space);
    // aa and cc are built with each other: each finds the other in the root below.
    assert_eq!(
        packages(&output),
        [
            "app-misc/user-1.0",
            "dev-libs/l00-1.0@update",
            "dev-util/aa-1.0@update",
            "dev-util/cc-2.0@toolchain"
        ],
        "{output}"
    );
    assert_eq!(
        published(&space),
        names(&[
            "app-misc/user-1.0",
            "dev-libs/bar-2.0",
            "dev-libs/l00-1.0",
            "dev-libs/libfoo-1.2",
            "dev-util/aa-1.0",
            "dev-util/cc-2.0",
        ])
    );
    let root = |generation: &str| format!("farm/tiny-root-{generation}:{}.opt", space.flavour());
    assert_eq!(parts(&root("toolchain"), &["cc", "aa"]), "cc 2.0\naa 1.0\naa 1.0");
    // The next root holds both, and what was built for it was built with the new compiler.
    assert_eq!(
        parts(&root("update"), &["cc", "aa"]),
        "cc 2.0\naa 1.0\naa 1.0\ncc 2.0\naa 1.0"
    );
    let records = run(&root("update"), &["ls", "/var/db/pkg/dev-util"]);
    assert!(records.starts_with("aa-1.0\ncc-2.0\n"), "{records}");
    space
        .build(&[])
        .assert_ran("what publishing does not need", &["binfarm", "binhost"]);
}

#[test]
fn all_of_a_base_is_built_anew_and_what_is_built_with_each_other_finds_the_old() {
    let space = space();
    // The stubs of Debian's packages have no ebuilds: without them in @system, everything that @world asks for can be built.
    space.write("farms/tiny/gentoo/profiles/default/linux/amd64/packages", "# Nothing\n");
    let base = weekly_variant("printf 'dev-libs/l02\ndev-util/aa\n' > /var/lib/portage/world");
    let subjects = "subjects:\n  apps: { packages: [app-misc/user] }\n";
    space.write(
        MANIFEST,
        weekly_manifest(&space, &base, "  update: emptytree\n", subjects),
    );
    let output = space.build(&[]);
    assert_eq!(
        packages(&output),
        [
            "app-misc/user-1.0",
            "dev-libs/l00-1.0@update",
            "dev-libs/l01-1.0@update",
            "dev-libs/l02-1.0@update",
            "dev-util/aa-1.0@update",
            "dev-util/cc-1.0@update",
        ],
        "{output}"
    );
    let root = format!("farm/tiny-root-update:{}.opt", space.flavour());
    assert_eq!(
        parts(&root, &["l02", "cc"]),
        "l02 1.0\nl01 1.0\nl00 1.0\ncc 1.0\naa 1.0"
    );
    space.build(&[]).assert_ran("nothing changed", &[]);
}
