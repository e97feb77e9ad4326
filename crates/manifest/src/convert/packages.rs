//! `packages:` in its four forms, and what is set for each package.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use farm_portage::atom::{Atom, AtomSyntax};
use farm_portage::keyword::Keyword;
use farm_portage::lines::{BlockWord, LineError, Parsed, Place, SetMember, SetName, parse_set, parse_text_block};
use farm_portage::use_flags::SignedFlag;

use crate::arches::ARCHES;
use crate::keys::{DEP, PACKAGE, Section};
use crate::model::{Dep, Flag, PackageEntry, PackageSettings, Packages, SetFile};
use crate::reader::{Fields, Reader, is_block};
use crate::source::Sources;
use crate::span::{FileId, Span, Spanned};
use crate::yaml::{Entry, Key, Kind, Node, Style};

/// What Portage takes in `/etc/portage/package.*`. A build number names one binary package, which a manifest cannot want.
pub(crate) const SYNTAX: AtomSyntax = AtomSyntax {
    build_id: false,
    ..AtomSyntax::USER
};

/// Reads a `packages:` value. A set file is only named by it; its entries come when it is read.
pub(crate) fn packages(reader: &mut Reader<'_>, node: &Node, context: &str) -> Packages {
    let entries = match &node.kind {
        Kind::Mapping(entries) => entries.iter().filter_map(|entry| member(reader, entry)).collect(),
        Kind::Sequence(items) => items.iter().flat_map(|item| list_item(reader, item, context)).collect(),
        Kind::Scalar(scalar) if is_block(node) => {
            if scalar.style == Style::Folded {
                reader
                    .error(node.span, format!("{context} is folded into one line by `>`"))
                    .help = Some("write `|`, which keeps the lines".to_owned());
                Vec::new()
            } else {
                block(reader, node, &scalar.text)
            }
        }
        Kind::Scalar(_) => {
            let path = reader.path(node, context);
            return Packages {
                entries: Vec::new(),
                set_file: path.map(|path| SetFile { path }),
            };
        }
    };
    duplicates(reader, &entries);
    Packages {
        entries,
        set_file: None,
    }
}

/// Reads the text of a set file into the entries of `packages`.
pub(crate) fn set_file(reader: &mut Reader<'_>, file: FileId, packages: &mut Packages) {
    let text = reader.sources.text(file);
    let Parsed { entries, errors } = parse_set(text);
    let sources = reader.sources;
    let span = |place: &Place| sources.span(file, place.span.start, place.span.end);
    for error in errors {
        report(reader, error, span);
    }
    for entry in entries {
        packages.entries.push(PackageEntry {
            member: Spanned::new(entry.member, span(&entry.place)),
            settings: PackageSettings::default(),
            deps: Vec::new(),
        });
    }
    duplicates(reader, &packages.entries);
}

/// One entry of the map form.
fn member(reader: &mut Reader<'_>, entry: &Entry) -> Option<PackageEntry> {
    let key = &entry.key;
    let member = if let Some(name) = key.text.strip_prefix('@') {
        if !entry.value.is_null() && !matches!(&entry.value.kind, Kind::Mapping(entries) if entries.is_empty()) {
            reader
                .error(
                    entry.value.span,
                    format!("nothing can be set for the set `{}`", key.text),
                )
                .help = Some("set flags for the atoms of the set, each by its name".to_owned());
        }
        match SetName::parse(name) {
            Ok(name) => SetMember::Set(name),
            Err(problem) => {
                reader.error(key.span, problem.to_string());
                return None;
            }
        }
    } else {
        SetMember::Atom(atom(
            reader,
            &key.text,
            key.span,
            SYNTAX,
            "the settings in a map under it",
        )?)
    };
    let own = match &member {
        SetMember::Atom(atom) => atom.clone(),
        SetMember::Set(_) => {
            return Some(PackageEntry {
                member: Spanned::new(member, key.span),
                settings: PackageSettings::default(),
                deps: Vec::new(),
            });
        }
    };
    let (settings, deps) = settings(reader, &entry.value, &own, key, &PACKAGE);
    if own.is_extended() && settings.is_empty() && deps.is_empty() {
        reader.error(
            key.span,
            format!("the pattern `{own}` is no member, and nothing is set for it"),
        );
    }
    Some(PackageEntry {
        member: Spanned::new(member, key.span),
        settings,
        deps,
    })
}

/// Reads the map behind an atom.
fn settings(
    reader: &mut Reader<'_>,
    node: &Node,
    own: &Atom,
    key: &Key,
    section: &'static Section,
) -> (PackageSettings, Vec<Dep>) {
    let nothing = (PackageSettings::default(), Vec::new());
    if node.is_null() {
        return nothing;
    }
    let context = format!("`{}`", key.text);
    if let Kind::Sequence(items) = &node.kind {
        let words: Vec<String> = items.iter().filter_map(scalar_text).collect();
        reader.wrong_kind(node, &context, "a map").help = Some(format!("write `{{ use: [{}] }}`", words.join(", ")));
        return nothing;
    }
    let Some(mut fields) = reader.fields(node, section, &context) else {
        return nothing;
    };
    let settings = PackageSettings {
        use_flags: fields.take("use").map(|node| flags(reader, node)).unwrap_or_default(),
        accept_keywords: fields
            .take("accept_keywords")
            .map(|node| keywords(reader, node))
            .unwrap_or_default(),
        license: fields
            .take("license")
            .map(|node| reader.texts(node, "`license`"))
            .unwrap_or_default(),
        mask: masks(reader, &mut fields, "mask", own),
        unmask: masks(reader, &mut fields, "unmask", own),
        env: fields
            .take("env")
            .map(|node| env_files(reader, node))
            .unwrap_or_default(),
    };
    let deps = fields.take("deps").map(|node| deps(reader, node)).unwrap_or_default();
    fields.finish();
    (settings, deps)
}

/// Reads `deps:`. The YAML parser bounds how deep maps may be nested, so recursion is bounded too.
fn deps(reader: &mut Reader<'_>, node: &Node) -> Vec<Dep> {
    let mut found = Vec::new();
    if let Kind::Sequence(_) = &node.kind {
        reader.wrong_kind(node, "`deps`", "a map").help =
            Some("deps only carries settings: write `{ ATOM: { use: [...] } }`".to_owned());
        return found;
    }
    for Entry { key, value } in reader.entries(node, "`deps`") {
        let Some(atom) = atom(reader, &key.text, key.span, SYNTAX, "the settings in a map under it") else {
            continue;
        };
        let (settings, deps) = settings(reader, value, &atom, key, &DEP);
        if settings.is_empty() && deps.is_empty() {
            reader
                .error(key.span, format!("nothing is set for `{}`", key.text))
                .help = Some(
                "an entry of `deps` only carries settings; to build the package, name it in `packages`".to_owned(),
            );
        }
        found.push(Dep {
            atom: Spanned::new(atom, key.span),
            settings,
            deps,
        });
    }
    found
}

fn flags(reader: &mut Reader<'_>, node: &Node) -> Vec<Flag> {
    let overrides = node.overrides.is_some();
    let Some(items) = reader.items(node, "`use`") else {
        return Vec::new();
    };
    let mut found = Vec::new();
    for item in items {
        let Some(text) = reader.text(item, "an entry of `use`") else {
            continue;
        };
        match SignedFlag::parse(&text.value) {
            Ok(flag) => found.push(signed(
                &flag.to_string(),
                overrides || item.overrides.is_some(),
                text.span,
            )),
            Err(error) => {
                let help = flag_advice(&text.value);
                reader
                    .error(
                        text.span,
                        format!("`{}` is not a USE flag: {}", text.value, error.problem),
                    )
                    .help = help;
            }
        }
    }
    if items.is_empty() {
        reader.error(node.span, "`use` is an empty list").help = Some("leave it out".to_owned());
    }
    found
}

fn flag_advice(text: &str) -> Option<String> {
    if text.contains([' ', ',']) {
        let words: Vec<&str> = text.split([' ', ',']).filter(|word| !word.is_empty()).collect();
        Some(format!("write the flags one by one: [{}]", words.join(", ")))
    } else if let Some(name) = text.strip_prefix('+') {
        Some(format!("a flag is switched on without a sign: {name}"))
    } else if text.starts_with('~') {
        Some(format!("keywords belong into `accept_keywords: [\"{text}\"]`"))
    } else {
        None
    }
}

fn signed(text: &str, overrides: bool, span: Span) -> Flag {
    let (name, enabled) = text.strip_prefix('-').map_or((text, true), |name| (name, false));
    Flag {
        name: name.to_owned(),
        enabled,
        overrides,
        span,
    }
}

fn keywords(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let texts = reader.texts(node, "`accept_keywords`");
    texts
        .into_iter()
        .filter(|text| match Keyword::parse(&text.value) {
            Ok(_) => true,
            Err(error) => {
                reader.error(text.span, error.to_string());
                false
            }
        })
        .collect()
}

fn env_files(reader: &mut Reader<'_>, node: &Node) -> Vec<Spanned<String>> {
    let texts = reader.texts(node, "`env`");
    texts
        .into_iter()
        .filter(|text| {
            let is_path = !text.value.contains(char::is_whitespace)
                && text.value.split('/').all(|part| !matches!(part, "" | "." | ".."));
            if !is_path {
                reader
                    .error(text.span, format!("`{}` does not name a file of `env/`", text.value))
                    .help = Some("write the name of a file in the env/ folder of a configuration layer".to_owned());
            }
            is_path
        })
        .collect()
}

/// `true` means what the entry names; a list names atoms.
fn masks(reader: &mut Reader<'_>, fields: &mut Fields<'_>, name: &'static str, own: &Atom) -> Vec<Spanned<Atom>> {
    let Some(node) = fields.take(name) else {
        return Vec::new();
    };
    let context = format!("`{name}`");
    match &node.kind {
        Kind::Scalar(_) => match reader.boolean(node, &context) {
            Some(true) => vec![Spanned::new(own.clone(), node.span)],
            _ => Vec::new(),
        },
        Kind::Sequence(items) if items.is_empty() => {
            reader.error(node.span, format!("{context} is an empty list")).help =
                Some(format!("write `{name}: true` for `{own}` itself, or name atoms"));
            Vec::new()
        }
        _ => {
            let texts = reader.texts(node, &context);
            texts
                .into_iter()
                .filter_map(|text| {
                    let atom = atom(reader, &text.value, text.span, SYNTAX, "the atom without them")?;
                    Some(Spanned::new(atom, text.span))
                })
                .collect()
        }
    }
}

/// One entry of the list form: an atom with flags and keywords, or a set.
fn list_item(reader: &mut Reader<'_>, item: &Node, context: &str) -> Vec<PackageEntry> {
    reader.no_tag(item);
    match &item.kind {
        Kind::Scalar(scalar) if !item.is_null() => block(reader, item, &scalar.text),
        Kind::Mapping(entries) if !entries.is_empty() => {
            reader
                .wrong_kind(item, &format!("an entry of {context}"), "an atom")
                .help = Some(
                format!("write `{context}` as a map, without the `-`, where packages have settings").replace("``", "`"),
            );
            Vec::new()
        }
        _ => {
            reader.wrong_kind(item, &format!("an entry of {context}"), "an atom");
            Vec::new()
        }
    }
}

/// The text block form, and one line of the list form.
fn block(reader: &mut Reader<'_>, node: &Node, text: &str) -> Vec<PackageEntry> {
    let arches: BTreeSet<String> = ARCHES.iter().map(|arch| (*arch).to_owned()).collect();
    let Parsed { entries, errors } = parse_text_block(text, SYNTAX, &arches);
    let map = LineMap::new(reader, node, text);
    for error in errors {
        report(reader, error, |place| map.span(place));
    }
    let mut found = Vec::new();
    for line in entries {
        let place = map.span(&line.place);
        let mut settings = PackageSettings::default();
        for word in &line.words {
            let span = map.span(&word.place);
            match &word.value {
                BlockWord::Use(value) => settings.use_flags.push(signed(&value.expanded(), false, span)),
                BlockWord::Keyword(keyword) => settings.accept_keywords.push(Spanned::new(keyword.to_string(), span)),
            }
        }
        if let SetMember::Atom(atom) = &line.member {
            if atom.blocker().is_some() {
                no_blocker(reader, atom, place);
                continue;
            }
            if atom.is_extended() && settings.is_empty() {
                reader.error(
                    place,
                    format!("the pattern `{atom}` is no member, and nothing is set for it"),
                );
                continue;
            }
        }
        found.push(PackageEntry {
            member: Spanned::new(line.member, place),
            settings,
            deps: Vec::new(),
        });
    }
    found
}

/// Maps places in the text of a scalar to places in its file.
struct LineMap<'a> {
    sources: &'a Sources,
    file: FileId,
    text: &'a str,
    lines: Vec<Line>,
}

/// Where a line of the text stands in the file.
enum Line {
    /// As it is in the text, from this offset on.
    Exactly(usize),
    /// Somewhere in this range: variables or escapes are in the way.
    Within(Range<usize>),
}

impl<'a> LineMap<'a> {
    fn new(reader: &Reader<'a>, node: &Node, text: &'a str) -> Self {
        let (file, start, end) = (node.span.file, node.span.start(), node.span.end());
        let source = reader.sources.text(file);
        let is_block = is_block(node);
        // A block's range starts with its first line that is not blank; what is before it in the text are blank lines.
        let blank = text.split('\n').position(|line| !line.trim().is_empty()).unwrap_or(0);
        let mut lines: Vec<Line> = std::iter::repeat_with(|| Line::Within(start..end))
            .take(blank)
            .collect();
        let mut offset = source[..start].rfind('\n').map_or(0, |newline| newline + 1);
        for line in text.split('\n').skip(blank) {
            let line_end = source[offset..]
                .find('\n')
                .map_or(source.len(), |length| offset + length);
            let written = source[offset..line_end].trim_end();
            let indent = written.len() - written.trim_start().len();
            let exact = if is_block {
                written
                    .strip_suffix(line.trim_end())
                    .map(|before| offset + before.len())
            } else {
                // Without quotes, or just inside of them.
                [start, start + 1]
                    .into_iter()
                    .find(|start| source.get(*start..).is_some_and(|rest| rest.starts_with(line)))
            };
            lines.push(match exact {
                Some(offset) => Line::Exactly(offset),
                None if is_block && offset < end => Line::Within(offset + indent..offset + written.len()),
                None => Line::Within(start..end),
            });
            offset = (line_end + 1).min(source.len());
        }
        Self {
            sources: reader.sources,
            file,
            text,
            lines,
        }
    }

    fn span(&self, place: &Place) -> Span {
        let line_start = self.text[..place.span.start]
            .rfind('\n')
            .map_or(0, |newline| newline + 1);
        let (start, end) = match self.lines.get(place.line - 1) {
            Some(Line::Exactly(offset)) => {
                let start = offset + place.span.start - line_start;
                (start, start + place.span.len())
            }
            Some(Line::Within(range)) => (range.start, range.end),
            None => (0, 0),
        };
        self.sources.span(self.file, start, end)
    }
}

fn report(reader: &mut Reader<'_>, error: LineError, span: impl Fn(&Place) -> Span) {
    let at = span(&error.place);
    reader.error(at, error.problem.to_string()).help = error.advice;
}

/// Parses an atom of a key or a list. `instead` says where USE dependencies would go.
pub(super) fn atom(reader: &mut Reader<'_>, text: &str, span: Span, syntax: AtomSyntax, instead: &str) -> Option<Atom> {
    match Atom::parse(text, syntax) {
        Ok(atom) if !atom.use_deps().is_empty() => {
            reader
                .error(span, format!("`{text}` has USE dependencies, which mean nothing here"))
                .help = Some(format!("write `{}`, and {instead}", atom.without_use()));
            None
        }
        Ok(atom) if atom.blocker().is_some() => {
            no_blocker(reader, &atom, span);
            None
        }
        Ok(atom) => Some(atom),
        Err(error) => {
            // The caret stands under the offending part where the text is in the file as it was parsed.
            let sources = reader.sources;
            let written = sources.slice(span);
            let at = match written.find(text) {
                Some(offset) if !error.span.is_empty() => {
                    let start = span.start() + offset;
                    sources.span(span.file, start + error.span.start, start + error.span.end)
                }
                _ => span,
            };
            let message = error.to_string();
            reader.error(at, message).help = error.advice;
            None
        }
    }
}

fn no_blocker(reader: &mut Reader<'_>, atom: &Atom, span: Span) {
    let mut plain = atom.to_string();
    plain.retain(|character| character != '!');
    reader
        .error(span, format!("`{atom}` is a blocker, which cannot be merged"))
        .help = Some(format!("to keep the package out write `mask: [\"{plain}\"]`"));
}

fn scalar_text(node: &Node) -> Option<String> {
    match &node.kind {
        Kind::Scalar(scalar) => Some(scalar.text.clone()),
        _ => None,
    }
}

/// Reports a member that is named twice in one `packages:` value.
fn duplicates(reader: &mut Reader<'_>, entries: &[PackageEntry]) {
    let mut seen: BTreeMap<String, Span> = BTreeMap::new();
    for entry in entries {
        let name = entry.member.value.to_string();
        match seen.get(&name) {
            None => {
                seen.insert(name, entry.member.span);
            }
            Some(first) => {
                let message = format!("`{name}` stands here twice, first at {}", reader.sources.place(*first));
                let diagnostic = reader.error(entry.member.span, message);
                diagnostic.label = "again here".to_owned();
                diagnostic.labels.push((*first, "first here".to_owned()));
                diagnostic.help = Some("put both into one entry".to_owned());
            }
        }
    }
}
