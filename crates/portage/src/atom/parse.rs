//! The parser. Portage first tries its strict grammar and, where wildcards are allowed, then a looser one; so does this.

use std::ops::Range;

use super::error::WildcardProblem;
use super::use_dep::parse_list;
use super::{Atom, AtomError, AtomProblem, AtomSyntax, Blocker, Operator, UseDep, diagnose};
use crate::name::NameKind;
use crate::slot::SlotDep;
use crate::use_flags::shift;
use crate::version::{Version, split_version};

/// A fault and where it is.
pub(super) type Fault = (Range<usize>, AtomProblem);

/// The longest first, so that `>=` is not taken for `>`.
const OPERATORS: [(&str, Operator); 6] = [
    (">=", Operator::GreaterOrEqual),
    ("<=", Operator::LessOrEqual),
    (">", Operator::Greater),
    ("<", Operator::Less),
    ("=", Operator::Equal),
    ("~", Operator::AnyRevision),
];

impl Atom {
    /// Parses an atom as `portage.dep.Atom` does (without an EAPI) under the same switches.
    ///
    /// # Errors
    /// [`AtomError`] with the offending bytes, what is wrong with them and, where it can be told, what was meant.
    pub fn parse(text: &str, syntax: AtomSyntax) -> Result<Self, AtomError> {
        let strict = match parse_with(text, syntax, strict_body) {
            Ok(atom) => return Ok(atom),
            Err(Refusal::Final(fault)) => fault,
            Err(Refusal::Unmatched(fault)) => {
                if syntax.wildcard {
                    match parse_with(text, syntax, wildcard_body) {
                        Ok(atom) => return Ok(atom),
                        Err(Refusal::Final(wildcard) | Refusal::Unmatched(wildcard)) => {
                            // Who writes a star means a pattern, and wants to know what is wrong with that.
                            if diagnose::has_wildcard(text) { wildcard } else { fault }
                        }
                    }
                } else if diagnose::has_wildcard(text) {
                    diagnose::star(text).map_or(fault, |span| (span, AtomProblem::WildcardNotAllowed))
                } else {
                    fault
                }
            }
        };
        Err(diagnose::explain(text, strict))
    }
}

/// Whether Portage's other grammar has a chance after this fault.
enum Refusal {
    /// Portage's regular expression does not match.
    Unmatched(Fault),
    /// It matches, but Portage refuses what it found.
    Final(Fault),
}

fn unmatched(span: Range<usize>, problem: AtomProblem) -> Refusal {
    Refusal::Unmatched((span, problem))
}

/// Operator, category, name and version.
struct Body {
    operator: Option<Operator>,
    category: String,
    name: String,
    version: Option<Version>,
    version_contains: Option<String>,
    build_id: Option<u64>,
    extended: bool,
}

type ParseBody = fn(&str, usize, AtomSyntax) -> Result<Body, Refusal>;

fn parse_with(text: &str, syntax: AtomSyntax, body: ParseBody) -> Result<Atom, Refusal> {
    let (blocker, start) = if text.starts_with("!!") {
        (Some(Blocker::Strong), 2)
    } else if text.starts_with('!') {
        (Some(Blocker::Weak), 1)
    } else {
        (None, 0)
    };
    if start == text.len() {
        return Err(unmatched(start..start, AtomProblem::Empty));
    }
    // Portage matches the whole text before it refuses parts of it, and what does not match may still be a pattern: so the shape of the tail
    // comes before a final refusal of the body.
    let body = match body(text, start, syntax) {
        Err(Refusal::Unmatched(fault)) => return Err(Refusal::Unmatched(fault)),
        other => other,
    };
    let tail = Tail::split(text, body_end(text, start))?;
    let body = body?;
    let slot = tail.slot(text)?;
    if let Some(span) = tail.repository.clone().filter(|_| !syntax.repository) {
        return Err(Refusal::Final((
            span.start - 2..span.end,
            AtomProblem::RepositoryNotAllowed,
        )));
    }
    if body.extended
        && let Some(span) = tail.use_deps.clone()
    {
        return Err(unmatched(
            span.start - 1..span.end + 1,
            AtomProblem::Wildcard(WildcardProblem::Use),
        ));
    }
    Ok(Atom {
        blocker,
        operator: body.operator,
        category: body.category,
        name: body.name,
        version: body.version,
        version_contains: body.version_contains,
        build_id: body.build_id,
        slot,
        repository: tail.repository.clone().map(|span| text[span].to_owned()),
        use_deps: tail.use_deps(text)?,
        extended: body.extended,
    })
}

/// Where category, name and version end: at the slot, the repository or the USE dependencies.
fn body_end(text: &str, start: usize) -> usize {
    text[start..].find([':', '[']).map_or(text.len(), |at| start + at)
}

fn operator(text: &str, start: usize) -> (Option<Operator>, usize) {
    OPERATORS
        .iter()
        .find(|(prefix, _)| text[start..].starts_with(prefix))
        .map_or((None, start), |(prefix, operator)| {
            (Some(*operator), start + prefix.len())
        })
}

/// Splits `category/rest`, giving the byte at which the rest starts.
fn split_category(text: &str, start: usize, end: usize) -> Result<(&str, usize), Refusal> {
    let Some(slash) = text[start..end].find('/') else {
        return Err(unmatched(start..end, AtomProblem::NoCategory));
    };
    let name = start + slash + 1;
    if let Some(second) = text[name..end].find('/') {
        return Err(unmatched(name + second..name + second + 1, AtomProblem::ExtraSlash));
    }
    Ok((&text[start..name - 1], name))
}

fn strict_body(text: &str, start: usize, syntax: AtomSyntax) -> Result<Body, Refusal> {
    let end = body_end(text, start);
    let (mut operator, category_start) = operator(text, start);
    let (category, name_start) = split_category(text, category_start, end)?;
    let check = |kind: NameKind, at: usize, part: &str| {
        kind.check(part)
            .map_err(|(span, problem)| unmatched(shift(&span, at), AtomProblem::Name(kind, problem)))
    };
    check(NameKind::Category, category_start, category)?;

    let mut rest = &text[name_start..end];
    if let Some(before) = rest.strip_suffix('*') {
        if operator != Some(Operator::Equal) {
            return Err(unmatched(end - 1..end, AtomProblem::PrefixOperator));
        }
        operator = Some(Operator::EqualPrefix);
        rest = before;
    }
    let rest_end = name_start + rest.len();
    let versioned = split_version(rest);
    let Some(operator) = operator else {
        // Portage takes `name-version` for a name that it then refuses, whatever else the name may be.
        let (name, refused) = match versioned {
            Some((name, _)) => (name, true),
            None => (rest, false),
        };
        check(NameKind::Package, name_start, name)?;
        if refused {
            let version = name_start + name.len() + 1;
            return Err(Refusal::Final((version..rest_end, AtomProblem::NoOperator)));
        }
        return Ok(Body {
            operator: None,
            category: category.to_owned(),
            name: rest.to_owned(),
            version: None,
            version_contains: None,
            build_id: None,
            extended: false,
        });
    };
    let Some((before, version)) = versioned else {
        return Err(unmatched(
            name_start..rest_end,
            AtomProblem::NoVersion(operator.prefix()),
        ));
    };
    let version_start = name_start + before.len() + 1;
    let (name, version, build_id) = match split_version(before) {
        None => (before, version, None),
        // A second version: what Portage first takes for a version is then the number of a binary package.
        Some((name, first)) => (name, first, Some(version)),
    };
    check(NameKind::Package, name_start, name)?;
    let build_id = build_id
        .map(|number| parse_build_id(number).filter(|_| syntax.build_id && operator != Operator::EqualPrefix))
        .map(|number| number.ok_or(Refusal::Final((version_start - 1..rest_end, AtomProblem::BuildId))))
        .transpose()?;
    let version = Version::parse(version).map_err(|error| {
        let at = name_start + name.len() + 1;
        unmatched(shift(&error.span, at), AtomProblem::Version(error.problem))
    })?;
    Ok(Body {
        operator: Some(operator),
        category: category.to_owned(),
        name: name.to_owned(),
        version: Some(version),
        version_contains: None,
        build_id,
        extended: false,
    })
}

/// Digits without a leading zero.
fn parse_build_id(text: &str) -> Option<u64> {
    let canonical = text == "0" || !text.starts_with('0');
    text.parse().ok().filter(|_| canonical)
}

fn wildcard_body(text: &str, start: usize, _: AtomSyntax) -> Result<Body, Refusal> {
    let wild = |span, problem| unmatched(span, AtomProblem::Wildcard(problem));
    let end = body_end(text, start);
    let (operator, category_start) = operator(text, start);
    let (category, name_start) = split_category(text, category_start, end)?;
    let check = |at: usize, part: &str, later: &str| -> Result<(), Refusal> {
        let allowed =
            |(i, c): (usize, char)| c.is_ascii_alphanumeric() || "_+*".contains(c) || (i > 0 && later.contains(c));
        match part.char_indices().find(|&pair| !allowed(pair)) {
            Some((i, c)) => Err(wild(at + i..at + i + c.len_utf8(), WildcardProblem::Character(c))),
            None if part.is_empty() => Err(wild(at..at, WildcardProblem::Empty)),
            None => Ok(()),
        }
    };
    check(category_start, category, ".-")?;

    let rest = &text[name_start..end];
    let (name, version_contains) = match operator {
        None => {
            if let Some((before, _)) = split_version(rest).filter(|(_, version)| version.contains('.')) {
                check(name_start, before, "-")?;
                let span = name_start + before.len() + 1..end;
                return Err(Refusal::Final((span, AtomProblem::Wildcard(WildcardProblem::Version))));
            }
            (rest, None)
        }
        Some(Operator::Equal) => {
            let pattern = rest.rsplit_once('-').and_then(|(name, pattern)| {
                let word = pattern.strip_prefix('*')?.strip_suffix('*')?;
                let is_word = !word.is_empty() && word.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
                is_word.then_some((name, word))
            });
            let Some((name, word)) = pattern else {
                return Err(wild(name_start..end, WildcardProblem::VersionPattern));
            };
            (name, Some(word))
        }
        Some(_) => return Err(wild(start..category_start, WildcardProblem::Operator)),
    };
    check(name_start, name, "-")?;
    if let Some(at) = text[category_start..end].find("**") {
        let at = category_start + at;
        return Err(Refusal::Final((
            at..at + 2,
            AtomProblem::Wildcard(WildcardProblem::DoubleStar),
        )));
    }
    Ok(Body {
        operator: operator.map(|_| Operator::EqualPrefix),
        category: category.to_owned(),
        name: name.to_owned(),
        version: None,
        version_contains: version_contains.map(str::to_owned),
        build_id: None,
        extended: true,
    })
}

/// Slot, repository and USE dependencies: the bytes of each, without their marks.
struct Tail {
    slot: Option<Range<usize>>,
    repository: Option<Range<usize>>,
    use_deps: Option<Range<usize>>,
}

impl Tail {
    /// Finds the parts and checks what Portage's expression checks; the slot's own grammar comes later.
    fn split(text: &str, mut at: usize) -> Result<Self, Refusal> {
        let run = |from: usize, allowed: fn(char) -> bool| {
            let taken = text[from..].find(|c| !allowed(c)).unwrap_or(text.len() - from);
            from..from + taken
        };
        let mut tail = Self {
            slot: None,
            repository: None,
            use_deps: None,
        };
        if text[at..].starts_with(':') && !text[at..].starts_with("::") {
            let span = run(at + 1, |c| c.is_ascii_alphanumeric() || "_+./*=-".contains(c));
            if span.is_empty() {
                let problem = SlotDep::parse(&text[span.clone()]).err().map(|(_, problem)| problem);
                return Err(unmatched(
                    span,
                    problem.map_or(AtomProblem::Trailing, AtomProblem::Slot),
                ));
            }
            at = span.end;
            tail.slot = Some(span);
        }
        if text[at..].starts_with("::") {
            let span = run(at + 2, |c| c.is_ascii_alphanumeric() || "_-".contains(c));
            if let Err((wrong, problem)) = NameKind::Repository.check(&text[span.clone()]) {
                return Err(unmatched(shift(&wrong, span.start), AtomProblem::Repository(problem)));
            }
            at = span.end;
            tail.repository = Some(span);
        }
        if text[at..].starts_with('[') {
            if !text.ends_with(']') {
                let problem = if text[at..].contains(']') {
                    let close = at + text[at..].rfind(']').unwrap_or(0) + 1;
                    return Err(unmatched(close..text.len(), AtomProblem::Trailing));
                } else {
                    AtomProblem::UnclosedUse
                };
                return Err(unmatched(text.len()..text.len(), problem));
            }
            tail.use_deps = Some(at + 1..text.len() - 1);
            at = text.len();
        }
        if at == text.len() {
            Ok(tail)
        } else {
            Err(unmatched(at..text.len(), AtomProblem::Trailing))
        }
    }

    fn slot(&self, text: &str) -> Result<Option<SlotDep>, Refusal> {
        self.slot
            .clone()
            .map(|span| {
                SlotDep::parse(&text[span.clone()])
                    .map_err(|(wrong, problem)| Refusal::Final((shift(&wrong, span.start), AtomProblem::Slot(problem))))
            })
            .transpose()
    }

    fn use_deps(&self, text: &str) -> Result<Vec<UseDep>, Refusal> {
        let Some(span) = self.use_deps.clone() else {
            return Ok(Vec::new());
        };
        parse_list(&text[span.clone()])
            .map_err(|(wrong, problem)| Refusal::Final((shift(&wrong, span.start), AtomProblem::Use(problem))))
    }
}
