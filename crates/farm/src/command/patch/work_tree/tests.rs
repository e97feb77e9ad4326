use std::process::{Command, Stdio};

use camino::Utf8PathBuf;
use tempfile::TempDir;

use super::*;

/// A work tree of a source that a test makes.
struct Made {
    folder: TempDir,
    tree: WorkTree,
    left_out: usize,
}

impl Made {
    /// Of what a shell script leaves in its folder.
    fn of(script: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let source = folder.path().join("made/source");
        fs::create_dir_all(&source).unwrap();
        shell(&source, script);
        let tar = Command::new("tar")
            .args(["--sort=name", "-cC"])
            .arg(folder.path().join("made"))
            .arg("source")
            .output()
            .unwrap();
        assert!(tar.status.success());
        let tree = WorkTree::of(&workspace(&folder), "tiny", "a/b-1", Cpv::parse("a/b-1").unwrap(), "0");
        let left_out = tree.make(&workspace(&folder), &mut tar.stdout.as_slice()).unwrap();
        Self { folder, tree, left_out }
    }

    fn workspace(&self) -> Workspace {
        workspace(&self.folder)
    }

    /// Changes the work tree.
    fn edit(&self, script: &str) {
        shell(&self.tree.folder, script);
    }

    fn text(&self) -> String {
        String::from_utf8(self.tree.difference().unwrap().text).unwrap()
    }

    /// What the source becomes when the difference is applied to it as Portage does.
    fn patched(&self) -> PathBuf {
        let patched = self.folder.path().join("patched");
        shell(self.folder.path(), "rm -rf patched && cp -a made/source patched");
        let text = self.tree.difference().unwrap().patch(&self.tree).unwrap();
        fs::write(self.folder.path().join("difference"), text).unwrap();
        shell(
            &patched,
            "patch -p1 -f -g0 --no-backup-if-mismatch < ../difference > ../said",
        );
        patched
    }
}

fn workspace(folder: &TempDir) -> Workspace {
    Workspace {
        root: Utf8PathBuf::from_path_buf(folder.path().to_owned()).unwrap(),
        here: None,
    }
}

fn shell(folder: &Path, script: &str) {
    let output = Command::new("sh")
        .args(["-ec", script])
        .current_dir(folder)
        .stdin(Stdio::null())
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{script}: {said}");
}

#[test]
fn patch_makes_of_the_source_what_was_edited() {
    let made = Made::of(
        "printf 'a\\nb\\nc\\n' > plain; printf 'a\\r\\nb\\r\\n' > crlf; echo x > 'with space'; echo x > ümlaut; echo x > 'quo\"te'
         echo '#!/bin/sh' > mode; echo gone > gone; ln -s plain link; printf 'no line feed' > end; : > empty; echo f > to-link
         ln -s plain to-file; mkdir -p deep/er; echo n > deep/er/file; echo '* text=auto eol=crlf' > .gitattributes
         echo '*.in' > .gitignore; echo made > configure.in; echo '*.po -diff' >> .gitattributes; echo p > x.po",
    );
    assert_eq!(made.left_out, 0);
    assert!(!made.tree.has_unsaved().unwrap(), "{}", made.text());
    made.edit(
        "sed -i s/b/B/ plain crlf; for file in 'with space' ümlaut 'quo\"te' configure.in x.po; do echo more >> \"$file\"; done
         chmod +x mode; rm gone empty; ln -sfn mode link; printf 'still none' > end; : > new; ln -s ../plain deep/link
         rm to-link; ln -s plain to-link; rm to-file; echo was > to-file; echo '#!/bin/sh' > deep/program; chmod +x deep/program",
    );
    assert!(made.tree.has_unsaved().unwrap());
    let patched = made.patched();
    let folder = made.tree.folder.display();
    shell(&patched, &format!("diff -r --no-dereference -x .git '{folder}' ."));
    shell(&patched, "test -x mode && test -x deep/program && ! test -x plain");
}

#[test]
fn git_configuration_and_what_is_staged_change_nothing() {
    let made = Made::of("printf 'a\\nb\\nc\\n' > file; mkdir sub; echo x > sub/other");
    made.edit("sed -i s/b/B/ file; sed -i s/x/X/ sub/other");
    let text = made.text();
    assert!(text.contains("--- a/file\n+++ b/file\n"), "{text}");
    made.edit(
        "git config diff.noprefix true; git config diff.context 0; git config color.ui always; git config core.autocrlf true
         git config diff.external false; git add file",
    );
    assert_eq!(made.text(), text);
    shell(&made.tree.folder, "test \"$(git diff --cached --name-only)\" = file");
}

#[test]
fn commits_and_stashes_are_not_lost() {
    let made = Made::of("echo a > file");
    let git = "git -c user.name=x -c user.email=x@y";
    made.edit(&format!("echo b > file; {git} commit -qam mine"));
    assert!(made.text().contains("+b"));
    assert!(made.tree.has_unsaved().unwrap());
    made.edit("git reset -q --hard HEAD^");
    assert!(!made.tree.has_unsaved().unwrap());
    made.edit(&format!("echo c > file; {git} stash -q"));
    assert!(made.text().is_empty());
    assert!(made.tree.has_unsaved().unwrap(), "a stash");
    made.edit("git stash drop -q; echo 'log' > .git/info/exclude; echo x > log");
    assert!(made.tree.has_unsaved().unwrap(), "a file that git leaves out");
}

#[test]
fn what_was_saved_is_no_difference_any_more() {
    let made = Made::of("echo a > file; echo a > other");
    made.edit("echo b > file; git -c user.name=x -c user.email=x@y commit -qam mine; echo new > new");
    made.tree.saved("fix.patch").unwrap();
    assert!(!made.tree.has_unsaved().unwrap());
    made.edit("test -z \"$(git status --porcelain)\"; echo b > other");
    let text = made.text();
    assert!(
        text.contains("b/other") && !text.contains("b/file") && !text.contains("b/new"),
        "{text}"
    );
}

#[test]
fn what_no_patch_can_hold_is_named() {
    let made = Made::of("echo a > file; printf 'a\\0b' > binary");
    made.edit("printf 'a\\0c' > binary; mkdir inner; cd inner; git init -q; git -c user.name=x -c user.email=x@y commit -q --allow-empty -m x");
    let error = made.tree.difference().unwrap().patch(&made.tree).unwrap_err();
    assert!(error.message.ends_with("no text: binary, inner"), "{error}");
}

#[test]
fn nothing_changed_is_no_patch() {
    let made = Made::of("echo a > file; echo '*.log' > .gitignore");
    let refused = |made: &Made| made.tree.difference().unwrap().patch(&made.tree).unwrap_err();
    assert!(refused(&made).message.starts_with("nothing is changed in "));
    made.edit("echo x > new.log");
    let hint = refused(&made).hint.unwrap();
    assert!(hint.ends_with("leaves out what is new there: new.log"), "{hint}");
}

#[test]
fn version_control_of_the_source_and_devices_are_left_out() {
    let made = Made::of(
        "mkdir .git sub; echo evil > .git/config; mkdir sub/.git; echo x > sub/.git/HEAD; echo x > sub/file; mkfifo pipe",
    );
    // Each folder and file is an entry.
    assert_eq!(made.left_out, 5);
    assert!(!made.tree.has_unsaved().unwrap());
    shell(
        &made.tree.folder,
        "test -f sub/file; ! test -e sub/.git; ! test -e pipe; ! grep evil .git/config",
    );
}

#[test]
fn files_that_nobody_may_write_can_be_edited_and_removed() {
    let made =
        Made::of("mkdir closed; echo x > closed/file; chmod 400 closed/file; chmod 500 closed; ln closed/file hard");
    shell(
        &made.tree.folder,
        "test \"$(stat -c %a closed closed/file | tr '\\n' ' ')\" = '700 600 '; test -f hard",
    );
    made.tree.remove(&made.workspace()).unwrap();
    assert!(!made.folder.path().join("patch-work/tiny").exists());
}

#[test]
fn an_archive_that_climbs_writes_nothing_outside() {
    let folder = tempfile::tempdir().unwrap();
    let mut builder = tar::Builder::new(Vec::new());
    let mut link = tar::Header::new_gnu();
    link.set_entry_type(tar::EntryType::Symlink);
    link.set_size(0);
    builder.append_link(&mut link, "source/out", folder.path()).unwrap();
    let mut file = tar::Header::new_gnu();
    file.set_size(1);
    file.set_mode(0o644);
    builder.append_data(&mut file, "source/out/evil", &b"x"[..]).unwrap();
    let bytes = builder.into_inner().unwrap();
    let inside = folder.path().join("inside");
    fs::create_dir(&inside).unwrap();
    assert!(unpack(&mut bytes.as_slice(), &inside).is_err());
    assert!(!folder.path().join("evil").exists());
}

#[test]
fn work_trees_are_found_by_name() {
    let made = Made::of("echo a > file");
    let workspace = made.workspace();
    // What a killed run left is none.
    fs::create_dir_all(made.folder.path().join("patch-work/tiny/a/.prep-x/.git")).unwrap();
    assert_eq!(
        WorkTree::all(&workspace, "tiny").unwrap(),
        std::slice::from_ref(&made.tree)
    );
    assert!(WorkTree::all(&workspace, "other").unwrap().is_empty());
    for word in ["b", "a/b", "a/b-1", "=a/b-1"] {
        assert_eq!(WorkTree::find(&workspace, "tiny", word).unwrap(), made.tree, "{word}");
    }
    let error = WorkTree::find(&workspace, "tiny", "c").unwrap_err();
    assert_eq!(error.message, "tiny has no work tree of c");
    assert_eq!(
        error.hint.as_deref(),
        Some("`farm patch prep tiny c` makes one; there is a/b-1")
    );
}
