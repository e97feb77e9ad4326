//! Addresses and references of images, which several sections have.

use camino::Utf8PathBuf;

use crate::address::{Login, login};
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::Node;

/// Reads an address, or a path, which it makes relative to the workspace.
pub(super) fn address(reader: &mut Reader<'_>, node: &Node, context: &str) -> Option<Spanned<String>> {
    let text = reader.text(node, context)?;
    if text.value.contains("://") {
        return Some(text);
    }
    reader
        .workspace_path(&text, context)
        .map(|path| path.map(Utf8PathBuf::into_string))
}

/// Refuses an address that could log somebody in: a manifest is committed, and addresses are shown and kept.
pub(super) fn no_login(reader: &mut Reader<'_>, address: &Spanned<String>, help: &str) {
    let message = match login(&address.value) {
        None => return,
        Some(Login::Password) => "a password does not belong into a manifest",
        Some(Login::Word) => "who reads there is not said in the address",
    };
    reader.error(address.span, message).help = Some(help.to_owned());
}

/// Reads the reference of an image.
pub(super) fn image_reference(reader: &mut Reader<'_>, node: &Node, context: &str) -> Option<Spanned<String>> {
    let text = reader.text(node, context)?;
    if let Err(why) = check_reference(&text.value) {
        reader.error(text.span, format!("{context} is not the reference of an image: {why}")).help =
            Some("write `NAME:TAG` or `NAME@sha256:DIGEST`, with the registry before the name where it is not the default one".to_owned());
        return None;
    }
    Some(text)
}

/// Checks the grammar of a reference (OCI distribution specification, "Pulling manifests"; the host as Docker reads it).
pub(super) fn check_reference(text: &str) -> Result<(), &'static str> {
    let (rest, digest) = match text.split_once('@') {
        Some((rest, digest)) => (rest, Some(digest)),
        None => (text, None),
    };
    if let Some(digest) = digest {
        let hex = digest
            .strip_prefix("sha256:")
            .ok_or("the digest does not start with `sha256:`")?;
        if hex.len() != 64 || !hex.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')) {
            return Err("a digest has 64 lower-case hexadecimal digits");
        }
    }
    let (name, tag) = match rest.rsplit_once(':') {
        Some((name, tag)) if !tag.contains('/') => (name, Some(tag)),
        _ => (rest, None),
    };
    if let Some(tag) = tag {
        let valid = |character: char| character.is_ascii_alphanumeric() || "_.-".contains(character);
        if tag.is_empty() || tag.len() > 128 || tag.starts_with(['.', '-']) || !tag.chars().all(valid) {
            return Err(
                "a tag has at most 128 letters, digits, `_`, `.` and `-`, and starts with none of the last two",
            );
        }
    }
    // The first part is a host if it looks like one.
    let path = match name.split_once('/') {
        Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => path,
        _ => name,
    };
    if path.is_empty() || !path.split('/').all(is_repository_part) {
        return Err(
            "a name has parts of lower-case letters and digits, divided by `/`, and `.`, `_`, `-` inside of the parts",
        );
    }
    Ok(())
}

/// Checks one part of a repository's name.
pub(super) fn is_repository_part(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    let bytes = text.as_bytes();
    bytes.first().copied().is_some_and(plain)
        && bytes.last().copied().is_some_and(plain)
        && bytes
            .iter()
            .all(|byte| plain(*byte) || matches!(byte, b'.' | b'_' | b'-'))
}
