//! Names of nodes and targets, and which nodes a request wants.

use std::collections::BTreeSet;

use farm_manifest::model::Target;

/// The subject under which people's tools (`binfarm.packages`) are resolved. No subject of a manifest can have this name,
/// because it is a target's.
pub const TOOLS_SUBJECT: &str = "binfarm";

/// The name under which `binfarm.bootstrap` is resolved, and that its packages have after an `@`. No subject can have it, as no subject can
/// have those of generations: the manifest refuses them.
pub const BOOTSTRAP: &str = "bootstrap";

/// The generation of the root that `binfarm.toolchain` asks for.
pub const TOOLCHAIN: &str = "toolchain";

/// The generation that `binfarm.update` and `binfarm.rebuild` ask for.
pub const UPDATE: &str = "update";

/// What one request wants of one farm.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Goal {
    /// Everything the farm can build locally.
    Everything,
    /// The source files of all packages.
    Sources,
    /// One target.
    Target(Target),
    /// A node by its local name, for those that are no targets of their own (`plan/mc`, `fetch/x.tar.gz`, `repo/hep`).
    Node(String),
}

impl Goal {
    /// Reads a goal as the command line has it, without the farm.
    ///
    /// # Errors
    ///
    /// The word's own description of what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, String> {
        let first = text.split('/').next().unwrap_or(text);
        if matches!(
            first,
            "abi"
                | "plan"
                | "generation"
                | "fetch"
                | "live"
                | "repo"
                | "root"
                | "base"
                | "quickpkg"
                | "stage-root"
                | "stage-archive"
        ) {
            return Ok(Self::Node(text.to_owned()));
        }
        Target::parse(text).map(Self::Target).map_err(|error| error.to_string())
    }

    /// Whether this goal needs the subjects' plans to be made.
    #[must_use]
    pub fn needs_plan(&self) -> bool {
        match self {
            Self::Everything | Self::Sources => true,
            Self::Target(target) => !matches!(target, Target::Task(_)),
            Self::Node(name) => ["fetch/", "generation/", "live/", "quickpkg", "root/", "stage-"]
                .iter()
                .any(|kind| name.starts_with(kind)),
        }
    }
}

/// What a request wants of one farm, and what of it has been seen.
#[derive(Debug, Clone, Default)]
pub struct Wanted {
    goals: BTreeSet<Goal>,
}

impl Wanted {
    /// These goals.
    #[must_use]
    pub fn new(goals: impl IntoIterator<Item = Goal>) -> Self {
        Self {
            goals: goals.into_iter().collect(),
        }
    }

    /// The goals.
    pub fn goals(&self) -> impl Iterator<Item = &Goal> {
        self.goals.iter()
    }

    /// Whether any goal wants the node with this local name and the subjects that have it (for packages).
    #[must_use]
    pub fn wants(&self, local: &str, kind: &str, subjects: &[String]) -> bool {
        self.goals.iter().any(|goal| goal_wants(goal, local, kind, subjects))
    }

    /// The first goal that wants this node.
    #[must_use]
    pub fn goal_of(&self, local: &str, kind: &str, subjects: &[String]) -> Vec<&Goal> {
        self.goals
            .iter()
            .filter(|goal| goal_wants(goal, local, kind, subjects))
            .collect()
    }
}

fn goal_wants(goal: &Goal, local: &str, kind: &str, subjects: &[String]) -> bool {
    let target = match goal {
        Goal::Everything => {
            return !matches!(kind, "publish" | "quickpkg" | "fetch" | "live" | "env") && !local.starts_with("repo/");
        }
        Goal::Sources => return kind == "fetch",
        Goal::Node(name) => return local == name,
        Goal::Target(target) => target,
    };
    match target {
        Target::Pkgs => kind == "package" && subjects.iter().any(|subject| subject != TOOLS_SUBJECT),
        Target::PkgsOf(subject) => kind == "package" && subjects.contains(subject),
        Target::Pkg(wanted) => {
            kind == "package"
                && local
                    .strip_prefix("pkg/")
                    .is_some_and(|name| package_matches(name, wanted))
        }
        other => local == other.to_string(),
    }
}

/// Whether a request wants what has this local name, where only the name is known: in logs and guards.
#[must_use]
pub fn wants_by_name(wanted: &Wanted, local: &str) -> bool {
    let kind = if local.starts_with("pkg/") { "package" } else { "" };
    wanted.goals().any(|goal| match goal {
        Goal::Everything => true,
        Goal::Sources => local.starts_with("fetch/"),
        Goal::Target(_) | Goal::Node(_) => goal_wants(goal, local, kind, &[]),
    })
}

/// Whether `CATEGORY/NAME` (every instance), `CATEGORY/PF` or `CATEGORY/PF@SUBJECT` means the instance called `name`.
fn package_matches(name: &str, wanted: &str) -> bool {
    let cpv = name.split('@').next().unwrap_or(name);
    name == wanted || cpv == wanted || farm_portage::cpv::Cpv::parse(cpv).is_ok_and(|cpv| cpv.cp() == wanted)
}

/// A node's name without its farm.
#[must_use]
pub fn local(name: &str) -> &str {
    name.split_once(':').map_or(name, |(_, local)| local)
}

/// The farm of a node.
#[must_use]
pub fn farm(name: &str) -> &str {
    name.split_once(':').map_or(name, |(farm, _)| farm)
}

/// A word as part of an image's name: lower case, and nothing but what every registry takes.
#[must_use]
pub fn image_word(word: &str) -> String {
    word.chars()
        .map(|c| {
            if c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_') {
                c.to_ascii_lowercase()
            } else {
                '-'
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wants(goal: &str, local: &str, kind: &str, subjects: &[&str]) -> bool {
        let subjects: Vec<String> = subjects.iter().map(|subject| (*subject).to_owned()).collect();
        Wanted::new([Goal::parse(goal).unwrap()]).wants(local, kind, &subjects)
    }

    #[test]
    fn packages_by_name_version_and_subject() {
        assert!(wants("pkg/sci-libs/gsl", "pkg/sci-libs/gsl-2.7.1", "package", &["mc"]));
        assert!(wants(
            "pkg/sci-libs/gsl-2.7.1",
            "pkg/sci-libs/gsl-2.7.1@analysis",
            "package",
            &["analysis"]
        ));
        assert!(!wants(
            "pkg/sci-libs/gsl",
            "pkg/sci-libs/gsl-extra-1",
            "package",
            &["mc"]
        ));
        assert!(wants("pkgs/mc", "pkg/a/b-1", "package", &["x", "mc"]));
        assert!(!wants("pkgs", "pkg/a/b-1", "package", &[TOOLS_SUBJECT]));
        assert!(wants("image/hep", "image/hep", "image", &[]));
        assert!(wants("plan/mc", "plan/mc", "plan", &[]));
        assert!(Goal::parse("nonsense").is_err());
    }
}
