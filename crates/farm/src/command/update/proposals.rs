//! What `farm update` finds that is newer than what the manifest names: tags of images and of git repositories, and commits.
//!
//! The lock file says what a name is today. Here it is about names: `farm update` proposes newer ones, and puts them into the manifest if it is asked to.

use std::collections::BTreeMap;

use farm_engine::{Event, EventSink};
use farm_manifest::Loaded;
use farm_manifest::Spanned;
use farm_manifest::model::{Base, GitPin, ImageFrom, RepoSource};

use super::newer::{has_numbers, newest};
use crate::context::{Context, executor_failure};
use crate::git::git;
use crate::lockfile::FarmLock;

/// Something newer than what a manifest names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Proposal {
    /// The farm.
    pub farm: String,
    /// Where it stands in the manifest: `binfarm.repos.gentoo`.
    pub name: String,
    /// What it is: `tag`, `commit`.
    pub kind: &'static str,
    /// What the manifest says.
    pub from: String,
    /// What is newer.
    pub to: String,
    /// The tag that a commit has, of both.
    pub tags: Option<(String, String)>,
    /// The file and line.
    pub place: String,
}

impl Proposal {
    /// `binfarm.repos.x: tag v1.2 -> v1.3 (farms/f/farm.yaml:12)`.
    #[must_use]
    pub fn text(&self) -> String {
        let Self {
            name,
            kind,
            from,
            to,
            place,
            ..
        } = self;
        let mut text = match &self.tags {
            Some((old, new)) => format!("{name}: {kind} {} ({old}) -> {} ({new})", short(from), short(to)),
            None if *kind == COMMIT => format!("{name}: {kind} {} -> {}", short(from), short(to)),
            None => format!("{name}: {kind} {from} -> {to}"),
        };
        text.push_str(&format!(" ({place})"));
        text
    }

    /// As data.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::json!({
            "farm": self.farm,
            "name": self.name,
            "kind": self.kind,
            "from": self.from,
            "to": self.to,
            "tags": self.tags.as_ref().map(|(from, to)| [from, to]),
            "place": self.place,
        })
    }
}

const TAG: &str = "tag";
const COMMIT: &str = "commit";

/// So much of a commit people are shown.
fn short(commit: &str) -> &str {
    commit.get(..12).unwrap_or(commit)
}

/// A name in a manifest that may have newer ones.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    /// Where it stands: `binfarm.repos.gentoo`.
    pub(super) name: String,
    pub(super) what: What,
}

/// What it names. The value is as it stands in the manifest, with its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum What {
    /// An image by its tag: the whole reference.
    Image(Spanned<String>),
    /// A tag of the git repository at an address.
    GitTag(String, Spanned<String>),
    /// A commit of it.
    GitCommit(String, Spanned<String>),
}

impl Named {
    /// The value in the manifest.
    pub(super) fn value(&self) -> &Spanned<String> {
        match &self.what {
            What::Image(value) | What::GitTag(_, value) | What::GitCommit(_, value) => value,
        }
    }

    /// The value that a proposal for this would put there.
    pub(super) fn proposed(&self, proposal: &Proposal) -> String {
        match &self.what {
            What::Image(reference) => tag_of(&reference.value).map_or_else(
                || reference.value.clone(),
                |(image, _)| format!("{image}:{}", proposal.to),
            ),
            What::GitTag(..) | What::GitCommit(..) => proposal.to.clone(),
        }
    }
}

/// Everything of a farm that is named so that something else may be newer, in the order of the manifest's sections.
pub(super) fn named(loaded: &Loaded) -> Vec<Named> {
    let farm = &loaded.farm;
    let mut found = Vec::new();
    let mut add = |name: String, what: What| found.push(Named { name, what });
    if let Some(binfarm) = &farm.binfarm {
        if let Base::Image(reference) = &binfarm.base {
            add("binfarm.base".to_owned(), What::Image(reference.clone()));
        }
        for repo in &binfarm.repos {
            let name = format!("binfarm.repos.{}", repo.name.value);
            match &repo.source {
                RepoSource::Image(reference) => add(name, What::Image(reference.clone())),
                RepoSource::Git {
                    url,
                    pin: GitPin::Tag(tag),
                } => add(name, What::GitTag(url.value.clone(), tag.clone())),
                RepoSource::Git {
                    url,
                    pin: GitPin::Commit(commit),
                } => add(name, What::GitCommit(url.value.clone(), commit.clone())),
                RepoSource::Git { .. } | RepoSource::Archive { .. } | RepoSource::Path(_) => {}
            }
        }
    }
    let images = farm
        .images
        .iter()
        .map(|image| ("images", &image.name.value, &image.from));
    let stages = farm
        .buildable_stages()
        .map(|stage| ("stages", &stage.name.value, &stage.from));
    for (section, name, from) in images.chain(stages) {
        if let ImageFrom::Reference(reference) = &from.value {
            let reference = Spanned::new(reference.clone(), from.span);
            add(format!("{section}.{name}.from"), What::Image(reference));
        }
    }
    found
}

/// The image and its tag; `None` for a digest, and where there is no tag.
fn tag_of(reference: &str) -> Option<(&str, &str)> {
    if reference.contains('@') {
        return None;
    }
    let (image, tag) = reference.rsplit_once(':')?;
    (!tag.contains('/')).then_some((image, tag))
}

/// What is newer than what a farm's manifest names. Nobody who cannot be asked fails anything: a note says so.
pub(super) fn propose(context: &Context, loaded: &Loaded, lock: &FarmLock, events: &dyn EventSink) -> Vec<Proposal> {
    let mut asked = Asked {
        context,
        tags: BTreeMap::new(),
        refs: BTreeMap::new(),
    };
    let mut found = Vec::new();
    for named in named(loaded) {
        let value = named.value();
        let newer = match &named.what {
            // What only the engine has, no registry knows.
            What::Image(reference) if is_local(lock, &reference.value) => Ok(None),
            What::Image(reference) => asked.newer_image(&reference.value),
            What::GitTag(url, tag) => asked.newer_tag(url, &tag.value),
            What::GitCommit(url, commit) => asked.newer_commit(url, &commit.value),
        };
        match newer {
            Ok(None) => {}
            Ok(Some(newer)) => found.push(Proposal {
                farm: loaded.farm.name.value.clone(),
                name: named.name.clone(),
                kind: newer.kind,
                from: newer.from,
                to: newer.to,
                tags: newer.tags,
                place: loaded.sources.place(value.span),
            }),
            Err(reason) => {
                let message = format!(
                    "whether there is something newer for {} is not known: {reason}",
                    named.name
                );
                events.event(&Event::Note { message });
            }
        }
    }
    found
}

fn is_local(lock: &FarmLock, reference: &str) -> bool {
    lock.images
        .get(reference)
        .is_some_and(|pinned| pinned.starts_with("id "))
}

/// What somebody has that is newer.
struct Newer {
    kind: &'static str,
    from: String,
    to: String,
    tags: Option<(String, String)>,
}

impl Newer {
    fn tag(from: &str, to: &str) -> Self {
        Self {
            kind: TAG,
            from: from.to_owned(),
            to: to.to_owned(),
            tags: None,
        }
    }
}

/// Registries and repositories, each asked once.
struct Asked<'a> {
    context: &'a Context,
    tags: BTreeMap<String, Result<Vec<String>, String>>,
    refs: BTreeMap<String, Result<Refs, String>>,
}

impl Asked<'_> {
    fn newer_image(&mut self, reference: &str) -> Result<Option<Newer>, String> {
        let Some((image, tag)) = tag_of(reference).filter(|(_, tag)| has_numbers(tag)) else {
            return Ok(None);
        };
        let context = self.context;
        let ask = || {
            let executor = context.executor().map_err(|failure| failure.message)?;
            executor
                .tags(reference)
                .map_err(|error| executor_failure(&error).message)
        };
        let tags = self.tags.entry(image.to_owned()).or_insert_with(ask).as_ref();
        let tags = tags.map_err(Clone::clone)?;
        Ok(newest(tag, tags.iter().map(String::as_str)).map(|newer| Newer::tag(tag, newer)))
    }

    fn newer_tag(&mut self, url: &str, tag: &str) -> Result<Option<Newer>, String> {
        if !has_numbers(tag) {
            return Ok(None);
        }
        let refs = self.refs(url)?;
        Ok(newest(tag, refs.tags.keys().map(String::as_str)).map(|newer| Newer::tag(tag, newer)))
    }

    /// Of a commit that has a tag: that of the newest tag of the same shape. Of any other: the newest of the default branch.
    fn newer_commit(&mut self, url: &str, commit: &str) -> Result<Option<Newer>, String> {
        let refs = self.refs(url)?;
        let tags = refs.tags.iter().filter(|(_, tagged)| *tagged == commit);
        let names: Vec<&str> = tags
            .map(|(name, _)| name.as_str())
            .filter(|name| has_numbers(name))
            .collect();
        let mut to = refs.head.clone();
        let mut between = None;
        for name in &names {
            if let Some(newer) = newest(name, refs.tags.keys().map(String::as_str)) {
                to = refs.tags.get(newer).cloned();
                between = Some(((*name).to_owned(), newer.to_owned()));
            }
        }
        // Whoever took a release does not want what comes after it.
        if !names.is_empty() && between.is_none() {
            return Ok(None);
        }
        Ok(to.filter(|to| to != commit).map(|to| Newer {
            kind: COMMIT,
            from: commit.to_owned(),
            to,
            tags: between,
        }))
    }

    fn refs(&mut self, url: &str) -> Result<&Refs, String> {
        let context = self.context;
        let ask = || {
            let answer = git(context, url, &["ls-remote", url, "HEAD", "refs/tags/*"]);
            answer.map(|text| Refs::parse(&text)).map_err(|failure| failure.message)
        };
        let refs = self.refs.entry(url.to_owned()).or_insert_with(ask).as_ref();
        refs.map_err(Clone::clone)
    }
}

/// What a git repository says of its default branch and its tags.
#[derive(Debug, Default, PartialEq, Eq)]
struct Refs {
    head: Option<String>,
    /// Tags and the commits that they name.
    tags: BTreeMap<String, String>,
}

impl Refs {
    /// Reads the answer of `git ls-remote`: a tag that is an object of its own comes twice, and what it names second, as `TAG^{}`.
    fn parse(text: &str) -> Self {
        let mut refs = Self::default();
        for line in text.lines() {
            let Some((commit, name)) = line.split_once('\t') else {
                continue;
            };
            if name == "HEAD" {
                refs.head = Some(commit.to_owned());
            } else if let Some(tag) = name.strip_prefix("refs/tags/") {
                let tag = tag.strip_suffix("^{}").unwrap_or(tag);
                refs.tags.insert(tag.to_owned(), commit.to_owned());
            }
        }
        refs
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_names_the_commit_behind_its_own_object() {
        let refs = Refs::parse(
            "aa\tHEAD\n11\trefs/tags/v1\n22\trefs/tags/v2\n33\trefs/tags/v2^{}\n44\trefs/heads/main\nnonsense\n",
        );
        assert_eq!(refs.head.as_deref(), Some("aa"));
        let tags = [("v1", "11"), ("v2", "33")].map(|(tag, commit)| (tag.to_owned(), commit.to_owned()));
        assert_eq!(refs.tags, tags.into());
    }

    #[test]
    fn only_tags_of_images_have_newer_ones() {
        assert_eq!(tag_of("h:5000/a/b:1"), Some(("h:5000/a/b", "1")));
        for other in ["h:5000/a/b", "a", "a:1@sha256:00"] {
            assert_eq!(tag_of(other), None, "{other}");
        }
    }
}
