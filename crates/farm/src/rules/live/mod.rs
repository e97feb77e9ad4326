//! `live/CATEGORY/PF`: the source of a live ebuild, pinned: git repositories as they were when somebody looked, in which the names that the
//! ebuild asks for mean those commits for ever.
//!
//! They are fetched on the host, with the user's git. In the build root git is told to find them in the place of the servers, so that
//! `git-r3.eclass` does its work without a network, and without knowing.

pub mod checkout;
mod fetched;
mod repository;
mod submodules;

use std::collections::BTreeMap;
use std::io::Write as _;
use std::path::PathBuf;
use std::sync::Arc;

use farm_engine::{Class, Digest, Failure, FailureKind, Input, NodeSpec, Output, Run, Value};
use farm_image::{Parents, TreeNode, tree_tar};
use farm_resolver::{LiveRef, LiveSource, Package};

use self::checkout::Checkout;
use self::repository::Repository;
use super::base::Tell;
use super::network;
use crate::action::Action;
use crate::context::{Context, chain, io_failure};
use crate::place::Place;
use crate::upload::STAGING;

/// The role of the only output: a tar of repositories and of what git is told about them.
pub const ROLE: &str = "source";

/// In a build root: has git find the repositories, and lets whoever unpacks make git-r3's own copies.
pub const OFFER: &str = r#"cat /.farm/live/gitconfig >> /etc/gitconfig
mkdir -p "$DISTDIR/git3-src"
chmod 0777 "$DISTDIR/git3-src"
"#;

/// What the source of a live ebuild is.
#[derive(Debug, Clone, PartialEq)]
pub struct LiveData {
    /// What the ebuild says of it.
    pub source: LiveSource,
    /// What that is for this farm.
    pub content: LiveContent,
}

/// What a live ebuild is built from.
#[derive(Debug, Clone, PartialEq)]
pub enum LiveContent {
    /// A commit.
    Commit {
        /// Its id: of an annotated tag, the tag's.
        id: String,
        /// The address that had it.
        uri: String,
    },
    /// A folder of this machine.
    Checkout(Arc<Checkout>),
    /// Nobody looked yet, and this run must not.
    NotPinned,
    /// It could not be found out.
    Failed(Box<Failure>),
}

impl LiveData {
    /// The source of a package, if its ebuild is a live one: the folder that the manifest names, or what its repository has been pinned to.
    #[must_use]
    pub fn of(
        context: &Context,
        farm: &str,
        package: &Package,
        checkouts: &BTreeMap<String, Arc<Checkout>>,
    ) -> Option<Self> {
        let source = package.live.clone()?;
        let checkout = checkouts.get(&format!("{}/{}", package.category, package.name));
        let content = match (source.wanted(), checkout) {
            (LiveRef::Commit(id), Some(checkout)) => LiveContent::Failed(Box::new(
                Failure::new(
                    FailureKind::Input,
                    format!(
                        "{} asks for the commit {id}, and {} has other ones",
                        package.cpv,
                        checkout.shown()
                    ),
                )
                .hint("take an ebuild of a branch, or take the package out of `live:`"),
            )),
            (_, Some(checkout)) => LiveContent::Checkout(Arc::clone(checkout)),
            (LiveRef::Commit(id), None) => {
                let uri = source.uris.first().cloned().unwrap_or_default();
                LiveContent::Commit { id, uri }
            }
            (LiveRef::Named(name), None) => match context.live.commit(context, farm, &source.uris, &name) {
                Ok(Some(pinned)) => LiveContent::Commit {
                    id: pinned.commit,
                    uri: pinned.uri,
                },
                Ok(None) => LiveContent::NotPinned,
                Err(failure) => LiveContent::Failed(Box::new(failure)),
            },
        };
        Some(Self { source, content })
    }

    /// What decides the source, for the key of whoever is made from it.
    #[must_use]
    pub fn inputs(&self) -> Vec<Input> {
        let wanted = match self.source.wanted() {
            LiveRef::Named(name) => name,
            LiveRef::Commit(_) => self.source.branch_ref().unwrap_or_else(|| "HEAD".to_owned()),
        };
        let mut inputs = vec![
            Input::text("repository", self.source.uris.join(" ")),
            Input::text("ref", wanted),
            match &self.content {
                LiveContent::Commit { id, .. } => Input::text("commit", id),
                LiveContent::Checkout(checkout) => Input::digest("tree", checkout.listing.digest),
                LiveContent::NotPinned => Input::text("commit", "not pinned yet"),
                LiveContent::Failed(_) => Input::absent("commit"),
            },
        ];
        if let Some(patterns) = &self.source.submodules {
            inputs.push(Input::text("submodules", patterns.join(" ")));
        }
        inputs
    }

    /// What tells two sources apart.
    #[must_use]
    pub fn identity(&self) -> String {
        let line = |input: Input| match input.value {
            Value::Text(text) => format!("{}={text}\n", input.name),
            Value::Digest(digest) => format!("{}:{digest}\n", input.name),
            Value::Absent => format!("{}\n", input.name),
        };
        self.inputs().into_iter().map(line).collect()
    }

    /// The digest of the source. It is what the commits say, and not what the repositories weigh: git packs them otherwise every time.
    fn digest(&self) -> Digest {
        Digest::of(self.identity().as_bytes())
    }

    /// Every ref that the ebuild may fetch, besides HEAD.
    fn refs(&self) -> Vec<String> {
        let named = match self.source.wanted() {
            LiveRef::Named(name) => Some(name),
            LiveRef::Commit(_) => None,
        };
        let all = named.into_iter().chain(self.source.branch_ref());
        all.filter(|name| name.starts_with("refs/")).collect()
    }
}

/// The node of a source.
#[must_use]
pub fn node(name: String, data: LiveData, epoch: u64) -> NodeSpec<Action> {
    let local = matches!(data.content, LiveContent::Checkout(_));
    let mut inputs = data.inputs();
    if local {
        // The time of the commit that is made of it.
        inputs.push(Input::text("epoch", epoch.to_string()));
    }
    NodeSpec {
        name,
        kind: "live".to_owned(),
        rule_version: 1,
        class: Class::Build,
        inputs,
        dependencies: Vec::new(),
        expands: false,
        pools: if local { BTreeMap::new() } else { network() },
        action: Action::Live(Box::new(data)),
    }
}

/// Fetches the source, or makes it of a folder.
///
/// # Errors
///
/// The environment's: a server does not answer, or has forgotten the commit; the input's: it never had what the ebuild asks for.
pub fn run(context: &Context, run: &Run<'_>, name: &str, data: &LiveData) -> Result<Vec<Output>, Failure> {
    context.with_scratch(|scratch| {
        let repositories = match &data.content {
            LiveContent::Commit { id, uri } => {
                let mut progress = Tell { run, name };
                fetched::repositories(context, data, id, uri, scratch, &mut progress)?
            }
            LiveContent::Checkout(checkout) => vec![checkout.repository(context, data, scratch)?],
            LiveContent::NotPinned => return Err(Failure::new(FailureKind::Bug, "a source that nobody pinned is run")),
            LiveContent::Failed(failure) => return Err(Failure::clone(failure)),
        };
        let failed = |error: std::io::Error| io_failure("keep a source", &error);
        let mut writer = context.store.writer().map_err(failed)?;
        tree_tar(nodes(&repositories)?, Parents::Include, context.epoch, &mut writer)
            .map_err(|error| Failure::new(FailureKind::Environment, chain(&error)))?;
        writer.flush().map_err(failed)?;
        let blob = writer.finish().map_err(failed)?;
        Ok(vec![Place::Store { blob }.output(ROLE, data.digest())])
    })
}

/// The repositories and git's configuration, where a build root has them.
fn nodes(repositories: &[Repository]) -> Result<BTreeMap<PathBuf, TreeNode<'static>>, Failure> {
    let folder = PathBuf::from(STAGING).join("live");
    let mut nodes = BTreeMap::new();
    // Whoever unpacks is not who owns them.
    let mut config = "[safe]\n\tdirectory = *\n[protocol \"file\"]\n\tallow = always\n".to_owned();
    // Submodules are fetched by the ids of their commits.
    config.push_str("[uploadpack]\n\tallowAnySHA1InWant = true\n");
    for (number, repository) in repositories.iter().enumerate() {
        let place = folder.join(format!("{number}.git"));
        config.push_str(&format!("[url \"file:///{}\"]\n", place.display()));
        for uri in &repository.uris {
            config.push_str(&format!("\tinsteadOf = {}\n", quoted(uri)));
        }
        nodes.extend(repository.nodes(&place)?);
    }
    nodes.insert(folder.join("gitconfig"), TreeNode::file(0o644, config));
    Ok(nodes)
}

/// A text as git reads it in its configuration, and paths in what `git fast-import` reads.
fn quoted(value: &str) -> String {
    let mut quoted = String::from("\"");
    for character in value.chars() {
        match character {
            '"' | '\\' => quoted.extend(['\\', character]),
            '\n' => quoted.push_str("\\n"),
            '\t' => quoted.push_str("\\t"),
            other => quoted.push(other),
        }
    }
    quoted.push('"');
    quoted
}
