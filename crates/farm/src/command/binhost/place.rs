//! Which binhost a command line means.

use std::path::PathBuf;

use farm_manifest::{Loaded, Overrides};
use farm_remote::Address;

use super::super::goals::nowhere;
use super::super::{FarmError, Setup, Words};
use super::denied::Denied;
use crate::lower::published_to;
use crate::rules::publish_pkgs::LOCAL_BINHOSTS;
use crate::signing::PackageSigner;
use crate::workspace::Workspace;

/// The words of a command about a binhost.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct BinhostWords {
    /// The folder of its index, if it is named; a farm says it otherwise.
    pub folder: Option<PathBuf>,
    /// A farm, variables of its manifest, releases.
    pub words: Vec<String>,
    /// The key that signs what must be made anew, if no manifest says it.
    pub sign: Option<String>,
}

/// A binhost that was found. Nothing says that anything is there.
#[derive(Debug)]
pub(super) struct Binhost {
    pub(super) folder: PathBuf,
    /// Where clients read, if the folder is only the mirror of that.
    pub(super) remote: Option<Address>,
    /// The words that name releases.
    pub(super) releases: Vec<String>,
    /// What the manifest does not let out.
    pub(super) deny: Denied,
    pub(super) private: bool,
    /// The key that signs, by its name.
    sign: Option<String>,
    /// SOURCE_DATE_EPOCH, in seconds.
    pub(super) epoch: u64,
}

impl Binhost {
    /// Finds it. At most `releases` words may name releases.
    ///
    /// What a farm publishes to; its local binhost, if that is nowhere; or the folder that is named, for which no manifest is
    /// needed.
    pub(super) fn find(setup: &Setup, given: &BinhostWords, releases: usize) -> Result<Self, FarmError> {
        let words = Words::parse(&given.words);
        let found = match &given.folder {
            Some(folder) => Self::named(setup, folder, words)?,
            None => Self::of_farm(setup, words)?,
        };
        match found.releases.get(releases) {
            Some(word) if given.folder.is_none() => Err(Self::no_farm(setup, word)?),
            Some(word) => Err(FarmError::input(format!(
                "`{word}` says nothing where a folder is named"
            ))),
            None => Ok(Self {
                sign: given.sign.clone().or(found.sign),
                ..found
            }),
        }
    }

    fn named(setup: &Setup, folder: &std::path::Path, words: Words) -> Result<Self, FarmError> {
        if let Some((name, _)) = words.variables.first() {
            let message = format!("{name}= says nothing where a folder is named: no manifest is read");
            return Err(FarmError::input(message));
        }
        Ok(Self {
            folder: setup.current_dir.join(folder),
            remote: None,
            releases: words.targets,
            deny: Denied::default(),
            // Whoever published there decided what may be there.
            private: true,
            sign: None,
            epoch: farm_manifest::WorkspaceSettings::default().source_date_epoch,
        })
    }

    fn of_farm(setup: &Setup, words: Words) -> Result<Self, FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        let farms = workspace.farms()?;
        let (named, releases): (Vec<String>, Vec<String>) =
            words.targets.into_iter().partition(|word| farms.contains(word));
        if let [_, other, ..] = &named[..] {
            return Err(FarmError::input(format!("one farm at a time: not {other} as well")));
        }
        let words = Words {
            targets: named,
            variables: words.variables,
        };
        let farm = words.resolve(&workspace)?.into_keys().next().unwrap_or_default();
        let overrides = Overrides {
            environment: setup.environment.clone(),
            command_line: words.variables,
        };
        let loaded = farm_manifest::load(&workspace.root, &farm, &overrides)?;
        let found = Self::of_manifest(&loaded, &workspace)?;
        Ok(Self { releases, ..found })
    }

    /// What a farm publishes to, and as people wrote it.
    ///
    /// # Errors
    ///
    /// The user's: the manifest has mistakes, or does not say where packages are published.
    pub(super) fn of_publication(
        setup: &Setup,
        farm: &str,
        variables: &[(String, String)],
    ) -> Result<(Self, String), FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        let overrides = Overrides {
            environment: setup.environment.clone(),
            command_line: variables.to_vec(),
        };
        let loaded = farm_manifest::load(&workspace.root, farm, &overrides)?;
        let Some(publish) = &loaded.farm.publish.pkgs else {
            return Err(nowhere(farm));
        };
        let to = format!(
            "{}/{}",
            publish.to.value.trim_end_matches('/'),
            loaded.farm.flavour.value
        );
        Ok((Self::of_manifest(&loaded, &workspace)?, to))
    }

    fn of_manifest(loaded: &Loaded, workspace: &Workspace) -> Result<Self, FarmError> {
        let farm = &loaded.farm;
        let flavour = &farm.flavour.value;
        let local = Self {
            folder: workspace
                .state()
                .join(LOCAL_BINHOSTS)
                .join(&farm.name.value)
                .join(flavour),
            remote: None,
            releases: Vec::new(),
            deny: Denied::default(),
            private: true,
            sign: None,
            epoch: loaded.settings.source_date_epoch,
        };
        let Some(publish) = &farm.publish.pkgs else {
            return Ok(local);
        };
        let (folder, remote) = published_to(
            &publish.to.value,
            flavour,
            workspace.root.as_std_path(),
            &workspace.state(),
        )?;
        let deny = farm.publish.deny.iter().chain(&publish.deny);
        Ok(Self {
            folder,
            remote,
            deny: Denied {
                words: deny.map(|deny| deny.value.clone()).collect(),
                state: workspace.state(),
                farm: farm.name.value.clone(),
            },
            private: publish.private,
            sign: publish.sign.as_ref().map(|sign| sign.value.clone()),
            ..local
        })
    }

    fn no_farm(setup: &Setup, word: &str) -> Result<FarmError, FarmError> {
        let workspace = Workspace::find(setup.workspace.as_deref(), &setup.current_dir)?;
        let farms = workspace.farms()?.join(", ");
        Ok(FarmError::input(format!(
            "there is no farm `{word}` here; there is {farms}"
        )))
    }

    /// Who signs what must be made anew. Asked before anything is read or written, as a key may have expired.
    pub(super) fn signer(&self, setup: &Setup) -> Result<Option<PackageSigner>, FarmError> {
        let Some(name) = &self.sign else {
            return Ok(None);
        };
        let key = setup.keys.find(name)?;
        key.try_out()?;
        Ok(Some(PackageSigner(key)))
    }
}
