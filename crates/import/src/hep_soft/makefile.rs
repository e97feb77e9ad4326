//! The Makefile: its variables and what they are in a manifest.

use std::collections::BTreeMap;

use crate::draft::Draft;
use crate::report::NoteKind;

/// Variables that a manifest keeps, so that the command line can still give them another value.
pub(super) const KEPT: [&str; 4] = ["PLATFORM", "BINFARM_TYPE", "STAGE3_TAG", "PORTAGE_TAG"];

/// Variables that have a place in the manifest, which is written elsewhere.
const PLACED: [&str; 6] = [
    "GENTOO_PROFILE",
    "RELEASE_IMAGE_NAME",
    "REMOTE_DIR",
    "REMOTE_HOST",
    "SUFFIX",
    "TARGETS",
];

/// Variables that a farm has no need of, and why.
const NEEDLESS: &[(&str, &str)] = &[
    ("ALL_SETS", "the subjects are all sets"),
    ("BUILD_NPROC", "`farm build -jN` says how many jobs there are"),
    (
        "DOCKER",
        "farm talks to the engine's socket itself, as whoever may open it",
    ),
    (
        "HEPSOFT_VERSION",
        "keys say what is current; a task can write a stamp if one is wanted",
    ),
    (
        "PKGS_LOCAL_CURRENT_DIR",
        "the local binhost is .farm/binhost/FARM/FLAVOUR",
    ),
    (
        "PKGS_LOCAL_DIR",
        "the local binhost is .farm/binhost/FARM/FLAVOUR; `farm serve` hands it out",
    ),
    (
        "PORTAGE_BINHOST",
        "farm takes its own packages; what others published comes in with `farm binhost import`",
    ),
    ("PYTHON", "farm renders the configuration itself"),
    ("RSYNC", "farm calls rsync itself for `ssh://`"),
    (
        "TMP_DIR",
        "FARM_SCRATCH in the environment names the folder for temporary files",
    ),
];

/// What HEP-Soft left out of its archives by default; farm leaves out the same.
const EXCLUDES: [&str; 3] = ["--exclude=.keep", "--exclude=*.sw?", "--exclude=.git"];

/// Rules that HEP-Soft had, by the first word of their target.
const RULES: [&str; 12] = [
    "all",
    "binfarm",
    "clean",
    "clean-images",
    "context",
    "hepfarm",
    "pkgs",
    "publish-image",
    "publish-pkgs",
    "root",
    "srv-start",
    "srv-stop",
];

/// A Makefile, as much of it as can be read without a shell.
#[derive(Debug, Default)]
pub(super) struct Makefile {
    variables: BTreeMap<String, (String, usize)>,
    rules: Vec<(String, usize)>,
    recipes: Vec<(String, usize)>,
}

impl Makefile {
    pub(super) fn parse(text: &str) -> Self {
        let mut makefile = Self::default();
        let mut lines = text.lines().enumerate();
        while let Some((index, first)) = lines.next() {
            let mut line = first.to_owned();
            while line.ends_with('\\') {
                line.pop();
                let Some((_, next)) = lines.next() else { break };
                line.push(' ');
                line.push_str(next.trim());
            }
            makefile.line(&line, index + 1);
        }
        makefile
    }

    fn line(&mut self, line: &str, number: usize) {
        if let Some(recipe) = line.strip_prefix('\t') {
            self.recipes.push((recipe.trim().to_owned(), number));
            return;
        }
        let code = line.split_once('#').map_or(line, |(code, _)| code).trim();
        let code = code.strip_prefix("export ").unwrap_or(code);
        if let Some((name, value)) = code.split_once('=') {
            let name = name.trim_end_matches([':', '?', '+', '!', ' ', '\t']).trim();
            if is_name(name) {
                // `?=` gives a value to what has none, `+=` adds to it.
                let before = self.variables.get(name);
                let operator = &code[name.len()..];
                let value = value.trim();
                let value = match before {
                    Some(_) if operator.trim_start().starts_with('?') => return,
                    Some((before, _)) if operator.trim_start().starts_with('+') => format!("{before} {value}"),
                    _ => value.to_owned(),
                };
                self.variables.insert(name.to_owned(), (value, number));
                return;
            }
        }
        if let Some((targets, _)) = code.split_once(':') {
            let targets = targets
                .split_whitespace()
                .filter(|target| !target.starts_with('.') || target.contains('/'));
            self.rules.extend(targets.map(|target| (target.to_owned(), number)));
        }
    }

    /// A variable as it is written, with its line.
    pub(super) fn variable(&self, name: &str) -> Option<(&str, usize)> {
        let (value, line) = self.variables.get(name)?;
        Some((value, *line))
    }

    /// A text of the Makefile for the manifest: variables that it keeps are written its way, all others are replaced by their values.
    /// `None` where a function of make's or an unknown name is in it.
    pub(super) fn expand(&self, text: &str) -> Option<String> {
        let mut pending = text.to_owned();
        // What stands for itself in a circle never ends.
        for _ in 0..32 {
            let Some(start) = pending.find("$(").or_else(|| pending.find("${")) else {
                return Some(pending.replace('\u{1}', "$"));
            };
            let close = if pending[start..].starts_with("$(") { ')' } else { '}' };
            let length = pending[start..].find(close)?;
            let name = &pending[start + 2..start + length];
            let value = if KEPT.contains(&name) {
                format!("\u{1}{{{name}}}")
            } else {
                self.variable(name)?.0.to_owned()
            };
            pending.replace_range(start..=start + length, &value);
        }
        None
    }

    /// Where packages went: `USER@$(REMOTE_HOST):$(REMOTE_DIR)` of a recipe, as an address of farm's, and its line.
    pub(super) fn remote(&self) -> Option<(String, usize)> {
        let (host, line) = self.variable("REMOTE_HOST")?;
        let (folder, _) = self.variable("REMOTE_DIR")?;
        let words = self.recipes.iter().flat_map(|(recipe, _)| recipe.split_whitespace());
        let user = words
            .filter_map(|word| word.split_once("@$(REMOTE_HOST)"))
            .map(|(user, _)| user)
            .find(|user| is_name(user));
        let user = user.map_or(String::new(), |user| format!("{user}@"));
        let folder = self.expand(folder)?;
        let address = format!("ssh://{user}{}/{}", self.expand(host)?, folder.trim_matches('/'));
        Some((address, line))
    }

    /// Tells of what is not in the manifest.
    pub(super) fn tell(&self, draft: &mut Draft, file: &str) {
        for (name, (value, line)) in &self.variables {
            let shown = format!("{name}={value}");
            if KEPT.contains(&name.as_str()) || PLACED.contains(&name.as_str()) {
                continue;
            }
            if let Some((_, why)) = NEEDLESS.iter().find(|(known, _)| known == name) {
                draft.note(NoteKind::LeftOut, file, *line, shown, *why);
            } else if name == "ARCHIVE_OPTS" {
                let others: Vec<&str> = value
                    .split_whitespace()
                    .filter(|word| !EXCLUDES.contains(word))
                    .collect();
                if !others.is_empty() {
                    let advice = "farm leaves out .keep, .git and what editors leave behind, and nothing else";
                    draft.note(
                        NoteKind::LeftOut,
                        file,
                        *line,
                        format!("ARCHIVE_OPTS has {}", others.join(" ")),
                        advice,
                    );
                }
            } else if name == "PKGBUILD_DOCKER_OPTS" {
                for word in value.split_whitespace() {
                    draft.note(
                        NoteKind::LeftOut,
                        file,
                        *line,
                        format!("the option {word} of docker run"),
                        docker_option(word),
                    );
                }
            } else {
                let advice = "HEP-Soft had no such variable; declare it under `vars:` if something uses it";
                draft.note(NoteKind::LeftOut, file, *line, shown, advice);
            }
        }
        for (target, line) in &self.rules {
            let word = target
                .trim_start_matches("./")
                .split(['.', '/'])
                .next()
                .unwrap_or_default();
            let cache = target.starts_with(".cache/") || target.contains('%') || target.contains("$(");
            if !cache && !RULES.contains(&word) {
                let advice = "HEP-Soft had no such target; make it a task of the manifest";
                draft.note(NoteKind::LeftOut, file, *line, format!("the target {target}"), advice);
            }
        }
    }
}

/// What takes the place of an option of `docker run`.
fn docker_option(word: &str) -> &'static str {
    match word.split('=').next().unwrap_or_default() {
        "--cap-add" => "write `binfarm.capabilities: [NAME]`",
        "--memory" | "-m" => "write `binfarm.limits: { memory: SIZE }`",
        "--pids-limit" => "write `binfarm.limits: { pids: NUMBER }`",
        "-e" | "--env" => "write `binfarm.env: { NAME: VALUE }`",
        _ => "farm mounts nothing into build containers, and gives them no network",
    }
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_alphanumeric() || "_-".contains(c))
}

#[cfg(test)]
mod tests {
    use super::Makefile;

    #[test]
    fn variables_are_expanded_but_for_those_that_are_kept() {
        let text = "# no=1\nPLATFORM=amd64\nTAG?=1 # why\nTAG ?= 2\nX = $(TAG)\nX += b\nS=$(PLATFORM).$(X)\nL = a \\\n  b\nC=$(C)\nH=$(shell id)\n";
        let makefile = Makefile::parse(text);
        assert_eq!(makefile.variable("TAG"), Some(("1", 3)));
        assert_eq!(makefile.expand("$(S)").as_deref(), Some("${PLATFORM}.1 b"));
        assert_eq!(makefile.variable("L"), Some(("a  b", 8)));
        assert_eq!(makefile.expand("$(C)"), None);
        assert_eq!(makefile.expand("$(H)"), None);
        assert!(makefile.variable("no").is_none());
    }

    #[test]
    fn packages_go_where_they_went() {
        let text =
            "REMOTE_HOST=h.example\nREMOTE_DIR=/var/www/p/\np:\n\trsync -a x crank@$(REMOTE_HOST):$(REMOTE_DIR)\n";
        assert_eq!(
            Makefile::parse(text).remote(),
            Some(("ssh://crank@h.example/var/www/p".to_owned(), 1))
        );
        assert_eq!(Makefile::parse("REMOTE_HOST=h\n").remote(), None);
    }
}
