//! What stock Portage makes of the published folder, and what a publication that fails leaves of it.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use fs_err as fs;

use crate::support::nginx::Nginx;
use crate::support::{Client, FarmSpace, base_image};

const LEAF: &str = "farms/tiny/overlay/app-misc/leaf/files/leaf.c";

/// A line of it, out of the way of the user patch.
const STDIO: &str = "#include <stdio.h>";

/// C that makes a program say something before anything else.
fn says(what: &str) -> String {
    format!("__attribute__((constructor)) static void say(void) {{ puts(\"{what}\"); }}\n")
}

/// A client that takes unsigned packages.
pub(crate) fn unsigned_client(url: &str, gentoo: &Path) -> Client {
    let client = Client::new(base_image(), gentoo);
    client.takes_from(&format!(
        "[farm]\npriority = 1\nsync-uri = {url}\nverify-signature = false\n"
    ));
    client
}

/// `farm publish-pkgs --unsigned` to `folder`, and how its nodes ended.
fn publish(space: &FarmSpace, folder: &Path) -> BTreeMap<String, String> {
    let to = format!("PKGS=file://{}", folder.display());
    let output = space
        .farm(&["publish-pkgs", "tiny", "--unsigned", "--json", &to])
        .succeeded();
    output.results()
}

/// What is seen of a file or folder from outside.
#[derive(Debug, PartialEq)]
struct Entry {
    mode: u32,
    /// Time of change in seconds and nanoseconds, and content; of files only.
    file: Option<(i64, i64, Vec<u8>)>,
}

/// Everything in a folder, and itself, by path.
fn picture(folder: &Path) -> BTreeMap<PathBuf, Entry> {
    use std::os::unix::fs::MetadataExt;
    let mut found = BTreeMap::new();
    let mut pending = vec![folder.to_owned()];
    while let Some(path) = pending.pop() {
        let metadata = fs::symlink_metadata(&path).unwrap();
        let file = if metadata.is_dir() {
            pending.extend(fs::read_dir(&path).unwrap().map(|entry| entry.unwrap().path()));
            None
        } else {
            Some((metadata.mtime(), metadata.mtime_nsec(), fs::read(&path).unwrap()))
        };
        let mode = metadata.mode() & 0o7777;
        found.insert(path, Entry { mode, file });
    }
    found
}

#[test]
fn stock_portage_installs_what_was_published_and_follows_it_back() {
    let space = FarmSpace::ready();
    let folder = space.folder().join("pkgs");
    let results = publish(&space, &folder);
    assert_eq!(results.get("tiny:publish-pkgs").map(String::as_str), Some("built"));
    let published = folder.join(format!("{}.opt", space.flavour()));

    let first = picture(&published);
    for (path, Entry { mode, file }) in &first {
        let wanted = if file.is_some() { 0o644 } else { 0o2775 };
        assert_eq!(*mode, wanted, "{} has mode {mode:o}", path.display());
    }
    let again = publish(&space, &folder);
    assert!(!again.values().any(|result| result != "cached"), "{again:?}");
    assert_eq!(picture(&published), first, "publishing the same again changes nothing");

    let server = Nginx::serve(&published);
    let gentoo = space.path("farms/tiny/gentoo");
    let client = unsigned_client(&server.url(), &gentoo);
    let said = client.emerge("app-misc/leaf");
    assert!(said.contains("Emerging binary"), "{said}");
    assert_eq!(client.shell("leaf"), "hello, the answer is 42", "version A");
    // What libfoo's pkg_postinst wrote; and what only builds others is not there.
    assert_eq!(
        client.shell("cat /var/lib/libfoo/ready; ! test -e /usr/bin/tool"),
        "1.2"
    );

    // A -> B: the same version with other content.
    let source = space.read(LEAF);
    space.edit(LEAF, STDIO, &format!("{STDIO}\n{}", says("version B")));
    publish(&space, &folder);
    client.emerge("--update --deep app-misc/leaf");
    assert_eq!(
        client.shell("leaf"),
        "version B\nhello, the answer is 42",
        "the client follows"
    );

    // B -> A: nothing is built, and still the client finds something newer than it has.
    space.write(LEAF, source);
    let back = publish(&space, &folder);
    let built: Vec<&String> = back
        .iter()
        .filter(|(_, result)| *result == "built")
        .map(|(name, _)| name)
        .collect();
    assert!(!built.iter().any(|name| name.contains(":pkg/")), "{built:?}");
    client.emerge("--update --deep app-misc/leaf");
    assert_eq!(
        client.shell("leaf"),
        "hello, the answer is 42",
        "the client follows back"
    );
    let fresh = unsigned_client(&server.url(), &gentoo);
    fresh.emerge("app-misc/leaf");
    assert_eq!(
        fresh.shell("leaf"),
        "hello, the answer is 42",
        "and so does a fresh one"
    );
}

#[test]
fn a_folder_that_cannot_be_written_is_the_environments_fault() {
    let space = FarmSpace::ready();
    let file = space.folder().join("a-file");
    fs::write(&file, "somebody's\n").unwrap();
    let to = format!("PKGS=file://{}", file.display());
    let output = space.farm(&["publish-pkgs", "tiny", "--unsigned", &to]).ended(3);
    assert!(output.stderr.contains(&file.display().to_string()), "{output}");
    assert_eq!(fs::read_to_string(&file).unwrap(), "somebody's\n");
}

/// Publishes in a mount namespace of its own, in which the target is a file system of 256 KiB that anybody may make read-only or
/// fill. What it prints is compared with what the test says.
const SMALL_DISK: &str = r#"
mount -t tmpfs -o size=256k,mode=755 tmpfs "$1"
cd "$2"
picture() { (cd "$1" && find . -type f -printf '%P %m %T@ ' -exec sha256sum {} \; | sort); }
publish() { "$3" publish-pkgs tiny --unsigned "PKGS=file://$1" 2>"$4" || return $?; }
publish "$@" && echo "A is published"
picture "$1" > "$5"

cp version-b.h "$6"
mount -o remount,ro "$1"
publish "$@"; echo "read-only: $?"
picture "$1" | cmp - "$5" && echo "as it was"
mount -o remount,rw "$1"

head -c 1000000 /dev/zero > "$1/filler" 2>/dev/null || true
publish "$@"; echo "full: $?"
rm "$1/filler"
picture "$1" | cmp - "$5" && echo "as it was"

publish "$@" && echo "B is published"
picture "$1" | cmp -s - "$5" || echo "something new"
"#;

#[test]
fn a_publication_that_fails_leaves_what_was_published() {
    let space = FarmSpace::ready();
    space.edit(LEAF, STDIO, &format!("{STDIO}\n#include \"more.h\""));
    let more = "farms/tiny/overlay/app-misc/leaf/files/more.h";
    space.write(more, says("version A"));
    space.write("version-b.h", says("version B"));
    let target = space.folder().join("small-disk");
    fs::create_dir(&target).unwrap();
    let mut command = space.command(&[]);
    let farm = command.get_program().to_owned();
    let environment: Vec<_> = command
        .get_envs()
        .filter_map(|(name, value)| Some((name.to_owned(), value?.to_owned())))
        .collect();
    command = Command::new("unshare");
    let output = command
        .args(["--user", "--map-root-user", "--mount", "sh", "-c", SMALL_DISK, "sh"])
        .arg(&target)
        .arg(space.path(""))
        .arg(farm)
        .arg(space.folder().join("said"))
        .arg(space.folder().join("picture"))
        .arg(space.path(more))
        .env_clear()
        .envs(environment)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = fs::read_to_string(space.folder().join("said")).unwrap_or_default();
    let errors = String::from_utf8_lossy(&output.stderr);
    assert_eq!(
        String::from_utf8_lossy(&output.stdout),
        "A is published\nread-only: 3\nas it was\nfull: 3\nas it was\nB is published\nsomething new\n",
        "{errors}\n{said}"
    );
}
