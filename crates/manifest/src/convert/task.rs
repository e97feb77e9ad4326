//! `tasks:`.

use std::collections::BTreeSet;

use camino::Utf8Path;

use crate::keys::TASK;
use crate::model::{Place, Run, Target, Task};
use crate::near;
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Key, Kind, Node};

/// Reads `tasks:`.
pub(super) fn tasks(reader: &mut Reader<'_>, node: &Node) -> Vec<Task> {
    let entries = reader.entries(node, "`tasks`");
    let names: BTreeSet<&str> = entries.iter().map(|entry| entry.key.text.as_str()).collect();
    let mut tasks = Vec::with_capacity(entries.len());
    for Entry { key, value } in entries {
        tasks.extend(task(reader, key, value, &names));
    }
    tasks
}

fn task(reader: &mut Reader<'_>, key: &Key, node: &Node, names: &BTreeSet<&str>) -> Option<Task> {
    let name = reader.name(key, "a task");
    let mut fields = reader.fields(node, &TASK, &format!("the task `{}`", key.text))?;
    let place = match fields.take("in") {
        Some(node) => place(reader, node),
        None => Some(Spanned::new(Place::Host, key.span)),
    };
    let needs = fields
        .take("needs")
        .map(|node| targets(reader, node, names))
        .unwrap_or_default();
    let inputs = fields
        .take("inputs")
        .map(|node| patterns(reader, node, "`inputs`"))
        .unwrap_or_default();
    let run = fields.take("run").and_then(|node| run(reader, node));
    let outputs = fields
        .take("outputs")
        .map(|node| patterns(reader, node, "`outputs`"))
        .unwrap_or_default();
    let env = fields
        .take("env")
        .map(|node| reader.text_map(node, "`env`"))
        .unwrap_or_default();
    for fixed in ["PATH", "HOME", "TMPDIR", "LC_ALL"] {
        if let Some(text) = env.get(fixed) {
            reader
                .error(text.span, format!("`{fixed}` is the same for every task"))
                .help = Some("set it in the command itself if it must differ".to_owned());
        }
    }
    let span = fields.span;
    fields.finish();
    Some(Task {
        name,
        folder: reader.folder(key.span),
        place: place?,
        needs,
        inputs,
        run: run?,
        outputs,
        env,
        span,
    })
}

fn place(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Place>> {
    let text = reader.text(node, "`in`")?;
    let place = match text.value.as_str() {
        "host" => Place::Host,
        "base" => Place::Base,
        "binfarm" => Place::Binfarm,
        "env" => Place::Env,
        other => match other.strip_prefix("image/") {
            Some(name) => Place::Image(name.to_owned()),
            None => {
                let help = match near::near(other, ["host", "base", "binfarm", "env"]).first() {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("write `host`, `base`, `binfarm`, `env` or `image/{other}`"),
                };
                reader.error(text.span, format!("`in` has no value `{other}`")).help = Some(help);
                return None;
            }
        },
    };
    Some(Spanned::new(place, text.span))
}

/// Reads `run:`: a text is for the shell, a list is a program with its arguments.
fn run(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Run>> {
    let run = match &node.kind {
        Kind::Sequence(items) => {
            let mut arguments: Vec<String> = items
                .iter()
                .filter_map(|item| match &item.kind {
                    // An empty argument is an argument.
                    Kind::Scalar(scalar) => Some(scalar.text.clone()),
                    _ => reader.text(item, "an entry of `run`").map(|text| text.value),
                })
                .collect();
            if arguments.first().is_none_or(String::is_empty) {
                reader.error(node.span, "`run` names no program");
                return None;
            }
            arguments.shrink_to_fit();
            Run::Arguments(arguments)
        }
        _ => Run::Shell(reader.text(node, "`run`")?.value),
    };
    Some(Spanned::new(run, node.span))
}

/// Reads paths and globs: relative, and below the folder of the manifest.
fn patterns(reader: &mut Reader<'_>, node: &Node, context: &str) -> Vec<Spanned<String>> {
    let texts = reader.texts(node, context);
    texts
        .into_iter()
        .filter(|text| {
            let path = Utf8Path::new(&text.value);
            if path.is_absolute() || text.value.split('/').any(|part| part == "..") {
                reader
                    .error(text.span, format!("`{}` lies outside of the farm's folder", text.value))
                    .help = Some(format!(
                    "{context} are relative to the folder of the manifest and stay below it"
                ));
                return false;
            }
            if text.value.split('/').all(|part| matches!(part, "" | ".")) {
                reader
                    .error(
                        text.span,
                        format!("`{}` is the folder of the manifest itself", text.value),
                    )
                    .help = Some("name files or folders in it, or write `**` for every file".to_owned());
                return false;
            }
            match globset::GlobBuilder::new(&text.value).literal_separator(true).build() {
                Ok(_) => true,
                Err(error) => {
                    reader.error(text.span, format!("`{}` is not a glob: {}", text.value, error.kind()));
                    false
                }
            }
        })
        .collect()
}

/// Reads `needs:`: targets, where a bare word is a task's name if there is such a task.
pub(super) fn targets(reader: &mut Reader<'_>, node: &Node, tasks: &BTreeSet<&str>) -> Vec<Spanned<Target>> {
    let texts = reader.texts(node, "`needs`");
    texts
        .into_iter()
        .filter_map(|text| {
            if tasks.contains(text.value.as_str()) {
                return Some(Spanned::new(Target::Task(text.value), text.span));
            }
            match Target::parse(&text.value) {
                Ok(target) => Some(Spanned::new(target, text.span)),
                Err(error) => {
                    let words = ["binfarm", "env", "pkgs", "binhost", "publish-pkgs", "publish-image"];
                    let near = near::near(&text.value, tasks.iter().copied().chain(words));
                    let help = match near.first() {
                        Some(word) => format!("did you mean `{word}`?"),
                        None => "name a task, or a target such as `pkgs/SUBJECT` or `image/NAME`".to_owned(),
                    };
                    reader.error(text.span, error.to_string()).help = Some(help);
                    None
                }
            }
        })
        .collect()
}
