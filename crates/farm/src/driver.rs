//! Carries out the nodes of farms for the engine.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write;
use std::path::Path;
use std::sync::Mutex;

use farm_engine::{Difference, Driver, Failure, FailureKind, Guard, GuardStore, Key, NodeSpec, Output, Presence, Run};
use farm_executor::ImageId;
use farm_manifest::address::redacted;
use fs_err as fs;

use crate::action::Action;
use crate::context::{Context, executor_failure, io_failure};
use crate::elsewhere::{self, Asked};
use crate::names::{Wanted, farm, local};
use crate::place::Place;
use crate::rules::{
    abi, base, differences, fetch, image, join, live, package, publish_images, publish_pkgs, quickpkg, repo, resolve,
    root, source, stage, stage3, task,
};

/// The engine's driver for farms.
pub struct FarmDriver<'a> {
    context: &'a Context,
    guards: &'a dyn GuardStore,
    /// What is wanted, by farm; `None`: every node of the graph.
    wanted: Option<BTreeMap<String, Wanted>>,
    /// What is to run again and be compared, by farm.
    rebuilt: BTreeMap<String, Wanted>,
    /// Whether files of the workspace may be restored.
    restore: bool,
    /// Subjects of every package node, by the node's name: known once a plan was expanded.
    subjects: Mutex<BTreeMap<String, Vec<String>>>,
    /// Images that are there, without the name that they have in this farm.
    unnamed: Mutex<Vec<(ImageId, String)>>,
    /// Outputs whose presence no `stat` tells.
    asked: Mutex<BTreeSet<Asked>>,
}

impl<'a> FarmDriver<'a> {
    /// A driver that wants these things, or every node of the graph if there are none. `restore` says whether task outputs that are gone from the workspace may be brought
    /// back from the store: not by a command that only looks.
    #[must_use]
    pub fn new(
        context: &'a Context,
        guards: &'a dyn GuardStore,
        wanted: Option<BTreeMap<String, Wanted>>,
        restore: bool,
    ) -> Self {
        Self {
            context,
            guards,
            wanted,
            rebuilt: BTreeMap::new(),
            restore,
            subjects: Mutex::default(),
            unnamed: Mutex::default(),
            asked: Mutex::default(),
        }
    }

    /// Gives images that did not have to be made the names under which people look for them: after a change is taken back, or
    /// for another flavour, the image is there, but its name is another one's or was never given.
    ///
    /// # Errors
    ///
    /// The environment's: the engine does not answer any more, or the state cannot be written.
    pub fn name_images(&self) -> Result<(), Failure> {
        let mut unnamed = self.unnamed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        for (image, name) in std::mem::take(&mut *unnamed) {
            remember_name(&self.context.state, &image, &name)
                .map_err(|error| io_failure("remember an image", &error))?;
            self.context
                .executor()?
                .tag(&image, &name)
                .map_err(|error| executor_failure(&error))?;
        }
        Ok(())
    }

    /// Tells it what is to run again although it is up to date, to be compared with what is recorded.
    #[must_use]
    pub fn rebuilding(mut self, rebuilt: &BTreeMap<String, Wanted>) -> Self {
        self.rebuilt.clone_from(rebuilt);
        self
    }

    /// Tells it what an earlier run in the same session saw: nodes that are in the graph already are not expanded again.
    #[must_use]
    pub fn knowing(mut self, subjects: &BTreeMap<String, Vec<String>>) -> Self {
        self.subjects
            .get_mut()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .extend(subjects.clone());
        self
    }

    /// What was asked of engines and registries so far.
    pub fn asked(&self) -> BTreeSet<Asked> {
        let asked = self.asked.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        asked.clone()
    }

    /// The subjects of every package node seen.
    #[must_use]
    pub fn into_subjects(self) -> BTreeMap<String, Vec<String>> {
        self.subjects
            .into_inner()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The subjects that have a package's node.
    pub fn subjects_of(&self, node: &str) -> Vec<String> {
        let subjects = self.subjects.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        subjects.get(node).cloned().unwrap_or_default()
    }

    /// By what there is to do; failures may still show what nobody may see.
    fn carry_out(&self, node: &NodeSpec<Action>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
        let context = self.context;
        match &node.action {
            Action::BaseImage { reference } => base::run_image(context, run, &node.name, reference),
            Action::BaseHosted { lock } => base::run_hosted(context, run, &node.name, lock),
            Action::BaseStage3(data) => stage3::run(context, run, &node.name, data),
            Action::Root(data) => root::run(context, run, node, data),
            Action::Quickpkg { base } => quickpkg::run(context, run, node, base),
            Action::Abis { root } => abi::run(context, run, node, root),
            Action::Repo { name, source } => repo::run(context, run, node, name, source),
            Action::Resolve(data) => resolve::run(context, run, node, data),
            Action::Join(data) => join::run(context, run, node, data),
            Action::Settled(_) => Err(Failure::new(FailureKind::Bug, "a settled node is not run")),
            Action::Fetch(data) => fetch::run(context, run, &node.name, data),
            Action::Live(data) => live::run(context, run, &node.name, data),
            Action::Package(data) => package::run(context, run, node, data),
            Action::Source(data) => source::run(context, run, node, data),
            Action::Trial(data) => source::run_trial(context, run, node, data),
            Action::Image(data) => image::run(context, run, node, data),
            Action::StageArchive(data) => stage::pack(context, run, node, data),
            Action::Stage(data) => stage::run(context, run, node, data),
            Action::Task(data) => task::run(context, run, node, data, self.guards),
            Action::PublishPkgs(data) => publish_pkgs::run(context, run, node, data),
            Action::PublishImages(data) => publish_images::run(context, run, node, data),
        }
    }
}

impl Driver for FarmDriver<'_> {
    type Action = Action;

    fn run(&self, node: &NodeSpec<Action>, run: &Run<'_>) -> Result<Vec<Output>, Failure> {
        self.carry_out(node, run).map_err(|failure| Failure {
            message: redacted(&failure.message).into_owned(),
            hint: failure.hint.map(|hint| redacted(&hint).into_owned()),
            ..failure
        })
    }

    fn presence(&self, node: &NodeSpec<Action>, guard: &Guard) -> Presence {
        if let Action::Task(_) = node.action {
            return task::presence(self.context, node, guard, self.guards, self.restore);
        }
        for output in &guard.outputs {
            let Some(place) = Place::parse(&output.place) else {
                return Presence::Lost(format!("nobody knows where its {} is", output.role));
            };
            let found = self.find(node, &output.role, &place);
            if found != Presence::Present {
                return found;
            }
        }
        Presence::Present
    }

    fn expand(&self, node: &NodeSpec<Action>, guard: &Guard) -> Result<Vec<NodeSpec<Action>>, Failure> {
        let Action::Join(data) = &node.action else {
            return Ok(Vec::new());
        };
        let joined = join::read(self.context, guard)?;
        self.context.expanded(guard);
        {
            let mut subjects = self.subjects.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            for planned in &joined.packages {
                subjects.insert(package::node_name(&data.farm, planned), planned.subjects.clone());
            }
        }
        join::expand(self.context, data, &joined)
    }

    fn wants(&self, node: &NodeSpec<Action>) -> bool {
        let wanted = self.wanted.as_ref();
        wanted.is_none_or(|wanted| self.is_among(wanted, node))
    }

    fn known(&self, node: &NodeSpec<Action>) -> Option<Key> {
        match &node.action {
            Action::Settled(key) => Some(*key),
            _ => None,
        }
    }

    fn rebuilds(&self, node: &NodeSpec<Action>) -> bool {
        self.is_among(&self.rebuilt, node)
    }

    fn differences(&self, node: &NodeSpec<Action>, former: &Guard, now: &[Output]) -> Vec<Difference> {
        self.keep_names(former, now);
        if let Action::Task(data) = &node.action {
            // What cannot be removed keeps the recorded outputs from coming back, and that is said.
            let _ = task::take_away(self.context, data, now);
        }
        differences::of(self.context, former, now)
    }
}

impl FarmDriver<'_> {
    fn is_among(&self, wanted: &BTreeMap<String, Wanted>, node: &NodeSpec<Action>) -> bool {
        wanted
            .get(farm(&node.name))
            .is_some_and(|wanted| wanted.wants(local(&node.name), &node.kind, &self.subjects_of(&node.name)))
    }

    /// Has the names of images go back to those recorded, and notes the others for `farm clean`: no guard speaks of them.
    fn keep_names(&self, former: &Guard, now: &[Output]) {
        let image = |output: &Output| match Place::parse(&output.place) {
            Some(Place::Image { id, tag: Some(tag) }) => Some((id, tag)),
            _ => None,
        };
        for (id, name) in now.iter().filter_map(image) {
            let other = former.outputs.iter().filter_map(image).find(|(_, tag)| *tag == name);
            if let Some((first, name)) = other.filter(|(first, _)| *first != id) {
                // An image that cannot be noted takes room and does no harm.
                let _ = remember_name(&self.context.state, &id, &name);
                let mut unnamed = self.unnamed.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
                unnamed.push((first, name));
            }
        }
    }

    fn find(&self, node: &NodeSpec<Action>, role: &str, place: &Place) -> Presence {
        let context = self.context;
        let in_store = |blob| {
            context.hasher.witness().look(&context.store.path(blob));
            if context.store.present(blob) {
                Presence::Present
            } else {
                Presence::Lost(format!("its {role} is gone from the store, or damaged"))
            }
        };
        match place {
            Place::Nowhere => Presence::Present,
            Place::Store { blob } => in_store(blob),
            Place::Blobs { blobs } => blobs
                .values()
                .map(in_store)
                .find(|found| *found != Presence::Present)
                .unwrap_or(Presence::Present),
            Place::Files { .. } => Presence::Lost("only tasks leave files in the workspace".to_owned()),
            Place::Image { .. }
            | Place::Processor { .. }
            | Place::Published { .. }
            | Place::Pushed { .. }
            | Place::Stage(_) => self.find_elsewhere(node, place),
        }
    }

    fn find_elsewhere(&self, node: &NodeSpec<Action>, place: &Place) -> Presence {
        let name = match &node.action {
            Action::PublishPkgs(data) => data.plan.sign.as_deref(),
            Action::Stage(data) => data.sign.as_deref(),
            action => action.image_name(),
        };
        let Some(answer) = elsewhere::ask(self.context, place, name) else {
            return Presence::Present;
        };
        if let (Some(id), Some(name)) = (answer.unnamed, name) {
            self.unnamed
                .lock()
                .unwrap_or_else(std::sync::PoisonError::into_inner)
                .push((id, name.to_owned()));
        }
        let asked = Asked {
            place: place.to_text(),
            name: name.map(str::to_owned),
        };
        self.asked
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner)
            .insert(asked);
        answer.presence
    }
}

/// Names that images got without being made, one a line: the image's id and the name. Guards know only the first name.
const NAMES: &str = "image-names";

/// Notes that an image has this name, although no guard says so.
///
/// # Errors
///
/// The file cannot be written.
pub fn remember_name(state: &Path, image: &ImageId, name: &str) -> std::io::Result<()> {
    let mut file = fs::File::options().create(true).append(true).open(state.join(NAMES))?;
    writeln!(file, "{} {name}", image.0)
}

/// The names that images got without being made, with the images' ids.
///
/// # Errors
///
/// The file cannot be read.
pub fn given_names(state: &Path) -> std::io::Result<Vec<(String, String)>> {
    let text = match fs::read_to_string(state.join(NAMES)) {
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        text => text?,
    };
    let named = text.lines().filter_map(|line| line.split_once(' '));
    Ok(named.map(|(id, name)| (id.to_owned(), name.to_owned())).collect())
}
