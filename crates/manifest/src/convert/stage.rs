//! `stages:`.

use super::binfarm::scripts;
use super::image::from;
use crate::keys::STAGE;
use crate::model::Stage;
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Key, Node};

/// Reads `stages:`.
pub(super) fn stages(reader: &mut Reader<'_>, node: &Node) -> Vec<Stage> {
    reader
        .entries(node, "`stages`")
        .iter()
        .filter_map(|Entry { key, value }| stage(reader, key, value))
        .collect()
}

fn stage(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<Stage> {
    // It names files.
    let name = reader.name(key, "a stage");
    let mut fields = reader.fields(node, &STAGE, &format!("the stage `{}`", key.text))?;
    let from = fields.take("from").and_then(|node| from(reader, node));
    let subjects = fields
        .take("subjects")
        .map(|node| reader.texts(node, "`subjects`"))
        .unwrap_or_default();
    let kernel = fields.take("kernel").and_then(|node| reader.text(node, "`kernel`"));
    let scripts = fields
        .take("scripts")
        .map(|node| scripts(reader, node))
        .unwrap_or_default();
    let remove = fields
        .take("remove")
        .map(|node| remove(reader, node))
        .unwrap_or_default();
    let sign = fields.take("sign").and_then(|node| reader.text(node, "`sign`"));
    let span = fields.span;
    fields.finish();
    Some(Stage {
        name,
        from: from?,
        subjects,
        kernel,
        scripts,
        remove,
        sign,
        span,
    })
}

/// Reads absolute paths and globs, and makes them relative to the root.
fn remove(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let texts = reader.texts(node, "`remove`");
    texts
        .into_iter()
        .filter_map(|text| {
            let parts: Vec<&str> = text
                .value
                .split('/')
                .filter(|part| !matches!(*part, "" | "."))
                .collect();
            let help = if !text.value.starts_with('/') {
                format!("write `/{}`", text.value)
            } else if parts.is_empty() {
                "nothing would be left".to_owned()
            } else if parts.contains(&"..") {
                "write it without `..`".to_owned()
            } else {
                return Some(Spanned::new(parts.join("/"), text.span));
            };
            reader
                .error(
                    text.span,
                    format!("`{}` is no absolute path or glob of what is removed", text.value),
                )
                .help = Some(help);
            None
        })
        .collect()
}
