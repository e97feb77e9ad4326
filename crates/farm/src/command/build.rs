//! `farm build`, `farm publish-pkgs`, `farm publish-image`.

use farm_engine::{Event, EventSink, Options, Summary};
use farm_manifest::model::Target;
use farm_manifest::{Loaded, Spanned};

use super::pins::Pinning;
use super::recording::{Recording, recorded};
use super::session::{Access, Session, only_farms};
use super::settled::{self, Recalled};
use super::{FarmError, Setup, Words, matrix};
use crate::names::{Goal, Wanted};
use crate::place::Place;
use crate::rules::{NETWORK, NETWORK_SIZE};

/// How to build.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BuildOptions {
    /// How many jobs at once, if somebody says so.
    pub jobs: Option<usize>,
    /// Go on with whatever does not depend on a failure.
    pub keep_going: bool,
    /// Only say what would be done.
    pub dry_run: bool,
    /// In a dry run, make plans whose inputs are there.
    pub plan: bool,
    /// Nodes to run again and compare, as targets are written. They are built whether or not the targets need them, and
    /// alone if there are no targets.
    pub rebuild: Vec<String>,
}

/// An image in a registry.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishedImage {
    /// `NAME:TAG`.
    pub reference: String,
    /// `sha256:…`.
    pub digest: String,
}

impl BuildOptions {
    /// The same for the engine.
    pub(super) fn engine(&self, setup: &Setup, events: &dyn EventSink) -> Options {
        if self.dry_run {
            return Options::dry_run(self.plan);
        }
        let jobs = setup.outer_jobs.jobs(self.jobs, events);
        Options {
            keep_going: self.keep_going,
            tokens: jobs.tokens,
            pools: [(NETWORK.to_owned(), NETWORK_SIZE)].into(),
            ..Options::build(jobs.count)
        }
    }

    /// How many jobs at once.
    pub(super) fn jobs(&self) -> usize {
        let processors = || std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        self.jobs.unwrap_or_else(processors)
    }
}

/// Brings the targets up to date, or says what that would take.
///
/// # Errors
///
/// What keeps the run from starting or going on; failures of nodes are in the summary.
pub fn build(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<Summary, FarmError> {
    let words = with_rebuilds(words, options);
    let run = |words: &Words, again: bool, events: &dyn EventSink| {
        // Of what is to be built again, what this run is about.
        let rebuild = options.rebuild.iter().filter(|word| words.targets.contains(word));
        let options = BuildOptions {
            rebuild: rebuild.cloned().collect(),
            ..options.clone()
        };
        recorded(setup, options.dry_run, options.jobs(), events, |events| {
            match again.then(|| recalled(setup, words, &options, events)).transpose()? {
                Some(Some(summary)) => Ok(summary),
                _ => build_recorded(setup, words, &options, events),
            }
        })
    };
    // Words that stand for the cells of a matrix leave no testimony, so that a run with nothing to do need not ask whether there is one.
    let settled = recorded(setup, options.dry_run, options.jobs(), events, |events| {
        recalled(setup, &words, options, events)
    })?;
    match settled {
        Some(summary) => Ok(summary),
        None => matrix::each(setup, &words, options.keep_going, events, |cell, events| {
            run(&cell.words, cell.name.is_some(), events)
        }),
    }
}

/// What an earlier run with the same words saw, if it holds, or but for a few tasks.
fn recalled(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    events: &Recording<'_>,
) -> Result<Option<Summary>, FarmError> {
    if !options.rebuild.is_empty() {
        return Ok(None);
    }
    match settled::recall(setup, words, events)? {
        Recalled::Settled(summary) => return Ok(Some(summary)),
        Recalled::But(part) => {
            if let Some((summary, changed)) =
                part.run(setup, options.dry_run, || options.engine(setup, events), events)?
            {
                tell_changed(&changed, events);
                return Ok(Some(summary));
            }
        }
        Recalled::Nothing => {}
    }
    Ok(None)
}

fn build_recorded(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    events: &Recording<'_>,
) -> Result<Summary, FarmError> {
    let access = write_access(options);
    let (session, _) = Session::open(setup, words, access, Pinning::AddMissing, events)?;
    let publishes = |goal: &Goal| matches!(goal, Goal::Target(Target::PublishPkgs));
    if session.wanted.values().any(|wanted| wanted.goals().any(publishes)) {
        return Err(FarmError::input(
            "packages are published by `farm publish-pkgs`, not by `farm build`",
        ));
    }
    stages_can_be_signed(setup, &session, options.dry_run)?;
    let (summary, session) = run(setup, session, options, events)?;
    let changed = session.save();
    tell_changed(&changed, events);
    if access == Access::Write && options.rebuild.is_empty() {
        settled::record(setup, words, &session, &summary);
    }
    Ok(summary)
}

fn run(
    setup: &Setup,
    mut session: Session,
    options: &BuildOptions,
    events: &Recording<'_>,
) -> Result<(Summary, Session), FarmError> {
    if !options.rebuild.is_empty() {
        session.rebuilt = rebuild_words(options).resolve(&session.workspace)?;
    }
    for (farm, again) in &session.rebuilt {
        let wanted = session.wanted.get_mut(farm).ok_or_else(|| {
            FarmError::input(format!("--rebuild speaks of {farm}, which this run is not about"))
                .hint(format!("name {farm} as well"))
        })?;
        *wanted = Wanted::new(wanted.goals().chain(again.goals()).cloned());
    }
    // The graph says it all, and of a large farm the model is as large.
    for loaded in session.farms.values_mut() {
        loaded.farm.tasks = Vec::new();
    }
    events.begin(&session.workspace.state());
    let summary = session.run(options.engine(setup, events), events)?;
    Ok((summary, session))
}

fn rebuild_words(options: &BuildOptions) -> Words {
    Words {
        targets: options.rebuild.clone(),
        variables: Vec::new(),
    }
}

/// What is to be built: the targets, and what is to be built again. Whoever only says the latter wants nothing else.
fn with_rebuilds(words: &Words, options: &BuildOptions) -> Words {
    let mut all = words.clone();
    all.targets.extend(options.rebuild.iter().cloned());
    all
}

/// Builds what is missing and publishes packages: signed by the key that the manifest names, or unsigned where it names none
/// and `unsigned` says that this is meant.
///
/// # Errors
///
/// What keeps the run from starting or going on; failures of nodes are in the summary. That a key cannot sign is found out
/// before anything is built.
pub fn publish_pkgs(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    unsigned: bool,
    events: &dyn EventSink,
) -> Result<Summary, FarmError> {
    matrix::each(setup, words, options.keep_going, events, |cell, events| {
        recorded(setup, options.dry_run, options.jobs(), events, |events| {
            publish_pkgs_recorded(setup, &cell.words, options, unsigned, events)
        })
    })
}

fn publish_pkgs_recorded(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    unsigned: bool,
    events: &Recording<'_>,
) -> Result<Summary, FarmError> {
    let allowed = |loaded: &Loaded| may_publish(loaded, setup, unsigned, options.dry_run);
    let access = write_access(options);
    let (mut session, _) = Session::open_allowed(setup, words, access, Pinning::AddMissing, &allowed, events)?;
    only_farms(&session, "publish-pkgs")?;
    aim(&mut session, &Target::PublishPkgs)?;
    let (summary, session) = run(setup, session, options, events)?;
    tell_changed(&session.close(), events);
    Ok(summary)
}

/// Whether a farm says who signs, or that nobody does; and whether that key can sign now. A night of compiling must not end with a
/// key that has expired.
fn may_publish(loaded: &Loaded, setup: &Setup, unsigned: bool, dry_run: bool) -> Result<(), FarmError> {
    let farm = &loaded.farm.name.value;
    let Some(publish) = &loaded.farm.publish.pkgs else {
        return Ok(());
    };
    let Some(sign) = &publish.sign else {
        if unsigned {
            return Ok(());
        }
        let message =
            format!("{farm} names no key that signs its packages, and stock Portage refuses unsigned ones by default");
        return Err(FarmError::input(message).hint(
            "name one: `publish: { pkgs: { sign: KEY } }` in its manifest (`farm key new` makes one); or say --unsigned, and \
             set `verify-signature = false` in the clients' binrepos.conf",
        ));
    };
    let place = loaded.sources.place(sign.span);
    if unsigned {
        // Clients that verify refuse all of an unsigned release, so that a word left in a script must not make one.
        let message = format!(
            "{place}: the manifest has {} sign, and the command line says --unsigned",
            sign.value
        );
        return Err(FarmError::input(message).hint("leave out one of the two: --unsigned, or `sign:`"));
    }
    can_sign(setup, loaded, sign, dry_run)
}

/// Whether the keys can sign now that stages of what is wanted are to be signed by. Those that signed what is there already are not asked.
fn stages_can_be_signed(setup: &Setup, session: &Session, dry_run: bool) -> Result<(), FarmError> {
    use farm_engine::GuardStore as _;
    for (farm, wanted) in &session.wanted {
        let Some(loaded) = session.farms.get(farm) else {
            continue;
        };
        for stage in loaded.farm.buildable_stages() {
            let Some(sign) = &stage.sign else { continue };
            let local = format!("stage/{}", stage.name.value);
            let signed = |place: &str| match Place::parse(place) {
                Some(Place::Stage(placed)) => placed
                    .signature
                    .is_some_and(|signature| farm_signing::is_name_of(&sign.value, &signature.signer)),
                _ => false,
            };
            let guard = session.guards.newest(&format!("{farm}:{local}"));
            let is_signed = guard.is_some_and(|guard| guard.outputs.iter().any(|output| signed(&output.place)));
            if wanted.wants(&local, "stage", &[]) && !is_signed {
                can_sign(setup, loaded, sign, dry_run)?;
            }
        }
    }
    Ok(())
}

/// Whether a key that a manifest names can sign now.
fn can_sign(setup: &Setup, loaded: &Loaded, sign: &Spanned<String>, dry_run: bool) -> Result<(), FarmError> {
    let usable = || {
        let key = setup.keys.find(&sign.value)?;
        // A dry run asks nobody for a passphrase.
        if dry_run { Ok(()) } else { key.try_out() }
    };
    usable().map_err(|error| {
        let error = FarmError::from(error);
        FarmError {
            message: format!("{}: {}", loaded.sources.place(sign.span), error.message),
            ..error
        }
    })
}

/// Builds what is missing and publishes images. Also returns where they are.
pub fn publish_image(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    events: &dyn EventSink,
) -> Result<(Summary, Vec<PublishedImage>), FarmError> {
    let images = std::cell::RefCell::new(Vec::new());
    let summary = matrix::each(setup, words, options.keep_going, events, |cell, events| {
        recorded(setup, options.dry_run, options.jobs(), events, |events| {
            let (summary, published) = publish_image_recorded(setup, &cell.words, options, events)?;
            images.borrow_mut().extend(published);
            Ok(summary)
        })
    })?;
    Ok((summary, images.into_inner()))
}

fn publish_image_recorded(
    setup: &Setup,
    words: &Words,
    options: &BuildOptions,
    events: &Recording<'_>,
) -> Result<(Summary, Vec<PublishedImage>), FarmError> {
    let (mut session, _) = Session::open(setup, words, write_access(options), Pinning::AddMissing, events)?;
    only_farms(&session, "publish-image")?;
    aim(&mut session, &Target::PublishImage)?;
    let (summary, session) = run(setup, session, options, events)?;
    let mut images = Vec::new();
    if !options.dry_run && summary.failures.is_empty() && !summary.interrupted {
        use farm_engine::GuardStore;
        for farm in session.farms.keys() {
            let guard = session.guards.newest(&format!("{farm}:publish-image"));
            for output in guard.iter().flat_map(|guard| &guard.outputs) {
                if let Some(Place::Pushed { reference, digest }) = Place::parse(&output.place) {
                    images.push(PublishedImage { reference, digest });
                }
            }
        }
    }
    tell_changed(&session.close(), events);
    Ok((summary, images))
}

fn write_access(options: &BuildOptions) -> Access {
    if options.dry_run { Access::DryRun } else { Access::Write }
}

/// Whatever farm was named, its publication is what is wanted.
fn aim(session: &mut Session, target: &Target) -> Result<(), FarmError> {
    for (farm, wanted) in &mut session.wanted {
        let loaded = session
            .farms
            .get(farm)
            .ok_or_else(|| FarmError::bug("a farm that was not loaded"))?;
        let missing = match target {
            Target::PublishPkgs => loaded.farm.publish.pkgs.is_none(),
            _ => loaded.farm.publish.images.is_none(),
        };
        if missing {
            let what = if *target == Target::PublishPkgs {
                "packages"
            } else {
                "images"
            };
            return Err(
                FarmError::input(format!("{farm} does not say where {what} are published"))
                    .hint("add it under `publish:` in its manifest"),
            );
        }
        *wanted = Wanted::new([Goal::Target(target.clone())]);
    }
    Ok(())
}

/// Says which files changed while a run was under way: what was hashed may not be what was read.
fn tell_changed(changed: &[std::path::PathBuf], events: &dyn EventSink) {
    for path in changed {
        let message = format!("{} changed while farm was running: run it again", path.display());
        events.event(&Event::Note { message });
    }
}
