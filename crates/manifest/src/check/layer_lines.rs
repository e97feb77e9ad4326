//! Lines of configuration layers that Portage would not take.
//!
//! Portage itself warns about such a line, once a run, in the middle of everything else, and goes on without it.

use std::collections::BTreeMap;
use std::ops::Range;

use camino::Utf8Path;
use farm_portage::lines::{
    Dialect, LineError, PackageFile, parse_keywords, parse_masks, parse_set, parse_use, parse_words,
};
use farm_portage::make_conf::MakeConf;

use crate::diagnostic::Diagnostic;
use crate::layers::Layer;
use crate::source::Sources;

/// Checks every file of every layer whose format is known.
pub(super) fn check(layers: &BTreeMap<String, Layer>, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    for layer in layers.values() {
        for (path, file) in &layer.files {
            let (Some(source), Ok(text)) = (file.source, std::str::from_utf8(&file.bytes)) else {
                continue;
            };
            for (range, message, help) in faults(path, text) {
                diagnostics
                    .push(Diagnostic::error(sources.span(source, range.start, range.end), message).maybe_help(help));
            }
        }
    }
}

type Fault = (Range<usize>, String, Option<String>);

fn faults(path: &Utf8Path, text: &str) -> Vec<Fault> {
    let mut parts = path.components().map(|part| part.as_str());
    let (Some(first), rest) = (parts.next(), parts.count()) else {
        return Vec::new();
    };
    let dialect = Dialect::USER;
    let errors: Vec<LineError> = match PackageFile::from_name(first) {
        Some(PackageFile::Use) => parse_use(text, dialect).errors,
        Some(PackageFile::AcceptKeywords) => parse_keywords(text, dialect).errors,
        Some(PackageFile::Mask | PackageFile::Unmask) => parse_masks(text, dialect).errors,
        Some(
            file @ (PackageFile::License | PackageFile::Env | PackageFile::Properties | PackageFile::AcceptRestrict),
        ) => parse_words(text, file, dialect).errors,
        None if first == "sets" => parse_set(text).errors,
        // What package.env names is read as make.conf is; files deeper in env/ are for bash.
        None if (first == "make.conf") || (first == "env" && rest == 1) => {
            return MakeConf::parse(text)
                .err()
                .map(|error| vec![(error.span, error.problem.to_string(), None)])
                .unwrap_or_default();
        }
        None => Vec::new(),
    };
    errors
        .into_iter()
        .map(|error| (error.place.span, error.problem.to_string(), error.advice))
        .collect()
}
