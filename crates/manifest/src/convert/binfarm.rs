//! `binfarm:`.

use camino::Utf8PathBuf;
use farm_portage::atom::AtomSyntax;

use super::packages::{atom, packages};
use super::reference::{address, image_reference, no_login};
use super::repo::repos;
use crate::keys::{BASE_HOSTED, BASE_IMAGE, BASE_STAGE3, BINFARM, LIMITS};
use crate::model::{Base, Binfarm, HostedBase, Limits, Member, Packages, Repo, Stage3Base, Update};
use crate::reader::Reader;
use crate::span::Spanned;
use crate::yaml::{Kind, Node};

/// Reads `binfarm:`; `None` where no base could be read.
pub(super) fn binfarm(reader: &mut Reader<'_>, node: &Node) -> Option<Binfarm> {
    let mut fields = reader.fields(node, &BINFARM, "`binfarm`")?;
    let base = fields.take("base").and_then(|node| base(reader, node));
    let root = fields.take("root").and_then(|node| reader.path(node, "`root`"));
    let repos = fields.take("repos").map(|node| repos(reader, node)).unwrap_or_default();
    let profile = fields.take("profile").and_then(|node| profile(reader, node, &repos));
    let config = fields
        .take("config")
        .map(|node| layer_names(reader, node))
        .unwrap_or_default();
    let toolchain = fields
        .take("toolchain")
        .map(|node| packages(reader, node, "`toolchain`"))
        .unwrap_or_default();
    let update = fields
        .take("update")
        .map(|node| update(reader, node))
        .unwrap_or_default();
    let rebuild = fields
        .take("rebuild")
        .map(|node| rebuild(reader, node))
        .unwrap_or_default();
    let bootstrap = fields
        .take("bootstrap")
        .map(|node| bootstrap(reader, node))
        .unwrap_or_default();
    let tools = fields
        .take("packages")
        .map(|node| packages(reader, node, "`packages`"))
        .unwrap_or_default();
    let scripts = fields
        .take("scripts")
        .map(|node| scripts(reader, node))
        .unwrap_or_default();
    let capabilities = fields
        .take("capabilities")
        .map(|node| capabilities(reader, node))
        .unwrap_or_default();
    let user = fields.take("user").and_then(|node| reader.text(node, "`user`"));
    let limits = fields
        .take("limits")
        .map(|node| limits(reader, node))
        .unwrap_or_default();
    let env = fields
        .take("env")
        .map(|node| reader.text_map(node, "`env`"))
        .unwrap_or_default();
    let span = fields.span;
    fields.finish();
    Some(Binfarm {
        base: base?,
        root,
        repos,
        profile,
        config,
        toolchain,
        update,
        rebuild,
        bootstrap,
        packages: tools,
        scripts,
        capabilities,
        user,
        limits,
        env,
        span,
    })
}

/// Reads what is built first: single packages, since it must be known which instance stands in for which.
fn bootstrap(reader: &mut Reader<'_>, node: &Node) -> Packages {
    let found = packages(reader, node, "`bootstrap`");
    for member in found.members() {
        if let set @ Member::Set(_) = &member.value {
            reader
                .error(member.span, format!("`bootstrap` takes packages, and `{set}` is a set"))
                .help = Some("name the package that the cycle goes through, with the flags that break it".to_owned());
        }
    }
    found
}

fn base(reader: &mut Reader<'_>, node: &Node) -> Option<Base> {
    let Kind::Mapping(entries) = &node.kind else {
        let advice = match &node.kind {
            Kind::Scalar(scalar) if !node.is_null() => format!("write `{{ image: \"{}\" }}`", scalar.text),
            _ => "write `{ image: REFERENCE }` or `{ hosted: debian, ... }`".to_owned(),
        };
        reader.wrong_kind(node, "`base`", "a map").help = Some(advice);
        return None;
    };
    let has = |name: &str| entries.iter().any(|entry| entry.key.text == name);
    if has("hosted") {
        hosted(reader, node).map(Base::Hosted)
    } else if has("stage3") {
        stage3(reader, node).map(Base::Stage3)
    } else if has("image") {
        let mut fields = reader.fields(node, &BASE_IMAGE, "`base`")?;
        let reference = fields
            .take("image")
            .and_then(|node| image_reference(reader, node, "`image`"));
        fields.finish();
        reference.map(Base::Image)
    } else {
        reader
            .error(node.span, "`base` says neither `image`, nor `hosted`, nor `stage3`")
            .help = Some("write `{ image: REFERENCE }` or `{ hosted: debian, suite: ..., portage: ... }`".to_owned());
        None
    }
}

fn hosted(reader: &mut Reader<'_>, node: &Node) -> Option<HostedBase> {
    let mut fields = reader.fields(node, &BASE_HOSTED, "a hosted base")?;
    let distribution = fields.take("hosted").and_then(|node| {
        let text = reader.text(node, "`hosted`")?;
        if text.value != "debian" {
            reader
                .error(text.span, format!("`hosted` has no value `{}`", text.value))
                .help = Some("the only distribution is `debian`".to_owned());
            return None;
        }
        Some(text)
    });
    let suite = fields.take("suite").and_then(|node| reader.text(node, "`suite`"));
    let portage = fields.take("portage").and_then(|node| reader.text(node, "`portage`"));
    let packages = fields
        .take("packages")
        .map(|node| reader.texts(node, "`packages`"))
        .unwrap_or_default();
    for package in &packages {
        let valid = |character: char| {
            character.is_ascii_lowercase() || character.is_ascii_digit() || "+-.:".contains(character)
        };
        if !package.value.chars().all(valid) {
            reader
                .error(
                    package.span,
                    format!("`{}` is not the name of a package of the distribution", package.value),
                )
                .help = Some(
                "here stand Debian's names, such as `cmake`; Portage's go to `packages` of the binfarm".to_owned(),
            );
        }
    }
    fields.finish();
    Some(HostedBase {
        distribution: distribution?,
        suite: suite?,
        portage: portage?,
        packages,
    })
}

fn stage3(reader: &mut Reader<'_>, node: &Node) -> Option<Stage3Base> {
    let mut fields = reader.fields(node, &BASE_STAGE3, "a stage3 base")?;
    let archive = fields.take("stage3").and_then(|node| fetched(reader, node, "`stage3`"));
    let signature = fields
        .take("signature")
        .and_then(|node| fetched(reader, node, "`signature`"));
    let keyring = fields.take("keyring").and_then(|node| reader.path(node, "`keyring`"));
    fields.finish();
    Some(Stage3Base {
        archive: archive?,
        signature,
        keyring: keyring?,
    })
}

/// Reads a path, or an address that files are fetched from.
fn fetched(reader: &mut Reader<'_>, node: &Node, context: &str) -> Option<Spanned<String>> {
    let address = address(reader, node, context)?;
    let scheme = address.value.split_once("://").map(|(scheme, _)| scheme);
    if let Some(unknown) = scheme.filter(|scheme| !["file", "http", "https"].contains(scheme)) {
        reader
            .error(address.span, format!("{context} cannot be fetched by `{unknown}://`"))
            .help = Some("write an address with https://, http:// or file://, or a path".to_owned());
        return None;
    }
    no_login(
        reader,
        &address,
        "this is fetched without a login: name the path of the file",
    );
    Some(address)
}

fn profile(reader: &mut Reader<'_>, node: &Node, repos: &[Repo]) -> Option<Spanned<String>> {
    let text = reader.text(node, "`profile`")?;
    let Some((repo, path)) = text.value.split_once(':') else {
        reader.error(text.span, "`profile` names no repository").help =
            Some(format!("write `REPOSITORY:{}`", text.value));
        return None;
    };
    if path.is_empty() || path.starts_with('/') || path.split('/').any(|part| part == "..") {
        reader
            .error(text.span, "`profile` has no path inside of the repository's profiles/")
            .help = Some("write `REPOSITORY:PATH`, such as `gentoo:default/linux/amd64/23.0`".to_owned());
        return None;
    }
    if !repos.iter().any(|known| known.name.value == repo) {
        let help = crate::near::suggestion(repo, repos.iter().map(|known| known.name.value.as_str()));
        reader
            .error(
                text.span,
                format!("the profile's repository `{repo}` is not among `repos`"),
            )
            .help = help;
    }
    Some(text)
}

/// Reads the names of configuration layers; the folders are looked at when they are read.
pub(super) fn layer_names(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let names = reader.texts(node, "`config`");
    names
        .into_iter()
        .filter(|name| {
            let is_path = name.value.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !is_path {
                reader
                    .error(name.span, format!("`{}` cannot name a configuration layer", name.value))
                    .help = Some("write the path of a folder below profiles/, such as `cpu/x86-64-v3`".to_owned());
            }
            is_path
        })
        .collect()
}

fn update(reader: &mut Reader<'_>, node: &Node) -> Update {
    let shape = BINFARM.key("update").map_or(&crate::keys::Shape::Text, |key| key.shape);
    match reader.word(node, shape, "`update`") {
        Some("world") => Update::World,
        Some("emptytree") => Update::Emptytree,
        _ => Update::None,
    }
}

fn rebuild(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<farm_portage::atom::Atom>> {
    let texts = reader.texts(node, "`rebuild`");
    texts
        .into_iter()
        .filter_map(|text| {
            let atom = atom(
                reader,
                &text.value,
                text.span,
                AtomSyntax::SET,
                "set flags in a configuration layer",
            )?;
            Some(Spanned::new(atom, text.span))
        })
        .collect()
}

/// Reads the paths of scripts; the files are looked at when they are read.
pub(super) fn scripts(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<Utf8PathBuf>> {
    let texts = reader.texts(node, "`scripts`");
    texts
        .into_iter()
        .filter_map(|text| reader.workspace_path(&text, "a script"))
        .collect()
}

fn capabilities(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let texts = reader.texts(node, "`capabilities`");
    texts
        .into_iter()
        .filter_map(|text| {
            let name = text.value.strip_prefix("CAP_").unwrap_or(&text.value).to_owned();
            if !name.is_empty() && name != "ALL" && name.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') {
                return Some(Spanned::new(name, text.span));
            }
            let help = match name.as_str() {
                "ALL" => "farm runs nothing privileged; name each capability",
                _ => "write a name of capabilities(7) in capitals, such as `SYS_PTRACE`",
            };
            reader
                .error(text.span, format!("`{}` is not a capability", text.value))
                .help = Some(help.to_owned());
            None
        })
        .collect()
}

fn limits(reader: &mut Reader<'_>, node: &Node) -> Limits {
    let Some(mut fields) = reader.fields(node, &LIMITS, "`limits`") else {
        return Limits::default();
    };
    let memory = fields.take("memory").and_then(|node| {
        let text = reader.text(node, "`memory`")?;
        let bytes = memory_bytes(&text.value);
        if bytes.is_none() {
            reader
                .error(text.span, format!("`memory` is a size, not `{}`", text.value))
                .help = Some("write bytes, or a number with K, M, G or T, such as `8G`".to_owned());
        }
        bytes.map(|bytes| Spanned::new(bytes, text.span))
    });
    let pids = fields.take("pids").and_then(|node| reader.number(node, "`pids`"));
    if let Some(none) = pids.as_ref().filter(|pids| pids.value == 0) {
        reader.error(none.span, "`pids` is zero, so that nothing could run");
    }
    fields.finish();
    Limits { memory, pids }
}

/// Reads `8G`, `512M`, `1024`; zero is no size.
fn memory_bytes(text: &str) -> Option<u64> {
    let (digits, power) = match text.char_indices().last()? {
        (index, 'K' | 'k') => (&text[..index], 1),
        (index, 'M' | 'm') => (&text[..index], 2),
        (index, 'G' | 'g') => (&text[..index], 3),
        (index, 'T' | 't') => (&text[..index], 4),
        _ => (text, 0),
    };
    let number: u64 = digits.parse().ok().filter(|number| *number > 0)?;
    number.checked_mul(1024_u64.checked_pow(power)?)
}
