//! `stage-archive/NAME`: the tree of an image without what is removed, as a compressed tar.
//!
//! Everything is as the image's layers have it, the times as well: what farm made has the epoch, and what came with the base has the times
//! that Portage's records of the base's packages tell. So the image decides every byte.

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use farm_engine::{Class, Dependency, Digest, Event, Failure, FailureKind, Input, NodeSpec, Output, Run};
use farm_executor::Progress as _;
use farm_image::{Index, Sha256Writer};
use farm_store::glob::{Pattern, is_pattern};

use super::StagePlan;
use crate::action::Action;
use crate::context::{Context, chain, io_failure};
use crate::place::{self, Place};
use crate::rules::base::Tell;
use crate::rules::container::list_input;
use crate::rules::saved;

/// The level of compression: a stage is read by many for once that it is packed. Its window is one that every reader takes.
const LEVEL: i32 = 9;

/// What the rule needs.
#[derive(Debug, Clone, PartialEq)]
pub struct PackData {
    /// The node whose image it is.
    pub image: String,
    /// Paths and globs, relative to the root.
    pub remove: Vec<String>,
}

/// The node of an archive.
pub(super) fn node(farm: &str, plan: &StagePlan, epoch: u64) -> NodeSpec<Action> {
    // A set: in what order things are removed says nothing.
    let mut remove = plan.remove.clone();
    remove.sort();
    remove.dedup();
    NodeSpec {
        name: archive_name(farm, &plan.name),
        kind: "stage-archive".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs: vec![
            list_input("remove", &remove),
            Input::text("compression", format!("zstd {LEVEL}")),
            Input::text("epoch", epoch.to_string()),
        ],
        dependencies: vec![Dependency::output(&plan.image, "image")],
        expands: false,
        pools: BTreeMap::new(),
        action: Action::StageArchive(Box::new(PackData {
            image: plan.image.clone(),
            remove,
        })),
    }
}

/// The name of the node of a stage's archive.
pub(super) fn archive_name(farm: &str, stage: &str) -> String {
    format!("{farm}:stage-archive/{stage}")
}

/// Packs it.
pub fn run(context: &Context, run: &Run<'_>, spec: &NodeSpec<Action>, data: &PackData) -> Result<Vec<Output>, Failure> {
    let image = run
        .dependency(spec, &data.image)
        .ok_or_else(|| Failure::new(FailureKind::Bug, format!("{} is not there", data.image)))?;
    let image = place::image(image, "image")?;
    let mut tell = Tell { run, name: &spec.name };
    tell.progress("reading the image");
    context.with_scratch(|scratch| {
        let tree = saved::tree(context, &image, scratch, "pack a stage")?;
        if tree.dropped_xattrs() > 0 {
            let message = format!(
                "{}: {} extended attributes other than security.capability are not in it",
                spec.name,
                tree.dropped_xattrs()
            );
            (run.events)(Event::Note { message });
        }
        let removed = Removed::of(tree.index(), &data.remove)?;
        tell.progress("packing");
        let failed = |error: io::Error| io_failure("pack a stage", &error);
        let writer = context.store.writer().map_err(failed)?;
        let encoder = zstd::stream::write::Encoder::new(writer, LEVEL).map_err(failed)?;
        let mut tar = Sha256Writer::new(encoder);
        tree.write(|path, _| !removed.has(path), context.epoch, &mut tar)
            .map_err(|error| io_failure("pack a stage", &error))?;
        let (encoder, _, content, _) = tar.finish();
        let mut writer = encoder.finish().map_err(failed)?;
        writer.flush().map_err(failed)?;
        let blob = writer.finish().map_err(failed)?;
        Ok(vec![Place::Store { blob }.output("archive", Digest::from(content))])
    })
}

/// What is left out of a tree.
#[derive(Debug)]
struct Removed {
    /// With all that is below.
    paths: Vec<PathBuf>,
    patterns: Vec<Pattern>,
}

impl Removed {
    /// Looks for what is named in a tree. Paths lead through its symbolic links, as they do for whoever works in it.
    fn of(index: &Index, remove: &[String]) -> Result<Self, Failure> {
        let mut removed = Self {
            paths: Vec::new(),
            patterns: Vec::new(),
        };
        let mut missing = Vec::new();
        for name in remove {
            if is_pattern(name) {
                let pattern = Pattern::new(name)
                    .map_err(|error| Failure::new(FailureKind::Input, format!("remove: {}", chain(&error))))?;
                removed.patterns.push(pattern);
                continue;
            }
            let path = index.resolve(Path::new(name));
            if index.contains(&path) {
                removed.paths.push(path);
            } else {
                missing.push(format!("/{name}"));
            }
        }
        if missing.is_empty() {
            return Ok(removed);
        }
        let message = format!("`remove` names what is not there: {}", missing.join(", "));
        Err(Failure::new(FailureKind::Input, message)
            .hint("correct it or leave it out; a glob, such as `/var/cache/*`, may match nothing"))
    }

    /// Whether this path, or a folder above, is among it.
    fn has(&self, path: &Path) -> bool {
        let above = || path.ancestors().filter(|above| !above.as_os_str().is_empty());
        self.paths.iter().any(|removed| path.starts_with(removed))
            || above().any(|above| self.patterns.iter().any(|pattern| pattern.matches(above)))
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use farm_image::{Parents, TreeNode, tree_tar};

    use super::*;

    fn index() -> Index {
        let mut nodes = BTreeMap::new();
        for path in [
            "usr/lib/a.so",
            "usr/lib/a.la",
            "usr/lib/x/b.la",
            "var/cache/edb/deps",
            "etc/a",
        ] {
            nodes.insert(PathBuf::from(path), TreeNode::file(0o644, ""));
        }
        nodes.insert("lib".into(), TreeNode::symlink("usr/lib"));
        let mut tar = Vec::new();
        tree_tar(nodes, Parents::Include, 0, &mut tar).unwrap();
        Index::read(&mut tar.as_slice(), Path::new("")).unwrap().index
    }

    fn left(remove: &[&str]) -> Vec<String> {
        let index = index();
        let remove: Vec<String> = remove.iter().map(|name| (*name).to_owned()).collect();
        let removed = Removed::of(&index, &remove).unwrap();
        let kept = index.only(|path, _| !removed.has(path));
        kept.iter()
            .filter(|(_, entry)| !entry.is_dir())
            .map(|(path, _)| path.display().to_string())
            .collect()
    }

    #[test]
    fn paths_go_with_all_below_and_globs_stay_in_their_folder() {
        assert_eq!(left(&["usr"]), ["etc/a", "lib", "var/cache/edb/deps"]);
        // The link leads to a folder; itself it is what is named last.
        assert_eq!(
            left(&["lib/x"]),
            ["etc/a", "lib", "usr/lib/a.la", "usr/lib/a.so", "var/cache/edb/deps"]
        );
        assert_eq!(left(&["lib"]).len(), 5);
        assert_eq!(
            left(&["usr/lib/*.la", "var/cache/*", "no/*"]),
            ["etc/a", "lib", "usr/lib/a.so", "usr/lib/x/b.la"]
        );
        assert_eq!(
            left(&["**/*.la"]),
            ["etc/a", "lib", "usr/lib/a.so", "var/cache/edb/deps"]
        );
    }

    #[test]
    fn a_path_that_is_not_there_is_a_mistake() {
        let names = ["etc/a", "etc/b", "root/.ssh"].map(str::to_owned);
        let failure = Removed::of(&index(), &names).unwrap_err();
        assert_eq!(failure.kind, FailureKind::Input);
        assert_eq!(failure.message, "`remove` names what is not there: /etc/b, /root/.ssh");
    }
}
