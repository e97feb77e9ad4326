//! `farm plan --diff release`: what the next publication would change for clients.

use std::collections::{BTreeMap, BTreeSet};

use farm_engine::{Digest, EventSink};
use farm_publish::{PresentPackage, PresentRelease};
use serde_json::{Value, json};

use super::super::binhost::{PublishedTo, published_release};
use super::super::{FarmError, Setup, Words, matrix};
use super::diff::{flag_changes, named};
use super::list::{FarmList, Listed, package_json};
use super::published::Published;
use super::{PlanView, plan_cell};
use crate::workspace::Workspace;

/// Makes the plans as [`plan`](super::plan()) does, and says in what they differ from what each farm has published: of a farm with a matrix, all
/// its cells.
///
/// # Errors
///
/// As [`plan`](super::plan()); the user's, if a farm publishes its packages nowhere; the environment's, if what is published cannot be read.
pub fn plan_release(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    let mut views = Vec::new();
    for cell in matrix::cells(setup, words)? {
        cell.announce(events);
        let view = release_cell(setup, &cell.words, events)?;
        views.push((cell, view));
    }
    Ok(PlanView::together(views))
}

fn release_cell(setup: &Setup, words: &Words, events: &dyn EventSink) -> Result<PlanView, FarmError> {
    // What is published first: it is cheap, and tells whether there is anything to compare with.
    let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
    let mut releases = BTreeMap::new();
    for farm in words.resolve(&workspace)?.into_keys() {
        let found = published_release(setup, &farm, &words.variables, &mut |_| ())?;
        releases.insert(farm, found);
    }
    let mut view = plan_cell(setup, words, events)?;
    let (mut text, mut farms) = (String::new(), Vec::new());
    for list in &view.lists {
        if let Some(published) = releases.get(&list.farm) {
            let difference = Difference::between(published.release.as_ref(), list);
            text.push_str(&difference.text(list, published));
            farms.push(difference.json(list, published));
        }
    }
    view.text = text;
    view.json = farms.into();
    Ok(view)
}

/// What a publication of a plan changes, by package and slot.
#[derive(Debug, Default, PartialEq)]
struct Difference<'a> {
    changes: Vec<Change<'a>>,
    /// What may not be published, and why.
    withheld: Vec<(&'a Listed, &'a str)>,
    same: usize,
    /// Packages that the base still brings in the same version. Whether their content is the same is known when they are packed.
    of_base: usize,
    /// Packages of the release that are in no plan, where not all plans could be made.
    unplanned: usize,
}

/// One package.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Change<'a> {
    /// Clients do not have it.
    New(&'a Listed),
    /// Clients will not have it any more.
    Gone(&'a PresentPackage),
    /// Another version, other flags, another repository.
    Other(&'a PresentPackage, &'a Listed),
    /// The same by name, and other content: a new instance.
    Content(&'a PresentPackage, &'a Listed),
    /// The same by name, and to be built: whether its content will be the same, only the build tells.
    Unknown(&'a PresentPackage, &'a Listed),
    /// Another version of what the base brings, or what it brings besides.
    OfBase(Option<&'a PresentPackage>, &'a str),
}

/// How much a package of a release has in common with one of a plan; the closest go together.
const LIKENESS: [fn(&PresentPackage, &Listed) -> bool; 4] = [
    |from, to| from.cpv == to.package.cpv && payload(to) == Some(Digest::from(blake3::Hash::from_bytes(from.payload))),
    |from, to| from.cpv == to.package.cpv && flags(from, to).is_empty(),
    |from, to| from.cpv == to.package.cpv,
    |_, _| true,
];

impl<'a> Difference<'a> {
    fn between(release: Option<&'a PresentRelease>, list: &'a FarmList) -> Self {
        let mut found = Self::default();
        let mut slots: BTreeMap<String, (Vec<&PresentPackage>, Vec<&Listed>)> = BTreeMap::new();
        for package in release.iter().flat_map(|release| &release.packages) {
            let slot = format!("{}:{}", name_of(&package.cpv), package.slot);
            slots.entry(slot).or_default().0.push(package);
        }
        // What the base brings is published as it is there.
        let mut of_base: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
        for (cpv, slot) in &list.untouched {
            of_base.entry(slot).or_default().push(cpv);
            slots.entry(slot.clone()).or_default();
        }
        let mut seen = BTreeSet::new();
        for listed in list.packages.iter().filter(|listed| seen.insert(&listed.node)) {
            match &listed.published {
                Published::No => {}
                Published::Withheld(reason) => found.withheld.push((listed, reason)),
                Published::As(_) => slots.entry(listed.slot()).or_default().1.push(listed),
            }
        }
        for (slot, (mut old, mut new)) in slots {
            for is_alike in LIKENESS {
                new.retain(|to| match old.iter().position(|from| is_alike(from, to)) {
                    Some(at) => {
                        found.pair(old.remove(at), to);
                        false
                    }
                    None => true,
                });
            }
            for &cpv in of_base.get(slot.as_str()).into_iter().flatten() {
                let same = old.iter().position(|from| from.cpv == cpv);
                let from = same.or((!old.is_empty()).then_some(0)).map(|at| old.remove(at));
                match from {
                    Some(from) if from.cpv == cpv => found.of_base += 1,
                    from => found.changes.push(Change::OfBase(from, cpv)),
                }
            }
            if list.is_whole {
                found.changes.extend(old.into_iter().map(Change::Gone));
            } else {
                found.unplanned += old.len();
            }
            found.changes.extend(new.into_iter().map(Change::New));
        }
        found
    }

    fn pair(&mut self, from: &'a PresentPackage, to: &'a Listed) {
        let otherwise =
            from.cpv != to.package.cpv || from.repository != to.package.repository || !flags(from, to).is_empty();
        match payload(to) {
            _ if otherwise => self.changes.push(Change::Other(from, to)),
            Some(digest) if digest == Digest::from(blake3::Hash::from_bytes(from.payload)) => self.same += 1,
            Some(_) => self.changes.push(Change::Content(from, to)),
            None => self.changes.push(Change::Unknown(from, to)),
        }
    }

    fn text(&self, list: &FarmList, published: &PublishedTo) -> String {
        let farm = &list.farm;
        let mut text = match &published.release {
            Some(release) => format!("{farm}: against release {} of {}\n", release.number, published.to),
            None => format!(
                "{farm}: nothing is published at {} yet, so all of it is new\n",
                published.to
            ),
        };
        let mut counts = [0; 5];
        for change in &self.changes {
            let (kind, line) = match change {
                Change::New(to) => (0, format!("+ {}  ({})", named(to), to.note())),
                Change::Gone(from) => (1, format!("- {}", from.cpv)),
                Change::Other(from, to) => (2, format!("~ {}  ({})", otherwise(from, to), to.note())),
                Change::Content(_, to) => (3, format!("~ {}  ({}, with other content)", named(to), to.note())),
                Change::Unknown(_, to) => (4, format!("? {}  ({})", named(to), to.note())),
                Change::OfBase(None, cpv) => (0, format!("+ {cpv}  (of the base)")),
                Change::OfBase(Some(from), cpv) => (2, format!("~ {cpv} [{}]  (of the base)", version_of(&from.cpv))),
            };
            counts[kind] += 1;
            text.push_str(&format!("{line}\n"));
        }
        for (listed, reason) in &self.withheld {
            text.push_str(&format!("{} is not published: {reason}\n", listed.package.cpv));
        }
        let [new, gone, other, content, unknown] = counts;
        let mut more = String::new();
        if self.of_base > 0 {
            more.push_str(&format!(", {} of the base", self.of_base));
        }
        if !list.is_whole {
            more.push_str(&format!(", {} not planned yet", self.unplanned));
        }
        text.push_str(&format!(
            "\n{farm}: {new} new, {gone} gone, {other} otherwise, {content} with other content, {unknown} known when built, \
             {} the same{more}\n",
            self.same
        ));
        text
    }

    fn json(&self, list: &FarmList, published: &PublishedTo) -> Value {
        let changes: Vec<Value> = self
            .changes
            .iter()
            .map(|change| {
                let (word, from, to) = match *change {
                    Change::New(to) => ("new", None, Some(package_json(to))),
                    Change::Gone(from) => ("gone", Some(from), None),
                    Change::Other(from, to) => ("other", Some(from), Some(package_json(to))),
                    Change::Content(from, to) => ("content", Some(from), Some(package_json(to))),
                    Change::Unknown(from, to) => ("unknown", Some(from), Some(package_json(to))),
                    Change::OfBase(from, cpv) => ("base", from, Some(json!({ "package": cpv }))),
                };
                json!({ "change": word, "from": from.map(released_json), "to": to })
            })
            .collect();
        let withheld: Vec<Value> = self
            .withheld
            .iter()
            .map(|(listed, reason)| json!({ "package": listed.package.cpv, "reason": reason }))
            .collect();
        json!({
            "farm": list.farm,
            "to": published.to,
            "release": published.release.as_ref().map(|release| release.number),
            "whole": list.is_whole,
            "changes": changes,
            "withheld": withheld,
            "same": self.same,
            "base": self.of_base,
        })
    }
}

fn released_json(package: &PresentPackage) -> Value {
    json!({
        "package": package.cpv,
        "slot": package.slot,
        "repository": package.repository,
        "use": package.use_flags,
        "build_id": package.build_id,
    })
}

fn payload(listed: &Listed) -> Option<Digest> {
    match listed.published {
        Published::As(payload) => payload,
        Published::No | Published::Withheld(_) => None,
    }
}

/// Flags that are otherwise. An index has only those that the ebuild names, and a plan implicit ones as well.
fn flags(from: &PresentPackage, to: &Listed) -> Vec<String> {
    let own = to.package.iuse.iter().map(|flag| flag.trim_start_matches(['+', '-']));
    let named: BTreeSet<&str> = own.chain(from.iuse.iter().map(String::as_str)).collect();
    let of = |flags: &mut dyn Iterator<Item = &String>| -> BTreeSet<String> {
        flags.filter(|flag| named.contains(flag.as_str())).cloned().collect()
    };
    let (old, new) = (of(&mut from.use_flags.iter()), of(&mut to.package.use_flags.iter()));
    flag_changes(&old, &new)
}

/// `category/name-2 [1] USE="a -b"`, of which only what differs.
fn otherwise(from: &PresentPackage, to: &Listed) -> String {
    let mut text = named(to);
    if from.cpv != to.package.cpv {
        text.push_str(&format!(" [{}]", version_of(&from.cpv)));
    } else if from.repository != to.package.repository {
        text.push_str(&format!(" [::{}]", from.repository));
    }
    let flags = flags(from, to);
    if !flags.is_empty() {
        text.push_str(&format!(" USE=\"{}\"", flags.join(" ")));
    }
    text
}

/// The version in a `category/name-version`.
fn version_of(cpv: &str) -> &str {
    cpv.strip_prefix(&format!("{}-", name_of(cpv))).unwrap_or(cpv)
}

/// `category/name`.
fn name_of(cpv: &str) -> String {
    farm_portage::cpv::Cpv::parse(cpv).map_or_else(|_| cpv.to_owned(), |cpv| cpv.cp())
}

#[cfg(test)]
mod tests {
    use farm_engine::NodeState;
    use farm_resolver::Package;

    use super::*;

    fn digest(content: &str) -> Digest {
        Digest::from(blake3::hash(content.as_bytes()))
    }

    fn planned(name: &str, version: &str, flags: &[&str], payload: Option<&str>) -> Listed {
        Listed {
            node: format!("x:pkg/c/{name}-{version}"),
            package: Package {
                cpv: format!("c/{name}-{version}"),
                category: "c".to_owned(),
                name: name.to_owned(),
                version: version.to_owned(),
                repository: "r".to_owned(),
                slot: "0".to_owned(),
                iuse: vec!["+a".to_owned(), "b".to_owned()],
                use_flags: flags.iter().map(ToString::to_string).collect(),
                ..Package::default()
            },
            state: match payload {
                Some(_) => NodeState::Cached,
                None => NodeState::Run,
            },
            reason: "never built".to_owned(),
            published: Published::As(payload.map(digest)),
            ..Listed::default()
        }
    }

    fn released(name: &str, version: &str, flags: &[&str], payload: &str) -> PresentPackage {
        PresentPackage {
            cpv: format!("c/{name}-{version}"),
            slot: "0".to_owned(),
            repository: "r".to_owned(),
            use_flags: flags.iter().map(ToString::to_string).collect(),
            iuse: ["a", "b"].map(str::to_owned).into(),
            build_id: 1,
            payload: *blake3::hash(payload.as_bytes()).as_bytes(),
        }
    }

    fn list(packages: Vec<Listed>, is_whole: bool) -> FarmList {
        FarmList {
            farm: "x".to_owned(),
            packages,
            is_whole,
            ..FarmList::default()
        }
    }

    fn at(packages: Vec<PresentPackage>) -> PublishedTo {
        PublishedTo {
            to: "file:///srv/x".to_owned(),
            release: Some(PresentRelease { number: 3, packages }),
        }
    }

    #[test]
    fn what_clients_would_get_otherwise_is_shown() {
        let published = at(vec![
            released("same", "1", &["a"], "same"),
            released("gone", "1", &[], "gone"),
            released("newer", "1", &[], "newer"),
            released("flags", "1", &["a"], "flags"),
            released("content", "1", &[], "before"),
            released("unknown", "1", &[], "unknown"),
            // Two instances of one version, of which each goes with its own.
            released("twice", "1", &["a"], "with"),
            released("twice", "1", &[], "without"),
        ]);
        let mut breaks_a_circle = planned("newer", "1", &["b"], None);
        breaks_a_circle.published = Published::No;
        let mut closed = planned("closed", "1", &[], None);
        closed.published = Published::Withheld("its licence is denied: CLOSED".to_owned());
        let list = list(
            vec![
                // What the ebuild does not name is in no index.
                planned("same", "1", &["a", "amd64"], Some("same")),
                planned("newer", "2", &[], None),
                planned("flags", "1", &["b"], Some("others")),
                planned("content", "1", &[], Some("after")),
                planned("unknown", "1", &[], None),
                planned("twice", "1", &[], Some("without")),
                planned("more", "1", &[], None),
                breaks_a_circle,
                closed,
            ],
            true,
        );
        let difference = Difference::between(published.release.as_ref(), &list);
        insta::assert_snapshot!(difference.text(&list, &published), @r#"
        x: against release 3 of file:///srv/x
        ~ c/content-1::r  (cached, with other content)
        ~ c/flags-1::r USE="b -a"  (cached)
        - c/gone-1
        + c/more-1::r  (build: never built)
        ~ c/newer-2::r [1]  (build: never built)
        - c/twice-1
        ? c/unknown-1::r  (build: never built)
        c/closed-1 is not published: its licence is denied: CLOSED

        x: 1 new, 2 gone, 2 otherwise, 1 with other content, 1 known when built, 2 the same
        "#);
        let json = difference.json(&list, &published);
        assert_eq!(json["release"], 3);
        assert_eq!(json["changes"].as_array().map(Vec::len), Some(7));
        assert_eq!(json["changes"][0]["change"], "content");
        assert_eq!(json["changes"][2]["to"], Value::Null);
        assert_eq!(json["withheld"][0]["package"], "c/closed-1");
    }

    #[test]
    fn what_the_base_brings_is_not_gone() {
        let published = at(vec![
            released("kept", "1", &[], "kept"),
            released("moved", "1", &[], "moved"),
            released("gone", "1", &[], "gone"),
        ]);
        let mut list = list(Vec::new(), true);
        for (cpv, slot) in [
            ("c/kept-1", "c/kept:0"),
            ("c/moved-2", "c/moved:0"),
            ("c/more-1", "c/more:0"),
        ] {
            list.untouched.insert(cpv.to_owned(), slot.to_owned());
        }
        let difference = Difference::between(published.release.as_ref(), &list);
        insta::assert_snapshot!(difference.text(&list, &published), @r#"
        x: against release 3 of file:///srv/x
        - c/gone-1
        + c/more-1  (of the base)
        ~ c/moved-2 [1]  (of the base)

        x: 1 new, 1 gone, 1 otherwise, 0 with other content, 0 known when built, 0 the same, 1 of the base
        "#);
        assert_eq!(
            difference.json(&list, &published)["changes"][2]["from"]["package"],
            "c/moved-1"
        );
    }

    #[test]
    fn without_a_release_all_is_new_and_without_all_plans_nothing_is_gone() {
        let packages = vec![planned("one", "1", &[], None)];
        let nothing = PublishedTo {
            to: "file:///srv/x".to_owned(),
            release: None,
        };
        let whole = list(packages.clone(), true);
        let text = Difference::between(None, &whole).text(&whole, &nothing);
        assert!(text.starts_with("x: nothing is published at file:///srv/x yet, so all of it is new\n+ c/one-1::r"));
        let published = at(vec![
            released("one", "1", &[], "one"),
            released("later", "1", &[], "later"),
        ]);
        let part = list(packages, false);
        let text = Difference::between(published.release.as_ref(), &part).text(&part, &published);
        assert!(!text.contains("c/later"), "{text}");
        assert!(text.contains("0 gone"), "{text}");
        assert!(text.ends_with(", 0 the same, 1 not planned yet\n"), "{text}");
    }
}
