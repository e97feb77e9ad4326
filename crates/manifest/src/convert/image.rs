//! `images:`.

use super::reference::{check_reference, is_repository_part};
use crate::keys::IMAGE;
use crate::model::{Image, ImageFrom, Strip};
use crate::near;
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Key, Node};

/// Reads `images:`.
pub(super) fn images(reader: &mut Reader<'_>, node: &Node) -> Vec<Image> {
    reader
        .entries(node, "`images`")
        .iter()
        .filter_map(|Entry { key, value }| image(reader, key, value))
        .collect()
}

fn image(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<Image> {
    if !is_repository_part(&key.text) {
        reader
            .error(key.span, format!("`{}` cannot name an image", key.text))
            .help =
            Some("a registry takes lower-case letters and digits, with `.`, `_` and `-` between them".to_owned());
    }
    let context = format!("the image `{}`", key.text);
    let mut fields = reader.fields(node, &IMAGE, &context)?;
    let from = fields.take("from").and_then(|node| from(reader, node));
    let subjects = fields
        .take("subjects")
        .map(|node| reader.texts(node, "`subjects`"))
        .unwrap_or_default();
    let strip = fields.take("strip").map(|node| strip(reader, node)).unwrap_or_default();
    let entrypoint = fields
        .take("entrypoint")
        .map(|node| reader.texts(node, "`entrypoint`"))
        .unwrap_or_default();
    let cmd = fields
        .take("cmd")
        .map(|node| reader.texts(node, "`cmd`"))
        .unwrap_or_default();
    let env = fields
        .take("env")
        .map(|node| reader.text_map(node, "`env`"))
        .unwrap_or_default();
    let user = fields.take("user").and_then(|node| reader.text(node, "`user`"));
    let workdir = fields.take("workdir").and_then(|node| reader.text(node, "`workdir`"));
    if let Some(relative) = workdir.as_ref().filter(|workdir| !workdir.value.starts_with('/')) {
        reader.error(relative.span, "`workdir` is not an absolute path").help =
            Some(format!("write `/{}`", relative.value));
    }
    let labels = fields
        .take("labels")
        .map(|node| reader.text_map(node, "`labels`"))
        .unwrap_or_default();
    let span = fields.span;
    fields.finish();
    let name = Spanned::new(key.text.clone(), key.span);
    Some(Image {
        name,
        from: from?,
        subjects,
        strip,
        entrypoint,
        cmd,
        env,
        user,
        workdir,
        labels,
        span,
    })
}

/// Reads what an image or a stage starts from.
pub(super) fn from(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<ImageFrom>> {
    let text = reader.text(node, "`from`")?;
    let from = match text.value.as_str() {
        "base" => ImageFrom::Base,
        "binfarm" => ImageFrom::Binfarm,
        other => match other.strip_prefix("image/") {
            Some(name) => ImageFrom::Image(name.to_owned()),
            // A bare word is no reference: it is a slip far more often than an image of the default registry without a tag.
            None if other.contains([':', '@']) => {
                if let Err(why) = check_reference(other) {
                    reader.error(text.span, format!("`from` is not the reference of an image: {why}"));
                    return None;
                }
                ImageFrom::Reference(other.to_owned())
            }
            None => {
                let help = match near::near(other, ["base", "binfarm"]).first() {
                    Some(word) => format!("did you mean `{word}`?"),
                    None => format!("write `base`, `binfarm`, `image/{other}`, or a reference with a tag or a digest"),
                };
                reader.error(text.span, format!("`from` has no value `{other}`")).help = Some(help);
                return None;
            }
        },
    };
    Some(Spanned::new(from, text.span))
}

fn strip(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<Strip>> {
    let Some(items) = reader.items(node, "`strip`") else {
        return Vec::new();
    };
    let words = crate::keys::Shape::Words(&["repos", "docs"]);
    items
        .iter()
        .filter_map(|item| {
            let strip = match reader.word(item, &words, "`strip`")? {
                "repos" => Strip::Repos,
                _ => Strip::Docs,
            };
            Some(Spanned::new(strip, item.span))
        })
        .collect()
}
