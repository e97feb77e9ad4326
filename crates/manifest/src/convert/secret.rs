//! `secrets:`.

use camino::{Utf8Component, Utf8Path, Utf8PathBuf};

use crate::address::{AddressPrefix, PrefixError};
use crate::diagnostic::Diagnostic;
use crate::keys::SECRET;
use crate::model::{Secret, SecretAccess};
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Key, Kind, Node};

/// The user where none is named: GitLab takes the name with every kind of token, and GitHub and Gitea look at the token alone.
const ANY_USER: &str = "oauth2";

/// Reads `secrets:`.
pub(super) fn secrets(reader: &mut Reader<'_>, node: &Node) -> Vec<Secret> {
    let mut secrets: Vec<Secret> = Vec::new();
    for Entry { key, value } in reader.entries(node, "`secrets`") {
        let Some(secret) = secret(reader, key, value) else {
            continue;
        };
        let same = secrets.iter().find(|other| other.prefix.value == secret.prefix.value);
        if let Some(other) = same {
            reader.push(
                Diagnostic::error(
                    secret.prefix.span,
                    format!("`{}` is for the same addresses as `{}`", key.text, other.name.value),
                )
                .also(other.prefix.span, "the other one")
                .help("git shows one of them only: leave the other out, or say more of its addresses"),
            );
        }
        secrets.push(secret);
    }
    secrets
}

fn secret(reader: &mut Reader<'_>, key: &Key, node: &Node) -> Option<Secret> {
    let name = reader.name(key, "a secret");
    let before = reader.diagnostics.len();
    let fields = reader.fields(node, &SECRET, &format!("the secret `{}`", key.text));
    // What people write as `token` or `password` is one, as a rule.
    if let (Some(diagnostic), Kind::Mapping(entries)) = (reader.diagnostics.get_mut(before), &node.kind) {
        let unknown = entries.iter().filter(|entry| SECRET.key(&entry.key.text).is_none());
        diagnostic.hidden.extend(unknown.map(|entry| entry.value.span));
    }
    let mut fields = fields?;
    let prefix = fields.take("for").and_then(|node| prefix(reader, node));
    let file = fields.take("token_file").and_then(|node| token_file(reader, node));
    let user = fields.take("user").and_then(|node| user(reader, node));
    let agent = fields.take("ssh").and_then(|node| {
        let shape = SECRET.key("ssh").map_or(&crate::keys::Shape::Text, |key| key.shape);
        reader.word(node, shape, "`ssh`")
    });
    let (token_key, user_key, ssh_key) = (
        fields.key_span("token_file"),
        fields.key_span("user"),
        fields.key_span("ssh"),
    );
    let span = fields.span;
    fields.finish();
    match (token_key, ssh_key) {
        (None, None) => {
            reader
                .error(span, format!("the secret `{}` says nothing to log in with", key.text))
                .help = Some("write `token_file: PATH`, or `ssh: agent`".to_owned());
        }
        (Some(token), Some(ssh)) => {
            reader.push(
                Diagnostic::error(ssh, "a token and the ssh agent")
                    .also(token, "the token is given here")
                    .help("keep the token for https://, or the agent for ssh://"),
            );
            return None;
        }
        (None, Some(_)) => {
            if let Some(span) = user_key {
                reader.error(span, "`user` goes with `token_file`").help =
                    Some("the user of ssh stands in the address: `ssh://git@HOST/`".to_owned());
            }
        }
        (Some(_), None) => {}
    }
    let prefix = prefix?;
    let wrong = match (token_key, ssh_key) {
        (Some(span), None) if prefix.value.is_ssh() => Some((span, "ssh takes no token", "write `ssh: agent`")),
        (None, Some(span)) if !prefix.value.is_ssh() => Some((
            span,
            "the ssh agent has nothing for the web",
            "write `token_file: PATH`, or an address with ssh://",
        )),
        _ => None,
    };
    if let Some((span, message, help)) = wrong {
        reader.push(
            Diagnostic::error(span, message)
                .also(prefix.span, "the address")
                .help(help),
        );
        return None;
    }
    if prefix.value.is_in_clear() {
        let message = "the token goes over the network as it is";
        reader.push(Diagnostic::note(prefix.span, message).help("write https:// if the server has it"));
    }
    let access = match (file, agent) {
        (Some(file), None) => SecretAccess::Token {
            file,
            user: user.unwrap_or_else(|| ANY_USER.to_owned()),
        },
        (None, Some(_)) => SecretAccess::Agent,
        _ => return None,
    };
    Some(Secret { name, prefix, access })
}

fn prefix(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<AddressPrefix>> {
    let text = reader.text(node, "`for`")?;
    match AddressPrefix::parse(&text.value) {
        Ok(prefix) => Some(Spanned::new(prefix, text.span)),
        Err(error) => {
            let help = match error {
                PrefixError::Password => "write the address without it, and put it into the file of `token_file`",
                PrefixError::User => "write it as `user`, beside `token_file`",
                _ => "write the beginning of the addresses, such as `https://HOST/GROUP/` or `ssh://git@HOST/`",
            };
            reader
                .error(text.span, format!("a secret cannot be for this: {error}"))
                .help = Some(help.to_owned());
            None
        }
    }
}

/// The file need not be there, nor in the workspace: it is looked at when git asks for it.
fn token_file(reader: &mut Reader<'_>, node: &Node) -> Option<Spanned<Utf8PathBuf>> {
    let text = reader.text(node, "`token_file`")?;
    let written = Utf8Path::new(&text.value);
    let first = written.components().next().map(|first| first.as_str().to_owned())?;
    if text.value.contains(['\n', '\0']) || written.file_name().is_none() || text.value.ends_with('/') {
        reader.error(text.span, "`token_file` names no file").help =
            Some("write the path of a file with the token in its first line, and not the token itself".to_owned());
        return None;
    }
    if first.starts_with('~') {
        if first != "~" {
            reader
                .error(text.span, "only one's own home folder is written with `~`")
                .help = Some("write `~/…`, or the absolute path".to_owned());
            return None;
        }
        return Some(Spanned::new(written.to_owned(), text.span));
    }
    let folder = reader.folder(text.span);
    Some(Spanned::new(resolved(&folder.join(written)), text.span))
}

/// Resolves `.` and `..` by words alone; what leads above the start begins with `..`.
fn resolved(path: &Utf8Path) -> Utf8PathBuf {
    let mut resolved = Utf8PathBuf::new();
    for component in path.components() {
        let inside = resolved.file_name().is_some();
        match component {
            Utf8Component::CurDir => {}
            Utf8Component::ParentDir if inside => {
                resolved.pop();
            }
            other => resolved.push(other),
        }
    }
    resolved
}

fn user(reader: &mut Reader<'_>, node: &Node) -> Option<String> {
    let text = reader.text(node, "`user`")?;
    if text.value.contains(char::is_control) {
        reader.error(text.span, "`user` is one line");
        return None;
    }
    Some(text.value)
}
