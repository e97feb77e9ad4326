//! An `/etc/portage` tree becomes a configuration layer.

use std::collections::BTreeMap;

use camino::Utf8Path;
use farm_portage::atom::Atom;
use farm_portage::lines::{Dialect, parse_use};
use farm_portage::make_conf::MakeConf;

use crate::draft::Draft;
use crate::lines::{self, LineFile};
use crate::report::NoteKind;
use crate::repos_conf::{self, Section};
use crate::tree::{Entry, Tree};

/// A layer that is being made.
#[derive(Debug, Default)]
pub(crate) struct Layer {
    /// The folder below `profiles/`.
    pub(crate) name: String,
    /// By the path in the layer: where it comes from, and what it is.
    pub(crate) files: BTreeMap<String, (String, Entry)>,
    /// The repositories that its `repos.conf` had.
    pub(crate) repos: Vec<Section>,
}

/// Variables of make.conf without an effect in a build of farm's, and what has their place.
const FARMS_OWN: &[(&str, &str)] = &[
    (
        "DISTDIR",
        "farm fetches to a place of its own; `distfiles.dir` names a folder that is looked into first",
    ),
    (
        "EMERGE_DEFAULT_OPTS",
        "farm gives emerge its own options; those of the resolver go to `resolve:`",
    ),
    (
        "GENTOO_MIRRORS",
        "write the addresses to `distfiles.mirrors` of the manifest",
    ),
    ("MAKEFLAGS", "farm hands out jobs by itself"),
    ("MAKEOPTS", "`farm build -jN` says how many jobs there are"),
    ("NINJAOPTS", "farm hands out jobs by itself"),
    ("PKGDIR", "packages are in .farm and where `publish.pkgs` puts them"),
    ("PORTAGE_BINHOST", "farm takes its own packages from .farm"),
    (
        "PORTAGE_RSYNC_EXTRA_OPTS",
        "repositories are pinned in farm.lock, and `farm update` moves them",
    ),
    ("ftp_proxy", "write the proxy to `distfiles.proxy` of the manifest"),
    ("http_proxy", "write the proxy to `distfiles.proxy` of the manifest"),
    ("https_proxy", "write the proxy to `distfiles.proxy` of the manifest"),
];

/// FEATURES that a build of farm's has no use for.
const FEATURES: &[(&str, &str)] = &[
    (
        "binpkg-signing",
        "`publish.pkgs.sign` signs packages when they are published",
    ),
    ("ccache", "the build containers have no ccache; take the word out"),
    ("distcc", "the build containers have no distcc; take the word out"),
    (
        "getbinpkg",
        "builds have no network, and farm takes its own packages; take the word out",
    ),
];

/// Makes a layer of what was taken of a tree: the path from its root, the path in the layer, the entry.
pub(crate) fn make(draft: &mut Draft, tree: &Tree<'_>, name: &str, files: &[(&Utf8Path, &Utf8Path, &Entry)]) -> Layer {
    let mut layer = Layer {
        name: name.to_owned(),
        ..Layer::default()
    };
    for (source, inside, entry) in files {
        layer.add(draft, tree, source, inside.as_str(), entry);
    }
    layer
}

impl Layer {
    pub(crate) fn add(&mut self, draft: &mut Draft, tree: &Tree<'_>, source: &Utf8Path, inside: &str, entry: &Entry) {
        let file = source.as_str();
        let top = inside.split('/').next().unwrap_or_default();
        let own = inside.rsplit('/').next().unwrap_or_default();
        if own == ".keep" {
            return;
        }
        if own.starts_with('.') || own.ends_with('~') {
            let advice = "Portage does not read files of such a name; rename it if it is meant";
            draft.note(NoteKind::LeftOut, file, None, "is hidden, or an editor's own", advice);
            return;
        }
        match top {
            "repos.conf" => {
                let advice = "farm writes /etc/portage/repos.conf itself from `binfarm.repos`";
                draft.note(NoteKind::LeftOut, file, None, "says where repositories are", advice);
                self.repos
                    .extend(repos_conf::read(file, tree.text(source).unwrap_or_default()));
                return;
            }
            "make.profile" => {
                let advice = "farm makes this link itself from `binfarm.profile`";
                draft.note(NoteKind::LeftOut, file, None, "names the profile", advice);
                return;
            }
            _ => {}
        }
        let kind = LineFile::of(top);
        let text = kind.is_some() || matches!(top, "make.conf" | "make.defaults" | "bashrc");
        if !text {
            self.files.insert(inside.to_owned(), (file.to_owned(), entry.clone()));
            return;
        }
        let Some(read) = tree.text(source) else {
            let advice = "put a copy in UTF-8 into the layer";
            draft.note(
                NoteKind::LeftOut,
                file,
                None,
                "is no text, or a link that leads out of the tree",
                advice,
            );
            return;
        };
        let taken = match kind {
            Some(kind) => lines::taken(draft, kind, file, read),
            None if top == "bashrc" => read.to_owned(),
            None => variables(draft, file, read),
        };
        self.files
            .insert(inside.to_owned(), (file.to_owned(), Entry::text(taken)));
    }

    /// Puts the files where layers are.
    pub(crate) fn put(self, draft: &mut Draft) {
        for (inside, (_, entry)) in self.files {
            draft.put(format!("profiles/{}/{inside}", self.name), entry);
        }
    }

    /// Whether there is the file of `env/` that a name means.
    pub(crate) fn has_env(&self, name: &str) -> bool {
        self.files.contains_key(&format!("env/{name}")) || self.files.contains_key(&format!("env/{name}.conf"))
    }

    /// The USE flags that it sets for single packages, in the order in which Portage reads them.
    pub(crate) fn flags(&self) -> Vec<LayerFlag> {
        let mut found = Vec::new();
        for (inside, (source, entry)) in &self.files {
            if inside.split('/').next() != Some("package.use") {
                continue;
            }
            for entry in parse_use(entry.as_text().unwrap_or_default(), Dialect::USER).entries {
                for value in &entry.values {
                    let expanded = value.value.expanded();
                    let flag = expanded.strip_prefix('-').unwrap_or(&expanded);
                    found.push(LayerFlag {
                        atom: entry.atom.clone(),
                        flag: flag.to_owned(),
                        enabled: flag.len() == expanded.len(),
                        inside: inside.clone(),
                        source: source.clone(),
                        line: entry.line(),
                    });
                }
            }
        }
        found
    }
}

/// A flag that a layer sets for a package.
#[derive(Debug, Clone)]
pub(crate) struct LayerFlag {
    pub(crate) atom: Atom,
    pub(crate) flag: String,
    pub(crate) enabled: bool,
    /// The file in the layer.
    pub(crate) inside: String,
    /// The file it comes from.
    pub(crate) source: String,
    pub(crate) line: usize,
}

impl LayerFlag {
    /// With its sign.
    pub(crate) fn signed(&self) -> String {
        format!("{}{}", if self.enabled { "" } else { "-" }, self.flag)
    }

    pub(crate) fn contradicts(&self, other: &Self) -> bool {
        self.flag == other.flag && self.enabled != other.enabled && self.atom.cp() == other.atom.cp()
    }
}

/// Says what of make.conf is farm's own business, and gives the text as a profile can hold it.
fn variables(draft: &mut Draft, file: &str, text: &str) -> String {
    let conf = match MakeConf::parse(text) {
        Ok(conf) => conf,
        Err(error) => {
            let advice = "Portage stops here as well; mend the line in the layer, which farm refuses else";
            draft.note(NoteKind::Look, file, error.line, error.problem.to_string(), advice);
            return text.to_owned();
        }
    };
    for source in &conf.sources {
        let advice = "layers are profiles, which read no other files; put its lines here";
        draft.note(
            NoteKind::LeftOut,
            file,
            source.line,
            format!("`source {}`", source.path),
            advice,
        );
    }
    for assignment in &conf.assignments {
        if let Some((_, advice)) = FARMS_OWN.iter().find(|(name, _)| *name == assignment.key) {
            let message = format!("`{}` stays in the layer, and no build heeds it", assignment.key);
            draft.note(NoteKind::Look, file, assignment.line, message, *advice);
        }
        if assignment.key == "FEATURES" {
            for (feature, advice) in FEATURES {
                if assignment.value().split_whitespace().any(|word| word == *feature) {
                    draft.note(
                        NoteKind::Look,
                        file,
                        assignment.line,
                        format!("`{feature}` in FEATURES"),
                        *advice,
                    );
                }
            }
        }
    }
    let sourced = |number| conf.sources.iter().any(|source| source.line == number);
    let lines = text.lines().enumerate();
    let kept = lines.map(|(index, line)| {
        if sourced(index + 1) {
            format!("# {line}\n")
        } else {
            format!("{line}\n")
        }
    });
    kept.collect()
}

/// Lets a later layer win where it contradicts an earlier one about the same atom, and tells where the more specific atom of an
/// earlier layer won before and loses now. `order` names the layers as a farm has them.
pub(crate) fn settle(draft: &mut Draft, layers: &mut BTreeMap<String, Layer>, order: &[String]) {
    let mut before: Vec<LayerFlag> = Vec::new();
    for name in order {
        let Some(layer) = layers.get_mut(name) else { continue };
        let own = layer.flags();
        for flag in &own {
            let Some(earlier) = before.iter().rev().find(|earlier| earlier.contradicts(flag)) else {
                continue;
            };
            let place = format!("`{}` at {}:{}", earlier.signed(), earlier.source, earlier.line);
            let what = format!("`{}` of `{}` contradicts {place}", flag.signed(), flag.atom);
            if earlier.atom == flag.atom {
                let advice = "the old tool dropped the rest of the line without a word; here the later layer wins, and says so with `!override`";
                draft.note(NoteKind::Changed, &flag.source, flag.line, what, advice);
                if let Some((_, Entry::File { bytes, .. })) = layer.files.get_mut(&flag.inside) {
                    *bytes = with_override(&String::from_utf8_lossy(bytes), flag.line).into_bytes();
                }
            } else if earlier.atom.specificity() > flag.atom.specificity() {
                let advice = "in one folder the more specific atom won, of two layers the later one does; remove the one that is not meant";
                draft.note(NoteKind::Look, &flag.source, flag.line, what, advice);
            }
        }
        before.extend(own);
    }
}

/// The text with the mark of a line that is meant to win.
fn with_override(text: &str, number: usize) -> String {
    let mut marked = String::new();
    for (index, line) in text.lines().enumerate() {
        marked.push_str(line);
        if index + 1 == number && !line.contains("!override") {
            marked.push_str(if line.contains('#') {
                " !override"
            } else {
                " # !override"
            });
        }
        marked.push('\n');
    }
    marked
}
