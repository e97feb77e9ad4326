//! One run of a command in a workspace: everything open that it needs, and closed in order.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use camino::Utf8Path;
use farm_engine::{Class, Event, EventSink, Graph, Options, Summary, SystemClock};
use farm_guard_file::{GuardFile, Mode};
use farm_manifest::model::Target;
use farm_manifest::{Loaded, Overrides};
use farm_store::{DirLock, FileHasher, Store};
use fs_err as fs;

use super::clean::lock;
use super::goals::{check_goals, notes_on};
use super::killed::{RunningMark, workspace_id, workspace_id_or_new};
use super::pins::{Pinning, pin};
use super::{FarmError, Setup, Words, damage};
use crate::action::Action;
use crate::context::Context;
use crate::driver::FarmDriver;
use crate::elsewhere::Asked;
use crate::git::GitAccess;
use crate::live_pins::Asking;
use crate::lockfile::FarmLock;
use crate::lower::{UNPINNED_HINT, check, lower};
use crate::names::{Goal, Wanted};
use crate::workspace::Workspace;

/// Whether a session may change the workspace's state.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Takes the lock; guards and lock files are written.
    Write,
    /// Takes the lock, since plans may be made; lock files stay as they are.
    DryRun,
    /// Only looks.
    Read,
}

/// What of the settings decides keys and outputs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Basis {
    /// Part of every key.
    pub(super) salt: String,
    /// SOURCE_DATE_EPOCH, in seconds.
    pub(super) epoch: u64,
}

/// An open workspace.
pub(super) struct Session {
    pub(super) workspace: Workspace,
    pub(super) context: Context,
    pub(super) wanted: BTreeMap<String, Wanted>,
    pub(super) farms: BTreeMap<String, Loaded>,
    pub(super) guards: GuardFile,
    pub(super) graph: Graph<Action>,
    /// What there is to say of the manifests.
    pub(super) notes: Vec<String>,
    /// What was asked of engines and registries.
    pub(super) asked: BTreeSet<Asked>,
    /// What is to run again and be compared, by farm.
    pub(super) rebuilt: BTreeMap<String, Wanted>,
    subjects: BTreeMap<String, Vec<String>>,
    /// What of the settings decides keys and outputs.
    pub(super) basis: Basis,
    running: Option<RunningMark>,
    _lock: Option<DirLock>,
}

impl Session {
    /// Opens the workspace: manifests first, so that a mistake in them is said before anything is touched.
    pub(super) fn open(
        setup: &Setup,
        words: &Words,
        access: Access,
        pinning: Pinning,
        events: &dyn EventSink,
    ) -> Result<(Self, Vec<String>), FarmError> {
        Self::open_allowed(setup, words, access, pinning, &|_| Ok(()), events)
    }

    /// The same; `allowed` may refuse a farm as soon as its manifest is read.
    pub(super) fn open_allowed(
        setup: &Setup,
        words: &Words,
        access: Access,
        pinning: Pinning,
        allowed: &dyn Fn(&Loaded) -> Result<(), FarmError>,
        events: &dyn EventSink,
    ) -> Result<(Self, Vec<String>), FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        let wanted = words.resolve(&workspace)?;
        let overrides = Overrides {
            environment: setup.environment.clone(),
            command_line: words.variables.clone(),
        };
        let state = workspace.state();
        let hasher = FileHasher::open(&state.join("stat-cache"));
        let witness = std::sync::Arc::clone(hasher.witness());
        let mut farms = BTreeMap::new();
        let mut notes = Vec::new();
        for (name, goals) in &wanted {
            let watch = |path: &Utf8Path| witness.look(path.as_std_path());
            let loaded = farm_manifest::load_watched(&workspace.root, name, &overrides, &watch)?;
            check(&loaded, workspace.root.as_std_path())?;
            check_goals(&loaded, goals)?;
            allowed(&loaded)?;
            notes.extend(notes_on(&loaded));
            farms.insert(name.clone(), loaded);
        }
        let git = GitAccess::new(setup.git.clone()).with_secrets(&farms, &workspace.root)?;
        for message in notes.clone() {
            events.event(&Event::Note { message });
        }

        let lock = match access {
            Access::Read => None,
            Access::Write | Access::DryRun => {
                fs::create_dir_all(&state)?;
                // Whoever keeps the workspace in git does not want the state in it.
                fs::write(state.join(".gitignore"), "*\n")?;
                Some(lock(&state, setup)?)
            }
        };
        let settings = farms
            .values()
            .next()
            .map(|loaded| loaded.settings.clone())
            .unwrap_or_default();
        let basis = Basis {
            salt: settings.salt,
            epoch: settings.source_date_epoch,
        };
        let mut session = Self::open_state(setup, workspace, basis, hasher, lock, access, events)?;
        session.context.git = git;
        session.wanted = wanted;
        session.farms = farms;
        session.notes = notes;
        let changes = session.lower(access, pinning, events)?;
        Ok((session, changes))
    }

    /// Opens the state without a manifest: the graph is empty.
    pub(super) fn open_state(
        setup: &Setup,
        workspace: Workspace,
        basis: Basis,
        hasher: FileHasher,
        lock: Option<DirLock>,
        access: Access,
        events: &dyn EventSink,
    ) -> Result<Self, FarmError> {
        let state = workspace.state();
        let mode = if lock.is_some() { Mode::Write } else { Mode::Read };
        let opened = GuardFile::open(&state.join("guards"), mode)?;
        for message in damage::in_words(&state.join("guards"), opened.torn_bytes, &opened.damaged) {
            events.event(&Event::Note { message });
        }
        if let Some(note) = hasher.note() {
            events.event(&Event::Note {
                message: note.to_string(),
            });
        }
        let connect = std::sync::Arc::clone(&setup.connect);
        let store = if mode == Mode::Write {
            Store::open(&state.join("store"))?
        } else {
            Store::open_read_only(&state.join("store"))
        };
        let id = if mode == Mode::Write {
            workspace_id_or_new(&state)?
        } else {
            workspace_id(&state).unwrap_or_default()
        };
        let context = Context::new(
            workspace.root.as_std_path(),
            &state,
            store,
            hasher,
            &setup.scratch,
            basis.epoch,
            setup.cancel.clone(),
            id,
            Box::new(move |labels| connect(labels)),
        )
        .signing_with(setup.gpg.clone(), setup.keys.clone())
        .publishing_with(setup.remotes.clone());
        let unflushed = context.store.unflushed().clone();
        let mut session = Self {
            workspace,
            context,
            wanted: BTreeMap::new(),
            farms: BTreeMap::new(),
            guards: opened.guards.flushing_first(move || unflushed.flush()),
            graph: Graph::new(),
            notes: Vec::new(),
            asked: BTreeSet::new(),
            rebuilt: BTreeMap::new(),
            subjects: BTreeMap::new(),
            basis,
            running: None,
            _lock: lock,
        };
        if access != Access::Read {
            session.running = Some(RunningMark::set(&session.context, events)?);
        }
        Ok(session)
    }

    fn lower(&mut self, access: Access, pinning: Pinning, events: &dyn EventSink) -> Result<Vec<String>, FarmError> {
        let mut all_changes = Vec::new();
        for (name, loaded) in &self.farms {
            let path = self.workspace.lock_file(name);
            self.context.hasher.witness().look(&path);
            let mut lock = FarmLock::read(&path)?;
            let former = lock.clone();
            if access != Access::Read {
                all_changes.extend(pin(&self.context, loaded, &mut lock, pinning, events)?);
            }
            if access == Access::Write && lock != former {
                lock.write(&path)?;
            }
            let asking = match access {
                Access::Read => Asking::No,
                Access::DryRun => Asking::ForThisRun,
                Access::Write => Asking::ForGood(path),
            };
            self.context.live.know(name, lock.live.clone(), asking);
            let nodes = match lower(&self.context, loaded, &lock) {
                // Whoever only looks learns from the manifest what there is; names are pinned by the first build.
                Err(error) if access == Access::Read && error.hint.as_deref() == Some(UNPINNED_HINT) => continue,
                nodes => nodes?,
            };
            self.graph.add(nodes).map_err(farm_engine::EngineError::from)?;
        }
        Ok(all_changes)
    }

    /// What enters every key.
    pub(super) fn salt(&self) -> &str {
        &self.basis.salt
    }

    /// The subjects that have a package's node, as far as plans were expanded in this session.
    pub(super) fn subjects_of(&self, node: &str) -> Vec<String> {
        self.subjects.get(node).cloned().unwrap_or_default()
    }

    /// Lets the engine bring what is wanted up to date, or look at it, as `options` say.
    pub(super) fn run(&mut self, options: Options, events: &dyn EventSink) -> Result<Summary, FarmError> {
        let restore = options.run.contains(&Class::Build);
        let driver = FarmDriver::new(&self.context, &self.guards, Some(self.wanted_with_plans()), restore)
            .knowing(&self.subjects)
            .rebuilding(&self.rebuilt);
        let options = self.engine_options(options);
        let summary = farm_engine::build(&mut self.graph, &driver, &self.guards, &SystemClock, events, &options)?;
        self.tell_unreadable(events);
        if restore && !summary.interrupted {
            driver.name_images()?;
        }
        self.check_found(&driver, &summary)?;
        let notes = self.unused_checkouts(&summary)?;
        for message in &notes {
            let message = message.clone();
            events.event(&Event::Note { message });
        }
        self.notes.extend(notes);
        self.asked = driver.asked();
        self.subjects = driver.into_subjects();
        Ok(summary)
    }

    /// As [`run`](Self::run), for a graph of which every node is wanted.
    pub(super) fn run_all(&mut self, options: Options, events: &dyn EventSink) -> Result<Summary, FarmError> {
        let restore = options.run.contains(&Class::Build);
        let driver = FarmDriver::new(&self.context, &self.guards, None, restore);
        let options = self.engine_options(options);
        let summary = farm_engine::build(&mut self.graph, &driver, &self.guards, &SystemClock, events, &options)?;
        self.tell_unreadable(events);
        self.asked = driver.asked();
        Ok(summary)
    }

    /// Says what of the guard file was found damaged when it was read.
    fn tell_unreadable(&self, events: &dyn EventSink) {
        let guards = self.context.state.join("guards").display().to_string();
        if let Some(message) = damage::lost(&guards, &self.guards.unreadable()) {
            events.event(&Event::Note { message });
        }
    }

    fn engine_options(&self, options: Options) -> Options {
        Options {
            salt: self.basis.salt.clone(),
            stop: self.context.cancel.flag(),
            ..options
        }
    }

    /// What is wanted, and the plans that bring it forth: until a plan is there, nobody else would want it.
    fn wanted_with_plans(&self) -> BTreeMap<String, Wanted> {
        let mut all = self.wanted.clone();
        for (farm, wanted) in &mut all {
            let planned = self.farms.get(farm).is_some_and(|loaded| loaded.farm.binfarm.is_some());
            let from_plan = |goal: &Goal| match goal {
                // Tasks that need nothing of a plan are nodes from the start, and need no resolver.
                Goal::Target(Target::Task(name)) => self.graph.find(&format!("{farm}:task/{name}")).is_none(),
                other => other.needs_plan(),
            };
            if planned && wanted.goals().any(from_plan) {
                let plans = crate::lower::plan_nodes().map(Goal::Node);
                *wanted = Wanted::new(wanted.goals().cloned().chain(plans));
            }
        }
        all
    }

    /// A package that was asked for by name and that no plan has is the user's mistake.
    fn check_found(&self, driver: &FarmDriver<'_>, summary: &Summary) -> Result<(), FarmError> {
        let settled = |node: &farm_engine::NodeReport| node.kind != "plan" || node.result.is_some_and(is_success);
        if summary.interrupted || !summary.nodes.iter().all(settled) {
            return Ok(());
        }
        for (farm, wanted) in &self.wanted {
            for goal in wanted.goals() {
                let one = Wanted::new([goal.clone()]);
                let found = self.graph.ids().any(|id| {
                    let spec = self.graph.spec(id);
                    crate::names::farm(&spec.name) == farm
                        && one.wants(
                            crate::names::local(&spec.name),
                            &spec.kind,
                            &driver.subjects_of(&spec.name),
                        )
                });
                if !found && !matches!(goal, Goal::Everything | Goal::Sources) {
                    return Err(self.not_found(farm, goal));
                }
            }
        }
        Ok(())
    }

    /// What there is to say of folders that no live package of the plans is built from.
    fn unused_checkouts(&self, summary: &Summary) -> Result<Vec<String>, FarmError> {
        let mut notes = Vec::new();
        for (farm, loaded) in self.farms.iter().filter(|(_, loaded)| !loaded.farm.live.is_empty()) {
            let made = summary
                .nodes
                .iter()
                .any(|node| node.name == format!("{farm}:plan") && node.result.is_some_and(is_success));
            if !made {
                continue;
            }
            let mut planned = BTreeMap::new();
            for local in crate::lower::plan_nodes() {
                let Some(guard) = self.context.plan(&format!("{farm}:{local}")) else {
                    continue;
                };
                for found in crate::rules::join::read(&self.context, &guard)?.packages {
                    let name = format!("{}/{}", found.package.category, found.package.name);
                    *planned.entry(name).or_insert(false) |= found.package.live.is_some();
                }
            }
            for entry in &loaded.farm.live {
                let name = &entry.package.value;
                let why = match planned.get(name) {
                    Some(true) => continue,
                    Some(false) => "its ebuild is not a live one, so that it is built from its source files",
                    None => "no plan has it",
                };
                let place = loaded.sources.place(entry.package.span);
                notes.push(format!("{place}: `live:` names {name} in vain: {why}"));
            }
        }
        Ok(notes)
    }

    fn not_found(&self, farm: &str, goal: &Goal) -> FarmError {
        let word = match goal {
            Goal::Everything | Goal::Sources => String::new(),
            Goal::Target(target) => target.to_string(),
            Goal::Node(name) => name.clone(),
        };
        let last = word.rsplit('/').next().unwrap_or(&word).to_owned();
        let candidates: Vec<String> = self
            .graph
            .ids()
            .map(|id| crate::names::local(&self.graph.spec(id).name).to_owned())
            .filter(|local| local.starts_with(word.split('/').next().unwrap_or_default()) && local.contains(&last))
            .take(5)
            .collect();
        let error = FarmError::input(format!("{farm} has no {word}"));
        if candidates.is_empty() {
            error.hint(format!("`farm targets {farm}` lists what it has"))
        } else {
            error.hint(format!("it has {}", candidates.join(", ")))
        }
    }

    /// What was hashed is remembered. Returns files that changed while the run was under way.
    pub(super) fn save(&self) -> Vec<PathBuf> {
        // A cache that cannot be written costs time, not truth.
        self.context.hasher.save().unwrap_or_default()
    }

    /// Closes the workspace after [`save`](Self::save).
    pub(super) fn close(self) -> Vec<PathBuf> {
        self.save()
    }
}

/// The farms that a command works on as a whole.
pub(super) fn only_farms(session: &Session, command: &str) -> Result<(), FarmError> {
    let whole = |wanted: &Wanted| wanted.goals().all(|goal| matches!(goal, Goal::Everything));
    if session.wanted.values().all(whole) {
        return Ok(());
    }
    Err(FarmError::input(format!(
        "`farm {command}` takes farms, not targets of them"
    )))
}

/// However a session ends short of being killed, nothing of it is under way any more.
impl Drop for Session {
    fn drop(&mut self) {
        if let Some(mark) = self.running.take() {
            mark.lift(&self.context);
        }
    }
}

fn is_success(result: farm_engine::NodeResult) -> bool {
    use farm_engine::NodeResult::{Built, Cached, Cutoff};
    matches!(result, Built | Cached | Cutoff)
}
