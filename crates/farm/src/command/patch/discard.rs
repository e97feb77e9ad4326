//! `farm patch drop`: removes a saved patch, or a work tree.

use farm_portage::cpv::Cpv;
use farm_portage::user_patches::is_patch;
use fs_err as fs;

use super::super::{FarmError, Setup};
use super::saved::{self, SavedPatch};
use super::words::PatchWords;
use super::work_tree::WorkTree;
use super::{load, locked, remove_empty, shown};

/// What is gone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Dropped {
    /// A user patch: the file, relative to the workspace.
    Patch(String),
    /// A work tree: its folder, relative to the workspace.
    WorkTree(String),
}

/// Removes what `words` name, as `[FARM] ATOM [NAME] [KEY=VALUE]`: the user patch of this name, or the work tree. One with unsaved
/// changes goes only if `force` says so.
///
/// # Errors
///
/// The user's: nothing of the kind is there, several are meant, or changes would be lost.
pub fn patch_drop(setup: &Setup, words: &[String], force: bool) -> Result<Dropped, FarmError> {
    let words = PatchWords::parse(setup, words)?;
    if let [package, name] = words.rest.as_slice() {
        let _lock = locked(setup, &words.workspace)?;
        return drop_patch(setup, &words, package, name);
    }
    let word = words.package()?;
    let _lock = locked(setup, &words.workspace)?;
    let tree = WorkTree::find(&words.workspace, &words.farm, word)?;
    let folder = shown(&words.workspace, &tree.folder);
    if !force && tree.has_unsaved()? {
        return Err(FarmError::input(format!("{folder} has changes that are not saved"))
            .hint("save them with `farm patch save`, or throw them away with --force"));
    }
    tree.remove(&words.workspace)?;
    Ok(Dropped::WorkTree(folder))
}

fn drop_patch(setup: &Setup, words: &PatchWords, package: &str, name: &str) -> Result<Dropped, FarmError> {
    let loaded = load(setup, &words.workspace, &words.farm, &words.variables)?;
    let patches = match &loaded.farm.binfarm {
        Some(binfarm) => saved::of_farm(&loaded, binfarm),
        None => Vec::new(),
    };
    let patch = meant(&patches, package, name)?;
    let path = patch.path();
    let root = &words.workspace.root;
    let file = root.join(&path);
    fs::remove_file(&file)?;
    let layer = root.join("profiles").join(&patch.layer);
    if let Some(folder) = file.parent() {
        remove_empty(folder.as_std_path(), layer.as_std_path());
    }
    Ok(Dropped::Patch(path.into_string()))
}

/// The only patch of this name for a package: `CATEGORY/NAME`, `NAME`, or exactly what it is for.
fn meant<'a>(patches: &'a [SavedPatch], package: &str, name: &str) -> Result<&'a SavedPatch, FarmError> {
    let is_called =
        |patch: &SavedPatch| patch.file == name || (!is_patch(name) && patch.file == format!("{name}.patch"));
    let called: Vec<&SavedPatch> = patches.iter().filter(|patch| is_called(patch)).collect();
    let exactly = |patch: &&&SavedPatch| patch.scope.to_string() == package;
    // A version that somebody names means the patches for this version and for all.
    let cp = Cpv::parse(package.trim_start_matches(['=', '~'])).map_or_else(|_| package.to_owned(), |cpv| cpv.cp());
    let loosely = |patch: &&&SavedPatch| {
        let other = patch.scope.cp();
        other == cp || other.rsplit('/').next() == Some(&cp)
    };
    let mut found: Vec<&SavedPatch> = called.iter().filter(exactly).copied().collect();
    if found.is_empty() {
        found = called.iter().filter(loosely).copied().collect();
    }
    match found.as_slice() {
        [only] => Ok(only),
        [] => Err(FarmError::input(format!("there is no user patch {name} for {package}"))
            .hint("`farm patch list` lists them")),
        several => {
            let list: Vec<String> = several.iter().map(|patch| patch.path().into_string()).collect();
            Err(FarmError::input(format!(
                "{package} {name} means several user patches:\n  {}",
                list.join("\n  ")
            ))
            .hint("say exactly what it is for, such as `app-misc/leaf-1.0`, or remove the file by hand"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use farm_portage::user_patches::PatchScope;

    fn patch(scope: &str, file: &str) -> SavedPatch {
        SavedPatch {
            layer: "common".to_owned(),
            scope: PatchScope::parse(scope).unwrap(),
            file: file.to_owned(),
            empty: false,
            replaced_by: None,
        }
    }

    #[test]
    fn a_patch_goes_by_package_and_name() {
        let patches = [
            patch("a/b", "fix.patch"),
            patch("a/b-1", "other.patch"),
            patch("a/b-2", "other.patch"),
            patch("a/c", "other.diff"),
        ];
        let meant = |package, name| {
            let found = super::meant(&patches, package, name);
            found
                .map(|patch| format!("{}/{}", patch.scope, patch.file))
                .map_err(|error| error.message)
        };
        for package in ["a/b", "b", "a/b-7", "=a/b-7"] {
            assert_eq!(meant(package, "fix").unwrap(), "a/b/fix.patch", "{package}");
        }
        assert_eq!(meant("a/b-2", "other.patch").unwrap(), "a/b-2/other.patch");
        assert_eq!(meant("a/c", "other.diff").unwrap(), "a/c/other.diff");
        let several = meant("a/b", "other").unwrap_err();
        assert!(
            several.contains("several") && several.contains("a/b-1/other.patch"),
            "{several}"
        );
        assert!(meant("a/c", "fix").unwrap_err().contains("no user patch"));
        assert!(meant("a/c", "other").unwrap_err().contains("no user patch"));
    }
}
