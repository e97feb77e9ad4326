//! Layers against a real engine: what is loaded comes out as it went in.
//!
//! Needs a running Docker and GNU tar. The root is made of this machine's own programs, so nothing is downloaded.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on says so by stopping")]

use std::collections::BTreeSet;
use std::io::{Cursor, Read, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};

use farm_image::{
    ArchiveLayer, Diff, EntryKind, Exclusions, ImageConfig, Index, LayerInfo, LayerOptions, Sha256, apply, diff,
    docker_archive, full_layer,
};

const LABEL: &str = "org.farm.test";
const EPOCH: u64 = 1_700_000_000;

fn run(command: &mut Command) -> String {
    let output = command.output().unwrap();
    assert!(
        output.status.success(),
        "{command:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}

fn docker(arguments: &[&str]) -> String {
    run(Command::new("docker").args(arguments))
}

/// A container that goes when the test does.
struct Container(String);

impl Container {
    fn create(image: &str, command: &[&str]) -> Self {
        let label = format!("{LABEL}=farm-image");
        Self(docker(
            &[&["create", "--network=none", "--label", &label, image], command].concat(),
        ))
    }

    fn run(&self) {
        run(Command::new("docker").args(["start", "--attach", &self.0]));
    }

    fn export<T>(&self, read: impl FnOnce(&mut dyn Read) -> T) -> T {
        let mut child = Command::new("docker")
            .args(["export", &self.0])
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let result = read(child.stdout.as_mut().unwrap());
        assert!(child.wait().unwrap().success());
        result
    }
}

impl Drop for Container {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rm", "--force", &self.0]).output();
    }
}

/// An image that goes when the test does. Two tests must not share one: engines keep one image for equal configurations.
struct Image(Sha256);

impl Image {
    fn load(config: &ImageConfig, layers: Vec<ArchiveLayer<'_>>) -> Result<Self, String> {
        let mut archive = Vec::new();
        let id = docker_archive(config, layers, &[], &mut archive).unwrap();
        let mut child = Command::new("docker")
            .arg("load")
            .stdin(Stdio::piped())
            .stderr(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        // A refused load closes the pipe early; its message says why.
        let _ = child.stdin.take().unwrap().write_all(&archive);
        let output = child.wait_with_output().unwrap();
        if output.status.success() {
            Ok(Self(id))
        } else {
            Err(String::from_utf8_lossy(&output.stderr).into_owned())
        }
    }

    fn name(&self) -> String {
        self.0.to_string()
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        let _ = Command::new("docker").args(["rmi", "--force", &self.name()]).output();
    }
}

/// A configuration that no other test, and no other run of this one, makes.
fn config(layers: &[&LayerInfo]) -> ImageConfig {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let mut config = ImageConfig::new("amd64", EPOCH);
    config.env = vec!["PATH=/usr/sbin:/usr/bin:/sbin:/bin".into()];
    let unique = format!("{}-{}", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed));
    config.labels = [(LABEL.to_owned(), unique)].into();
    config.diff_ids = layers.iter().map(|layer| layer.diff_id).collect();
    config
}

fn with_content<'a>(layer: &LayerInfo, content: &'a [u8]) -> ArchiveLayer<'a> {
    ArchiveLayer {
        diff_id: layer.diff_id,
        content: Some((layer.size, Box::new(Cursor::new(content)))),
    }
}

/// The tar of a small root with a shell, the usual file programs and setcap, some folders of every kind, and `extra`, which
/// makes it unlike the roots of other tests.
fn root_tar(extra: &str) -> Vec<u8> {
    let folder = tempfile::tempdir().unwrap();
    let root = folder.path();
    let mut files = BTreeSet::new();
    for program in [
        "sh", "mkdir", "rm", "mv", "ln", "chmod", "chown", "touch", "mkfifo", "mknod", "cat", "setcap",
    ] {
        let found = run(Command::new("sh").args(["-c", &format!("PATH=$PATH:/usr/sbin:/sbin command -v {program}")]));
        let libraries = run(Command::new("ldd").arg(&found));
        files.extend(
            libraries
                .split_whitespace()
                .filter(|word| word.starts_with('/'))
                .map(PathBuf::from),
        );
        files.insert(PathBuf::from(found));
    }
    for part in ["bin", "sbin", "lib", "lib64"] {
        fs_err::create_dir_all(root.join("usr").join(part)).unwrap();
        fs_err::os::unix::fs::symlink(format!("usr/{part}"), root.join(part)).unwrap();
    }
    for file in files {
        let target = root.join(file.strip_prefix("/").unwrap());
        fs_err::create_dir_all(target.parent().unwrap()).unwrap();
        fs_err::copy(&file, target).unwrap();
    }
    let make = "mkdir -p etc proc sys dev run tmp var/tmp var/log root data/gone data/refilled data/to-file data/to-link data/kept
        chmod 1777 tmp var/tmp; chmod 700 root; chmod 755 . etc data
        for f in data/gone/x data/refilled/x data/refilled/y data/to-file/x data/to-link/x data/kept/x data/to-dir; do echo $f > $f; done
        echo one > data/first; ln data/first data/second; ln data/first data/third; echo alone > data/alone
        ln -s kept data/link-to-dir; mkfifo data/fifo";
    run(Command::new("sh").args([
        "-c",
        &format!(
            "set -e; umask 022; cd {}; {make}; echo '{extra}' > data/extra",
            root.display()
        ),
    ]));
    let tar = Command::new("tar")
        .args(["--numeric-owner", "--owner=0", "--group=0", "-C"])
        .arg(root)
        .args(["-c", "."])
        .output()
        .unwrap();
    assert!(tar.status.success());
    tar.stdout
}

/// Changes of every kind that a layer can hold.
const CHANGES: &str = "set -e; cd /data
    rm -rf gone; rm -rf refilled; mkdir refilled; echo new > refilled/z
    rm -rf to-file; echo file > to-file; rm -rf to-link; ln -s kept to-link
    rm to-dir; mkdir to-dir; echo in > to-dir/in
    rm link-to-dir; mkdir link-to-dir; echo real > link-to-dir/real
    echo more >> first; rm third; ln alone alone-too
    chmod 4711 kept/x; chown 12:34 kept; ln -s /nowhere dangling; mkfifo pipe
    mkdir -p new/deep/folder; echo deep > new/deep/folder/file; chmod 1770 new
    echo cap > capable; setcap cap_dac_override,cap_fowner+ep capable
    touch extra; rm fifo
    long=long; for i in 1 2 3 4 5; do long=$long-$long; done; touch new/$long
    echo scratch > /tmp/scratch; echo scratch > /var/tmp/scratch; echo run > /run/pid; echo 1.2.3.4 h >> /etc/hosts
    mkdir /var/log/dir; echo text > /etc/new.conf; mv kept moved; echo x > '/data/naïve'";

fn options<'a>(exclusions: &'a Exclusions, scratch: &'a Path) -> LayerOptions<'a> {
    LayerOptions {
        exclusions,
        epoch: EPOCH,
        scratch,
    }
}

fn base(extra: &str, exclusions: &Exclusions) -> (Diff, Vec<u8>) {
    let mut layer = Vec::new();
    let scratch = std::env::temp_dir();
    let made = full_layer(
        &mut root_tar(extra).as_slice(),
        &options(exclusions, &scratch),
        &mut layer,
    )
    .unwrap();
    (made, layer)
}

#[test]
fn a_step_captured_as_a_layer_gives_the_same_root_again() {
    let exclusions = Exclusions::standard();
    let scratch = std::env::temp_dir();
    let (base, base_tar) = base(&format!("round trip {}", std::process::id()), &exclusions);
    let base_config = config(&[&base.layer]);
    let base_image = Image::load(&base_config, vec![with_content(&base.layer, &base_tar)]).unwrap();

    // A container that does nothing differs in nothing.
    let idle = Container::create(&base_image.name(), &["sh", "-c", ":"]);
    idle.run();
    let mut nothing = Vec::new();
    let same = idle.export(|tar| diff(&base.root, tar, &options(&exclusions, &scratch), &mut nothing).unwrap());
    let members = Index::read(&mut nothing.as_slice(), Path::new("")).unwrap().index;
    assert_eq!(
        same.layer.entries,
        0,
        "{:?}",
        members.iter().map(|(path, _)| path).collect::<Vec<_>>()
    );

    let step = Container::create(&base_image.name(), &["sh", "-c", CHANGES]);
    step.run();
    let mut layer = Vec::new();
    let changed = step.export(|tar| diff(&base.root, tar, &options(&exclusions, &scratch), &mut layer).unwrap());

    // The engine has the base: the archive holds the new layer only.
    let upper_config = config(&[&base.layer, &changed.layer]);
    let known = ArchiveLayer {
        diff_id: base.layer.diff_id,
        content: None,
    };
    let upper_image = Image::load(&upper_config, vec![known, with_content(&changed.layer, &layer)]).unwrap();
    let again = Container::create(&upper_image.name(), &["sh", "-c", ":"]);
    let read = |tar: &mut dyn Read| Index::read(tar, Path::new("")).unwrap().index.without(&exclusions);
    let first = step.export(read);
    let second = again.export(read);
    for (path, entry) in first.iter() {
        assert_eq!(second.get(path), Some(entry), "{}", path.display());
    }
    assert_eq!(first, second);
    assert_eq!(
        changed.root.without(&exclusions),
        first,
        "the reported root is what the engine shows"
    );
    assert_eq!(apply(&base.root, &mut layer.as_slice()).unwrap(), changed.root);

    // The step did what it says, so the test compared something.
    assert!(
        first
            .get("data/capable")
            .unwrap()
            .capability
            .as_ref()
            .is_some_and(|value| value.contains(&0x0a))
    );
    assert!(matches!(
        &first.get("data/alone").unwrap().kind,
        EntryKind::File {
            link_group: Some(_),
            ..
        }
    ));
    assert!(first.get("data/link-to-dir").unwrap().is_dir() && !first.contains("data/gone"));
    assert_eq!(
        (
            first.get("data/moved").unwrap().uid,
            first.get("data/moved").unwrap().gid
        ),
        (12, 34)
    );
    let members = Index::read(&mut layer.as_slice(), Path::new("")).unwrap().index;
    for absent in ["tmp", "run", "etc/hosts", "data/extra", "usr", "var/tmp"] {
        assert!(!members.contains(absent), "{absent} is in the layer");
    }
    for present in [
        "data/.wh.gone",
        "data/refilled/.wh..wh..opq",
        "data/to-dir/.wh..wh..opq",
        "data/second",
        "data/.wh.third",
    ] {
        assert!(members.contains(present), "{present} is not in the layer");
    }
}

#[test]
fn an_archive_without_an_unknown_layer_is_refused_and_with_it_taken() {
    let (base, base_tar) = base(&format!("refused {}", std::process::id()), &Exclusions::standard());
    let config = config(&[&base.layer]);
    let refused = Image::load(
        &config,
        vec![ArchiveLayer {
            diff_id: base.layer.diff_id,
            content: None,
        }],
    );
    assert!(refused.is_err_and(|message| message.contains("no such file")));
    let image = Image::load(&config, vec![with_content(&base.layer, &base_tar)]).unwrap();
    assert_eq!(
        docker(&["image", "inspect", "--format", "{{.Id}}", &image.name()]),
        config.image_id().to_string()
    );
    let container = Container::create(&image.name(), &["sh", "-c", "cat /data/first"]);
    assert_eq!(
        run(Command::new("docker").args(["start", "--attach", &container.0])),
        "one"
    );
}
