//! Two layers that say the opposite about one flag of one atom.

use std::collections::BTreeMap;

use super::render::RenderedLayer;
use super::route::{self, Kind};

/// Marks a line that means to overrule an earlier layer.
const OVERRIDE: &str = "!override";

/// A contradiction, with both places.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contradiction {
    /// The atom as both lines have it.
    pub atom: String,
    /// The flag or word without its sign.
    pub flag: String,
    /// `LAYER/FILE:LINE` of what was said first.
    pub first: String,
    /// `LAYER/FILE:LINE` of what says the opposite.
    pub second: String,
}

impl std::fmt::Display for Contradiction {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let Self { atom, flag, first, second } = self;
        write!(f, "profiles/{first} and profiles/{second} contradict each other on `{flag}` of {atom}")
    }
}

/// Every contradiction between different layers. Within one layer Portage's own rules hold, and a later line that carries the
/// comment `# !override` means what it says.
#[must_use]
pub fn contradictions(layers: &[RenderedLayer]) -> Vec<Contradiction> {
    let mut said: BTreeMap<(String, String), (bool, usize, String)> = BTreeMap::new();
    let mut found = Vec::new();
    for (at, layer) in layers.iter().enumerate() {
        for (path, file) in &layer.files {
            let (Kind::Lines("package.use") | Kind::EtcLines("package.license")) = route::kind(path) else { continue };
            for (number, line) in file.as_text().lines().enumerate() {
                let (bare, comment) = line.split_once('#').unwrap_or((line, ""));
                let mut words = bare.split_whitespace();
                let Some(atom) = words.next() else { continue };
                let place = format!("{}/{path}:{}", layer.name, number + 1);
                for (flag, enabled) in signed_flags(words) {
                    let key = (atom.to_owned(), flag);
                    if let Some((before, layer_before, first)) = said.get(&key)
                        && *before != enabled
                        && *layer_before != at
                        && !comment.contains(OVERRIDE)
                    {
                        found.push(Contradiction {
                            atom: key.0.clone(),
                            flag: key.1.clone(),
                            first: first.clone(),
                            second: place.clone(),
                        });
                    }
                    said.insert(key, (enabled, at, place.clone()));
                }
            }
        }
    }
    found
}

/// Flags with their group in front (`VIDEO_CARDS:amdgpu`). `-*` is no flag of its own: it clears what was said before.
fn signed_flags<'a>(words: impl Iterator<Item = &'a str>) -> Vec<(String, bool)> {
    let mut group = String::new();
    let mut flags = Vec::new();
    for word in words {
        if word.ends_with(':') {
            word.clone_into(&mut group);
            continue;
        }
        let (flag, enabled) = word.strip_prefix('-').map_or((word, true), |flag| (flag, false));
        if flag != "*" {
            flags.push((format!("{group}{flag}"), enabled));
        }
    }
    flags
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::FileNode;

    fn layer(name: &str, text: &str) -> RenderedLayer {
        RenderedLayer {
            name: name.to_owned(),
            files: [("package.use".to_owned(), FileNode::text(text))].into(),
        }
    }

    #[test]
    fn both_places_are_named_and_an_override_is_believed() {
        let layers = [layer("common", "a/b x y\n"), layer("dbg", "# more\na/b -x\na/b -y # !override\n")];
        let found = contradictions(&layers);
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].to_string(),
            "profiles/common/package.use:1 and profiles/dbg/package.use:2 contradict each other on `x` of a/b"
        );
    }
}
