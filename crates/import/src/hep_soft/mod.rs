//! HEP-Soft: sets in YAML, two literal roots, a Makefile and Docker build contexts.
//!
//! Its last image had one `/etc/portage`: what the literal roots have there, the second over the first, and the files that were
//! rendered from the presets. So the literal files become one layer, and the presets become `binfarm.packages` and the subjects.

mod makefile;
mod manifest;
mod recipes;
mod settle;
mod spec;

use std::collections::BTreeMap;

use camino::{Utf8Path, Utf8PathBuf};

use self::makefile::Makefile;
use self::recipes::Dockerfile;
use self::spec::{Package, Spec};
use crate::draft::Draft;
use crate::layer::{self, Layer};
use crate::report::NoteKind;
use crate::tree::{Entry, Files, Tree};
use crate::{ImportError, Imported, Options, repositories, yaml};

/// Where the presets are.
const PRESETS: &str = "presets";
/// The context of the image that everything is built in.
const BINFARM: &str = "binfarm";
const MAKEFILE: &str = "Makefile";

/// Everything that the manifest is written from.
struct Parts {
    name: String,
    makefile: Makefile,
    binfarm: Dockerfile,
    /// Name and folder, relative to that of the manifest, or the address of a git repository.
    repos: Vec<(String, Source)>,
    has_root: bool,
    has_layer: bool,
    /// That of the binfarm first.
    specs: Vec<Spec>,
}

/// Where a repository comes from.
enum Source {
    Folder(String),
    Git(String),
}

pub(crate) fn import(files: &Files, options: &Options) -> Result<Imported, ImportError> {
    let mut tree = Tree::new(files);
    let mut draft = Draft::new(options, files);
    let contexts = contexts(&tree);
    if contexts.is_empty() {
        return Err(ImportError::Foreign {
            what: "HEP-Soft",
            missing: "presets/spec-NAME.yaml",
        });
    }
    let makefile_text = tree.take_text(MAKEFILE).unwrap_or_default();
    let makefile = Makefile::parse(makefile_text);
    makefile.tell(&mut draft, MAKEFILE);

    let mut specs = Vec::new();
    for context in &contexts {
        let file = format!("{PRESETS}/spec-{context}.yaml");
        specs.push(match tree.take_text(&file) {
            Some(text) => spec::read(&mut draft, &file, yaml::parse(&file, text)?),
            None => Spec::default(),
        });
    }
    let mut repos = own_repositories(&mut draft, &mut tree, files, options);
    let recipes = Recipes::read(&mut draft, &mut tree, &contexts);
    let layer = literal_files(&mut draft, &mut tree, options, &contexts, &recipes.removed);
    let layer = without_rendered(&mut draft, layer, &specs);

    for section in &layer.repos {
        let known = section.name == "gentoo" || repos.iter().any(|(name, _)| *name == section.name);
        if known {
            continue;
        }
        if section.sync_type == "git" && !section.sync_uri.is_empty() {
            repos.push((section.name.clone(), Source::Git(section.sync_uri.clone())));
        } else {
            let message = format!("the repository `{}` is not in the folder", section.name);
            let advice = "name it under `binfarm.repos`: `{ path: FOLDER }` or `{ git: ADDRESS }`";
            draft.note(NoteKind::LeftOut, &section.file, section.line, message, advice);
        }
    }
    submodules(&mut draft, &mut tree, &mut repos);

    let (first, later) = specs.split_at_mut(1);
    for later in later.iter() {
        settle::overwritten(&mut draft, &mut first[0], later);
    }
    settle::contradictions(&mut draft, &mut specs, &layer.flags());
    for spec in &mut specs {
        let file = spec.file.clone();
        for member in spec.sets.iter_mut().flat_map(|set| &mut set.members) {
            known_environments(&mut draft, &file, &layer, member);
        }
    }

    let parts = Parts {
        name: options.name.clone(),
        makefile,
        binfarm: recipes.binfarm,
        repos,
        has_root: draft.files.keys().any(|path| path.starts_with(root_folder(options))),
        has_layer: !layer.files.is_empty(),
        specs,
    };
    layer.put(&mut draft);
    draft.names.tell(PRESETS, &mut draft.report);
    let text = manifest::write(&mut draft, &parts);
    draft.put(format!("farms/{}/farm.yaml", options.name), Entry::text(text));
    Ok(draft.finish(&tree, vec![options.name.clone()]))
}

fn root_folder(options: &Options) -> Utf8PathBuf {
    Utf8PathBuf::from(format!("farms/{}/root.d", options.name))
}

/// The contexts that have presets, that of the binfarm first; it is there even without.
fn contexts(tree: &Tree<'_>) -> Vec<String> {
    let names = tree.names(PRESETS);
    let named = names
        .iter()
        .filter_map(|name| name.strip_prefix("spec-")?.strip_suffix(".yaml"));
    let others: Vec<String> = named.filter(|name| *name != BINFARM).map(str::to_owned).collect();
    if others.is_empty() && !names.contains("spec-binfarm.yaml") {
        return Vec::new();
    }
    [vec![BINFARM.to_owned()], others].concat()
}

/// Takes the repositories that lie in the folder.
fn own_repositories(draft: &mut Draft, tree: &mut Tree<'_>, files: &Files, options: &Options) -> Vec<(String, Source)> {
    let mut found: Vec<(String, Source)> = Vec::new();
    for (folder, name) in repositories::folders(files) {
        if found.iter().any(|(known, _)| *known == name) {
            let advice = "two folders hold a repository of this name; the first one is taken";
            draft.note(
                NoteKind::LeftOut,
                folder.as_str(),
                None,
                format!("the repository `{name}` again"),
                advice,
            );
            continue;
        }
        for (source, inside, entry) in tree.take_below(folder.as_str()) {
            // In a submodule `.git` is a file.
            if !inside.as_str().starts_with(".git") {
                let path = format!("farms/{}/overlay/{name}/{inside}", options.name);
                draft.put_literal(path.into(), source, entry);
            }
        }
        found.push((name.clone(), Source::Folder(format!("overlay/{name}"))));
    }
    found
}

/// Submodules whose folder is empty: a clone without them.
fn submodules(draft: &mut Draft, tree: &mut Tree<'_>, repos: &mut Vec<(String, Source)>) {
    let text = tree.take_text(".gitmodules").unwrap_or_default();
    let mut path: Option<(&str, usize)> = None;
    for (index, line) in text.lines().enumerate() {
        let (key, value) = line.split_once('=').unwrap_or_default();
        match key.trim() {
            "path" => path = Some((value.trim(), index + 1)),
            "url" => {
                let Some((folder, number)) = path.take() else { continue };
                let name = folder.rsplit('/').next().unwrap_or(folder);
                if tree.names(folder).is_empty() && !repos.iter().any(|(known, _)| known == name) {
                    let message = format!("the submodule {folder} is not there");
                    let advice = "farm fetches it by itself as a git repository, pinned in farm.lock";
                    draft.note(NoteKind::Changed, ".gitmodules", number, message, advice);
                    repos.push((name.to_owned(), Source::Git(value.trim().to_owned())));
                }
            }
            _ => {}
        }
    }
}

/// What Dockerfiles and scripts say.
struct Recipes {
    binfarm: Dockerfile,
    /// Files of `/etc/portage` that are gone in the end, with the script and the line.
    removed: Vec<(String, String, usize)>,
}

impl Recipes {
    fn read(draft: &mut Draft, tree: &mut Tree<'_>, contexts: &[String]) -> Self {
        let mut recipes = Self {
            binfarm: Dockerfile::default(),
            removed: Vec::new(),
        };
        for context in contexts {
            let folder = format!("context.{context}.d");
            for (path, inside, entry) in tree.take_below(&folder) {
                let (file, text) = (path.as_str(), entry.as_text().unwrap_or_default());
                if inside == "Dockerfile" {
                    let read = recipes::dockerfile(draft, file, text);
                    if context == BINFARM {
                        recipes.binfarm = read;
                    }
                } else if inside.extension() == Some("sh") {
                    recipes::script(draft, file, text);
                    let removed = recipes::removed(text).into_iter();
                    recipes
                        .removed
                        .extend(removed.map(|(path, line)| (path, file.to_owned(), line)));
                } else if inside != "root.d.tar" {
                    let advice = "put it into the literal root, or make a task of what it does";
                    draft.note(NoteKind::LeftOut, file, None, "a file of a Docker context", advice);
                }
            }
        }
        for (path, inside, entry) in tree.take_below("exec") {
            match inside.as_str() {
                // What they did, the manifest and farm itself do.
                "gen_subtree.py" | "hepsoft.sh" => {
                    let advice = "farm renders the configuration from the manifest; see whether somebody changed it";
                    draft.note(NoteKind::LeftOut, path.as_str(), None, "HEP-Soft's own program", advice);
                }
                _ => recipes::script(draft, path.as_str(), entry.as_text().unwrap_or_default()),
            }
        }
        for (path, _, _) in tree.take_below("srv") {
            let advice =
                "`farm serve` hands packages out; a server of your own serves the folder that `publish.pkgs` fills";
            draft.note(
                NoteKind::LeftOut,
                path.as_str(),
                None,
                "configures the package server",
                advice,
            );
        }
        recipes
    }
}

/// Takes the literal roots: what is in `/etc/portage` becomes the layer, all else the root's files.
fn literal_files(
    draft: &mut Draft,
    tree: &mut Tree<'_>,
    options: &Options,
    contexts: &[String],
    removed: &[(String, String, usize)],
) -> Layer {
    let mut settings: BTreeMap<&Utf8Path, (&Utf8Path, &Entry)> = BTreeMap::new();
    let mut root: BTreeMap<&Utf8Path, (&Utf8Path, &Entry)> = BTreeMap::new();
    let overwritten = "the file of the same name in a later root was laid over it, and counts alone";
    for context in contexts {
        for (source, inside, entry) in tree.take_below(&format!("root.{context}.d")) {
            let (into, inside) = match inside.strip_prefix("etc/portage") {
                Ok(inside) => (&mut settings, inside),
                Err(_) => (&mut root, inside),
            };
            if let Some((before, _)) = into.insert(inside, (source, entry))
                && before.file_name() != Some(".keep")
            {
                draft.note(NoteKind::LeftOut, before.as_str(), None, "is in two roots", overwritten);
            }
        }
    }
    for (inside, (source, entry)) in root {
        if inside.starts_with("var/db/repos") {
            if inside.file_name() != Some(".keep") {
                let advice = "repositories are no part of the root; name it under `binfarm.repos` if it is one";
                draft.note(
                    NoteKind::LeftOut,
                    source.as_str(),
                    None,
                    "lies among the repositories",
                    advice,
                );
            }
        } else {
            draft.put_literal(root_folder(options).join(inside), source, entry);
        }
    }
    for (path, script, line) in removed {
        if let Some((source, _)) = settings.remove(Utf8Path::new(path)) {
            let advice =
                "it helped while the root was made, and is no part of the configuration; farm's base is not built anew";
            draft.note(
                NoteKind::LeftOut,
                source.as_str(),
                None,
                format!("{script}:{line} removed it in the end"),
                advice,
            );
        }
    }
    if let Some((source, _)) = settings.remove(Utf8Path::new("make.conf")) {
        let advice = "HEP-Soft wrote its own make.conf over it; put what is meant into the layer";
        draft.note(
            NoteKind::LeftOut,
            source.as_str(),
            None,
            "never reached an image",
            advice,
        );
    }
    let files: Vec<_> = settings
        .into_iter()
        .map(|(inside, (source, entry))| (source, inside, entry))
        .collect();
    layer::make(draft, tree, &options.name, &files)
}

/// What rendering made of the literal files: sets of the same name were written over, and a file where a folder had to be stopped it.
fn without_rendered(draft: &mut Draft, mut layer: Layer, specs: &[Spec]) -> Layer {
    let sets: Vec<&str> = specs
        .iter()
        .flat_map(|spec| &spec.sets)
        .map(|set| set.name.as_str())
        .collect();
    let mut gone = Vec::new();
    for (inside, (source, _)) in &layer.files {
        if let Some(name) = inside.strip_prefix("sets/") {
            if sets.contains(&name) {
                gone.push(inside.clone());
                let advice = "the presets have a set of this name, which was written over it";
                draft.note(NoteKind::LeftOut, source, None, format!("the set `{name}`"), advice);
            } else {
                let message = format!("the set `{name}` was never built: only the sets of the presets were");
                let advice =
                    format!("it is `@{name}` in the layer; to build it, make a subject with `packages: [\"@{name}\"]`");
                draft.note(NoteKind::Look, source, None, message, advice);
            }
        }
        let kinds = [
            "package.use",
            "package.accept_keywords",
            "package.license",
            "package.mask",
            "package.env",
        ];
        if kinds.contains(&inside.as_str()) {
            let advice = "both are in the farm: this file in the layer, and what the presets say in the manifest";
            let message =
                "is a file where HEP-Soft needed a folder, and stopped if the presets said something of the kind";
            draft.note(NoteKind::Changed, source, None, message, advice);
        }
    }
    for inside in gone {
        layer.files.remove(&inside);
    }
    layer
}

/// Drops what names a file of `env/` that is not there.
fn known_environments(draft: &mut Draft, file: &str, layer: &Layer, package: &mut Package) {
    package.env.retain(|word| {
        let known = layer.has_env(&word.text);
        if !known {
            let message = format!("no root has the file etc/portage/env/{} or {0}.conf", word.text);
            draft.note(
                NoteKind::LeftOut,
                file,
                word.line,
                message,
                "Portage stops at such a line; write the file into the layer, and name it again",
            );
        }
        known
    });
    for dep in &mut package.deps {
        known_environments(draft, file, layer, dep);
    }
    package.deps.retain(|dep| !dep.sets_nothing() || !dep.deps.is_empty());
}
