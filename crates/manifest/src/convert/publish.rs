//! `publish:`.

use std::collections::BTreeSet;

use super::packages::{SYNTAX, atom};
use super::reference::check_reference;
use super::task::targets;
use crate::keys::{PUBLISH, PUBLISH_IMAGES, PUBLISH_PKGS};
use crate::model::{Deny, Image, Publish, PublishImages, PublishPkgs, Task};
use crate::near;
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::Node;

const SCHEMES: [&str; 5] = ["file", "ssh", "s3", "http", "https"];

/// What stock Portage fetches from.
const READERS_SCHEMES: [&str; 4] = ["http", "https", "file", "ssh"];

/// Reads `publish:`.
pub(super) fn publish(
    reader: &mut Reader<'_>,
    node: &Node,
    flavour: &Spanned<String>,
    tasks: &[Task],
    images: &[Image],
) -> Publish {
    let Some(mut fields) = reader.fields(node, &PUBLISH, "`publish`") else {
        return Publish::default();
    };
    let tasks: BTreeSet<&str> = tasks.iter().map(|task| task.name.value.as_str()).collect();
    let base = fields.take("base");
    let publish = Publish {
        base: base.and_then(|node| reader.boolean(node, "`base`")).unwrap_or_default(),
        deny: fields.take("deny").map(|node| deny(reader, node)).unwrap_or_default(),
        pkgs: fields.take("pkgs").and_then(|node| pkgs(reader, node, &tasks)),
        images: fields
            .take("images")
            .and_then(|node| self::images(reader, node, flavour, &tasks, images)),
    };
    fields.finish();
    if let Some(node) = base.filter(|_| publish.base && publish.pkgs.is_none()) {
        reader
            .error(node.span, "packages of the base go to the binhost, and there is none")
            .help = Some("say under `pkgs:` where packages go".to_owned());
    }
    publish
}

fn pkgs(reader: &mut Reader<'_>, node: &Node, tasks: &BTreeSet<&str>) -> Option<PublishPkgs> {
    let mut fields = reader.fields(node, &PUBLISH_PKGS, "`pkgs`")?;
    let to = fields.take("to").and_then(|node| destination(reader, node));
    let url = fields.take("url").and_then(|node| readers_address(reader, node));
    let sign = fields.take("sign").and_then(|node| reader.text(node, "`sign`"));
    let needs = fields
        .take("needs")
        .map(|node| targets(reader, node, tasks))
        .unwrap_or_default();
    let deny = fields.take("deny").map(|node| deny(reader, node)).unwrap_or_default();
    let private = fields
        .take("private")
        .and_then(|node| reader.boolean(node, "`private`"))
        .unwrap_or_default();
    let span = fields.span;
    fields.finish();
    Some(PublishPkgs {
        to: to?,
        url,
        sign,
        needs,
        deny,
        private,
        span,
    })
}

fn destination(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let text = reader.text(node, "`to`")?;
    let Some((scheme, rest)) = text.value.split_once("://") else {
        let advice = if text.value.starts_with('/') {
            format!("write `file://{}`", text.value)
        } else {
            match text.value.split_once(':') {
                Some((host, path)) if !host.is_empty() && path.starts_with('/') => {
                    format!("write `ssh://{host}{path}`")
                }
                _ => "write an address, such as `file:///var/www/pkgs` or `ssh://user@host/path`".to_owned(),
            }
        };
        reader
            .error(text.span, format!("`{}` is not an address", text.value))
            .help = Some(advice);
        return None;
    };
    if !SCHEMES.contains(&scheme) {
        reader
            .error(text.span, format!("packages cannot be published to `{scheme}://`"))
            .help = near::suggestion(scheme, SCHEMES.iter().copied());
        return None;
    }
    if rest.is_empty() || (scheme == "file" && !rest.starts_with('/')) {
        let help = match scheme {
            "file" => "a folder is written with three slashes: `file:///var/www/pkgs`",
            _ => "a host and a path follow: `ssh://user@host/path`",
        };
        reader.error(text.span, format!("`{}` says no place", text.value)).help = Some(help.to_owned());
        return None;
    }
    Some(text)
}

/// Where clients read. Everybody gets it, so that nobody's password may be in it.
fn readers_address(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<String>> {
    let text = reader.text(node, "`url`")?;
    let (scheme, rest) = text.value.split_once("://").unwrap_or_default();
    let authority = rest.split('/').next().unwrap_or_default();
    let user = authority.rsplit_once('@').map_or("", |(user, _)| user);
    let written = || "write `https://HOST/FOLDER`; the flavour follows by itself".to_owned();
    let (wrong, help) = if !READERS_SCHEMES.contains(&scheme) {
        (
            format!("`{}` is no address that Portage fetches from", text.value),
            written(),
        )
    } else if rest.is_empty() || rest.contains(char::is_whitespace) {
        (format!("`{}` says no place", text.value), written())
    } else if user.contains(':') {
        let help = "clients put it into their own configuration of what fetches".to_owned();
        ("a password does not belong into a manifest".to_owned(), help)
    } else {
        return Some(text);
    };
    reader.error(text.span, wrong).help = Some(help);
    None
}

fn images(
    reader: &mut Reader<'_>,
    node: &Node,
    flavour: &Spanned<String>,
    tasks: &BTreeSet<&str>,
    images: &[Image],
) -> Option<PublishImages> {
    let mut fields = reader.fields(node, &PUBLISH_IMAGES, "`images`")?;
    let to = fields.take("to").and_then(|node| reader.text(node, "`to`"));
    let tag = fields.take("tag").map(|node| reader.text(node, "`tag`"));
    let needs = fields
        .take("needs")
        .map(|node| targets(reader, node, tasks))
        .unwrap_or_default();
    let span = fields.span;
    fields.finish();
    let to = to?;
    let tag = match tag {
        Some(tag) => tag?,
        None => Spanned::new(flavour.value.clone(), to.span),
    };
    let publish = PublishImages { to, tag, needs, span };
    if let Err(why) = check_reference(&publish.reference("image")) {
        reader.error(
            publish.to.span,
            format!(
                "`{}` is not the reference of an image: {why}",
                publish.reference("${image}")
            ),
        );
    }
    let named = publish.to.value.contains("${image}") || publish.tag.value.contains("${image}");
    if images.len() > 1 && !named {
        let help = format!("write `to: \"{}/${{image}}\"`", publish.to.value);
        reader
            .error(
                publish.to.span,
                format!("{} images would be published under one name", images.len()),
            )
            .help = Some(help);
    }
    Some(publish)
}

/// A word with a slash names packages, any other a licence.
fn deny(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<Deny>> {
    let texts = reader.texts(node, "`deny`");
    texts
        .into_iter()
        .filter_map(|text| {
            let deny = if text.value.contains('/') {
                Deny::Package(atom(reader, &text.value, text.span, SYNTAX, "deny the whole package")?)
            } else {
                Deny::License(text.value)
            };
            Some(Spanned::new(deny, text.span))
        })
        .collect()
}
