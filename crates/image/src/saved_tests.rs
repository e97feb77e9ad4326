use super::*;
use crate::tar_write::{Attributes, Body};
use crate::{ArchiveLayer, ImageConfig, Sha256, docker_archive};

const EPOCH: u64 = 1_700_000_000;

enum What<'a> {
    File(&'a str),
    Link(&'a str),
    Symlink(&'a str),
    Dir,
    Null,
}

/// A layer whose members are given with their times.
fn layer(members: &[(&str, u64, What<'_>)]) -> Vec<u8> {
    let mut tar = TarWriter::new(Vec::new(), 0);
    for (path, time, what) in members {
        let attributes = Attributes {
            mode: if matches!(what, What::Dir) { 0o755 } else { 0o644 },
            time: Some(*time),
            ..Attributes::default()
        };
        let mut bytes;
        let body = match what {
            What::File(text) => {
                bytes = text.as_bytes();
                Body::File {
                    size: bytes.len() as u64,
                    content: &mut bytes,
                }
            }
            What::Link(target) => Body::HardLink {
                target: Path::new(target),
            },
            What::Symlink(target) => Body::Symlink {
                target: std::ffi::OsStr::new(target),
            },
            What::Dir => Body::Dir,
            What::Null => Body::CharDevice { major: 1, minor: 3 },
        };
        tar.append(Path::new(path), attributes, body).unwrap();
    }
    tar.finish().unwrap()
}

fn plain<'a>(read: &'a mut dyn Read) -> io::Result<Box<dyn Read + 'a>> {
    Ok(Box::new(read))
}

fn saved(layers: &[Vec<u8>]) -> SavedTree {
    let mut config = ImageConfig::new("amd64", EPOCH);
    config.diff_ids = layers.iter().map(|layer| Sha256::of(layer)).collect();
    let given = layers.iter().map(|layer| ArchiveLayer {
        diff_id: Sha256::of(layer),
        content: Some((layer.len() as u64, Box::new(layer.as_slice()))),
    });
    let mut archive = Vec::new();
    docker_archive(&config, given.collect(), &[], &mut archive).unwrap();
    SavedTree::read(&mut archive.as_slice(), &plain, &std::env::temp_dir()).unwrap()
}

/// Path, time and content or kind of all that a tar has.
fn listed(tar: &[u8]) -> Vec<String> {
    let mut lines = Vec::new();
    read_members::<TarError>(&mut &*tar, &mut |member, content| {
        let what = match member.kind {
            MemberKind::File { .. } => io::read_to_string(content)?,
            MemberKind::HardLink { target } => format!("-> {}", target.display()),
            MemberKind::Symlink { target } => format!("~> {}", target.display()),
            MemberKind::Dir => "/".to_owned(),
            other => format!("{other:?}"),
        };
        lines.push(format!("{} {} {what}", member.path.display(), member.time));
        Ok(())
    })
    .unwrap();
    lines
}

fn written(tree: &SavedTree, keep: impl Fn(&Path, &Entry) -> bool) -> Vec<String> {
    let mut out = Vec::new();
    tree.write(keep, EPOCH, &mut out).unwrap();
    listed(&out)
}

#[test]
fn layers_are_put_on_each_other_as_engines_do_it() {
    use What::{Dir, File, Link, Null, Symlink};
    let lower = layer(&[
        ("dev", 1, Dir),
        ("dev/null", 2, Null),
        ("etc", 3, Dir),
        ("etc/hosts", 4, File("localhost")),
        ("etc/old", 5, File("old")),
        ("lib", 6, Symlink("usr/lib")),
        ("usr/lib/a", 7, File("same")),
        ("usr/lib/b", 7, Link("usr/lib/a")),
        ("usr/lib/c", 7, Link("usr/lib/a")),
        ("opt", 8, Dir),
        ("opt/gone", 8, File("gone")),
    ]);
    let upper = layer(&[
        // The folder itself is not there: it stays as it was.
        ("etc/.wh.old", 0, File("")),
        ("etc/new", 9, File("same")),
        // No link is followed: a folder takes its place.
        ("lib", 10, Dir),
        ("lib/x", 10, File("x")),
        ("opt", 11, Dir),
        ("opt/.wh..wh..opq", 0, File("")),
        ("opt/here", 11, File("here")),
        ("usr/lib/a", 12, File("other")),
    ]);
    let tree = saved(&[lower.clone(), upper.clone()]);
    let all = [
        "dev 1 /",
        "dev/null 2 CharDevice { major: 1, minor: 3 }",
        "etc 3 /",
        "etc/hosts 4 localhost",
        "etc/new 9 same",
        "lib 10 /",
        "lib/x 10 x",
        "opt 11 /",
        "opt/here 11 here",
        // Nobody spoke of these.
        "usr 1700000000 /",
        "usr/lib 1700000000 /",
        "usr/lib/a 12 other",
        "usr/lib/b 7 same",
        "usr/lib/c 7 -> usr/lib/b",
    ];
    assert_eq!(written(&tree, |_, _| true), all);
    assert_eq!(tree.index().get("usr/lib/a").unwrap().link_group(), None);
    // The first of several names goes: the next one has the content.
    let kept = written(&tree, |path, _| !path.ends_with("b") && path.starts_with("usr"));
    assert_eq!(kept[2..], ["usr/lib/a 12 other", "usr/lib/c 7 same"]);
    // The same layers again, one of them twice.
    assert_eq!(written(&saved(&[lower, upper.clone(), upper]), |_, _| true), all);
}

#[test]
fn what_is_no_saved_image() {
    let read = |archive: Vec<u8>| SavedTree::read(&mut archive.as_slice(), &plain, &std::env::temp_dir());
    let error = |archive| read(archive).unwrap_err().to_string();
    let json = |text| layer(&[("manifest.json", 0, What::File(text))]);
    assert!(error(layer(&[])).contains("no manifest.json"));
    assert!(error(json("nonsense")).contains("manifest.json: "));
    assert!(error(json("[]")).contains("not of one image"));
    assert!(error(json(r#"[{"Layers":["x/layer.tar"]}]"#)).contains("there is no layer x/layer.tar"));
    assert!(matches!(read(vec![1; 600]), Err(SavedError::Read(_))));
    let missing = SavedTree::read(&mut io::empty(), &plain, Path::new("/nowhere"));
    assert!(matches!(missing, Err(SavedError::Scratch { .. })));
}

#[test]
fn a_layer_that_is_there_twice_may_be_a_link() {
    let content = layer(&[("a", 1, What::File("a"))]);
    let text = String::from_utf8(content).unwrap();
    let archive = layer(&[
        ("one/layer.tar", 0, What::File(&text)),
        ("two/layer.tar", 0, What::Symlink("../one/layer.tar")),
        ("VERSION", 0, What::File("1.0")),
        (
            "manifest.json",
            0,
            What::File(r#"[{"Config":"c.json","RepoTags":null,"Layers":["one/layer.tar","two/layer.tar"]}]"#),
        ),
    ]);
    let tree = SavedTree::read(&mut archive.as_slice(), &plain, &std::env::temp_dir()).unwrap();
    assert_eq!(written(&tree, |_, _| true), ["a 1 a"]);
    // Compressed, an empty layer is very short.
    let archive = layer(&[
        ("blobs/sha256/1", 0, What::File("")),
        ("blobs/sha256/2", 0, What::File(r#"{"architecture":"amd64"}"#)),
        ("manifest.json", 0, What::File(r#"[{"Layers":["blobs/sha256/1"]}]"#)),
    ]);
    let tree = SavedTree::read(&mut archive.as_slice(), &plain, &std::env::temp_dir()).unwrap();
    assert!(tree.index().is_empty());
}
