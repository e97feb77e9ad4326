//! Lines of a later layer that Portage would let lose.
//!
//! In a profile the later layer wins. What only `/etc/portage` can hold follows another rule: of the lines of one file that
//! match a package, the one with the more specific atom is taken last, whatever the order of the files
//! (`ordered_by_atom_specificity`). Somebody who reads the layers in their order would not expect that.

use std::collections::BTreeMap;

use farm_portage::atom::{Atom, AtomSyntax};

use super::render::RenderedLayer;
use super::route::{self, Kind};

struct Line<'a> {
    file: &'static str,
    atom: Atom,
    layer: &'a str,
    place: String,
}

/// Says, for every line in `/etc/portage` of a later layer that is less specific than one of an earlier layer about the same
/// package, which of them wins.
#[must_use]
pub fn losing_lines(layers: &[RenderedLayer]) -> Vec<String> {
    // A layer can have thousands of lines, and few about one package.
    let mut about: BTreeMap<(&str, String), Vec<Line<'_>>> = BTreeMap::new();
    let mut found = Vec::new();
    for later in layers.iter().flat_map(etc_lines) {
        let before = about.entry((later.file, later.atom.cp())).or_default();
        let winner = before
            .iter()
            .find(|earlier| earlier.layer != later.layer && earlier.atom.specificity() > later.atom.specificity());
        if let Some(winner) = winner {
            found.push(format!(
                "profiles/{} comes later than profiles/{}, but `{}` is more specific than `{}` and wins in /etc/portage",
                later.place, winner.place, winner.atom, later.atom
            ));
        }
        before.push(later);
    }
    found
}

fn etc_lines(layer: &RenderedLayer) -> Vec<Line<'_>> {
    let mut lines = Vec::new();
    for (path, file) in &layer.files {
        let (name, routed) = match route::kind(path) {
            Kind::EtcLines(name) => (name, false),
            Kind::Lines(name) => (name, true),
            _ => continue,
        };
        for (number, line) in file.as_text().lines().enumerate() {
            let bare = line.split_once('#').map_or(line, |(bare, _)| bare).trim();
            let Some(word) = bare.split_whitespace().next() else {
                continue;
            };
            if routed && route::lines(name, bare).etc.is_empty() {
                continue;
            }
            if let Ok(atom) = Atom::parse(word.strip_prefix('-').unwrap_or(word), AtomSyntax::USER) {
                let place = format!("{}/{path}:{}", layer.name, number + 1);
                lines.push(Line {
                    file: name,
                    atom,
                    layer: &layer.name,
                    place,
                });
            }
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileNode;

    fn layer(name: &str, text: &str) -> RenderedLayer {
        let files = [("package.license".to_owned(), FileNode::text(text))].into();
        RenderedLayer {
            name: name.to_owned(),
            files,
        }
    }

    #[test]
    fn a_later_line_that_would_lose_is_named() {
        let layers = [
            layer("a", "=x/y-1 -MIT\nz/z MIT\n"),
            layer("b", "# no\nx/y MIT\nz/z -MIT\n"),
        ];
        assert_eq!(
            losing_lines(&layers),
            [
                "profiles/b/package.license:2 comes later than profiles/a/package.license:1, but `=x/y-1` is more specific \
              than `x/y` and wins in /etc/portage"
            ]
        );
    }
}
