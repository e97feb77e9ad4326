//! From a farm's manifest to the nodes that are known before Portage is asked.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::Arc;

use farm_engine::{Class, Dependency, Input, NodeSpec};
use farm_executor::Limits;
use farm_manifest::Loaded;
use farm_manifest::layers::LayerFile;
use farm_manifest::model::{
    Base, Binfarm, Farm, GitPin, Image, ImageFrom, Place, RepoSource, Run as TaskCommand, Target, Task,
};
use farm_store::{FileKind, glob};

use crate::action::{Action, ContainerData, ResolveData, RootData, TaskData};
use crate::command::FarmError;
use crate::command::pins::{git_key, hosted_spec};
use crate::context::Context;
use crate::fetcher::Sources;
use crate::files::{FileNode, Files};
use crate::lockfile::FarmLock;
use crate::names::{TOOLS_SUBJECT, image_word};
use crate::rules::image::{ImageConfigPlan, ImagePlan};
use crate::rules::join::JoinData;
use crate::rules::publish_images::PublishImagesPlan;
use crate::rules::publish_pkgs::PublishPkgsPlan;
use crate::rules::repo::RepoSourcePinned;
use crate::rules::{base, join, publish_pkgs, repo, resolve, root};
use crate::settings::{RenderInput, RenderedLayer, Settings, render};

/// Makes the nodes of a farm.
///
/// # Errors
///
/// The user's: what the manifest reader could not know, such as a glob that matches nothing.
pub fn lower(context: &Context, loaded: &Loaded, lock: &FarmLock) -> Result<Vec<NodeSpec<Action>>, FarmError> {
    let farm = &loaded.farm;
    let lowering = Lowering { context, loaded, farm, lock, name: farm.name.value.clone() };
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
    let farm = &loaded.farm;
    let Some(profile) = &binfarm.profile else {
        return Err(FarmError::input("the binfarm has no profile").hint("add `profile: REPOSITORY:PATH` to `binfarm:`"));
    };
    let mut names: Vec<&str> = binfarm.config.iter().map(|name| name.value.as_str()).collect();
    for subject in &farm.subjects {
        for name in &subject.config {
            if !names.contains(&name.value.as_str()) {
                names.push(&name.value);
            }
        }
    }
    let layers: Vec<RenderedLayer> = names
        .iter()
        .filter_map(|name| loaded.layers.get(*name))
        .map(|layer| RenderedLayer {
            name: layer.name.clone(),
            files: layer.files.iter().map(|(path, file)| (path.to_string(), file_node(file))).collect(),
        })
        .collect();
    let repos: Vec<String> = binfarm.repos.iter().map(|repo| repo.name.value.clone()).collect();
    let packages = farm.package_settings();
    Ok(render(&RenderInput { profile: &profile.value, repos: &repos, layers: &layers, packages: &packages }))
}

fn file_node(file: &LayerFile) -> FileNode {
    match &file.link {
        Some(target) => FileNode::Link { target: target.to_string() },
        None => FileNode::File { bytes: file.bytes.clone(), executable: file.executable },
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
        format!("farm/{}-{}:{}", image_word(&self.name), image_word(what), image_word(self.flavour()))
    }

    fn pinned(&self, reference: &str) -> Result<String, FarmError> {
        if reference.contains('@') || reference.starts_with("sha256:") {
            return Ok(reference.to_owned());
        }
        let pin = self.lock.images.get(reference).ok_or_else(|| unpinned(reference))?;
        Ok(pinned_reference(reference, pin))
    }

    fn binfarm(&self, binfarm: &Binfarm, late: Vec<NodeSpec<Action>>) -> Result<Vec<NodeSpec<Action>>, FarmError> {
        let epoch = self.context.epoch;
        let mut nodes = vec![self.base(&binfarm.base)?];
        let container = container(binfarm);
        nodes.push(root::node(self.node("root"), self.root_data(binfarm, &container), epoch));
        let mut repos = Vec::new();
        for repository in &binfarm.repos {
            let name = &repository.name.value;
            nodes.push(repo::node(&self.name, name, self.repo_source(&repository.source)?));
            repos.push((name.clone(), self.node(&format!("repo/{name}"))));
        }
        let mut bases = BTreeSet::new();
        for image in &self.farm.images {
            if let ImageFrom::Reference(reference) = &image.from.value
                && bases.insert(reference)
            {
                nodes.push(base::image_node(self.node(&format!("base/{reference}")), self.pinned(reference)?));
            }
        }

        let settings = Arc::new(settings(self.loaded, binfarm)?);
        let options: Vec<String> = self.farm.resolve.iter().map(|option| option.value.clone()).collect();
        let mut subjects = Vec::new();
        let mut resolve = |subject: &str, members: Vec<String>, needs: Vec<String>| {
            let data = ResolveData {
                subject: subject.to_owned(),
                members,
                options: options.clone(),
                seeds: needs.iter().map(|need| self.node(&format!("plan/{need}"))).collect(),
                root: self.node("root"),
                repos: repos.clone(),
                settings: Arc::clone(&settings),
                container: container.clone(),
            };
            let node = resolve::node(&self.name, data, epoch);
            subjects.push((subject.to_owned(), node.name.clone()));
            nodes.push(node);
        };
        if !binfarm.packages.is_empty() {
            let members = binfarm.packages.members().map(|member| member.value.to_string()).collect();
            resolve(TOOLS_SUBJECT, members, Vec::new());
        }
        for subject in &self.farm.subjects {
            let members = subject.packages.members().map(|member| member.value.to_string()).collect();
            resolve(&subject.name.value, members, self.needs_closure(&subject.name.value));
        }
        nodes.push(join::node(JoinData {
            farm: self.name.clone(),
            flavour: self.flavour().to_owned(),
            subjects,
            root: self.node("root"),
            repos,
            settings,
            container,
            sources: self.sources(),
            images: self.images(binfarm),
            publish_pkgs: self.publish_pkgs()?,
            publish_images: self.publish_images(),
            late,
        }));
        Ok(nodes)
    }

    fn base(&self, base: &Base) -> Result<NodeSpec<Action>, FarmError> {
        match base {
            Base::Image(reference) => Ok(base::image_node(self.node("base"), self.pinned(&reference.value)?)),
            Base::Hosted(hosted) => {
                let spec = hosted_spec(hosted);
                let lock = self.lock.hosted.iter().find(|lock| lock.answers(&spec)).ok_or_else(|| unpinned("the base"))?;
                Ok(base::hosted_node(self.node("base"), lock.clone(), self.context.epoch))
            }
            Base::Stage3(_) => Err(FarmError::input("a base from a stage3 archive is not built yet").hint("use `image:`")),
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
        let scripts = binfarm
            .scripts
            .iter()
            .filter_map(|path| Some((path.value.file_name()?.to_owned(), self.loaded.scripts.get(&path.value)?.bytes.clone())))
            .collect();
        RootData { base: self.node("base"), files, scripts, container: container.clone(), tag: self.tag("root") }
    }

    fn repo_source(&self, source: &RepoSource) -> Result<RepoSourcePinned, FarmError> {
        Ok(match source {
            RepoSource::Image(reference) => RepoSourcePinned::Image { reference: self.pinned(&reference.value)? },
            RepoSource::Path(path) => {
                let folder = self.context.workspace.join(&path.value);
                let listing = repo::listing(&folder, &self.context.hasher)?;
                RepoSourcePinned::Path { folder, listing }
            }
            RepoSource::Git { url, pin } => {
                let commit = match pin {
                    GitPin::Commit(commit) => commit.value.clone(),
                    GitPin::Branch(branch) => self.git_pin(&url.value, Some(&branch.value))?,
                    GitPin::Default => self.git_pin(&url.value, None)?,
                };
                RepoSourcePinned::Git { url: url.value.clone(), commit }
            }
            RepoSource::Archive { url, sha256 } => {
                let pinned = sha256.as_ref().map(|sha256| sha256.value.clone());
                let sha256 = pinned
                    .or_else(|| self.lock.archives.get(&url.value).cloned())
                    .ok_or_else(|| unpinned(&url.value))?;
                RepoSourcePinned::Archive { url: url.value.clone(), sha256 }
            }
        })
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
            dir: distfiles.dir.as_ref().map(|dir| self.context.workspace.join(&dir.value)),
            mirrors: distfiles.mirrors.iter().map(|mirror| mirror.value.clone()).collect(),
            proxy: distfiles.proxy.as_ref().map(|proxy| proxy.value.clone()),
            ..Sources::default()
        }
    }

    fn images(&self, binfarm: &Binfarm) -> Vec<ImagePlan> {
        let plain = |local: &str, with_settings: bool, subjects: Vec<String>| ImagePlan {
            local: local.to_owned(),
            from: self.node("root"),
            subjects,
            with_settings,
            strip: Vec::new(),
            config: ImageConfigPlan {
                user: binfarm.user.as_ref().map(|user| user.value.clone()),
                ..ImageConfigPlan::default()
            },
            tag: self.tag(local),
        };
        let tools = if binfarm.packages.is_empty() { Vec::new() } else { vec![TOOLS_SUBJECT.to_owned()] };
        let mut images = vec![plain("binfarm", false, tools), plain("env", true, Vec::new())];
        images.extend(self.farm.images.iter().map(|image| self.image(image)));
        images
    }

    fn image(&self, image: &Image) -> ImagePlan {
        let name = &image.name.value;
        let texts = |values: &[farm_manifest::Spanned<String>]| values.iter().map(|value| value.value.clone()).collect();
        let map = |values: &BTreeMap<String, farm_manifest::Spanned<String>>| {
            values.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect()
        };
        ImagePlan {
            local: format!("image/{name}"),
            from: match &image.from.value {
                ImageFrom::Base => self.node("base"),
                ImageFrom::Binfarm => self.node("binfarm"),
                ImageFrom::Image(other) => self.node(&format!("image/{other}")),
                ImageFrom::Reference(reference) => self.node(&format!("base/{reference}")),
            },
            subjects: image.subjects.iter().map(|subject| subject.value.clone()).collect(),
            with_settings: false,
            strip: image.strip.iter().map(|strip| strip.value).collect(),
            config: ImageConfigPlan {
                entrypoint: texts(&image.entrypoint),
                cmd: texts(&image.cmd),
                env: map(&image.env),
                user: image.user.as_ref().map(|user| user.value.clone()),
                workdir: image.workdir.as_ref().map(|workdir| workdir.value.clone()),
                labels: map(&image.labels),
            },
            tag: self.tag(name),
        }
    }

    fn publish_pkgs(&self) -> Result<Option<PublishPkgsPlan>, FarmError> {
        let Some(publish) = &self.farm.publish.pkgs else { return Ok(None) };
        let Some(folder) = local_folder(&publish.to.value, &self.context.workspace) else { return Ok(None) };
        let folder = folder.join(self.flavour());
        let deny = self.farm.publish.deny.iter().chain(&publish.deny);
        Ok(Some(PublishPkgsPlan {
            to: format!("{}/{}", publish.to.value.trim_end_matches('/'), self.flavour()),
            folder,
            deny: deny.map(|deny| publish_pkgs::deny(&deny.value)).collect::<Result<_, _>>()?,
            private: publish.private,
            needs: publish.needs.iter().map(|target| self.target_node(&target.value)).collect(),
        }))
    }

    fn publish_images(&self) -> Option<PublishImagesPlan> {
        let publish = self.farm.publish.images.as_ref()?;
        let images = self
            .farm
            .images
            .iter()
            .map(|image| {
                let name = &image.name.value;
                (self.node(&format!("image/{name}")), name.clone(), publish.reference(name))
            })
            .collect();
        let needs = publish.needs.iter().map(|target| self.target_node(&target.value)).collect();
        Some(PublishImagesPlan { images, needs })
    }

    /// The node that stands for a target in somebody's `needs:`. All packages together are the binhost.
    fn target_node(&self, target: &Target) -> String {
        match target {
            Target::Pkgs | Target::PkgsOf(_) => self.node("binhost"),
            other => self.node(&other.to_string()),
        }
    }

    /// The tasks that can be described before Portage is asked, and those that need what a plan brings forth.
    fn tasks(&self) -> Result<(Vec<NodeSpec<Action>>, Vec<NodeSpec<Action>>), FarmError> {
        let mut nodes = Vec::new();
        for task in &self.farm.tasks {
            nodes.push(self.task(task)?);
        }
        let names: BTreeSet<String> = nodes.iter().map(|node| node.name.clone()).collect();
        let early_nodes = [self.node("root"), self.node("base")];
        let mut late: BTreeSet<String> = BTreeSet::new();
        loop {
            let before = late.len();
            for node in &nodes {
                let waits = node.dependencies.iter().any(|dependency| {
                    let other = &dependency.node;
                    late.contains(other) || !(names.contains(other) || early_nodes.contains(other))
                });
                if waits {
                    late.insert(node.name.clone());
                }
            }
            if late.len() == before {
                break;
            }
        }
        Ok(nodes.into_iter().partition(|node| !late.contains(&node.name)))
    }

    fn task(&self, task: &Task) -> Result<NodeSpec<Action>, FarmError> {
        let folder = self.context.workspace.join(&task.folder);
        let place = |message: String| {
            FarmError::input(format!("{}: task {}: {message}", self.loaded.sources.place(task.span), task.name.value))
        };
        let mut inputs = Vec::new();
        let mut dependencies: Vec<Dependency> = Vec::new();
        let mut brought = BTreeSet::new();
        for input in &task.inputs {
            if let Some((other, output)) = self.output_of(task, &input.value) {
                dependencies.push(Dependency::output(self.node(&format!("task/{other}")), output));
                continue;
            }
            let expansion = glob::expand(&folder, &[&input.value]).map_err(|error| place(error.to_string()))?;
            if !expansion.unmatched.is_empty() {
                let message = format!("its input {} matches nothing in {}", input.value, task.folder);
                return Err(place(message).hint("mend the path, or name the task that makes it under `needs:`"));
            }
            brought.extend(expansion.paths);
        }
        for path in &brought {
            self.hash_input(&folder, path, &mut inputs).map_err(|error| place(error.to_string()))?;
        }
        let (command, text) = match &task.run.value {
            TaskCommand::Shell(line) => ("shell", line.clone()),
            TaskCommand::Arguments(words) => ("arguments", words.join("\u{0}")),
        };
        inputs.push(Input::text(format!("run/{command}"), text));
        inputs.extend(task.env.iter().map(|(name, value)| Input::text(format!("env/{name}"), &value.value)));
        inputs.extend(task.outputs.iter().map(|output| Input::text(format!("output/{}", output.value), "declared")));
        for need in &task.needs {
            let node = self.target_node(&need.value);
            let keyed = dependencies.iter().any(|dependency| dependency.node == node);
            if !keyed {
                dependencies.extend(self.need(&need.value, node));
            }
        }
        let image = match &task.place.value {
            Place::Host => None,
            Place::Base => Some(self.node("base")),
            Place::Binfarm => Some(self.node("binfarm")),
            Place::Env => Some(self.node("env")),
            Place::Image(name) => Some(self.node(&format!("image/{name}"))),
        };
        if let Some(image) = &image {
            dependencies.push(Dependency::output(image, "image"));
        }
        inputs.push(Input::text("in", if image.is_some() { "image" } else { "host" }));
        Ok(NodeSpec {
            name: self.node(&format!("task/{}", task.name.value)),
            kind: "task".to_owned(),
            rule_version: 1,
            class: Class::Build,
            inputs,
            dependencies,
            expands: false,
            memory: 0,
            action: Action::Task(Box::new(TaskData {
                task: task.clone(),
                image,
                inputs: brought.into_iter().collect(),
            })),
        })
    }

    /// What a task needs decides its output, so that everything the other one makes enters the key.
    fn need(&self, target: &Target, node: String) -> Vec<Dependency> {
        match target {
            Target::Task(name) => {
                let outputs = self.farm.task(name).map(|task| task.outputs.as_slice()).unwrap_or_default();
                if outputs.is_empty() {
                    return vec![Dependency::output(node, "done")];
                }
                outputs.iter().map(|output| Dependency::output(&node, &output.value)).collect()
            }
            Target::Image(_) | Target::Binfarm | Target::Env => vec![Dependency::output(node, "image")],
            Target::Binhost | Target::Pkgs | Target::PkgsOf(_) => vec![Dependency::output(node, "index")],
            _ => vec![Dependency::before_run(node)],
        }
    }

    /// The task and its declared output in which `input` is or lies.
    fn output_of(&self, task: &Task, input: &str) -> Option<(String, String)> {
        for other in self.farm.tasks.iter().filter(|other| other.name.value != task.name.value) {
            if other.folder != task.folder {
                continue;
            }
            for output in &other.outputs {
                if covers(&output.value, input) {
                    return Some((other.name.value.clone(), output.value.clone()));
                }
            }
        }
        None
    }

    fn hash_input(&self, folder: &std::path::Path, path: &str, inputs: &mut Vec<Input>) -> Result<(), FarmError> {
        let full = folder.join(path);
        if full.is_dir() && !full.is_symlink() {
            let listing = farm_store::hash_tree(&full, &|_| true, &self.context.hasher)
                .map_err(|error| FarmError::environment(error.to_string()))?;
            inputs.push(Input::digest(format!("input/{path}"), listing.digest));
            return Ok(());
        }
        let found = self.context.hasher.hash(&full).map_err(|error| FarmError::environment(error.to_string()))?;
        let kind = match (found.kind, found.executable) {
            (FileKind::Symlink, _) => "link",
            (FileKind::File, true) => "program",
            (FileKind::File, false) => "file",
        };
        inputs.push(Input::text(format!("input/{path}"), format!("{kind} {}", found.digest.to_hex())));
        Ok(())
    }
}

/// Whether a declared output is, holds, or matches an input.
fn covers(output: &str, input: &str) -> bool {
    let folder = output.trim_end_matches('/');
    input.trim_end_matches('/') == folder
        || input.starts_with(&format!("{folder}/"))
        || glob::matches(folder, input).unwrap_or(false)
        || (!glob::is_pattern(folder) && glob::matches(input, folder).unwrap_or(false))
}

fn container(binfarm: &Binfarm) -> ContainerData {
    ContainerData {
        capabilities: binfarm.capabilities.iter().map(|capability| capability.value.clone()).collect(),
        limits: Limits {
            memory: binfarm.limits.memory.as_ref().map(|memory| memory.value),
            pids: binfarm.limits.pids.as_ref().map(|pids| u32::try_from(pids.value).unwrap_or(u32::MAX)),
        },
        env: binfarm.env.iter().map(|(name, value)| (name.clone(), value.value.clone())).collect(),
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
    FarmError::input(format!("{what} is not in the lock file")).hint("run `farm update`")
}

/// The folder that an address means, if it means one.
pub fn local_folder(to: &str, workspace: &std::path::Path) -> Option<PathBuf> {
    match to.strip_prefix("file://") {
        Some(path) => Some(workspace.join(path)),
        None if !to.contains("://") => Some(workspace.join(to)),
        None => None,
    }
}
