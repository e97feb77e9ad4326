//! Gentoomuch: stage definitions, package sets, and `/etc/portage` trees that are laid over each other.
//!
//! Each processor definition, the global tree and each local tree become a layer; they are stacked in the order in which they were
//! merged. Flags hold for a whole farm, so that definitions with another processor, other local trees or another profile become
//! farms of their own over the same layers.

mod definitions;
mod manifest;

use std::collections::{BTreeMap, BTreeSet};

use camino::Utf8PathBuf;
use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::lines::{SetMember, parse_set};

use self::definitions::{Definitions, Named, Stage3, Stage4};
use crate::draft::Draft;
use crate::layer::{self, Layer};
use crate::lines::{self, LineFile};
use crate::report::NoteKind;
use crate::tree::{Entry, Files, Tree};
use crate::{ImportError, Imported, Options};

/// The set of the tools that the builder has.
const BUILDER: &str = "gentoomuch-builder";

/// Folders and files of earlier ages, of which Gentoomuch 1.0.0 has others.
const EARLIER: [&str; 7] = [
    "build.hooks",
    "kernel.defines",
    "patch.profiles",
    "profile.overrides",
    "stage.defines",
    "stages.build",
    "tuple.defines",
];

/// Definitions that can be one farm.
struct Group<'a> {
    farm: String,
    cpu: Option<&'a Named>,
    locals: &'a [Named],
    profile: String,
    stage3: Vec<&'a Stage3>,
    stage4: Vec<&'a Stage4>,
}

pub(crate) fn import(files: &Files, options: &Options) -> Result<Imported, ImportError> {
    let mut tree = Tree::new(files);
    let mut draft = Draft::new(options, files);
    let prefix = if tree.names("stage3.defines").is_empty() {
        "config/"
    } else {
        ""
    };
    let at = |path: &str| format!("{prefix}{path}");
    let Some(definitions) = Definitions::read(&mut draft, &mut tree, prefix) else {
        return Err(ImportError::Foreign {
            what: "Gentoomuch",
            missing: "stage3.defines/NAME",
        });
    };
    let groups = groups(&mut draft, &definitions, options);
    let mut layers = layers(&mut draft, &mut tree, prefix, options);
    patches(&mut draft, &mut tree, prefix, options, &mut layers);

    let sets: BTreeMap<String, String> = sets(&mut draft, &mut tree, &at("package.sets"));
    nested_sets(&sets, options, &mut layers);
    let mut farms = Vec::new();
    for group in &groups {
        let order = order(group, options, &layers, &mut draft);
        layer::settle(&mut draft, &mut layers, &order);
        let mut writer = manifest::Context {
            draft: &mut draft,
            tree: &mut tree,
            prefix,
            arch: &definitions.arch,
            sets: &sets,
        };
        let text = writer.write(group, &order);
        draft.put(format!("farms/{}/farm.yaml", group.farm), Entry::text(text));
        farms.push(group.farm.clone());
    }
    unused(&mut draft, prefix, &definitions, &sets, &layers, &groups, options);
    for layer in layers.into_values() {
        layer.put(&mut draft);
    }
    for folder in EARLIER {
        let whole = at(folder);
        let mut found: Vec<String> = tree
            .take_below(&whole)
            .iter()
            .map(|(path, _, _)| path.to_string())
            .collect();
        if tree.take(&whole).is_some() {
            found.push(whole);
        }
        for path in found {
            let advice = "Gentoomuch 1.0.0 has no such file: see whether a layer, a script or a stage of the farm should have it";
            draft.note(NoteKind::LeftOut, &path, None, "is of an earlier Gentoomuch", advice);
        }
    }
    let place = at("package.sets");
    draft.names.tell(&place, &mut draft.report);
    Ok(draft.finish(&tree, farms))
}

/// Puts together what can be one farm.
fn groups<'a>(draft: &mut Draft, definitions: &'a Definitions, options: &Options) -> Vec<Group<'a>> {
    let mut groups: Vec<Group<'a>> = Vec::new();
    for stage3 in &definitions.stage3 {
        let stage4: Vec<&Stage4> = definitions
            .stage4
            .iter()
            .filter(|stage4| stage4.stage3.name == stage3.name)
            .collect();
        let mut profiles: Vec<String> = stage4
            .iter()
            .map(|stage4| stage4.portage_profile(draft, &definitions.arch))
            .collect();
        if profiles.is_empty() {
            profiles.push(definitions.portage_profile(draft));
        }
        let distinct: BTreeSet<&String> = profiles.iter().collect();
        for profile in distinct {
            let of_profile = stage4.iter().zip(&profiles).filter(|(_, other)| *other == profile);
            let of_profile: Vec<&Stage4> = of_profile.map(|(stage4, _)| *stage4).collect();
            let cpu = stage3.cpu.as_ref();
            let same = groups.iter_mut().find(|group| {
                group.profile == *profile
                    && group.cpu.map(|cpu| &cpu.name) == cpu.map(|cpu| &cpu.name)
                    && group
                        .locals
                        .iter()
                        .map(|local| &local.name)
                        .eq(stage3.locals.iter().map(|local| &local.name))
            });
            match same {
                Some(group) => {
                    group.stage3.push(stage3);
                    group.stage4.extend(of_profile);
                }
                None => groups.push(Group {
                    farm: options.name.clone(),
                    cpu,
                    locals: &stage3.locals,
                    profile: profile.clone(),
                    stage3: vec![stage3],
                    stage4: of_profile,
                }),
            }
        }
    }
    if groups.len() > 1 {
        let mut names = BTreeSet::new();
        for group in &mut groups {
            let first = group.stage3.first().map_or("", |stage3| stage3.name.as_str());
            let wanted = format!("{}-{first}", options.name);
            let mut name = wanted.clone();
            let mut number = 2;
            while !names.insert(name.clone()) {
                name = format!("{wanted}-{number}");
                number += 1;
            }
            group.farm = name;
            let file = group.stage3.first().map_or("", |stage3| stage3.folder.as_str());
            let message = "has another processor, other local trees or another profile than other definitions";
            draft.note(
                NoteKind::Changed,
                file,
                None,
                message,
                format!("it is in the farm `{}`: flags hold for a whole farm", group.farm),
            );
        }
    }
    groups
}

/// Makes a layer of every `/etc/portage` tree.
fn layers(draft: &mut Draft, tree: &mut Tree<'_>, prefix: &str, options: &Options) -> BTreeMap<String, Layer> {
    let mut found = BTreeMap::new();
    let mut folders = vec![(format!("{prefix}portage.global"), layer_name(options, "global", ""))];
    for (kind, parent) in [("cpu", "cpu.defines"), ("local", "portage.locals")] {
        let parent = format!("{prefix}{parent}");
        for name in tree.names(&parent) {
            folders.push((format!("{parent}/{name}"), layer_name(options, kind, name)));
        }
    }
    for (folder, name) in folders {
        let files = tree.take_below(&folder);
        let layer = layer::make(draft, tree, &name, &files);
        if !layer.files.is_empty() {
            found.insert(name, layer);
        }
    }
    found
}

fn layer_name(options: &Options, kind: &str, name: &str) -> String {
    let gap = if name.is_empty() { "" } else { "-" };
    format!("{}/{kind}{gap}{name}", options.name)
}

/// The layers of a farm in the order in which the trees were merged.
fn order(group: &Group<'_>, options: &Options, layers: &BTreeMap<String, Layer>, draft: &mut Draft) -> Vec<String> {
    let mut names = Vec::new();
    if let Some(cpu) = group.cpu {
        names.push((layer_name(options, "cpu", &cpu.name), Some(cpu)));
    }
    names.push((layer_name(options, "global", ""), None));
    names.push((layer_name(options, "sets", ""), None));
    names.extend(
        group
            .locals
            .iter()
            .map(|local| (layer_name(options, "local", &local.name), Some(local))),
    );
    names.push((layer_name(options, "patches", ""), None));
    let mut found = Vec::new();
    for (name, named) in names {
        if layers.contains_key(&name) {
            found.push(name);
        } else if let Some(named) = named {
            let message = format!("there is no folder of the name `{}`, or nothing in it", named.name);
            draft.note(
                NoteKind::LeftOut,
                &named.file,
                named.line,
                message,
                "take the line out, or make the layer and name it under `config`",
            );
        }
    }
    found
}

/// Reads the package sets. What Portage would not take of them, and what stands in them twice, becomes a comment.
fn sets(draft: &mut Draft, tree: &mut Tree<'_>, folder: &str) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (source, inside, entry) in tree.take_below(folder) {
        let file = source.as_str();
        let Some(text) = entry.as_text().filter(|_| !inside.as_str().contains('/')) else {
            draft.note(
                NoteKind::LeftOut,
                file,
                None,
                "is no file of a set",
                "a set is a file of lines",
            );
            continue;
        };
        let text = lines::taken(draft, LineFile::Set, file, text);
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let members: BTreeMap<usize, String> = parse_set(&text)
            .entries
            .into_iter()
            .map(|entry| (entry.place.line, entry.member.to_string()))
            .collect();
        let mut kept = String::new();
        for (index, line) in text.lines().enumerate() {
            match members
                .get(&(index + 1))
                .map(|member| (member, seen.get(member).copied()))
            {
                Some((member, Some(first))) => {
                    draft.note(
                        NoteKind::LeftOut,
                        file,
                        index + 1,
                        format!("`{member}` stands here again"),
                        format!("line {first} has it already"),
                    );
                    kept.push_str("# again: ");
                }
                Some((member, None)) => {
                    seen.insert(member.clone(), index + 1);
                }
                None => {}
            }
            kept.push_str(line);
            kept.push('\n');
        }
        if seen.is_empty() {
            draft.note(
                NoteKind::LeftOut,
                file,
                None,
                "the set has no members",
                "a subject needs a member",
            );
            continue;
        }
        found.insert(inside.to_string(), kept);
    }
    found
}

/// Sets that other sets name must be where Portage looks for them.
fn nested_sets(sets: &BTreeMap<String, String>, options: &Options, layers: &mut BTreeMap<String, Layer>) {
    let mut layer = Layer {
        name: layer_name(options, "sets", ""),
        ..Layer::default()
    };
    for text in sets.values() {
        for entry in parse_set(text).entries {
            if let SetMember::Set(name) = entry.member
                && let Some(named) = sets.get(name.as_str())
            {
                let path = format!("sets/{}", name.as_str());
                layer.files.insert(path, (String::new(), Entry::text(named.clone())));
            }
        }
    }
    if !layer.files.is_empty() {
        layers.insert(layer.name.clone(), layer);
    }
}

/// Takes the saved patches: `user.patches/PATCH/CATEGORY/NAME-VERSION/FILE`.
fn patches(
    draft: &mut Draft,
    tree: &mut Tree<'_>,
    prefix: &str,
    options: &Options,
    layers: &mut BTreeMap<String, Layer>,
) {
    let mut layer = Layer {
        name: layer_name(options, "patches", ""),
        ..Layer::default()
    };
    let mut of_package: BTreeMap<String, String> = BTreeMap::new();
    for (source, inside, entry) in tree.take_below(&format!("{prefix}user.patches")) {
        let file = source.as_str();
        let parts: Vec<&str> = inside.as_str().split('/').collect();
        let atom = match parts[..] {
            [_, category, package, patch] if patch.ends_with(".patch") || patch.ends_with(".diff") => {
                Atom::parse(&format!("={category}/{package}"), AtomSyntax::EBUILD).ok()
            }
            _ => None,
        };
        let Some(atom) = atom else {
            let advice = "Portage applies `patches/CATEGORY/NAME-VERSION/FILE.patch`; put it there in a layer";
            draft.note(
                NoteKind::LeftOut,
                file,
                None,
                "is no patch for a version of a package",
                advice,
            );
            continue;
        };
        let atom = draft
            .names
            .today(&atom, file, 1, &mut draft.report)
            .map_or(atom, |renamed| renamed.atom);
        let package = atom.to_string().trim_start_matches('=').to_owned();
        let name = parts.last().copied().unwrap_or_default();
        let path = format!("patches/{package}/{name}");
        if let Some(earlier) = of_package.insert(package, file.to_owned()) {
            let advice =
                "Gentoomuch stopped at two patches of one version; Portage applies both in the order of their names";
            draft.note(
                NoteKind::Look,
                file,
                None,
                format!("{earlier} patches the same version"),
                advice,
            );
        }
        let taken = (file.to_owned(), entry.clone());
        if layer.files.contains_key(&path) {
            let other = format!(
                "patches/{}/{}-{name}",
                path.split('/').skip(1).take(2).collect::<Vec<_>>().join("/"),
                parts[0]
            );
            layer.files.insert(other, taken);
        } else {
            layer.files.insert(path, taken);
        }
    }
    if !layer.files.is_empty() {
        layers.insert(layer.name.clone(), layer);
    }
}

/// Tells of what no definition names.
fn unused(
    draft: &mut Draft,
    prefix: &str,
    definitions: &Definitions,
    sets: &BTreeMap<String, String>,
    layers: &BTreeMap<String, Layer>,
    groups: &[Group<'_>],
    options: &Options,
) {
    let named = |name: &str| {
        definitions
            .stage3
            .iter()
            .any(|stage3| stage3.sets.iter().any(|set| set.name == name))
    };
    for name in sets.keys().filter(|name| *name != BUILDER && !named(name)) {
        let path = format!("{prefix}package.sets/{name}");
        let nested = layers
            .get(&layer_name(options, "sets", ""))
            .is_some_and(|layer| layer.files.contains_key(&format!("sets/{name}")));
        if nested {
            continue;
        }
        let advice = "copy it beside the manifest and make it a subject: `packages: sets/NAME`";
        draft.note(NoteKind::LeftOut, &path, None, "no stage names the set", advice);
    }
    for name in layers.keys() {
        let used = |prefix: &str, named: &Named| layer_name(options, prefix, &named.name) == *name;
        let is_used = groups.iter().any(|group| {
            group.cpu.is_some_and(|cpu| used("cpu", cpu)) || group.locals.iter().any(|local| used("local", local))
        });
        let optional = [layer_name(options, "cpu", "x"), layer_name(options, "local", "x")]
            .iter()
            .any(|pattern| name.starts_with(pattern.trim_end_matches('x')));
        if optional && !is_used {
            let path: Utf8PathBuf = format!("profiles/{name}").into();
            let advice = format!("it is in {path}; name the layer under `config` of a farm that should have it");
            let source = layers[name].files.values().next().map_or("", |(source, _)| source);
            draft.note(
                NoteKind::Look,
                source,
                None,
                "no definition names the tree that this file is in",
                advice,
            );
        }
    }
}
