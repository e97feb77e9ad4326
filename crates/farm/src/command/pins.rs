//! Turning names into what they mean for good: image digests, commits, archive hashes, Debian packages.

use farm_engine::{Event, EventSink};
use farm_hosted::HostedSpec;
use farm_manifest::Loaded;
use farm_manifest::address::{login, redacted};
use farm_manifest::model::{Base, GitPin, ImageFrom, RepoSource};

use super::FarmError;
use crate::context::{Context, executor_failure};
use crate::fetcher;
use crate::git::git;
use crate::live_pins;
use crate::lockfile::FarmLock;
use crate::rules::stage3::{Stage3Pin, Stage3Source};

/// What to do about names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pinning {
    /// Keep what is pinned; look up what is missing.
    AddMissing,
    /// Look up everything anew.
    Move,
}

/// Debian's name of an architecture: Portage's are the same for those that both have.
pub const DEBIAN_ARCHITECTURE: &str = "amd64";

/// Makes `lock` complete for `farm`. Returns what changed, in words. What the manifest no longer names is dropped when names
/// are moved.
///
/// # Errors
///
/// The environment's, mostly: a registry, a repository or a mirror out of reach.
pub fn pin(
    context: &Context,
    loaded: &Loaded,
    lock: &mut FarmLock,
    pinning: Pinning,
    events: &dyn EventSink,
) -> Result<Vec<String>, FarmError> {
    let farm = &loaded.farm;
    let mut pins = Pins {
        context,
        events,
        former: lock.clone(),
        lock: FarmLock::default(),
        pinning,
        changes: Vec::new(),
    };
    if let Some(binfarm) = &farm.binfarm {
        match &binfarm.base {
            Base::Image(reference) => pins.image(&reference.value)?,
            Base::Hosted(hosted) => pins.hosted(&hosted_spec(hosted))?,
            Base::Stage3(stage3) => {
                pins.stage3(&Stage3Source::of(stage3, loaded))?;
            }
        }
        for repo in &binfarm.repos {
            match &repo.source {
                RepoSource::Image(reference) => pins.image(&reference.value)?,
                RepoSource::Git {
                    url,
                    pin: GitPin::Branch(branch),
                } => pins.git(&url.value, Some(&branch.value), &format!("refs/heads/{}", branch.value))?,
                RepoSource::Git {
                    url,
                    pin: GitPin::Tag(tag),
                } => pins.git(&url.value, Some(&tag_ref(&tag.value)), &tag_ref(&tag.value))?,
                RepoSource::Git {
                    url,
                    pin: GitPin::Default,
                } => pins.git(&url.value, None, "HEAD")?,
                RepoSource::Archive { url, sha256: None } => pins.archive(&url.value)?,
                RepoSource::Git { .. } | RepoSource::Archive { .. } | RepoSource::Path(_) => {}
            }
        }
    }
    for from in farm.starts() {
        if let ImageFrom::Reference(reference) = &from.value {
            pins.image(reference)?;
        }
    }
    pins.live()?;
    let Pins {
        former,
        lock: made,
        changes,
        ..
    } = pins;
    *lock = if pinning == Pinning::Move {
        made
    } else {
        merged(former, made)
    };
    Ok(changes)
}

/// What a hosted base of the manifest asks for.
#[must_use]
pub fn hosted_spec(hosted: &farm_manifest::model::HostedBase) -> HostedSpec {
    HostedSpec {
        suite: hosted.suite.value.clone(),
        architecture: DEBIAN_ARCHITECTURE.to_owned(),
        portage: hosted.portage.value.clone(),
        packages: hosted.packages.iter().map(|package| package.value.clone()).collect(),
    }
}

/// The key of a git repository in the lock file: of a branch by its name, of a tag by [its reference](tag_ref).
#[must_use]
pub fn git_key(url: &str, branch: Option<&str>) -> String {
    branch.map_or_else(|| url.to_owned(), |branch| format!("{url}#{branch}"))
}

/// What git calls a tag in full, so that none is taken for a branch.
#[must_use]
pub fn tag_ref(tag: &str) -> String {
    format!("refs/tags/{tag}")
}

/// The commit that an answer of `git ls-remote` names: the one called `behind`, else the first.
fn commit_of(answer: &str, behind: &str) -> String {
    let mut lines = answer.lines().filter_map(|line| line.split_once('\t'));
    let first = lines.clone().next();
    let found = lines.find(|(_, name)| *name == behind).or(first);
    found.map_or_else(String::new, |(commit, _)| commit.trim().to_owned())
}

/// Another flavour's names stay pinned while this one is built, but for addresses with passwords.
fn merged(mut former: FarmLock, made: FarmLock) -> FarmLock {
    // A farm of before they were refused may have left some.
    former.git.retain(|address, _| login(address).is_none());
    former.archives.retain(|address, _| login(address).is_none());
    former.stage3.retain(|address, _| login(address).is_none());
    former.images.extend(made.images);
    former.git.extend(made.git);
    former.archives.extend(made.archives);
    former.live.extend(made.live);
    former.stage3.extend(made.stage3);
    for lock in made.hosted {
        if !former.hosted.contains(&lock) {
            former.hosted.push(lock);
        }
    }
    former
}

struct Pins<'a> {
    context: &'a Context,
    events: &'a dyn EventSink,
    former: FarmLock,
    lock: FarmLock,
    pinning: Pinning,
    changes: Vec<String>,
}

impl Pins<'_> {
    fn image(&mut self, reference: &str) -> Result<(), FarmError> {
        // A digest is what it is.
        if reference.contains('@') || reference.starts_with("sha256:") {
            return Ok(());
        }
        let former = self.former.images.get(reference).cloned();
        let pinned = match former.clone().filter(|_| self.pinning == Pinning::AddMissing) {
            Some(pinned) => pinned,
            None => self.look_up(reference)?,
        };
        self.note(reference, former.as_deref(), &pinned);
        self.lock.images.insert(reference.to_owned(), pinned);
        Ok(())
    }

    /// The digest a registry gives the name, or `id sha256:…` for an image that only the engine has.
    fn look_up(&self, reference: &str) -> Result<String, FarmError> {
        let executor = self.context.executor()?;
        let failed = |error| executor_failure(&error);
        let digest = executor.resolve(reference).map_err(failed)?;
        let local = executor.inspect(&digest).map_err(failed)?;
        Ok(if local.is_some_and(|info| info.id.0 == digest) {
            format!("id {digest}")
        } else {
            digest
        })
    }

    /// `name` is what the repository is asked for.
    fn git(&mut self, url: &str, branch: Option<&str>, name: &str) -> Result<(), FarmError> {
        let key = git_key(url, branch);
        let former = self.former.git.get(&key).cloned();
        let pinned = match former.clone().filter(|_| self.pinning == Pinning::AddMissing) {
            Some(pinned) => pinned,
            None => {
                // A tag that is an object of its own has the commit behind it.
                let behind = format!("{name}^{{}}");
                let answer = git(self.context, url, &["ls-remote", "--exit-code", url, name, &behind])?;
                let commit = commit_of(&answer, &behind);
                if commit.is_empty() {
                    return Err(FarmError::environment(format!("{url} has no {name}")));
                }
                commit
            }
        };
        self.note(&key, former.as_deref(), &pinned);
        self.lock.git.insert(key, pinned);
        Ok(())
    }

    fn archive(&mut self, url: &str) -> Result<(), FarmError> {
        let former = self.former.archives.get(url).cloned();
        let pinned = match former.clone().filter(|_| self.pinning == Pinning::AddMissing) {
            Some(pinned) => pinned,
            None => self
                .context
                .with_scratch(|scratch| fetcher::archive_digest(self.context, url, scratch))?,
        };
        self.note(url, former.as_deref(), &pinned);
        self.lock.archives.insert(url.to_owned(), pinned);
        Ok(())
    }

    /// Moves what live ebuilds are pinned to. Which there are, the manifest does not say: what is in the lock file is looked up, and plans
    /// add to it.
    fn live(&mut self) -> Result<(), FarmError> {
        if self.pinning == Pinning::AddMissing {
            return Ok(());
        }
        for (key, former) in self.former.live.clone() {
            let (uri, name) = live_pins::split(&key).ok_or_else(|| {
                FarmError::input(format!(
                    "the lock file has `{key}` in its table `live`, which is no address and name"
                ))
                .hint("remove the line: `farm build` pins what is missing")
            })?;
            let pinned = live_pins::look_up(self.context, uri, name).map_err(|failure| {
                FarmError::from(failure)
                    .hint("if no package takes its source from there any more, remove the line from farm.lock")
            })?;
            self.note(&key, Some(&former), &pinned);
            self.lock.live.insert(key, pinned);
        }
        Ok(())
    }

    /// What is pinned was signed: an archive without a good signature never gets into the lock file.
    fn stage3(&mut self, source: &Stage3Source) -> Result<(), FarmError> {
        let name = &source.archive;
        let former = self.former.stage3.get(name).copied();
        let pinned = match former.filter(|_| self.pinning == Pinning::AddMissing) {
            Some(pinned) => pinned,
            None => {
                let mut progress = |line: &str| {
                    self.events.event(&Event::Note {
                        message: line.to_owned(),
                    });
                };
                source.verified(self.context, None, &mut progress)?.pin
            }
        };
        let word = |pin: Stage3Pin| pin.digest.to_string();
        self.note(name, former.map(word).as_deref(), &word(pinned));
        self.lock.stage3.insert(name.clone(), pinned);
        Ok(())
    }

    fn hosted(&mut self, spec: &HostedSpec) -> Result<(), FarmError> {
        let former = self.former.hosted.iter().find(|lock| lock.answers(spec)).cloned();
        let pinned = match former.clone().filter(|_| self.pinning == Pinning::AddMissing) {
            Some(pinned) => pinned,
            None => {
                let scratch = self.context.state.join("downloads/apt");
                farm_hosted::resolve(spec, &scratch).map_err(|error| {
                    let message = error.to_string();
                    match error.kind() {
                        farm_hosted::ErrorKind::Input => FarmError::input(message),
                        farm_hosted::ErrorKind::Environment => FarmError::environment(message),
                        farm_hosted::ErrorKind::Bug => FarmError::bug(message),
                    }
                })?
            }
        };
        let name = format!("Debian {} with Portage {}", pinned.suite, spec.portage);
        match &former {
            None => self.changes.push(format!("{name}: {} packages", pinned.debs.len())),
            Some(former) => {
                for deb in &pinned.debs {
                    match former.debs.iter().find(|other| other.name == deb.name) {
                        Some(other) if other.version == deb.version => {}
                        Some(other) => self
                            .changes
                            .push(format!("{}: {} -> {}", deb.name, other.version, deb.version)),
                        None => self.changes.push(format!("{}: {} is new", deb.name, deb.version)),
                    }
                }
                let gone = former
                    .debs
                    .iter()
                    .filter(|deb| !pinned.debs.iter().any(|other| other.name == deb.name));
                self.changes.extend(gone.map(|deb| format!("{}: gone", deb.name)));
            }
        }
        self.lock.hosted.push(pinned);
        Ok(())
    }

    fn note(&mut self, name: &str, former: Option<&str>, pinned: &str) {
        let name = redacted(name);
        match former {
            Some(former) if former == pinned => {}
            Some(former) => self.changes.push(format!("{name}: {former} -> {pinned}")),
            None => self.changes.push(format!("{name}: {pinned}")),
        }
    }
}
