//! The manifest of what was HEP-Soft.

use super::makefile::KEPT;
use super::spec::{Kept, Package, Set, Word};
use super::{MAKEFILE, Parts, Source, recipes};
use crate::draft::Draft;
use crate::report::NoteKind;
use crate::write::{Writer, literal, quoted};

/// What HEP-Soft's variables were where the Makefile says nothing.
const DEFAULTS: [(&str, &str); 4] = [
    ("PLATFORM", "amd64"),
    ("BINFARM_TYPE", "dbg"),
    ("STAGE3_TAG", "20200815"),
    ("PORTAGE_TAG", "20200815"),
];

/// Writes it.
pub(super) fn write(draft: &mut Draft, parts: &Parts) -> String {
    let mut out = Writer::default();
    out.line(
        0,
        "# Made by `farm import hep-soft`. import-report.txt beside this file says what could not be",
    );
    out.line(0, "# taken over as it was.");
    out.value(0, "farm", &parts.name);
    out.line(0, "");
    variables(draft, &mut out, parts);
    let flavour = expanded(draft, parts, "SUFFIX", "$(PLATFORM).$(BINFARM_TYPE).$(PORTAGE_TAG)");
    out.value(0, "flavour", &flavour);
    out.line(0, "");
    binfarm(draft, &mut out, parts);
    let sets: Vec<&Set> = parts.specs.iter().skip(1).flat_map(|spec| &spec.sets).collect();
    let names = subjects(draft, &mut out, parts, &sets);
    if !names.is_empty() {
        images(draft, &mut out, parts, &names);
    }
    publish(draft, &mut out, parts, !names.is_empty());
    out.finish()
}

fn variables(draft: &mut Draft, out: &mut Writer, parts: &Parts) {
    out.line(0, "vars:");
    for name in KEPT {
        let value = match parts.makefile.variable(name) {
            Some((value, _)) if !value.contains('$') => value.to_owned(),
            _ => {
                let default = DEFAULTS
                    .iter()
                    .find(|(known, _)| *known == name)
                    .map_or("", |(_, value)| value);
                let message = format!("{name} has no value that can be read");
                draft.note(
                    NoteKind::Look,
                    MAKEFILE,
                    None,
                    message,
                    format!("it is {default} under `vars:`, as in HEP-Soft"),
                );
                default.to_owned()
            }
        };
        out.value(1, name, &literal(&value));
    }
    out.line(0, "");
}

/// The value of a variable of the Makefile, or of what it is by default.
fn expanded(draft: &mut Draft, parts: &Parts, name: &str, default: &str) -> String {
    let (text, line) = match parts.makefile.variable(name) {
        Some((text, line)) => (text, Some(line)),
        None => (default, None),
    };
    if let Some(value) = parts.makefile.expand(text) {
        return value;
    }
    let message = format!("{name}={text} needs make to be read");
    draft.note(
        NoteKind::Look,
        MAKEFILE,
        line,
        message,
        "what HEP-Soft has by default is in the manifest; write the value you want",
    );
    parts.makefile.expand(default).unwrap_or_default()
}

fn binfarm(draft: &mut Draft, out: &mut Writer, parts: &Parts) {
    out.line(0, "binfarm:");
    let image = |draft: &mut Draft, found: &Option<(String, usize)>, default: &str| match found {
        None => default.to_owned(),
        Some((image, line)) => recipes::reference(image).unwrap_or_else(|| {
            let message = format!("the image `{image}` has variables that the manifest does not have");
            draft.note(
                NoteKind::Look,
                "context.binfarm.d/Dockerfile",
                *line,
                message,
                format!("`{default}` is in the manifest"),
            );
            default.to_owned()
        }),
    };
    let base = image(draft, &parts.binfarm.base, "gentoo/stage3-${PLATFORM}:${STAGE3_TAG}");
    out.line(1, &format!("base: {{ image: {} }}", quoted(&base)));
    if parts.has_root {
        out.value(1, "root", "root.d");
    }
    out.line(1, "repos:");
    let portage = image(draft, &parts.binfarm.portage, "gentoo/portage:${PORTAGE_TAG}");
    if !parts.repos.iter().any(|(name, _)| name == "gentoo") {
        out.line(2, &format!("gentoo: {{ image: {} }}", quoted(&portage)));
    }
    for (name, source) in &parts.repos {
        let source = match source {
            Source::Folder(folder) => format!("path: {}", quoted(folder)),
            Source::Git(url) => format!("git: {}", quoted(&literal(url))),
        };
        out.line(2, &format!("{}: {{ {source} }}", quoted(name)));
    }
    let profile = expanded(draft, parts, "GENTOO_PROFILE", "q-crypt-hep:binfarm/$(BINFARM_TYPE)");
    let profile = if profile.contains(':') {
        profile
    } else {
        format!("gentoo:{profile}")
    };
    let repository = profile.split(':').next().unwrap_or_default();
    if repository != "gentoo" && !parts.repos.iter().any(|(name, _)| name == repository) {
        let line = parts.makefile.variable("GENTOO_PROFILE").map(|(_, line)| line);
        let message = format!("the profile {profile} is in a repository that is not in the folder");
        draft.note(
            NoteKind::Look,
            MAKEFILE,
            line,
            message,
            "name the repository under `binfarm.repos`; the manifest cannot be used without",
        );
    }
    out.value(1, "profile", &profile);
    if parts.has_layer {
        out.list(1, "config", [&parts.name]);
    }
    let Some(spec) = parts.specs.first() else { return };
    if spec.sets.is_empty() {
        kept(out, 1, 2, &spec.trailing);
    } else {
        out.line(1, "packages:");
        let mut seen: Vec<&str> = Vec::new();
        for set in &spec.sets {
            kept(out, 2, 0, &set.comments);
            for member in &set.members {
                if seen.contains(&member.key.as_str()) {
                    let message = format!("`{}` is in two sets, of which the first one counts", member.key);
                    draft.note(
                        NoteKind::LeftOut,
                        &spec.file,
                        member.line,
                        message,
                        "put what is set for it into the first entry",
                    );
                    continue;
                }
                seen.push(&member.key);
                package(out, 2, member, true);
            }
        }
        kept(out, 2, 0, &spec.trailing);
    }
    out.line(0, "");
}

/// Writes the subjects and gives their names.
fn subjects(draft: &mut Draft, out: &mut Writer, parts: &Parts, sets: &[&Set]) -> Vec<String> {
    let trailing = |out: &mut Writer| {
        for spec in parts.specs.iter().skip(1) {
            kept(out, 1, 2, &spec.trailing);
        }
    };
    if sets.is_empty() {
        trailing(out);
        return Vec::new();
    }
    out.line(0, "subjects:");
    let mut names = Vec::new();
    for set in sets {
        let name = subject_name(&set.name);
        if name != set.name || names.contains(&name) {
            let file = parts
                .specs
                .iter()
                .skip(1)
                .find(|spec| spec.sets.iter().any(|one| std::ptr::eq(one, *set)));
            let file = file.map_or("", |spec| spec.file.as_str());
            let message = format!("the set `{}` is no name for a subject, or is there twice", set.name);
            draft.note(NoteKind::Changed, file, set.line, message, format!("it is `{name}`"));
            if names.contains(&name) {
                continue;
            }
        }
        kept(out, 1, 2, &set.comments);
        out.line(1, &format!("{}:", quoted(&name)));
        out.line(2, "packages:");
        for member in &set.members {
            package(out, 3, member, true);
        }
        names.push(name);
    }
    trailing(out);
    out.line(0, "");
    names
}

fn subject_name(set: &str) -> String {
    let valid = |c: char| {
        if c.is_ascii_alphanumeric() || "_-+.".contains(c) {
            c
        } else {
            '-'
        }
    };
    let name: String = set.chars().map(valid).collect();
    name.trim_start_matches(|c: char| !c.is_ascii_alphanumeric()).to_owned()
}

/// A member or an entry of `deps`, on one line where that is short.
fn package(out: &mut Writer, depth: usize, package: &Package, member: bool) {
    kept(out, depth, 2, &package.comments);
    let fields = fields(package);
    let key = quoted(&package.key);
    if package.sets_nothing() && package.deps.is_empty() && package.inner.is_empty() && member {
        out.line(depth, &format!("{key}: {{}}"));
        return;
    }
    if let ([(name, words)], true, true) = (&fields[..], package.deps.is_empty(), package.inner.is_empty()) {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        let value = if *name == "mask" {
            "true".to_owned()
        } else {
            format!("[{}]", words.join(", "))
        };
        let line = format!("{key}: {{ {name}: {value} }}");
        if line.len() + 2 * depth <= 100 {
            out.line(depth, &line);
            return;
        }
    }
    out.line(depth, &format!("{key}:"));
    out.comments(depth + 1, &package.inner);
    for (name, words) in fields {
        if name == "mask" {
            out.line(depth + 1, "mask: true");
        } else {
            out.list(depth + 1, name, words);
        }
    }
    if !package.deps.is_empty() {
        out.line(depth + 1, "deps:");
        for dep in &package.deps {
            self::package(out, depth + 2, dep, false);
        }
    }
    if package.sets_nothing() && package.deps.is_empty() {
        out.line(depth + 1, "{}");
    }
}

/// What is set, in the order in which manifests have it.
fn fields(package: &Package) -> Vec<(&'static str, Vec<String>)> {
    let words = |words: &[Word]| -> Vec<String> { words.iter().map(|word| literal(&word.text)).collect() };
    let mut found = vec![
        ("use", words(&package.use_flags)),
        ("accept_keywords", words(&package.keywords)),
        ("license", words(&package.licences)),
        ("mask", vec![String::new(); usize::from(package.masked)]),
        ("env", words(&package.env)),
    ];
    found.retain(|(_, words)| !words.is_empty());
    found
}

/// Writes comments; those that close what came before stand where that stood, `inside` levels deeper.
fn kept(out: &mut Writer, depth: usize, inside: usize, comments: &[Kept]) {
    for comment in comments {
        let depth = if comment.deeper { depth + inside } else { depth };
        out.comments(depth, std::slice::from_ref(&comment.text));
    }
}

fn images(draft: &mut Draft, out: &mut Writer, parts: &Parts, subjects: &[String]) {
    out.line(0, "images:");
    out.line(1, &format!("{}:", image_name(&parts.name)));
    out.value(2, "from", "base");
    out.list(2, "subjects", subjects);
    out.list(2, "strip", ["repos", "docs"]);
    out.line(0, "");
    let line = parts.makefile.variable("RELEASE_IMAGE_NAME").map(|(_, line)| line);
    let message = "HEP-Soft published the image in which packages are built, which has the configuration and no packages of the sets";
    let advice = "the farm's image holds the packages of all subjects on the plain base; `farm build env` makes one with the configuration";
    draft.note(NoteKind::Changed, MAKEFILE, line, message, advice);
}

/// A registry takes fewer names than a folder.
fn image_name(farm: &str) -> String {
    let lower = farm.to_lowercase();
    let parts = lower
        .split(|c: char| !c.is_ascii_alphanumeric())
        .filter(|part| !part.is_empty());
    parts.collect::<Vec<_>>().join("-")
}

fn publish(draft: &mut Draft, out: &mut Writer, parts: &Parts, has_image: bool) {
    let remote = parts.makefile.remote();
    let image = parts.makefile.variable("RELEASE_IMAGE_NAME").filter(|_| has_image);
    if remote.is_none() && image.is_none() {
        return;
    }
    out.line(0, "publish:");
    if let Some((to, _)) = remote {
        out.line(1, &format!("pkgs: {{ to: {} }}", quoted(&to)));
    }
    let Some((written, line)) = image else { return };
    match parts.makefile.expand(written) {
        Some(reference) => {
            let (to, tag) = match reference.rsplit_once(':') {
                Some((to, tag)) if !tag.contains('/') => (to, format!(", tag: {}", quoted(tag))),
                _ => (reference.as_str(), String::new()),
            };
            out.line(1, &format!("images: {{ to: {}{tag} }}", quoted(to)));
        }
        None => {
            let message = format!("RELEASE_IMAGE_NAME={written} needs make to be read");
            draft.note(
                NoteKind::LeftOut,
                MAKEFILE,
                line,
                message,
                "write `publish.images: { to: NAME, tag: TAG }`",
            );
        }
    }
}
