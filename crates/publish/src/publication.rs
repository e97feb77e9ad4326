//! The publication as a whole: what is kept, what is new, what is refused.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

use farm_portage::cpv::Cpv;
use farm_portage::index::{HeaderSettings, Index, Stanza, gzip, header};

use crate::changes::Changes;
use crate::check::has_size;
use crate::client::{self, ClientFiles, Packed};
use crate::commit::{Release, commit, restore};
use crate::deny::refusal;
use crate::folder::Folder;
use crate::held::{Former, fitting};
use crate::instance::{Stamp, Stamps};
use crate::live::{Live, newest_record, note_files, settings_of};
use crate::record::{Instance, Record};
use crate::releases::forget_the_oldest;
use crate::stage::{StagedPackage, describe, stanza_of};
use crate::staging::{Order, stage_all};
use crate::{Deny, Lacking, PublishError, ReleaseSigner};

/// By how many seconds TIMESTAMP rises at least from release to release.
///
/// Portage asks a web server for an index that was modified later than its own TIMESTAMP *plus five seconds*
/// (`TIMESTAMP_TOLERANCE` in `portage/util/_urlopen.py`), so a release any closer would not reach the clients of the one
/// before.
pub const TIMESTAMP_STEP: u64 = 10;

/// A package that may be published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Candidate {
    /// `category/name-version`, as the package's own metadata have it.
    pub cpv: String,
    /// The payload digest of the package's normal form, which decides whether it is published already.
    pub payload: blake3::Hash,
    /// A GPKG in normal form. A stamp that it has already is replaced.
    pub file: PathBuf,
}

/// What to publish, and where.
#[derive(Debug, Clone, Copy)]
pub struct Publication<'a> {
    /// The folder of the index: the target's folder with the flavour. Made if missing; may be a symbolic link.
    pub folder: &'a Path,
    /// All packages of the release, in any order; one given twice counts once.
    pub candidates: &'a [Candidate],
    /// Packages that belong to the release and are not among the candidates. Of each, what the release before has in its slot stays, if it is
    /// signed as it should be and fits to the rest.
    pub lacking: &'a [Lacking],
    /// The settings that the index shows; see [`HeaderSettings::variables`]. PROFILE among them is the profile.
    pub header: &'a BTreeMap<String, String>,
    /// The earliest TIMESTAMP and BUILD_TIME, in seconds since the epoch: the workspace's SOURCE_DATE_EPOCH.
    pub epoch: u64,
    /// What is left out.
    pub deny: &'a [Deny],
    /// Says that the folder is for people who may have everything: nothing is left out then.
    pub private: bool,
    /// Who signs the packages. Without one they are published unsigned, and signed ones are not kept.
    pub signer: Option<&'a dyn ReleaseSigner>,
    /// What becomes `client/`; `None`: the release has no such folder.
    pub client: Option<&'a ClientFiles>,
}

/// A package that was left out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Refused {
    /// As the caller named it.
    pub cpv: String,
    /// Why, for people.
    pub reason: String,
}

/// What a publication did. Instances are named as Portage names them, `category/name-version-BUILD_ID`, and sorted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Whether anything was written.
    pub changed: bool,
    /// The digest of `Packages`; what [`index_digest`](crate::index_digest) gives as long as the folder is whole.
    pub index: blake3::Hash,
    /// New instances.
    pub added: Vec<String>,
    /// Instances of the release before whose files were missing or damaged, and are whole again.
    pub restored: Vec<String>,
    /// How many instances stayed as they were.
    pub kept: usize,
    /// Instances of the release before that stay in the place of lacking packages.
    pub held: Vec<String>,
    /// Instances of the release before that this one does not list.
    pub dropped: Vec<String>,
    /// What was left out.
    pub refused: Vec<Refused>,
}

/// A candidate that is not refused.
struct Wanted<'a> {
    candidate: &'a Candidate,
    cpv: Cpv,
    /// What the newest release has of it, signed as it should be.
    former: Option<&'a Instance>,
    /// Its stanza, if the file of `former` is whole.
    stanza: Option<Stanza>,
    /// What the package says of itself, stamp and file apart.
    described: Stanza,
}

impl Wanted<'_> {
    fn order(&self, stamp: Stamp) -> Order<'_> {
        Order {
            candidate: self.candidate,
            cpv: &self.cpv,
            stamp,
        }
    }
}

/// Publishes packages; see the documentation of the crate for what clients and publishers may rely on.
///
/// `progress` is told, in a line each, of packages that are written. Waits for nobody: a second publication into the same
/// folder is [`PublishError::Locked`].
///
/// # Errors
/// [`PublishError`]; what clients see is then as it was before.
pub fn publish(publication: &Publication<'_>, progress: &mut dyn FnMut(&str)) -> Result<Published, PublishError> {
    let mut folder = Folder::open(publication.folder)?;
    publish_locked(&mut folder, publication, &Inherited::default(), progress)
}

/// What another publisher gave the packages, and clients know.
#[derive(Debug, Default)]
pub(crate) struct Inherited {
    /// The stamps that packages have already, by version and payload.
    pub(crate) stamps: BTreeMap<(String, [u8; 32]), Stamp>,
    /// TIMESTAMP of the index. Where the one is put in the place of the other, clients take only a later one.
    pub(crate) timestamp: Option<u64>,
}

/// The same in a folder that is locked already.
pub(crate) fn publish_locked(
    folder: &mut Folder,
    publication: &Publication<'_>,
    inherited: &Inherited,
    progress: &mut dyn FnMut(&str),
) -> Result<Published, PublishError> {
    check_groups(publication.deny)?;
    let base = newest_record(publication.folder)?;
    let live = Live::read(publication.folder)?;
    let in_force = base.as_ref().is_some_and(|base| live.is_of(base));
    let (wanted, refused) = select(publication, folder, base.as_ref(), in_force.then_some(&live))?;

    let mut stamps = base.as_ref().map(|base| base.stamps.clone()).unwrap_or_default();
    if !in_force {
        live.note_stamps(&mut stamps);
    }
    let mut packages: Vec<(Instance, Stanza)> = Vec::new();
    let mut changes = Changes::default();
    let mut lacking = Vec::new();
    for wanted in &wanted {
        match (wanted.former, &wanted.stanza) {
            (Some(former), Some(stanza)) => {
                changes.kept += 1;
                packages.push((former.clone(), stanza.clone()));
            }
            _ => lacking.push(wanted),
        }
    }
    for held in held(publication, folder, base.as_ref(), in_force.then_some(&live), &wanted)? {
        changes.held.push(held.instance.name());
        packages.push((held.instance, held.stanza));
    }
    let (mut staged, lacking) = make_again(publication, folder, lacking, &mut changes, progress)?;
    let mut numbering = Numbering {
        known: base.as_ref().map(|base| &base.stamps),
        inherited,
        stamps: &mut stamps,
    };
    staged.extend(make_new(
        publication,
        folder,
        lacking,
        &mut numbering,
        &mut changes,
        progress,
    )?);
    packages.extend(
        staged
            .iter()
            .map(|package| (package.instance.clone(), package.stanza.clone())),
    );
    packages.sort_by(|(a, _), (b, _)| (&a.cpv, a.stamp).cmp(&(&b.cpv, b.stamp)));
    let (instances, stanzas): (Vec<Instance>, Vec<Stanza>) = packages.into_iter().unzip();
    changes.note_dropped(base.as_ref(), &instances);

    let former_client = base.as_ref().and_then(|base| base.client);
    let client = match publication.client {
        Some(files) => Some(Packed::of(publication.folder, files, publication.epoch)?),
        None => None,
    };
    let render = |timestamp: u64| index_text(publication.header, &stanzas, timestamp);
    let digest_of = |text: &str| blake3::hash(text.as_bytes());
    if let Some(base) = base.as_ref().filter(|_| in_force)
        && digest_of(&render(base.timestamp)) == base.index
        && base.packages.len() == instances.len()
        && changes.added.is_empty()
        && base.client == client.as_ref().map(|client| client.digest)
    {
        let whole = client
            .as_ref()
            .map_or(Ok(true), |client| client.is_in(publication.folder))?;
        if !staged.is_empty() || !whole {
            restore(folder, &staged, client.as_ref(), base.timestamp)?;
            changes.mended = !whole;
        }
        return Ok(changes.published(base.index, refused));
    }

    let recorded = base.as_ref().map(|base| base.timestamp);
    let last = recorded.max(live.timestamp()).max(inherited.timestamp);
    let timestamp = last.map_or(publication.epoch, |last| {
        publication.epoch.max(last.saturating_add(TIMESTAMP_STEP))
    });
    let text = render(timestamp);
    let compressed = gzip(&text, timestamp);
    let header = settings_of(&header_of(publication.header, 0, timestamp));
    let mut record = Record::following(base.as_ref(), timestamp, header, instances, stamps);
    record.index = digest_of(&text);
    record.index_gz = blake3::hash(&compressed);
    record.client = client.as_ref().map(|client| client.digest);
    let release = Release {
        record: &record,
        index: text.as_bytes(),
        index_gz: &compressed,
        client: client.as_ref(),
    };
    commit(folder, &staged, &release)?;
    if former_client != record.client || !in_force {
        client::forget_former(folder, publication.folder, client.as_ref());
    }
    forget_the_oldest(folder, publication.folder);
    changes.released = true;
    Ok(changes.published(record.index, refused))
}

/// A group without its members would deny nothing, and what must not be published would be.
fn check_groups(deny: &[Deny]) -> Result<(), PublishError> {
    for rule in deny {
        if let Deny::License(license) = rule
            && license.starts_with('@')
        {
            return Err(PublishError::LicenseGroup(license.clone()));
        }
    }
    Ok(())
}

/// Sorts the candidates out: what may be published, and what the newest release has of it. `live` is its index, if it is
/// in force.
fn select<'a>(
    publication: &Publication<'a>,
    folder: &Folder,
    base: Option<&'a Record>,
    live: Option<&Live>,
) -> Result<(Vec<Wanted<'a>>, Vec<Refused>), PublishError> {
    let unique: BTreeMap<(&str, &[u8]), &'a Candidate> = publication
        .candidates
        .iter()
        .map(|candidate| {
            (
                (candidate.cpv.as_str(), candidate.payload.as_bytes().as_slice()),
                candidate,
            )
        })
        .collect();
    let signed_by = publication.signer.map(ReleaseSigner::fingerprint);
    let (mut wanted, mut refused) = (Vec::new(), Vec::new());
    for candidate in unique.into_values() {
        let former = base.and_then(|base| base.instance(&candidate.cpv, candidate.payload, signed_by));
        let whole = former.filter(|former| has_size(&folder.path(&former.path), former.size));
        let stanza = match whole {
            // The index saves reading every package again.
            Some(former) => match live.and_then(|live| live.stanza(&former.path)) {
                Some(stanza) => Some(stanza.clone()),
                None => stanza_of(folder, former)?,
            },
            None => None,
        };
        let (cpv, described) = match &stanza {
            Some(stanza) => (parse_cpv(candidate)?, stanza.clone()),
            None => describe(candidate)?,
        };
        let reason = (!publication.private)
            .then(|| refusal(&cpv, &described, publication.deny))
            .flatten();
        match reason {
            Some(reason) => refused.push(Refused {
                cpv: candidate.cpv.clone(),
                reason,
            }),
            None => wanted.push(Wanted {
                candidate,
                cpv,
                former,
                stanza,
                described,
            }),
        }
    }
    Ok((wanted, refused))
}

/// What stays of the newest release in the place of packages that are lacking.
fn held(
    publication: &Publication<'_>,
    folder: &Folder,
    base: Option<&Record>,
    live: Option<&Live>,
    wanted: &[Wanted<'_>],
) -> Result<Vec<Former>, PublishError> {
    let Some(base) = base.filter(|_| !publication.lacking.is_empty()) else {
        return Ok(Vec::new());
    };
    let signed_by = publication.signer.map(ReleaseSigner::fingerprint);
    let stays: BTreeSet<&str> = wanted
        .iter()
        .filter_map(|wanted| Some(wanted.former?.path.as_str()))
        .collect();
    let mut known: BTreeSet<String> = wanted.iter().map(|wanted| wanted.cpv.cp()).collect();
    known.extend(publication.lacking.iter().map(|lacking| lacking.cp.clone()));
    let mut former = Vec::new();
    for instance in &base.packages {
        let Ok(cpv) = Cpv::parse(&instance.cpv) else { continue };
        let cp = cpv.cp();
        let may_stay = publication.lacking.iter().any(|lacking| lacking.cp == cp)
            && !stays.contains(instance.path.as_str())
            && instance.signed_by.as_deref() == signed_by
            && has_size(&folder.path(&instance.path), instance.size);
        known.insert(cp);
        if !may_stay {
            continue;
        }
        let stanza = match live.and_then(|live| live.stanza(&instance.path)) {
            Some(stanza) => Some(stanza.clone()),
            None => stanza_of(folder, instance)?,
        };
        let denied = |stanza: &Stanza| !publication.private && refusal(&cpv, stanza, publication.deny).is_some();
        if let Some(stanza) = stanza.filter(|stanza| !denied(stanza)) {
            former.push(Former {
                instance: instance.clone(),
                cpv,
                stanza,
            });
        }
    }
    former.retain(|one| one.stands_for(publication.lacking));
    let new: Vec<(&Cpv, &Stanza)> = wanted.iter().map(|wanted| (&wanted.cpv, &wanted.described)).collect();
    Ok(fitting(former, &new, &known))
}

fn parse_cpv(candidate: &Candidate) -> Result<Cpv, PublishError> {
    Cpv::parse(&candidate.cpv).map_err(|error| PublishError::WrongName {
        cpv: candidate.cpv.clone(),
        own: error.to_string(),
    })
}

/// Makes packages again whose files are gone or damaged. Also gives those of which that is not possible.
///
/// A package may come out different, as it does when another version of farm compressed it, or when a signature cannot be made
/// again. That must not be published under the same name.
fn make_again<'w, 'a>(
    publication: &Publication<'_>,
    folder: &Folder,
    lacking: Vec<&'w Wanted<'a>>,
    changes: &mut Changes,
    progress: &mut dyn FnMut(&str),
) -> Result<(Vec<StagedPackage>, Vec<&'w Wanted<'a>>), PublishError> {
    let (lost, mut lacking): (Vec<_>, Vec<_>) = lacking.into_iter().partition(|wanted| wanted.former.is_some());
    let orders: Vec<Order<'_>> = lost
        .iter()
        .filter_map(|wanted| Some(wanted.order(wanted.former?.stamp)))
        .collect();
    let made = stage_all(folder, &orders, publication.signer, &mut |_| {})?;
    let mut staged = Vec::new();
    for (wanted, package) in lost.into_iter().zip(made) {
        if wanted.former == Some(&package.instance) {
            progress(&format!("restoring {}", package.instance.name()));
            changes.restored.push(package.instance.name());
            staged.push(package);
        } else {
            lacking.push(wanted);
        }
    }
    Ok((staged, lacking))
}

/// What decides the stamps of new instances.
struct Numbering<'a> {
    /// The stamps that were given out here.
    known: Option<&'a Stamps>,
    inherited: &'a Inherited,
    /// The same as `known`, and all that clients may have seen besides.
    stamps: &'a mut Stamps,
}

impl Numbering<'_> {
    /// What another publisher gave this package, if none of its version was ever published here.
    fn inherited(&self, candidate: &Candidate) -> Option<Stamp> {
        if self.known.is_some_and(|known| known.knows(&candidate.cpv)) {
            return None;
        }
        let key = (candidate.cpv.clone(), *candidate.payload.as_bytes());
        self.inherited.stamps.get(&key).copied()
    }
}

/// Makes new instances. They are numbered before any is written, so that the numbers do not depend on who is fastest.
fn make_new(
    publication: &Publication<'_>,
    folder: &Folder,
    mut lacking: Vec<&Wanted<'_>>,
    numbering: &mut Numbering<'_>,
    changes: &mut Changes,
    progress: &mut dyn FnMut(&str),
) -> Result<Vec<StagedPackage>, PublishError> {
    lacking.sort_by_key(|wanted| {
        let candidate = wanted.candidate;
        let inherited = numbering.inherited(candidate);
        (candidate.cpv.clone(), inherited, *candidate.payload.as_bytes())
    });
    let mut orders = Vec::new();
    for wanted in lacking {
        let inherited = numbering.inherited(wanted.candidate);
        note_files(folder, &wanted.cpv, numbering.stamps)?;
        let cpv = &wanted.candidate.cpv;
        orders.push(wanted.order(match inherited {
            Some(stamp) => numbering.stamps.adopt(cpv, stamp),
            None => numbering.stamps.next(cpv, publication.epoch),
        }));
    }
    let staged = stage_all(folder, &orders, publication.signer, &mut |order| {
        progress(&format!("publishing {}-{}", order.cpv, order.stamp.build_id));
    })?;
    changes
        .added
        .extend(staged.iter().map(|package| package.instance.name()));
    Ok(staged)
}

fn header_of(variables: &BTreeMap<String, String>, packages: usize, timestamp: u64) -> Stanza {
    let settings = HeaderSettings {
        profile: variables.get("PROFILE").cloned(),
        variables: variables.clone(),
        ..HeaderSettings::default()
    };
    header(&settings, packages, timestamp)
}

fn index_text(variables: &BTreeMap<String, String>, stanzas: &[Stanza], timestamp: u64) -> String {
    let header = header_of(variables, stanzas.len(), timestamp);
    Index {
        header,
        packages: stanzas.to_vec(),
    }
    .render()
}
