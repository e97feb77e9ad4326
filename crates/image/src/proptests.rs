//! Laws that hold for all trees.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};

use proptest::prelude::*;

use crate::tar_write::{Attributes, Body, TarWriter};
use crate::{Diff, Exclusions, Index, LayerOptions, apply, diff, full_layer};

#[derive(Clone, Debug, PartialEq)]
enum Node {
    /// All files of one number are names of one file.
    File {
        number: u8,
    },
    Dir {
        mode: u32,
    },
    Symlink {
        target: &'static str,
    },
    Fifo,
}

/// A tree, and a number that makes the contents of its files differ from those of other trees.
#[derive(Clone, Debug)]
struct Tree {
    nodes: BTreeMap<PathBuf, Node>,
    salt: u8,
}

impl Tree {
    /// A tar of the tree with its members in the order that `rank` gives.
    fn tar(&self, rank: impl Fn(usize) -> u64) -> Vec<u8> {
        let mut members: Vec<_> = self.nodes.iter().enumerate().collect();
        members.sort_by_key(|(index, _)| rank(*index));
        let mut first: BTreeMap<u8, &Path> = BTreeMap::new();
        let mut tar = TarWriter::new(Vec::new(), 12345);
        for (_, (path, node)) in members {
            let plain = Attributes {
                mode: 0o644,
                ..Attributes::default()
            };
            let appended = match node {
                Node::File { number } => {
                    if let Some(target) = first.get(number) {
                        tar.append(path, plain, Body::HardLink { target })
                    } else {
                        first.insert(*number, path);
                        let byte = (number / 2).wrapping_mul(self.salt) % 3;
                        let content = vec![byte; usize::from(byte) * 700];
                        // 0x0a within the value: the byte at which PAX records are split by careless readers.
                        let capability = [1, 0, 0, 2, 0x0a, byte];
                        let attributes = Attributes {
                            mode: if byte == 2 { 0o4755 } else { 0o644 },
                            uid: u32::from(byte) * 3_000_000,
                            gid: 7,
                            capability: (number % 4 == 3).then_some(&capability[..]),
                            time: None,
                        };
                        tar.append(
                            path,
                            attributes,
                            Body::File {
                                size: content.len() as u64,
                                content: &mut content.as_slice(),
                            },
                        )
                    }
                }
                Node::Dir { mode } => tar.append(path, Attributes { mode: *mode, ..plain }, Body::Dir),
                Node::Symlink { target } => tar.append(
                    path,
                    plain,
                    Body::Symlink {
                        target: OsStr::new(target),
                    },
                ),
                Node::Fifo => tar.append(path, plain, Body::Fifo),
            };
            appended.unwrap();
        }
        tar.finish().unwrap()
    }

    fn index(&self) -> Index {
        Index::read(&mut self.tar(|index| index as u64).as_slice(), Path::new(""))
            .unwrap()
            .index
    }
}

fn trees() -> impl Strategy<Value = Tree> {
    let long = "l".repeat(120);
    let name = prop_oneof![
        Just("a".to_owned()),
        Just("a-b".to_owned()),
        Just("b".to_owned()),
        Just("ü".to_owned()),
        Just(long)
    ];
    let path = prop::collection::vec(name, 1..4).prop_map(|names| names.iter().collect::<PathBuf>());
    let node = prop_oneof![
        4 => (0u8..8).prop_map(|number| Node::File { number }),
        3 => prop_oneof![Just(0o755), Just(0o1777), Just(0o700)].prop_map(|mode| Node::Dir { mode }),
        2 => prop_oneof![Just("a"), Just("../b"), Just("/a//b/"), Just("missing")].prop_map(|target| Node::Symlink { target }),
        1 => Just(Node::Fifo),
    ];
    (prop::collection::vec((path, node), 0..14), 1u8..4).prop_map(|(wanted, salt)| {
        let mut nodes: BTreeMap<PathBuf, Node> = BTreeMap::new();
        for (path, node) in wanted {
            let above: Vec<PathBuf> = path
                .ancestors()
                .skip(1)
                .filter(|above| *above != Path::new(""))
                .map(PathBuf::from)
                .collect();
            let blocked = above
                .iter()
                .any(|above| nodes.get(above).is_some_and(|node| !matches!(node, Node::Dir { .. })));
            let inside = nodes.keys().any(|other| other.starts_with(&path));
            if blocked || inside {
                continue;
            }
            for above in above {
                nodes.entry(above).or_insert(Node::Dir { mode: 0o755 });
            }
            nodes.insert(path, node);
        }
        Tree { nodes, salt }
    })
}

fn difference(lower: &Index, upper: &[u8], exclusions: &Exclusions) -> (Diff, Vec<u8>) {
    let scratch = std::env::temp_dir();
    let options = LayerOptions {
        exclusions,
        epoch: 1_700_000_000,
        scratch: &scratch,
    };
    let mut layer = Vec::new();
    let diff = diff(lower, &mut &*upper, &options, &mut layer).unwrap();
    assert_eq!(
        (diff.layer.size, diff.layer.blake3),
        (layer.len() as u64, blake3::hash(&layer))
    );
    assert_eq!(diff.layer.diff_id, crate::Sha256::of(&layer));
    (diff, layer)
}

fn in_order(index: usize) -> u64 {
    index as u64
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(400) })]

    #[test]
    fn a_layer_makes_the_upper_tree_of_the_lower(lower in trees(), upper in trees()) {
        let (lower, tar) = (lower.index(), upper.tar(in_order));
        let (diff, layer) = difference(&lower, &tar, &Exclusions::none());
        let applied = apply(&lower, &mut layer.as_slice()).unwrap();
        prop_assert_eq!(&applied, &upper.index());
        prop_assert_eq!(&diff.root, &applied);
    }

    #[test]
    fn with_exclusions_the_layer_still_makes_the_root_that_is_reported(lower in trees(), upper in trees()) {
        let exclusions = Exclusions::none().with_tree("a/b").with_contents("b");
        let (lower, tar) = (lower.index(), upper.tar(in_order));
        let (diff, layer) = difference(&lower, &tar, &exclusions);
        prop_assert_eq!(&apply(&lower, &mut layer.as_slice()).unwrap(), &diff.root);
        let members = Index::read(&mut layer.as_slice(), Path::new("")).unwrap().index;
        let is_mark = |path: &Path| path.file_name().is_some_and(|name| name.to_string_lossy().starts_with(".wh."));
        prop_assert!(members.iter().all(|(path, _)| is_mark(path) || !exclusions.excludes(path)), "{:?}", members);
    }

    #[test]
    fn the_order_of_members_does_not_show(lower in trees(), upper in trees(), seed in any::<u64>()) {
        let lower = lower.index();
        let shuffled = |index: usize| u64::from_le_bytes(blake3::hash(&[seed.to_le_bytes(), (index as u64).to_le_bytes()].concat()).as_bytes()[..8].try_into().unwrap());
        let (_, sorted) = difference(&lower, &upper.tar(in_order), &Exclusions::none());
        let (_, other) = difference(&lower, &upper.tar(shuffled), &Exclusions::none());
        prop_assert_eq!(sorted, other);
    }

    #[test]
    fn equal_trees_differ_in_nothing(tree in trees()) {
        let (diff, _) = difference(&tree.index(), &tree.tar(in_order), &Exclusions::none());
        prop_assert_eq!(diff.layer.entries, 0);
    }

    #[test]
    fn a_full_layer_holds_the_tree_and_is_a_fixed_point(tree in trees()) {
        let exclusions = Exclusions::none();
        let scratch = std::env::temp_dir();
        let options = LayerOptions { exclusions: &exclusions, epoch: 1, scratch: &scratch };
        let (mut once, mut twice) = (Vec::new(), Vec::new());
        full_layer(&mut tree.tar(in_order).as_slice(), &options, &mut once).unwrap();
        full_layer(&mut once.as_slice(), &options, &mut twice).unwrap();
        prop_assert_eq!(Index::read(&mut once.as_slice(), Path::new("")).unwrap().index, tree.index());
        prop_assert_eq!(once, twice);
    }

    #[test]
    fn an_index_survives_its_encoding_and_no_cut_does(tree in trees(), cut in any::<prop::sample::Index>()) {
        let index = tree.index();
        let bytes = index.encode();
        prop_assert_eq!(&Index::decode(&bytes).unwrap(), &index);
        prop_assert!(Index::decode(&bytes[..cut.index(bytes.len())]).is_err());
    }

    #[test]
    fn a_filtered_digest_sees_nothing_else(tree in trees(), other in trees()) {
        let mut mixed = tree.clone();
        mixed.nodes.retain(|path, _| !path.starts_with("b"));
        let only = mixed.index();
        mixed.nodes.extend(other.nodes.into_iter().filter(|(path, _)| path.starts_with("b")));
        let keep = |path: &Path, _: &crate::Entry| !path.starts_with("b");
        prop_assert_eq!(mixed.index().digest_where(keep), only.digest());
    }

    #[test]
    fn damaged_tars_are_errors_and_no_panics(tree in trees(), at in any::<prop::sample::Index>(), byte in any::<u8>()) {
        let mut tar = tree.tar(in_order);
        let at = at.index(tar.len());
        tar[at] = byte;
        let _ = Index::read(&mut tar.as_slice(), Path::new(""));
        let _ = Index::read(&mut &tar[..at], Path::new(""));
    }
}

#[test]
fn names_that_layers_reserve_are_refused() {
    let nodes = BTreeMap::from([(PathBuf::from(OsString::from(".wh.x")), Node::Fifo)]);
    let tar = Tree { nodes, salt: 1 }.tar(in_order);
    let scratch = std::env::temp_dir();
    let options = LayerOptions {
        exclusions: &Exclusions::none(),
        epoch: 1,
        scratch: &scratch,
    };
    let refused = full_layer(&mut tar.as_slice(), &options, &mut Vec::new());
    assert!(matches!(refused, Err(crate::LayerError::ReservedName(_))));
}
