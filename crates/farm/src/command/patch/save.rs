//! `farm patch save`: what was changed becomes a user patch in a configuration layer.

use std::io::Write as _;

use camino::{Utf8Path, Utf8PathBuf};
use farm_manifest::Loaded;
use farm_manifest::model::Binfarm;
use farm_portage::user_patches::{PatchFile, PatchScope, applied, is_patch};
use fs_err as fs;

use super::super::{FarmError, Setup};
use super::saved::{self, SavedPatch};
use super::words::PatchWords;
use super::work_tree::WorkTree;
use super::{load, locked};

/// Which versions of a package a patch is for.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Reach {
    /// The version of the work tree, in all its revisions.
    #[default]
    Version,
    /// All versions in its slot.
    Slot,
    /// All versions.
    Any,
}

/// How a patch is saved.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SaveOptions {
    /// The file's name, with or without `.patch`; by default the package's name.
    pub name: Option<String>,
    /// The layer; by default the one that is called as the farm, or the only one.
    pub layer: Option<String>,
    /// Which versions it is for.
    pub reach: Reach,
}

/// A user patch that is there now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Saved {
    /// The farm.
    pub farm: String,
    /// The file, relative to the workspace.
    pub path: String,
    /// What it is for: `CATEGORY/NAME[-VERSION][:SLOT]`.
    pub atom: String,
    /// What the manifest still needs, if it does not name the layer.
    pub to_add: Option<String>,
    /// New files that are not in the patch, because the source's `.gitignore` leaves them out.
    pub ignored: Vec<String>,
}

/// Saves what was changed in the work tree of the package that `words` name, as `[FARM] ATOM [KEY=VALUE]`. Further changes are told
/// from there.
///
/// # Errors
///
/// The user's: no work tree, nothing changed, no layer to put it in, or a patch in the way. Nothing is written then.
pub fn patch_save(setup: &Setup, words: &[String], options: &SaveOptions) -> Result<Saved, FarmError> {
    let words = PatchWords::parse(setup, words)?;
    let word = words.package()?;
    let loaded = load(setup, &words.workspace, &words.farm, &words.variables)?;
    let Some(binfarm) = &loaded.farm.binfarm else {
        let message = format!("{} has no `binfarm:`, so it has no packages to patch", words.farm);
        return Err(FarmError::input(message));
    };
    let _lock = locked(setup, &words.workspace)?;
    let tree = WorkTree::find(&words.workspace, &words.farm, word)?;
    let difference = tree.difference()?;
    let ignored = difference.ignored.clone();
    let text = difference.patch(&tree)?;
    let layer = layer(&words.farm, &used_layers(&loaded), options.layer.as_deref())?;
    let scope = match options.reach {
        Reach::Version => PatchScope::version(&tree.cpv),
        Reach::Slot => PatchScope::slot(&tree.cpv, &tree.slot),
        Reach::Any => PatchScope::any(&tree.cpv),
    };
    let name = file_name(options.name.as_deref().unwrap_or(tree.cpv.name.as_str()))?;
    let patches = saved::of_farm(&loaded, binfarm);
    refuse_same_name(&patches, &scope, &name)?;
    refuse_wrong_order(&patches, &tree, &name)?;
    let path = saved::folder(&layer, &scope).join(&name);
    write(&words.workspace.root, &path, &text)?;
    tree.saved(&name)?;
    Ok(Saved {
        farm: words.farm.clone(),
        path: path.into_string(),
        atom: scope.to_string(),
        to_add: to_add(&loaded, binfarm, &layer),
        ignored,
    })
}

/// The layers that a farm names, binfarm and subjects together.
fn used_layers(loaded: &Loaded) -> Vec<String> {
    loaded.layers.keys().cloned().collect()
}

/// The layer that a patch goes into.
fn layer(farm: &str, used: &[String], wanted: Option<&str>) -> Result<String, FarmError> {
    if let Some(wanted) = wanted {
        let sound = |part: &str| !part.is_empty() && !part.starts_with('.') && !part.contains(char::is_whitespace);
        return if wanted.split('/').all(sound) {
            Ok(wanted.to_owned())
        } else {
            Err(FarmError::input(format!("`{wanted}` cannot be the name of a layer")))
        };
    }
    if used.iter().any(|layer| layer == farm) {
        return Ok(farm.to_owned());
    }
    match used {
        [only] => Ok(only.clone()),
        [] => Err(FarmError::input(format!("{farm} has no configuration layer"))
            .hint(format!("`--layer {farm}` makes one, and says what the manifest needs"))),
        several => Err(
            FarmError::input(format!("which layer? {farm} has {}", several.join(", ")))
                .hint(format!("say it with --layer; `--layer {farm}` makes one of its own")),
        ),
    }
}

/// The name of a file that Portage takes for a patch, and that is applied in the order in which it reads.
fn file_name(name: &str) -> Result<String, FarmError> {
    let known = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '+' | '-');
    if !name.starts_with(|c: char| c.is_ascii_alphanumeric()) || !name.chars().all(known) {
        let message = format!("`{name}` cannot be the name of a patch");
        return Err(FarmError::input(message).hint("letters, digits, `.`, `_`, `+` and `-`, a letter or digit first"));
    }
    Ok(if is_patch(name) {
        name.to_owned()
    } else {
        format!("{name}.patch")
    })
}

/// Of two patches of one name Portage takes the more specific one and says nothing.
fn refuse_same_name(patches: &[SavedPatch], scope: &PatchScope, name: &str) -> Result<(), FarmError> {
    let other = patches
        .iter()
        .find(|patch| patch.file == name && patch.scope.can_meet(scope));
    let Some(other) = other else { return Ok(()) };
    let message = format!(
        "{} is there already: of two patches called {name}, Portage would apply one to a version that both are for",
        other.path()
    );
    Err(FarmError::input(message).hint(format!(
        "give this one another name with --name, or remove that one with `farm patch drop {} {name}`",
        other.scope
    )))
}

/// Patches are applied in the order of their names, and this one was made on top of the others.
fn refuse_wrong_order(patches: &[SavedPatch], tree: &WorkTree, name: &str) -> Result<(), FarmError> {
    let scopes: Vec<(String, &SavedPatch)> = patches
        .iter()
        .filter(|patch| patch.replaced_by.is_none())
        .map(|patch| (patch.scope.to_string(), patch))
        .collect();
    let files: Vec<PatchFile<'_>> = scopes
        .iter()
        .map(|(folder, patch)| PatchFile {
            folder,
            name: &patch.file,
            empty: patch.empty,
        })
        .collect();
    let applied = applied(&files, &tree.cpv, &tree.slot);
    let Some(last) = applied.last().filter(|last| last.name > name) else {
        return Ok(());
    };
    let stem = last.name.trim_end_matches(".patch").trim_end_matches(".diff");
    let message = format!(
        "{name} would be applied before {}, on top of which it was made: the order is that of the names",
        last.name
    );
    Err(FarmError::input(message).hint(format!(
        "take a name behind it, such as `--name {stem}_{}`",
        tree.cpv.name
    )))
}

/// Writes a patch where nothing is.
fn write(root: &Utf8Path, path: &Utf8PathBuf, text: &[u8]) -> Result<(), FarmError> {
    let file = root.join(path);
    if let Some(folder) = file.parent() {
        fs::create_dir_all(folder)?;
    }
    let mut opened = match fs::File::options().write(true).create_new(true).open(&file) {
        Err(error) if error.kind() == std::io::ErrorKind::AlreadyExists => {
            // In a layer that the farm does not use yet.
            let error = FarmError::input(format!("{path} is there already"));
            return Err(error.hint("give this one another name with --name, or remove that file"));
        }
        opened => opened?,
    };
    let written = opened.write_all(text).and_then(|()| opened.sync_all());
    if let Err(error) = written {
        // Half of a patch would be a mistake in every build.
        let _ = fs::remove_file(&file);
        return Err(error.into());
    }
    Ok(())
}

/// The change that a manifest needs that does not name the layer.
fn to_add(loaded: &Loaded, binfarm: &Binfarm, layer: &str) -> Option<String> {
    if loaded.layers.contains_key(layer) {
        return None;
    }
    Some(match binfarm.config.last() {
        Some(last) => {
            let place = loaded.sources.place(last.span);
            format!(
                "add `{layer}` to `config:` of `binfarm:`, behind `{}` ({place})",
                last.value
            )
        }
        None => {
            let place = loaded.sources.place(binfarm.span);
            format!("add `config: [{layer}]` to `binfarm:` ({place})")
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn patch(scope: &str, file: &str) -> SavedPatch {
        SavedPatch {
            layer: "common".to_owned(),
            scope: PatchScope::parse(scope).unwrap(),
            file: file.to_owned(),
            empty: false,
            replaced_by: None,
        }
    }

    fn tree() -> WorkTree {
        WorkTree {
            folder: "/nowhere".into(),
            name: "a/b-1".to_owned(),
            cpv: farm_portage::cpv::Cpv::parse("a/b-1").unwrap(),
            slot: "0".to_owned(),
        }
    }

    #[test]
    fn the_layer_is_the_farms_own_or_the_only_one() {
        let layer = |used: &[&str], wanted| {
            let used: Vec<String> = used.iter().map(|name| (*name).to_owned()).collect();
            super::layer("tiny", &used, wanted).map_err(|error| error.message)
        };
        assert_eq!(layer(&["common", "tiny"], None).unwrap(), "tiny");
        assert_eq!(layer(&["common"], None).unwrap(), "common");
        assert_eq!(layer(&["common"], Some("type/opt")).unwrap(), "type/opt");
        assert_eq!(layer(&["a", "b"], None).unwrap_err(), "which layer? tiny has a, b");
        assert_eq!(layer(&[], None).unwrap_err(), "tiny has no configuration layer");
        for wanted in ["", "../x", "/x", "a//b", "a b", "."] {
            assert!(layer(&["common"], Some(wanted)).is_err(), "{wanted}");
        }
    }

    #[test]
    fn names_are_those_of_plain_files() {
        assert_eq!(file_name("fix").unwrap(), "fix.patch");
        assert_eq!(file_name("0001-fix.patch").unwrap(), "0001-fix.patch");
        assert_eq!(file_name("fix.diff").unwrap(), "fix.diff");
        for name in ["", ".hidden", "-option", "a/b", "a b", "~x", "ü"] {
            assert!(file_name(name).is_err(), "{name}");
        }
    }

    #[test]
    fn a_name_is_there_once_for_every_version() {
        let scope = PatchScope::parse("a/b-1").unwrap();
        for other in ["a/b", "a/b:0", "a/b-1", "a/b-1-r3"] {
            let error = refuse_same_name(&[patch(other, "fix.patch")], &scope, "fix.patch").unwrap_err();
            assert!(error.message.contains("is there already"), "{other}: {error}");
        }
        for (other, file) in [("a/b-2", "fix.patch"), ("a/c", "fix.patch"), ("a/b", "other.patch")] {
            assert!(
                refuse_same_name(&[patch(other, file)], &scope, "fix.patch").is_ok(),
                "{other}"
            );
        }
    }

    #[test]
    fn a_patch_comes_behind_those_it_was_made_on() {
        let patches = [patch("a/b", "m.patch"), patch("a/b-2", "z.patch")];
        assert!(refuse_wrong_order(&patches, &tree(), "n.patch").is_ok());
        let error = refuse_wrong_order(&patches, &tree(), "b.patch").unwrap_err();
        assert_eq!(
            error.hint.as_deref(),
            Some("take a name behind it, such as `--name m_b`")
        );
        assert!(refuse_wrong_order(&patches, &tree(), "m_b.patch").is_ok());
    }
}
