//! What was probably meant by a text that is no atom.

use std::ops::Range;

use super::error::WildcardProblem;
use super::{AtomError, AtomProblem, UseDepProblem};
use crate::name::{NameKind, NameProblem};
use crate::slot::SlotProblem;
use crate::version::{Version, is_version, split_version};

/// Whether category, name or version has a star in a place where only a pattern has one.
pub(super) fn has_wildcard(text: &str) -> bool {
    star(text).is_some()
}

/// The first star that belongs to a pattern; the one that ends `=cat/pn-1*` does not.
pub(super) fn star(text: &str) -> Option<Range<usize>> {
    let end = text.find([':', '[']).unwrap_or(text.len());
    let body = text[..end].trim_start_matches(['!', '=', '<', '>', '~']);
    let offset = end - body.len();
    let pattern = match body.strip_suffix('*') {
        Some(before)
            if before
                .rsplit_once('/')
                .is_some_and(|(_, pf)| split_version(pf).is_some()) =>
        {
            before
        }
        _ => body,
    };
    pattern.find('*').map(|at| offset + at..offset + at + 1)
}

/// Makes the error that the user reads: names the fault as precisely as can be told, and what to write instead.
pub(super) fn explain(text: &str, fault: (Range<usize>, AtomProblem)) -> AtomError {
    let (span, problem) = refine(text, fault);
    let advice = advise(text, &span, &problem);
    AtomError {
        text: text.to_owned(),
        span,
        problem,
        advice,
    }
}

/// The end of what was meant as an operator, and its start after the blocker.
fn operator_span(text: &str) -> Range<usize> {
    let blockers = text.len() - text.trim_start_matches('!').len();
    let start = blockers.min(2);
    let taken = text[start..]
        .find(|c: char| !"!<>=~^&|".contains(c))
        .unwrap_or(text.len() - start);
    start..start + taken
}

/// Replaces a fault that only says where the grammar got stuck by the one behind it.
fn refine(text: &str, (span, problem): (Range<usize>, AtomProblem)) -> (Range<usize>, AtomProblem) {
    if text.is_empty() {
        return (0..0, AtomProblem::Empty);
    }
    if text.starts_with('@') {
        return (0..text.len(), AtomProblem::Set);
    }
    let operator = operator_span(text);
    let written = &text[operator.clone()];
    if !written.is_empty() && !["=", "~", "<", "<=", ">", ">="].contains(&written) {
        return (operator, AtomProblem::UnknownOperator(written.to_owned()));
    }
    match &problem {
        AtomProblem::NoVersion(_) => almost_version(text, &span).unwrap_or((span, problem)),
        AtomProblem::Name(NameKind::Package, _) => {
            let start = text[..span.start].rfind('/').map_or(span.start, |at| at + 1);
            let end = text[start..].find([':', '[']).map_or(text.len(), |at| start + at);
            almost_version(text, &(start..end)).unwrap_or((span, problem))
        }
        _ => (span, problem),
    }
}

/// Finds a hyphen and a digit after which something like a version stands, and says what is wrong with it.
fn almost_version(text: &str, pf: &Range<usize>) -> Option<(Range<usize>, AtomProblem)> {
    let body = &text[pf.clone()];
    let at = body
        .match_indices('-')
        .map(|(at, _)| at + 1)
        .find(|&at| body[at..].starts_with(|c: char| c.is_ascii_digit()) && body[at..].contains(['.', '_', '-']))?;
    let error = Version::parse(&body[at..]).err()?;
    let start = pf.start + at;
    Some((
        start + error.span.start..start + error.span.end,
        AtomProblem::Version(error.problem),
    ))
}

fn advise(text: &str, span: &Range<usize>, problem: &AtomProblem) -> Option<String> {
    let replaced = |with: &str| format!("{}{with}{}", &text[..span.start], &text[span.end..]);
    let write = |what: String| Some(format!("write `{what}`"));
    match problem {
        AtomProblem::Set => Some("a set stands on a line of its own, and only where sets are listed".to_owned()),
        AtomProblem::UnknownOperator(operator) => {
            let meant = match operator.trim_start_matches('!') {
                "=>" => ">=",
                "=<" => "<=",
                "==" | "===" => "=",
                "~=" | "=~" | "~>" => "~",
                ">>" => ">",
                "<<" => "<",
                _ => return Some("the operators are `=`, `~`, `<`, `<=`, `>` and `>=`".to_owned()),
            };
            write(replaced(meant))
        }
        AtomProblem::NoCategory => {
            let name = &text[span.clone()];
            write(replaced(&format!("CATEGORY/{name}")))
                .map(|advice| format!("{advice} with the category of the package"))
        }
        AtomProblem::NoOperator => {
            let blockers = text.len() - text.trim_start_matches('!').len();
            write(format!("{}={}", &text[..blockers], &text[blockers..]))
        }
        AtomProblem::NoVersion(operator) => {
            let blockers = text.len() - text.trim_start_matches('!').len();
            let rest = text[blockers..].trim_start_matches(['=', '<', '>', '~']);
            let end = rest.find([':', '[', '*']).unwrap_or(rest.len());
            Some(format!(
                "write `{}{rest}` for every version, or `{}{operator}{}-VERSION{}`",
                &text[..blockers],
                &text[..blockers],
                &rest[..end],
                &rest[end..],
            ))
        }
        AtomProblem::PrefixOperator => match text[..span.start].rsplit_once('-') {
            Some((_, version)) if is_version(version) => {
                let plain = replaced("");
                let rest = plain.trim_start_matches(['!', '=', '<', '>', '~']);
                let at = span.start - (plain.len() - rest.len());
                Some(format!("write `={}*{}`, or `{plain}`", &rest[..at], &rest[at..]))
            }
            _ => None,
        },
        AtomProblem::Version(_) => Some("a version looks like `1.2.3b_rc4-r5`".to_owned()),
        AtomProblem::Use(UseDepProblem::Flag(NameProblem::First('+'))) => write(replaced("")),
        AtomProblem::Use(UseDepProblem::Flag(NameProblem::Character(' '))) => {
            Some("divide USE dependencies by commas, without blanks".to_owned())
        }
        AtomProblem::Use(UseDepProblem::Form(word)) => {
            let flag = word.trim_start_matches(['!', '-']).trim_end_matches(['?', '=']);
            match word.chars().last() {
                Some(suffix @ ('?' | '=')) if !flag.is_empty() => write(replaced(&format!("!{flag}{suffix}"))),
                _ if !flag.is_empty() => write(replaced(&format!("-{flag}"))),
                _ => None,
            }
        }
        AtomProblem::Slot(SlotProblem::AnyWithSlot) => write(replaced("")),
        AtomProblem::Trailing if text[..span.start].ends_with(']') && text[span.start..].starts_with(':') => {
            let open = text.find('[')?;
            write(format!(
                "{}{}{}",
                &text[..open],
                &text[span.start..],
                &text[open..span.start]
            ))
        }
        AtomProblem::Trailing if text[span.start..].starts_with(':') => {
            write(format!("{}:{}", &text[..span.start], &text[span.start..]))
        }
        AtomProblem::UnclosedUse => write(format!("{text}]")),
        AtomProblem::RepositoryNotAllowed | AtomProblem::BuildId => write(replaced("")),
        AtomProblem::WildcardNotAllowed => {
            Some("patterns are for the files of /etc/portage; name the packages here".to_owned())
        }
        AtomProblem::Wildcard(WildcardProblem::DoubleStar) => write(replaced("*")),
        _ => None,
    }
}
