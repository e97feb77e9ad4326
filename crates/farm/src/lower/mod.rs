//! From a farm's manifest to the nodes that are known before Portage is asked.

mod check;
mod generations;
mod images;
mod publish;
mod tasks;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use camino::Utf8PathBuf;
use farm_engine::NodeSpec;
use farm_executor::Limits;
use farm_manifest::layers::LayerFile;
use farm_manifest::model::{Base, Binfarm, Farm, GitPin, ImageFrom, Packages, Rebuild, Repo, RepoSource, SettingsOf};
use farm_manifest::{Loaded, Spanned};
use farm_resolver::Mode;

pub use self::check::check;
pub use self::generations::{generations, plan_nodes};
pub use self::publish::{local_folder, published_to};
pub(crate) use self::tasks::TaskFiles;
use crate::action::{Action, ContainerData, ResolveData, RootData};
use crate::command::FarmError;
use crate::command::pins::{git_key, hosted_spec, tag_ref};
use crate::context::Context;
use crate::fetcher::Sources;
use crate::files::{FileNode, Files};
use crate::lockfile::FarmLock;
use crate::names::{BOOTSTRAP, TOOLS_SUBJECT, image_word};
use crate::rules::join::JoinData;
use crate::rules::live::checkout::Checkout;
use crate::rules::repo::RepoSourcePinned;
use crate::rules::stage3::{Stage3Data, Stage3Source};
use crate::rules::{abi, base, join, repo, resolve, root, stage3};
use crate::settings::{RenderInput, RenderedLayer, Settings, render};

/// What to do about a name that nobody pinned.
pub const UNPINNED_HINT: &str = "`farm build` pins what is missing, `farm update` pins everything anew";

type Nodes = Vec<NodeSpec<Action>>;

/// Makes the nodes of a farm that [`check`] found right.
///
/// # Errors
///
/// A name that nobody pinned, or files that changed or cannot be read.
pub fn lower(context: &Context, loaded: &Loaded, lock: &FarmLock) -> Result<Nodes, FarmError> {
    let farm = &loaded.farm;
    let lowering = Lowering {
        context,
        loaded,
        farm,
        lock,
        name: farm.name.value.clone(),
    };
    let (early, late) = lowering.tasks()?;
    let mut nodes = early;
    match &farm.binfarm {
        Some(binfarm) => nodes.extend(lowering.binfarm(binfarm, late)?),
        None => nodes.extend(late),
    }
    Ok(nodes)
}

/// The farm's configuration as Portage will read it.
pub fn settings(loaded: &Loaded, binfarm: &Binfarm) -> Result<Settings, FarmError> {
    settings_with(loaded, binfarm, &[])
}

/// The same with further settings for packages that win over all others.
fn settings_with(loaded: &Loaded, binfarm: &Binfarm, first: &[SettingsOf<'_>]) -> Result<Settings, FarmError> {
    let farm = &loaded.farm;
    let Some(profile) = &binfarm.profile else {
        return Err(FarmError::bug("a binfarm without a profile was not refused"));
    };
    let layers = layers(loaded, binfarm);
    let repos: Vec<String> = sorted_repos(binfarm)
        .iter()
        .map(|repo| repo.name.value.clone())
        .collect();
    let packages = farm.package_settings();
    Ok(render(&RenderInput {
        profile: &profile.value,
        repos: &repos,
        layers: &layers,
        packages: &packages,
        first,
    }))
}

/// The configuration layers of the binfarm and then of the subjects, each once.
pub fn layers(loaded: &Loaded, binfarm: &Binfarm) -> Vec<RenderedLayer> {
    let farm = &loaded.farm;
    let mut names: Vec<&str> = binfarm.config.iter().map(|name| name.value.as_str()).collect();
    for subject in &farm.subjects {
        for name in &subject.config {
            if !names.contains(&name.value.as_str()) {
                names.push(&name.value);
            }
        }
    }
    names
        .iter()
        .filter_map(|name| loaded.layers.get(*name))
        .map(|layer| RenderedLayer {
            name: layer.name.clone(),
            files: layer
                .files
                .iter()
                .map(|(path, file)| (path.to_string(), file_node(file)))
                .collect(),
        })
        .collect()
}

/// The repositories in the order Portage gets them: the main one first, the others by name, wherever the manifest has them.
fn sorted_repos(binfarm: &Binfarm) -> Vec<&Repo> {
    let mut repos: Vec<&Repo> = binfarm.repos.iter().collect();
    repos.sort_by_key(|repo| (repo.name.value != "gentoo", repo.name.value.clone()));
    repos
}

fn file_node(file: &LayerFile) -> FileNode {
    match &file.link {
        Some(target) => FileNode::Link {
            target: target.to_string(),
        },
        None => FileNode::File {
            bytes: file.bytes.clone(),
            executable: file.executable,
        },
    }
}

struct Lowering<'a> {
    context: &'a Context,
    loaded: &'a Loaded,
    farm: &'a Farm,
    lock: &'a FarmLock,
    name: String,
}

impl Lowering<'_> {
    fn node(&self, local: &str) -> String {
        format!("{}:{local}", self.name)
    }

    fn flavour(&self) -> &str {
        &self.farm.flavour.value
    }

    fn tag(&self, what: &str) -> String {
        format!(
            "farm/{}-{}:{}",
            image_word(&self.name),
            image_word(what),
            image_word(self.flavour())
        )
    }

    fn pinned(&self, reference: &str) -> Result<String, FarmError> {
        if reference.contains('@') || reference.starts_with("sha256:") {
            return Ok(reference.to_owned());
        }
        let pin = self.lock.images.get(reference).ok_or_else(|| unpinned(reference))?;
        Ok(pinned_reference(reference, pin))
    }

    fn binfarm(&self, binfarm: &Binfarm, late: Nodes) -> Result<Nodes, FarmError> {
        let mut nodes = vec![self.base(&binfarm.base)?];
        let mut repos = Vec::new();
        for repository in sorted_repos(binfarm) {
            let name = &repository.name.value;
            nodes.push(repo::node(&self.name, name, self.repo_source(&repository.source)?));
            repos.push((name.clone(), self.node(&format!("repo/{name}"))));
        }
        let mut bases = BTreeSet::new();
        for from in self.farm.starts() {
            if let ImageFrom::Reference(reference) = &from.value
                && bases.insert(reference)
            {
                nodes.push(base::image_node(
                    self.node(&format!("base/{reference}")),
                    self.pinned(reference)?,
                ));
            }
        }
        let options: Vec<String> = self.farm.resolve.iter().map(|option| option.value.clone()).collect();
        let planning = Planning {
            binfarm,
            repos,
            settings: Arc::new(settings(self.loaded, binfarm)?),
            container: container(binfarm),
            live: Arc::new(self.checkouts()?),
            options,
        };
        let subjects = self.subjects(&planning, late)?;
        nodes.extend(self.with_generations(&planning, subjects));
        Ok(nodes)
    }

    /// The root, the plans of subjects, and their joined plan: what comes after all generations of the root.
    fn subjects(&self, planning: &Planning<'_>, late: Nodes) -> Result<Nodes, FarmError> {
        let binfarm = planning.binfarm;
        let epoch = self.context.epoch;
        let mut nodes = vec![root::node(
            self.node("root"),
            self.root_data(binfarm, &planning.container),
            epoch,
        )];
        let root = self.node("root");
        nodes.extend(self.abis(&root));
        let resolve = |subject: &str, packages: &Packages| ResolveData {
            members: members(packages),
            ..planning.resolve(subject, &root)
        };
        let bootstrap = if binfarm.bootstrap.is_empty() {
            None
        } else {
            let first = binfarm.bootstrap.settings();
            let settings = Arc::new(settings_with(self.loaded, binfarm, &first)?);
            let data = ResolveData {
                settings: Arc::clone(&settings),
                ..resolve(BOOTSTRAP, &binfarm.bootstrap)
            };
            let node = resolve::node(&self.name, data, epoch);
            let name = node.name.clone();
            nodes.push(node);
            Some(join::Bootstrap { node: name, settings })
        };
        let mut subjects = Vec::new();
        let mut add = |data: ResolveData| {
            let subject = data.subject.clone();
            let bootstrap = bootstrap.as_ref().map(|bootstrap| bootstrap.node.clone());
            let node = resolve::node(&self.name, ResolveData { bootstrap, ..data }, epoch);
            subjects.push((subject, node.name.clone()));
            nodes.push(node);
        };
        for subject in &self.farm.subjects {
            let name = &subject.name.value;
            let needs = self.needs_closure(name);
            add(ResolveData {
                seeds: needs.iter().map(|need| self.node(&format!("plan/{need}"))).collect(),
                ..resolve(name, &subject.packages)
            });
        }
        // Last, so that a tool that needs a package otherwise never takes its plain name from a subject.
        if !binfarm.packages.is_empty() {
            add(resolve(TOOLS_SUBJECT, &binfarm.packages));
        }
        let parts = join::FarmParts {
            base: self.node("base"),
            images: self.images(binfarm),
            stages: self.stages(),
            publish_pkgs: self.publish_pkgs()?,
            publish_images: self.publish_images(),
            late,
        };
        let data = JoinData {
            subjects,
            bootstrap,
            below: self
                .last_generation()
                .map(|name| self.node(&format!("generation/{name}"))),
            ..self.join(planning, &root, join::Brings::Farm(Box::new(parts)))
        };
        nodes.push(join::node(data));
        Ok(nodes)
    }

    /// The node that looks for the ABIs of a root's packages, if they count.
    fn abis(&self, root: &str) -> Option<NodeSpec<Action>> {
        (self.farm.rebuild == Rebuild::Abi).then(|| abi::node(abis(root), root))
    }

    fn join(&self, planning: &Planning<'_>, root: &str, brings: join::Brings) -> JoinData {
        JoinData {
            farm: self.name.clone(),
            flavour: self.flavour().to_owned(),
            subjects: Vec::new(),
            root: root.to_owned(),
            repos: planning.repos.clone(),
            settings: Arc::clone(&planning.settings),
            container: planning.container.clone(),
            sources: self.sources(),
            live: Arc::clone(&planning.live),
            rebuild: self.farm.rebuild,
            abis: (self.farm.rebuild == Rebuild::Abi).then(|| abis(root)),
            bootstrap: None,
            below: None,
            brings,
        }
    }

    fn base(&self, base: &Base) -> Result<NodeSpec<Action>, FarmError> {
        match base {
            Base::Image(reference) => Ok(base::image_node(self.node("base"), self.pinned(&reference.value)?)),
            Base::Hosted(hosted) => {
                let spec = hosted_spec(hosted);
                let lock = self
                    .lock
                    .hosted
                    .iter()
                    .find(|lock| lock.answers(&spec))
                    .ok_or_else(|| unpinned("the base"))?;
                Ok(base::hosted_node(self.node("base"), lock.clone(), self.context.epoch))
            }
            Base::Stage3(stage3) => {
                let source = Stage3Source::of(stage3, self.loaded);
                let pin = self.lock.stage3.get(&source.archive).copied();
                let pin = pin.ok_or_else(|| unpinned(&source.archive))?;
                let data = Stage3Data { source, pin };
                Ok(stage3::node(self.node("base"), data, self.context.epoch))
            }
        }
    }

    fn root_data(&self, binfarm: &Binfarm, container: &ContainerData) -> RootData {
        let files: Files = self
            .loaded
            .root
            .iter()
            .flat_map(|root| &root.files)
            .map(|(path, file)| (path.to_string(), file_node(file)))
            .collect();
        RootData {
            base: self.node(&match self.last_generation() {
                Some(name) => format!("root/{name}"),
                None => "base".to_owned(),
            }),
            files,
            scripts: self.scripts(&binfarm.scripts),
            container: container.clone(),
            tag: self.tag("root"),
        }
    }

    fn repo_source(&self, source: &RepoSource) -> Result<RepoSourcePinned, FarmError> {
        Ok(match source {
            RepoSource::Image(reference) => RepoSourcePinned::Image {
                reference: self.pinned(&reference.value)?,
            },
            RepoSource::Path(path) => {
                let folder = self.context.workspace.join(&path.value);
                let listing = repo::listing(&folder, &self.context.hasher)?;
                RepoSourcePinned::Path { folder, listing }
            }
            RepoSource::Git { url, pin } => {
                let commit = match pin {
                    GitPin::Commit(commit) => commit.value.clone(),
                    GitPin::Branch(branch) => self.git_pin(&url.value, Some(&branch.value))?,
                    GitPin::Tag(tag) => self.git_pin(&url.value, Some(&tag_ref(&tag.value)))?,
                    GitPin::Default => self.git_pin(&url.value, None)?,
                };
                RepoSourcePinned::Git {
                    url: url.value.clone(),
                    commit,
                }
            }
            RepoSource::Archive { url, sha256 } => {
                let pinned = sha256.as_ref().map(|sha256| sha256.value.clone());
                let sha256 = pinned
                    .or_else(|| self.lock.archives.get(&url.value).cloned())
                    .ok_or_else(|| unpinned(&url.value))?;
                RepoSourcePinned::Archive {
                    url: url.value.clone(),
                    sha256,
                }
            }
        })
    }

    /// The folders that stand in for the repositories of live ebuilds.
    fn checkouts(&self) -> Result<BTreeMap<String, Arc<Checkout>>, FarmError> {
        let mut found = BTreeMap::new();
        for entry in &self.farm.live {
            let folder = self.context.workspace.join(&entry.path.value);
            let checkout = Checkout::look(self.context, &folder, &self.context.hasher)?;
            found.insert(entry.package.value.clone(), Arc::new(checkout));
        }
        Ok(found)
    }

    fn git_pin(&self, url: &str, branch: Option<&str>) -> Result<String, FarmError> {
        let key = git_key(url, branch);
        self.lock.git.get(&key).cloned().ok_or_else(|| unpinned(&key))
    }

    /// The subjects that a subject needs, directly or through others.
    fn needs_closure(&self, subject: &str) -> Vec<String> {
        let mut found = BTreeSet::new();
        let mut pending = vec![subject.to_owned()];
        while let Some(name) = pending.pop() {
            for need in self.farm.subject(&name).into_iter().flat_map(|subject| &subject.needs) {
                if found.insert(need.value.clone()) {
                    pending.push(need.value.clone());
                }
            }
        }
        found.into_iter().collect()
    }

    fn sources(&self) -> Sources {
        let distfiles = &self.farm.distfiles;
        Sources {
            dir: distfiles
                .dir
                .as_ref()
                .map(|dir| self.context.workspace.join(&dir.value)),
            mirrors: distfiles.mirrors.iter().map(|mirror| mirror.value.clone()).collect(),
            proxy: distfiles.proxy.as_ref().map(|proxy| proxy.value.clone()),
            ..Sources::default()
        }
    }

    /// File names and contents, in the order they are run.
    fn scripts(&self, paths: &[Spanned<Utf8PathBuf>]) -> Vec<(String, Vec<u8>)> {
        let script = |path: &Spanned<Utf8PathBuf>| {
            let file = self.loaded.scripts.get(&path.value)?;
            Some((path.value.file_name()?.to_owned(), file.bytes.clone()))
        };
        paths.iter().filter_map(script).collect()
    }
}

/// `FARM:abi/ROOT`.
fn abis(root: &str) -> String {
    root.replacen(':', ":abi/", 1)
}

/// What every plan of a farm is made with.
struct Planning<'a> {
    binfarm: &'a Binfarm,
    repos: Vec<(String, String)>,
    settings: Arc<Settings>,
    container: ContainerData,
    live: Arc<BTreeMap<String, Arc<Checkout>>>,
    options: Vec<String>,
}

impl Planning<'_> {
    /// A plan of no members, in a root.
    fn resolve(&self, subject: &str, root: &str) -> ResolveData {
        ResolveData {
            subject: subject.to_owned(),
            members: Vec::new(),
            options: self.options.clone(),
            mode: Mode::Members,
            reinstall: Vec::new(),
            bootstrap: None,
            seeds: Vec::new(),
            root: root.to_owned(),
            repos: self.repos.clone(),
            settings: Arc::clone(&self.settings),
            container: self.container.clone(),
        }
    }
}

/// What emerge is given, sorted.
fn members(packages: &Packages) -> Vec<String> {
    let members: BTreeSet<String> = packages.members().map(|member| member.value.to_string()).collect();
    members.into_iter().collect()
}

fn container(binfarm: &Binfarm) -> ContainerData {
    ContainerData {
        capabilities: binfarm
            .capabilities
            .iter()
            .map(|capability| capability.value.clone())
            .collect(),
        limits: Limits {
            memory: binfarm.limits.memory.as_ref().map(|memory| memory.value),
            pids: binfarm
                .limits
                .pids
                .as_ref()
                .map(|pids| u32::try_from(pids.value).unwrap_or(u32::MAX)),
        },
        env: binfarm
            .env
            .iter()
            .map(|(name, value)| (name.clone(), value.value.clone()))
            .collect(),
    }
}

/// `NAME@DIGEST`, or the image's id where no registry serves the name.
fn pinned_reference(reference: &str, pin: &str) -> String {
    let (name, tag) = reference.rsplit_once(':').unwrap_or((reference, ""));
    let name = if tag.contains('/') { reference } else { name };
    match pin.strip_prefix("id ") {
        Some(id) => id.to_owned(),
        None => format!("{name}@{pin}"),
    }
}

fn unpinned(what: &str) -> FarmError {
    FarmError::input(format!("{what} is not in the lock file")).hint(UNPINNED_HINT)
}
