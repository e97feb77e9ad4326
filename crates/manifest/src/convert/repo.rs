//! `repos:` of the binfarm.

use super::reference::{address, image_reference, no_login};
use crate::address::without_login;
use crate::diagnostic::Diagnostic;
use crate::keys::{ARCHIVE, GIT, REPO};
use crate::model::{GitPin, Repo, RepoSource};
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Entry, Kind, Node};

/// Reads `repos:`.
pub(super) fn repos(reader: &mut Reader<'_>, node: &Node) -> Vec<Repo> {
    let mut found = Vec::new();
    for Entry { key, value } in reader.entries(node, "`repos`") {
        let name = reader.name(key, "a repository");
        if let Some(source) = repo_source(reader, value, &key.text) {
            found.push(Repo { name, source });
        }
    }
    found
}

fn repo_source(reader: &mut Reader<'_>, node: &Node, name: &str) -> Option<RepoSource> {
    if let Kind::Scalar(scalar) = &node.kind
        && !node.is_null()
    {
        reader.wrong_kind(node, &format!("`{name}`"), "a map").help =
            Some(format!("write `{{ path: {} }}`", scalar.text));
        return None;
    }
    let mut fields = reader.fields(node, &REPO, &format!("the repository `{name}`"))?;
    let commit = fields
        .take("commit")
        .and_then(|node| hex_text(reader, node, "`commit`", &[40, 64]));
    let branch = fields.take("branch").and_then(|node| reader.text(node, "`branch`"));
    let tag = fields.take("tag").and_then(|node| reader.text(node, "`tag`"));
    let sha256 = fields
        .take("sha256")
        .and_then(|node| hex_text(reader, node, "`sha256`", &[64]));
    let image = fields
        .take("image")
        .and_then(|node| image_reference(reader, node, "`image`"))
        .map(RepoSource::Image);
    let path = fields
        .take("path")
        .and_then(|node| reader.path(node, "`path`"))
        .map(RepoSource::Path);
    let git = fields
        .take("git")
        .and_then(|node| git(reader, node, [commit.clone(), branch.clone(), tag.clone()]));
    let archive = fields
        .take("archive")
        .and_then(|node| archive(reader, node, sha256.clone()));
    for (word, with) in [
        ("commit", "git"),
        ("branch", "git"),
        ("tag", "git"),
        ("sha256", "archive"),
    ] {
        if let Some(span) = fields.key_span(word)
            && fields.key_span(with).is_none()
        {
            reader.error(span, format!("`{word}` goes with `{with}`"));
        }
    }
    let kinds = ["image", "path", "git", "archive"];
    let written: Vec<_> = kinds.iter().filter_map(|kind| fields.key_span(kind)).collect();
    match written.as_slice() {
        [] => {
            reader
                .error(fields.span, format!("the repository `{name}` comes from nowhere"))
                .help = Some("write one of `image`, `path`, `git` and `archive`".to_owned());
        }
        [_] => {}
        [first, .., last] => {
            reader.push(
                Diagnostic::error(*last, format!("the repository `{name}` comes from more than one place"))
                    .also(*first, "and from here"),
            );
        }
    }
    fields.finish();
    image.or(path).or(git).or(archive)
}

/// `beside` are commit, branch and tag, as they stand beside the address.
fn git(reader: &mut Reader<'_>, node: &Node, beside: [Option<Spanned<String>>; 3]) -> Option<RepoSource> {
    let (url, [commit, branch, tag]) = if matches!(node.kind, Kind::Mapping(_)) {
        let mut fields = reader.fields(node, &GIT, "`git`")?;
        let url = fields.take("url").and_then(|node| reader.text(node, "`url`"));
        let commit = fields
            .take("commit")
            .and_then(|node| hex_text(reader, node, "`commit`", &[40, 64]));
        let branch = fields.take("branch").and_then(|node| reader.text(node, "`branch`"));
        let tag = fields.take("tag").and_then(|node| reader.text(node, "`tag`"));
        fields.finish();
        let [beside_commit, beside_branch, beside_tag] = beside;
        (
            url?,
            [commit.or(beside_commit), branch.or(beside_branch), tag.or(beside_tag)],
        )
    } else {
        (reader.text(node, "`git`")?, beside)
    };
    let plain = without_login(&url.value);
    let secret = if plain.starts_with("http") {
        "token_file: PATH"
    } else {
        "ssh: agent"
    };
    let help = format!(
        "write `{plain}`, and say what git logs in with: `secrets: {{ NAME: {{ for: \"{plain}\", {secret} }} }}`"
    );
    no_login(reader, &url, &help);
    let both = [("branch", &branch), ("tag", &tag)];
    for (word, other) in both {
        if let (Some(commit), Some(other)) = (&commit, other) {
            reader.push(
                Diagnostic::error(other.span, format!("a commit and a {word}"))
                    .also(commit.span, "the commit is given here")
                    .help(format!(
                        "keep the commit, or keep the {word} and let the lock file pin it"
                    )),
            );
        }
    }
    if let (Some(branch), Some(tag)) = (&branch, &tag) {
        reader.push(
            Diagnostic::error(tag.span, "a branch and a tag")
                .also(branch.span, "the branch is given here")
                .help("keep the one that you mean"),
        );
    }
    let pin = match (commit, branch, tag) {
        (Some(commit), ..) => GitPin::Commit(commit),
        (None, Some(branch), _) => GitPin::Branch(branch),
        (None, None, Some(tag)) => GitPin::Tag(tag),
        (None, None, None) => GitPin::Default,
    };
    Some(RepoSource::Git { url, pin })
}

fn archive(reader: &mut Reader<'_>, node: &Node, sha256: Option<Spanned<String>>) -> Option<RepoSource> {
    if !matches!(node.kind, Kind::Mapping(_)) {
        return Some(RepoSource::Archive {
            url: archive_address(reader, node, "`archive`")?,
            sha256,
        });
    }
    let mut fields = reader.fields(node, &ARCHIVE, "`archive`")?;
    let url = fields
        .take("url")
        .and_then(|node| archive_address(reader, node, "`url`"));
    let inner = fields
        .take("sha256")
        .and_then(|node| hex_text(reader, node, "`sha256`", &[64]));
    fields.finish();
    Some(RepoSource::Archive {
        url: url?,
        sha256: inner.or(sha256),
    })
}

fn archive_address(reader: &mut Reader<'_>, node: &Node, context: &str) -> Option<Spanned<String>> {
    let url = address(reader, node, context)?;
    no_login(
        reader,
        &url,
        "archives are fetched without a login: name the path of one, or take the repository by `git`",
    );
    Some(url)
}

fn hex_text(reader: &mut Reader<'_>, node: &Node, context: &str, lengths: &[usize]) -> Option<Spanned<String>> {
    let text = reader.text(node, context)?;
    if !lengths.contains(&text.value.len()) || !text.value.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    {
        let lengths: Vec<String> = lengths.iter().map(ToString::to_string).collect();
        reader
            .error(
                text.span,
                format!("{context} has {} lower-case hexadecimal digits", lengths.join(" or ")),
            )
            .help = Some("write it in full".to_owned());
        return None;
    }
    Some(text)
}
