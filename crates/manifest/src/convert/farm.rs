//! The top of the manifest.

use std::collections::BTreeMap;

use camino::Utf8PathBuf;
use farm_portage::name::{Category, PackageName};

use super::binfarm::{binfarm, layer_names};
use super::image::images;
use super::packages::packages;
use super::publish::publish;
use super::reference::no_login;
use super::secret::secrets;
use super::stage::stages;
use super::task::tasks;
use crate::keys::{DISTFILES, FARM, LIVE_CHECKOUT, SUBJECT};
use crate::model::{Distfiles, Farm, LiveCheckout, NotYet, Publish, Rebuild, Subject, Variable};
use crate::near;
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Key, Kind, Node};

/// Reads the whole manifest; `None` where so little of it could be read that nothing can be said about the rest.
pub(crate) fn farm(
    reader: &mut Reader<'_>,
    node: &Node,
    name: &str,
    variables: BTreeMap<String, Variable>,
) -> Option<Farm> {
    let mut fields = reader.fields(node, &FARM, "the manifest")?;
    let farm_name = fields.take("farm").and_then(|node| farm_name(reader, node, name));
    // Read before the tree was expanded.
    for read_before in ["include", "vars"] {
        fields.take(read_before);
    }
    let flavour = match fields.take("flavour") {
        Some(node) => flavour(reader, node),
        None => Some(Spanned::new("default".to_owned(), node.span)),
    };
    let matrix = fields
        .take("matrix")
        .map(|node| matrix(reader, node, &variables))
        .unwrap_or_default();
    let rebuild = fields
        .take("rebuild")
        .map(|node| rebuild(reader, node))
        .unwrap_or_default();
    let binfarm_key = fields.key_span("binfarm");
    let binfarm = fields.take("binfarm").and_then(|node| binfarm(reader, node));
    let subjects = fields
        .take("subjects")
        .map(|node| subjects(reader, node))
        .unwrap_or_default();
    let images = fields
        .take("images")
        .map(|node| images(reader, node))
        .unwrap_or_default();
    let kernels = fields
        .take("kernels")
        .map(|node| not_yet(reader, node, "`kernels`"))
        .unwrap_or_default();
    let stages = fields
        .take("stages")
        .map(|node| stages(reader, node))
        .unwrap_or_default();
    let disks = fields
        .take("disks")
        .map(|node| not_yet(reader, node, "`disks`"))
        .unwrap_or_default();
    let tasks = fields.take("tasks").map(|node| tasks(reader, node)).unwrap_or_default();
    let publish = match (fields.take("publish"), &flavour) {
        (Some(node), Some(flavour)) => publish(reader, node, flavour, &tasks, &images),
        _ => Publish::default(),
    };
    let live = fields.take("live").map(|node| live(reader, node)).unwrap_or_default();
    let distfiles = fields
        .take("distfiles")
        .map(|node| distfiles(reader, node))
        .unwrap_or_default();
    let secrets = fields
        .take("secrets")
        .map(|node| secrets(reader, node))
        .unwrap_or_default();
    let resolve = fields
        .take("resolve")
        .map(|node| resolve(reader, node))
        .unwrap_or_default();
    if binfarm_key.is_none()
        && let Some(subject) = subjects.first()
    {
        reader
            .error(subject.name.span, "there are subjects, and no `binfarm` to build them")
            .help = Some("say what everything starts from: `binfarm: { base: ... }`".to_owned());
    }
    fields.finish();
    Some(Farm {
        name: farm_name?,
        folder: Utf8PathBuf::from(format!("farms/{name}")),
        variables,
        flavour: flavour?,
        matrix,
        rebuild,
        binfarm,
        subjects,
        images,
        kernels,
        stages,
        disks,
        tasks,
        publish,
        live,
        distfiles,
        secrets,
        resolve,
    })
}

fn farm_name(reader: &mut Reader<'_>, node: &Node, folder: &str) -> Option<Spanned<String>> {
    let name = reader.text(node, "`farm`")?;
    if name.value != folder {
        reader
            .error(
                name.span,
                format!("this farm calls itself `{}`, and its folder is `{folder}`", name.value),
            )
            .help = Some(format!("write `farm: {folder}`, or rename the folder"));
    }
    Some(name)
}

/// The flavour becomes a folder of the binhost and the tag of images, so that it may hold only what both take.
fn flavour(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let flavour = reader.text(node, "`flavour`")?;
    let valid = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
    if flavour.value.starts_with(['.', '-']) || flavour.value.len() > 128 || !flavour.value.chars().all(valid) {
        reader.error(flavour.span, format!("`{}` cannot be a flavour", flavour.value)).help = Some(
            "it names a folder and the tags of images: letters, digits, `_`, `.` and `-`, at most 128, the first no `.` or `-`"
                .to_owned(),
        );
        return None;
    }
    Some(flavour)
}

fn matrix(
    reader: &mut Reader<'_>,
    node: &Node,
    variables: &BTreeMap<String, Variable>,
) -> BTreeMap<String, Vec<Spanned<String>>> {
    let mut matrix = BTreeMap::new();
    for Entry { key, value } in reader.entries(node, "`matrix`") {
        if !variables.contains_key(&key.text) {
            let help = near::suggestion(&key.text, variables.keys().map(String::as_str));
            reader
                .error(
                    key.span,
                    format!("`matrix` names the variable `{}`, which is not declared", key.text),
                )
                .help = help;
        }
        let values = reader.texts(value, &format!("`{}`", key.text));
        if values.is_empty() {
            reader.error(value.span, format!("`{}` of `matrix` has no values", key.text));
        }
        matrix.insert(key.text.clone(), values);
    }
    matrix
}

fn rebuild(reader: &mut Reader<'_>, node: &Node) -> Rebuild {
    let shape = FARM.key("rebuild").map_or(&crate::keys::Shape::Text, |key| key.shape);
    match reader.word(node, shape, "`rebuild`") {
        Some("abi") => Rebuild::Abi,
        Some("portage") => Rebuild::Portage,
        _ => Rebuild::Exact,
    }
}

fn subjects(reader: &mut Reader<'_>, node: &Node) -> Vec<Subject> {
    reader
        .entries(node, "`subjects`")
        .iter()
        .filter_map(|Entry { key, value }| subject(reader, key, value))
        .collect()
}

/// What plans for the root are called beside those of subjects.
const OF_THE_ROOT: [&str; 3] = ["bootstrap", "toolchain", "update"];

fn subject(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<Subject> {
    let name = reader.name(key, "a subject");
    if OF_THE_ROOT.contains(&key.text.as_str()) {
        reader
            .error(key.span, format!("a subject cannot be called `{}`", key.text))
            .help = Some(format!(
            "that is what the plan of `binfarm: {}` is called; choose another name",
            key.text
        ));
    }
    if node.is_null() || matches!(&node.kind, Kind::Mapping(entries) if entries.is_empty()) {
        reader
            .error(key.span, format!("the subject `{}` is empty", key.text))
            .help = Some("name its `packages`, or leave it out".to_owned());
        return None;
    }
    let mut fields = reader.fields(node, &SUBJECT, &format!("the subject `{}`", key.text))?;
    let needs = fields
        .take("needs")
        .map(|node| reader.texts(node, "`needs`"))
        .unwrap_or_default();
    let config = fields
        .take("config")
        .map(|node| layer_names(reader, node))
        .unwrap_or_default();
    let written = fields.key_span("packages");
    let before = reader.diagnostics.len();
    let packages = fields
        .take("packages")
        .map(|node| packages(reader, node, "`packages`"))
        .unwrap_or_default();
    if let Some(span) = written
        && packages.members().next().is_none()
        && packages.set_file.is_none()
        && reader.diagnostics.len() == before
    {
        reader
            .error(span, format!("the subject `{}` has no packages", key.text))
            .help = Some("name at least one, or leave the subject out".to_owned());
    }
    fields.finish();
    Some(Subject {
        name,
        needs,
        config,
        packages,
    })
}

/// Takes the names of things that are not built yet, without looking at what they are.
fn not_yet(reader: &mut Reader<'_>, node: &Node, context: &str) -> Vec<NotYet> {
    let entries = reader.entries(node, context);
    entries
        .iter()
        .map(|entry| NotYet {
            name: reader.name(&entry.key, "this").value,
            span: entry.key.span,
        })
        .collect()
}

fn live(reader: &mut Reader<'_>, node: &Node) -> Vec<LiveCheckout> {
    let entries = reader.entries(node, "`live`");
    let mut found = Vec::new();
    for Entry { key, value } in entries {
        let context = format!("`{}`", key.text);
        if !is_package(&key.text) {
            reader.error(key.span, format!("{context} is no package")).help =
                Some("write it as CATEGORY/NAME, without a version".to_owned());
            continue;
        }
        let Some(mut fields) = reader.fields(value, &LIVE_CHECKOUT, &context) else {
            continue;
        };
        if let Some(path) = fields.take("path").and_then(|node| reader.text(node, "`path`")) {
            let path = reader.any_path(&path);
            let package = Spanned::new(key.text.clone(), key.span);
            found.push(LiveCheckout { package, path });
        }
        fields.finish();
    }
    found
}

/// Whether a text is `CATEGORY/NAME`.
fn is_package(text: &str) -> bool {
    let names = text.split_once('/');
    names.is_some_and(|(category, name)| Category::parse(category).is_ok() && PackageName::parse(name).is_ok())
}

fn distfiles(reader: &mut Reader<'_>, node: &Node) -> Distfiles {
    let Some(mut fields) = reader.fields(node, &DISTFILES, "`distfiles`") else {
        return Distfiles::default();
    };
    let dir = fields.take("dir").and_then(|node| reader.path(node, "`dir`"));
    let mirrors = fields
        .take("mirrors")
        .map(|node| reader.texts(node, "`mirrors`"))
        .unwrap_or_default();
    let proxy = fields.take("proxy").and_then(|node| reader.text(node, "`proxy`"));
    for mirror in &mirrors {
        no_login(
            reader,
            mirror,
            "put the file into the folder that `dir` names, or let the mirror be read without a login",
        );
    }
    if let Some(proxy) = &proxy {
        no_login(
            reader,
            proxy,
            "put it into the environment (HTTPS_PROXY, HTTP_PROXY), which counts where there is no `proxy`",
        );
    }
    for address in mirrors.iter().chain(&proxy) {
        if !address.value.contains("://") {
            reader
                .error(address.span, format!("`{}` is not an address", address.value))
                .help = Some(format!("write it with its scheme: `http://{}`", address.value));
        }
    }
    fields.finish();
    Distfiles { dir, mirrors, proxy }
}

fn resolve(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let options = reader.texts(node, "`resolve`");
    for option in &options {
        if !option.value.starts_with("--") {
            reader
                .error(option.span, format!("`{}` is not an option of emerge", option.value))
                .help = Some("write long options, one an entry, such as `--backtrack=100`".to_owned());
        }
    }
    options
}
