//! `presets/spec-*.yaml`: sets, their members, and what is set for them and for what they depend on.

use std::collections::VecDeque;

use farm_portage::atom::Atom;
use farm_portage::keyword::Keyword;
use farm_portage::lines::SetName;
use farm_portage::use_flags::SignedFlag;

use crate::atoms;
use crate::draft::Draft;
use crate::report::NoteKind;
use crate::yaml::{Comment, Document, Key, Kind, Node};

/// A comment that is kept, and whether it stood deeper than the key it is kept with: it closes what came before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Kept {
    pub(super) text: String,
    pub(super) deeper: bool,
}

/// A set.
#[derive(Debug, Clone)]
pub(super) struct Set {
    pub(super) name: String,
    pub(super) line: usize,
    pub(super) comments: Vec<Kept>,
    pub(super) members: Vec<Package>,
}

/// A member of a set, or an entry of `deps`.
#[derive(Debug, Clone)]
pub(super) struct Package {
    /// The key in the manifest: an atom or `@set`.
    pub(super) key: String,
    /// The atom; a set has none.
    pub(super) atom: Option<Atom>,
    pub(super) line: usize,
    pub(super) comments: Vec<Kept>,
    /// Comments from within.
    pub(super) inner: Vec<String>,
    pub(super) use_flags: Vec<Word>,
    pub(super) keywords: Vec<Word>,
    pub(super) licences: Vec<Word>,
    pub(super) env: Vec<Word>,
    /// Whether the atom itself is masked.
    pub(super) masked: bool,
    pub(super) deps: Vec<Self>,
}

impl Package {
    pub(super) fn sets_nothing(&self) -> bool {
        self.use_flags.is_empty()
            && self.keywords.is_empty()
            && self.licences.is_empty()
            && self.env.is_empty()
            && !self.masked
    }
}

/// A word with its line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Word {
    pub(super) text: String,
    pub(super) line: usize,
}

/// A whole file.
#[derive(Debug, Clone, Default)]
pub(super) struct Spec {
    pub(super) file: String,
    pub(super) sets: Vec<Set>,
    /// Comments after the last set.
    pub(super) trailing: Vec<Kept>,
}

/// Reads a document; the report hears of all that is not as HEP-Soft would have it.
pub(super) fn read(draft: &mut Draft, file: &str, document: Document) -> Spec {
    let mut reader = Reader {
        draft,
        file,
        comments: document.comments.into(),
    };
    let mut sets: Vec<Set> = Vec::new();
    match document.root.kind {
        Kind::Map(entries) => {
            for (key, node) in entries {
                if let Some(set) = reader.set(&key, &node) {
                    if let Some(earlier) = sets.iter().position(|one| one.name == set.name) {
                        reader.twice("set", &set.name, sets[earlier].line, set.line);
                        sets.remove(earlier);
                    }
                    sets.push(set);
                }
            }
        }
        Kind::Null => reader.left_out(1, "holds no sets", "nothing to do"),
        other => reader.left_out(
            1,
            &format!("holds {}, not sets", other.describe()),
            "write `SET: { ATOM: {} }`",
        ),
    }
    Spec {
        file: file.to_owned(),
        trailing: reader.comments_up_to(usize::MAX, 0),
        sets,
    }
}

struct Reader<'a> {
    draft: &'a mut Draft,
    file: &'a str,
    comments: VecDeque<Comment>,
}

impl Reader<'_> {
    fn left_out(&mut self, line: usize, message: &str, advice: &str) {
        self.draft.note(NoteKind::LeftOut, self.file, line, message, advice);
    }

    fn changed(&mut self, line: usize, message: &str, advice: &str) {
        self.draft.note(NoteKind::Changed, self.file, line, message, advice);
    }

    fn twice(&mut self, what: &str, name: &str, earlier: usize, line: usize) {
        let message = format!("the {what} `{name}` stands here again, and at line {earlier}; the last one counted");
        self.left_out(
            earlier,
            &format!("the {what} `{name}` stands again at line {line}, which counted alone"),
            "put both into one entry if both are meant",
        );
        self.draft.note(
            NoteKind::Look,
            self.file,
            line,
            message,
            "put both into one entry if both are meant",
        );
    }

    /// The comments up to and with a line, to be kept with a key in that column.
    fn comments_up_to(&mut self, line: usize, column: usize) -> Vec<Kept> {
        let mut kept = Vec::new();
        while let Some(comment) = self.comments.pop_front_if(|comment| comment.line <= line) {
            kept.push(Kept {
                deeper: comment.line < line && comment.column > column,
                text: comment.text,
            });
        }
        kept
    }

    fn set(&mut self, key: &Key, node: &Node) -> Option<Set> {
        let comments = self.comments_up_to(key.line, key.column);
        let mut members: Vec<Package> = Vec::new();
        match &node.kind {
            Kind::Map(entries) if !entries.is_empty() => {
                for (key, node) in entries {
                    if let Some(package) = self.package(key, node, false) {
                        self.push(&mut members, package);
                    }
                }
            }
            Kind::List(items) if !items.is_empty() => {
                let message = format!("the set `{}` is a list, with which HEP-Soft stopped", key.text);
                self.changed(key.line, &message, "its atoms are members without settings");
                for item in items {
                    if let Kind::Scalar(text) = &item.kind {
                        let key = Key {
                            text: text.clone(),
                            line: item.line,
                            column: key.column,
                        };
                        let nothing = Node {
                            kind: Kind::Null,
                            ..item.clone()
                        };
                        if let Some(package) = self.package(&key, &nothing, false) {
                            self.push(&mut members, package);
                        }
                    } else {
                        self.left_out(
                            item.line,
                            &format!("{} in a list of atoms", item.kind.describe()),
                            "write the atom as a key",
                        );
                    }
                }
            }
            Kind::Map(_) | Kind::List(_) | Kind::Null => {}
            Kind::Scalar(text) => {
                let message = format!("the set `{}` is the text `{text}`", key.text);
                self.left_out(key.line, &message, "write `SET: { ATOM: {} }`");
                return None;
            }
        }
        if members.is_empty() {
            let message = format!("the set `{}` has no members", key.text);
            self.left_out(key.line, &message, "HEP-Soft stopped at it; a subject needs a member");
            // What is commented out in it belongs before what follows.
            self.give_back(comments);
            return None;
        }
        Some(Set {
            name: key.text.clone(),
            line: key.line,
            comments,
            members,
        })
    }

    /// The last entry of a name counts, as with the reader of YAML that HEP-Soft has.
    fn push(&mut self, packages: &mut Vec<Package>, package: Package) {
        if let Some(earlier) = packages.iter().position(|one| one.key == package.key) {
            self.twice("atom", &package.key, packages[earlier].line, package.line);
            packages.remove(earlier);
        }
        packages.push(package);
    }

    /// Puts comments back, to be kept with what comes next.
    fn give_back(&mut self, comments: Vec<Kept>) {
        for kept in comments.into_iter().rev() {
            self.comments.push_front(Comment {
                line: 0,
                column: 0,
                text: kept.text,
            });
        }
    }

    fn package(&mut self, key: &Key, node: &Node, dep: bool) -> Option<Package> {
        let mut comments = self.comments_up_to(key.line, key.column);
        let mut package = Package {
            key: key.text.clone(),
            atom: None,
            line: key.line,
            comments: Vec::new(),
            inner: Vec::new(),
            use_flags: Vec::new(),
            keywords: Vec::new(),
            licences: Vec::new(),
            env: Vec::new(),
            masked: false,
            deps: Vec::new(),
        };
        if let Some(name) = key.text.strip_prefix('@').filter(|_| !dep) {
            if SetName::parse(name).is_err()
                || !matches!(&node.kind, Kind::Null) && !matches!(&node.kind, Kind::Map(entries) if entries.is_empty())
            {
                let message = format!("`{}` is no set, or something is set for it", key.text);
                self.left_out(
                    key.line,
                    &message,
                    "name the atoms of the set, each with its own settings",
                );
                self.give_back(comments);
                return None;
            }
            let message = format!("the set `{}` as a member, which HEP-Soft refused", key.text);
            self.changed(key.line, &message, "it is a member now; a layer must have the set");
            package.comments = comments;
            return Some(package);
        }
        let taken = match atoms::take(&key.text) {
            Ok(taken) => taken,
            Err(why) => {
                let advice = "write an atom as Portage takes it; for a mask write `mask: true` under the atom";
                self.left_out(key.line, &format!("`{}`: {why}", key.text), advice);
                comments.push(Kept {
                    text: format!("# {}: {why}", key.text),
                    deeper: false,
                });
                self.give_back(comments);
                return None;
            }
        };
        for why in &taken.changes {
            self.changed(
                key.line,
                &format!("`{}` is `{}`: {why}", key.text, taken.atom),
                "nothing to do",
            );
        }
        if refused_by_hep_soft(&taken.atom, &key.text) {
            let message = format!("`{}`, which HEP-Soft refused", key.text);
            self.changed(key.line, &message, "farm takes it");
        }
        package.use_flags = words(taken.flags, key.line);
        self.fields(&mut package, node, key);
        let mut atom = taken.atom;
        if let Some(renamed) = self
            .draft
            .names
            .today(&atom, self.file, key.line, &mut self.draft.report)
        {
            atom = renamed.atom;
            comments.push(Kept {
                text: format!("# {}", renamed.comment),
                deeper: false,
            });
        }
        package.key = atom.to_string();
        package.comments = comments;
        if atom.is_extended() && package.sets_nothing() && !dep {
            let message = format!("the pattern `{atom}` is no member, and nothing is set for it");
            self.left_out(key.line, &message, "name packages");
            return None;
        }
        package.atom = Some(atom);
        Some(package)
    }

    fn fields(&mut self, package: &mut Package, node: &Node, key: &Key) {
        let entries = match &node.kind {
            Kind::Null => return,
            Kind::Map(entries) => entries,
            other => {
                let message = format!("under `{}` stands {}, not a map", key.text, other.describe());
                self.left_out(node.line, &message, "write `{ use: [...] }`");
                return;
            }
        };
        let mut seen: Vec<(&str, usize)> = Vec::new();
        for (field, node) in entries {
            if let Some((name, earlier)) = seen.iter().find(|(name, _)| *name == field.text) {
                self.twice("key", name, *earlier, field.line);
            }
            seen.push((&field.text, field.line));
            if field.text == "deps" {
                package.inner.extend(
                    self.comments_up_to(field.line, field.column)
                        .into_iter()
                        .map(|kept| kept.text),
                );
                self.deps(package, node);
                continue;
            }
            package.inner.extend(
                self.comments_up_to(node.end.max(field.line), field.column)
                    .into_iter()
                    .map(|kept| kept.text),
            );
            match field.text.as_str() {
                "use" => {
                    let flags = self.list(node, "use");
                    // What stood in brackets behind the atom is not replaced by it.
                    package.use_flags.retain(|flag| flag.line == package.line);
                    package
                        .use_flags
                        .extend(self.checked(flags, "USE flag", |text| SignedFlag::parse(text).is_ok()));
                }
                "accept_keywords" => {
                    let words = self.list(node, "accept_keywords");
                    package.keywords = self.checked(words, "keyword", |text| Keyword::parse(text).is_ok());
                }
                "license" => package.licences = self.list(node, "license"),
                "env" => package.env = self.list(node, "env"),
                "mask" => package.masked = self.mask(node, &key.text),
                other => {
                    let message = format!("`{other}` under `{}` is no key that HEP-Soft knew", key.text);
                    self.left_out(
                        field.line,
                        &message,
                        "HEP-Soft passed over it without a word; remove it, or write what was meant",
                    );
                    package.inner.push(format!("# {other}: HEP-Soft did not know this key"));
                }
            }
        }
    }

    fn deps(&mut self, package: &mut Package, node: &Node) {
        package.deps.clear();
        match &node.kind {
            Kind::Null => {}
            Kind::Map(entries) => {
                for (key, node) in entries {
                    let Some(dep) = self.package(key, node, true) else {
                        continue;
                    };
                    if dep.sets_nothing() && dep.deps.is_empty() {
                        self.left_out(
                            key.line,
                            &format!("nothing is set for `{}`", key.text),
                            "an entry of `deps` only carries settings; name a package that is to be built in a set",
                        );
                        self.give_back(dep.comments);
                        continue;
                    }
                    let mut deps = std::mem::take(&mut package.deps);
                    self.push(&mut deps, dep);
                    package.deps = deps;
                }
            }
            other => {
                self.left_out(
                    node.line,
                    &format!("`deps` is {}", other.describe()),
                    "write `deps: { ATOM: { use: [...] } }`",
                );
            }
        }
    }

    /// The words of a list, or of a text that stands where a list should.
    fn list(&mut self, node: &Node, key: &str) -> Vec<Word> {
        let mut found = Vec::new();
        match &node.kind {
            Kind::Null => {}
            Kind::Scalar(text) => {
                let letters: Vec<String> = text.chars().map(String::from).collect();
                let split: Vec<String> = text
                    .split([' ', ',', '\n'])
                    .filter(|word| !word.is_empty())
                    .map(str::to_owned)
                    .collect();
                let message = format!(
                    "`{key}: {text}` is a text, of which HEP-Soft wrote the letters: `{}`",
                    letters.join(" ")
                );
                self.changed(
                    node.line,
                    &message,
                    &format!("it is `{key}: [{}]` now", split.join(", ")),
                );
                found.extend(words(split, node.line));
            }
            Kind::List(items) => {
                for item in items {
                    match &item.kind {
                        Kind::Scalar(text) => {
                            found.extend(words(text.split_whitespace().map(str::to_owned), item.line));
                        }
                        Kind::Null => {}
                        other => self.left_out(item.line, &format!("{} in `{key}`", other.describe()), "write words"),
                    }
                }
            }
            Kind::Map(_) => self.left_out(node.line, &format!("`{key}` is a map"), "write a list"),
        }
        found
    }

    /// The words that are what they should be.
    fn checked(&mut self, found: Vec<Word>, what: &str, right: impl Fn(&str) -> bool) -> Vec<Word> {
        let (kept, wrong): (Vec<_>, Vec<_>) = found.into_iter().partition(|word| right(&word.text));
        for word in wrong {
            self.left_out(
                word.line,
                &format!("`{}` is no {what}", word.text),
                "Portage does not take it; write what was meant",
            );
        }
        kept
    }

    /// HEP-Soft wrote the atom, and behind it the words of the list: only without words is that a mask.
    fn mask(&mut self, node: &Node, atom: &str) -> bool {
        let words = match &node.kind {
            Kind::Null => return false,
            Kind::List(items) if items.is_empty() => return true,
            Kind::Scalar(text) if text == "true" => return true,
            Kind::Scalar(text) if text == "false" => return false,
            _ => self.list(node, "mask"),
        };
        let words: Vec<&str> = words.iter().map(|word| word.text.as_str()).collect();
        let message = format!(
            "`mask: [{0}]` of `{atom}` was the line `{atom} {0}`, which Portage does not take: nothing was masked",
            words.join(" ")
        );
        let advice = "write `mask: true` to mask the atom, or `mask: [ATOM]` to mask another one";
        self.left_out(node.line, &message, advice);
        false
    }
}

fn words(texts: impl IntoIterator<Item = String>, line: usize) -> Vec<Word> {
    texts.into_iter().map(|text| Word { text, line }).collect()
}

/// What its expression for atoms had no place for.
fn refused_by_hep_soft(atom: &Atom, written: &str) -> bool {
    written.starts_with('~') || atom.is_extended() || atom.name().len() < 2
}
