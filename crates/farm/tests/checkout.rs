//! Which files of a folder count that stands in for the repository of a live ebuild.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use std::path::Path;
use std::process::Command;

use farm_domain::context::Context;
use farm_domain::rules::live::checkout::Checkout;
use farm_engine::Failure;
use farm_executor::{CancelToken, ExecutorError};
use farm_store::{FileHasher, Store};

fn look(folder: &Path) -> Result<Checkout, Failure> {
    let state = tempfile::tempdir().unwrap();
    let nobody = |_: &_| {
        Err(ExecutorError::Unreachable {
            name: "nobody".to_owned(),
            address: "nowhere".to_owned(),
            reason: "nobody is asked".to_owned(),
        })
    };
    let context = Context::new(
        state.path(),
        state.path(),
        Store::open(&state.path().join("store")).unwrap(),
        FileHasher::in_memory(),
        state.path(),
        0,
        CancelToken::new(),
        "a name that no key contains".to_owned(),
        Box::new(nobody),
    );
    Checkout::look(&context, folder, &context.hasher)
}

fn paths(folder: &Path) -> Vec<String> {
    let checkout = look(folder).unwrap();
    checkout.listing.entries.into_iter().map(|entry| entry.path).collect()
}

fn write(folder: &Path, path: &str, text: &str) {
    let path = folder.join(path);
    fs_err::create_dir_all(path.parent().unwrap()).unwrap();
    fs_err::write(path, text).unwrap();
}

fn git(folder: &Path, words: &[&str]) {
    let status = Command::new("git").args(words).current_dir(folder).status().unwrap();
    assert!(status.success(), "git {}", words.join(" "));
}

#[test]
fn a_folder_without_git_counts_whole() {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), ".gitignore", "*.o\n");
    write(folder.path(), "a.o", "");
    write(folder.path(), "deep/b~", "");
    fs_err::create_dir(folder.path().join("empty")).unwrap();
    let digest = look(folder.path()).unwrap().listing.digest;
    assert_eq!(paths(folder.path()), [".gitignore", "a.o", "deep/b~"]);
    fs_err::remove_dir(folder.path().join("empty")).unwrap();
    assert_eq!(
        look(folder.path()).unwrap().listing.digest,
        digest,
        "git knows no empty folder"
    );
}

#[test]
fn git_says_what_is_ignored() {
    let folder = tempfile::tempdir().unwrap();
    let top = folder.path();
    git(top, &["init", "--quiet"]);
    write(top, ".gitignore", "*.o\nbuilt/\n");
    write(top, ".git/info/exclude", "mine\n");
    for path in ["a.c", "a.o", "kept.o", "built/x", "deep/b.c", "deep/b.o", "mine"] {
        write(top, path, path);
    }
    write(top, "deep/.gitignore", "!b.o\n");
    git(top, &["add", "--force", "kept.o"]);
    assert_eq!(
        paths(top),
        [".gitignore", "a.c", "deep/.gitignore", "deep/b.c", "deep/b.o", "kept.o"]
    );
    // What is above a folder decides, too.
    fs_err::remove_file(top.join("deep/.gitignore")).unwrap();
    assert_eq!(paths(&top.join("deep")), ["b.c"]);

    // A repository in it, such as a submodule, has its own say.
    let inner = top.join("lib");
    fs_err::create_dir(&inner).unwrap();
    git(&inner, &["init", "--quiet"]);
    write(&inner, ".gitignore", "c.c\n");
    write(top, ".gitmodules", "");
    for path in ["c.c", "c.o", "d.c"] {
        write(&inner, path, path);
    }
    assert_eq!(
        paths(top),
        [
            ".gitignore",
            "a.c",
            "deep/b.c",
            "kept.o",
            "lib/.gitignore",
            "lib/c.o",
            "lib/d.c"
        ]
    );
}

#[test]
fn nothing_that_counts_is_a_mistake() {
    let folder = tempfile::tempdir().unwrap();
    let message = look(folder.path()).unwrap_err().message;
    assert!(message.ends_with("holds no file that counts"), "{message}");
}
