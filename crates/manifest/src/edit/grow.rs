//! Lists and text blocks made into maps, which can hold what they cannot: settings of other packages, licences, masks.
//!
//! Every entry stays on its line, and so does what is written between them and behind them.

use std::collections::BTreeSet;

use farm_portage::lines::{BlockWord, parse_block_line};

use super::splice::{Splice, apply, behind_colon, is_flow, line_start, start};
use super::words::{WordLine, block_header, word_lines};
use super::{EditError, scalar};
use crate::arches::ARCHES;
use crate::convert::SYNTAX;
use crate::yaml::{Entry, Kind, Node};

/// The text in which `packages` is a map. `raw` is its value as it is written, with variables in it.
pub(super) fn into_map(text: &str, packages: &Entry, raw: &Node) -> Result<String, EditError> {
    let lines = word_lines(text, raw)?;
    match &raw.kind {
        Kind::Sequence(items) if is_flow(text, raw) => flow(text, raw, items, &lines),
        Kind::Sequence(items) => list(text, packages, items, &lines),
        _ => block(text, packages, &lines),
    }
}

fn flow(text: &str, node: &Node, items: &[Node], lines: &[WordLine<'_>]) -> Result<String, EditError> {
    let (open, close) = (start(text, node), node.span.end() - 1);
    let blank = |at: usize| text[at..].starts_with(char::is_whitespace);
    let mut splices = vec![Splice {
        range: open..open + 1,
        text: if blank(open + 1) { "{" } else { "{ " }.to_owned(),
    }];
    for (item, line) in items.iter().zip(lines) {
        splices.push(Splice {
            range: item.span.start()..item.span.end(),
            text: shown(line)?,
        });
    }
    splices.push(Splice {
        range: close..close + 1,
        text: if blank(close - 1) { "}" } else { " }" }.to_owned(),
    });
    Ok(apply(text, &splices))
}

fn list(text: &str, packages: &Entry, items: &[Node], lines: &[WordLine<'_>]) -> Result<String, EditError> {
    let column = |at: usize| at - line_start(text, at);
    let mut splices = Vec::new();
    for (item, line) in items.iter().zip(lines) {
        let item_start = item.span.start();
        let line_start = line_start(text, item_start);
        let before = &text[line_start..item_start];
        let dash = before.find('-').ok_or(EditError::Unsure)?;
        if !before.replacen('-', " ", 1).bytes().all(|byte| byte == b' ') {
            return Err(EditError::Unsure);
        }
        // `- a` may stand right under its key, which an entry of a map may not.
        let (from, indent) = if dash > column(packages.key.span.start()) {
            (line_start + dash, "")
        } else {
            (line_start + dash, "  ")
        };
        splices.push(Splice {
            range: from..item.span.end(),
            text: format!("{indent}{}", shown(line)?),
        });
    }
    Ok(apply(text, &splices))
}

fn block(text: &str, packages: &Entry, lines: &[WordLine<'_>]) -> Result<String, EditError> {
    let behind = behind_colon(text, packages).ok_or(EditError::Unsure)?;
    let mut splices = vec![Splice {
        range: block_header(text, behind)?,
        text: String::new(),
    }];
    let Some(first) = lines.first() else {
        return Err(EditError::Unsure);
    };
    let indent = &text[line_start(text, first.range.start)..first.range.start];
    for line in lines {
        splices.push(Splice {
            range: line_start(text, line.range.start)..line.range.end,
            text: format!("{indent}{}", shown(line)?),
        });
    }
    Ok(apply(text, &splices))
}

/// A line of words as an entry of a map.
fn shown(line: &WordLine<'_>) -> Result<String, EditError> {
    let (_, member) = line.words[0];
    let (mut flags, mut keywords) = (Vec::new(), Vec::new());
    let words: Vec<&str> = line.words[1..].iter().map(|(_, word)| *word).collect();
    if words.iter().any(|word| word.contains("${")) {
        return Err(EditError::Unsure);
    }
    if !words.is_empty() {
        // The words mean the same with any atom; the member's own may have variables in it.
        let arches: BTreeSet<String> = ARCHES.iter().map(|arch| (*arch).to_owned()).collect();
        let parsed = parse_block_line(&format!("a/b {}", words.join(" ")), SYNTAX, &arches);
        for word in parsed.map_err(|_| EditError::Unsure)?.words {
            match word.value {
                BlockWord::Use(value) => flags.push(scalar(&value.expanded())),
                BlockWord::Keyword(keyword) => keywords.push(scalar(&keyword.to_string())),
            }
        }
    }
    let fields: Vec<String> = [("use", flags), ("accept_keywords", keywords)]
        .into_iter()
        .filter(|(_, values)| !values.is_empty())
        .map(|(key, values)| format!("{key}: [{}]", values.join(", ")))
        .collect();
    Ok(if fields.is_empty() {
        format!("{}: {{}}", scalar(member))
    } else {
        format!("{}: {{ {} }}", scalar(member), fields.join(", "))
    })
}
