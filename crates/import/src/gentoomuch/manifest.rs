//! The manifest of what was Gentoomuch.

use std::collections::{BTreeMap, BTreeSet};

use super::definitions::{Named, names};
use super::{BUILDER, Group};
use crate::draft::Draft;
use crate::report::NoteKind;
use crate::tree::{Entry, Tree};
use crate::write::{Writer, literal, quoted};

/// What manifests are written from.
pub(super) struct Context<'a, 'b> {
    pub(super) draft: &'a mut Draft,
    pub(super) tree: &'a mut Tree<'b>,
    pub(super) prefix: &'a str,
    pub(super) arch: &'a str,
    pub(super) sets: &'a BTreeMap<String, String>,
}

impl Context<'_, '_> {
    /// Writes the manifest of one farm, and puts the files that it names beside it.
    pub(super) fn write(&mut self, group: &Group<'_>, config: &[String]) -> String {
        let mut out = Writer::default();
        out.line(
            0,
            "# Made by `farm import gentoomuch`. import-report.txt beside this file says what could not be",
        );
        out.line(0, "# taken over as it was.");
        out.value(0, "farm", &group.farm);
        out.line(0, "");
        out.line(0, "vars:");
        out.value(1, "ARCH", &literal(self.arch));
        out.line(0, "");
        out.value(0, "flavour", "${ARCH}");
        out.line(0, "");
        self.binfarm(&mut out, group, config);
        let subjects = self.subjects(&mut out, group);
        self.kernels(&mut out, group);
        self.stages(&mut out, group, &subjects);
        out.finish()
    }

    fn binfarm(&mut self, out: &mut Writer, group: &Group<'_>, config: &[String]) {
        out.line(0, "binfarm:");
        out.line(
            1,
            "# Gentoomuch started from a tarball that you fetched. So can a farm:",
        );
        out.line(1, "#   base: { stage3: ARCHIVE, keyring: FILE }");
        out.line(
            1,
            &format!("base: {{ image: {} }}", quoted("gentoo/stage3:${ARCH}-openrc")),
        );
        out.line(1, "repos:");
        out.line(2, &format!("gentoo: {{ image: {} }}", quoted("gentoo/portage:latest")));
        out.value(1, "profile", &literal(&group.profile));
        if !config.is_empty() {
            out.list(1, "config", config);
        }
        if let Some(text) = self.sets.get(BUILDER) {
            out.line(
                1,
                "# The tools of the builder, beside the root: nothing is built with them.",
            );
            out.value(1, "packages", &format!("sets/{BUILDER}"));
            self.draft.put(
                format!("farms/{}/sets/{BUILDER}", group.farm),
                Entry::text(text.clone()),
            );
        }
        out.line(0, "");
        let file = group.stage3.first().map_or("", |stage3| stage3.folder.as_str());
        let message = "the tarball that the stages started from is not in the configuration";
        let advice = "the manifest starts from an image of the same kind; to start from the tarball write `base: { stage3: ..., keyring: ... }`";
        self.draft.note(NoteKind::Changed, file, None, message, advice);
    }

    /// Writes the subjects, and gives the sets that have become one.
    fn subjects(&mut self, out: &mut Writer, group: &Group<'_>) -> BTreeSet<String> {
        let mut written = BTreeSet::new();
        for set in group.stage3.iter().flat_map(|stage3| &stage3.sets) {
            if written.contains(&set.name) {
                continue;
            }
            let Some(text) = self.sets.get(&set.name) else {
                let message = format!("there is no set `{}` with members", set.name);
                let advice = "take the line out, or write the set and make it a subject";
                self.draft.note(NoteKind::LeftOut, &set.file, set.line, message, advice);
                continue;
            };
            if written.is_empty() {
                out.line(0, "subjects:");
            }
            out.line(
                1,
                &format!(
                    "{}: {{ packages: {} }}",
                    quoted(&set.name),
                    quoted(&format!("sets/{}", set.name))
                ),
            );
            self.draft.put(
                format!("farms/{}/sets/{}", group.farm, set.name),
                Entry::text(text.clone()),
            );
            written.insert(set.name.clone());
        }
        if !written.is_empty() {
            out.line(0, "");
        }
        written
    }

    fn kernels(&mut self, out: &mut Writer, group: &Group<'_>) {
        let mut written = BTreeSet::new();
        for kernel in group.stage4.iter().filter_map(|stage4| stage4.kernel.as_ref()) {
            if written.contains(&kernel.name) {
                continue;
            }
            let source = format!(
                "{}kernel.configs/{}.kconf",
                self.prefix,
                kernel.name.trim_end_matches(".kconf")
            );
            let Some(entry) = self.tree.take(&source) else {
                let message = format!("there is no kernel configuration `{}`", kernel.name);
                self.draft.note(
                    NoteKind::LeftOut,
                    &kernel.file,
                    kernel.line,
                    message,
                    "take the line out, or write the configuration",
                );
                continue;
            };
            if written.is_empty() {
                out.line(0, "# Not built yet.");
                out.line(0, "kernels:");
            }
            let name = kernel.name.trim_end_matches(".kconf");
            let path = format!("kernels/{name}.kconf");
            out.line(
                1,
                &format!(
                    "{}: {{ sources: sys-kernel/gentoo-sources, config: {} }}",
                    quoted(name),
                    quoted(&path)
                ),
            );
            self.draft.put(format!("farms/{}/{path}", group.farm), entry.clone());
            let advice =
                "the configuration is kept beside the manifest; farm builds no kernels yet, so the stage has none";
            self.draft.note(
                NoteKind::LeftOut,
                &kernel.file,
                kernel.line,
                format!("the kernel `{name}`"),
                advice,
            );
            written.insert(kernel.name.clone());
        }
        if !written.is_empty() {
            out.line(0, "");
        }
    }

    fn stages(&mut self, out: &mut Writer, group: &Group<'_>, subjects: &BTreeSet<String>) {
        out.line(0, "stages:");
        for stage3 in &group.stage3 {
            let taken = group.stage4.iter().any(|stage4| stage4.name == stage3.name);
            let name = if taken {
                format!("{}-stage3", stage3.name)
            } else {
                stage3.name.clone()
            };
            if taken {
                let message = format!("a stage3 and a stage4 are called `{}`", stage3.name);
                self.draft.note(
                    NoteKind::Changed,
                    &stage3.folder,
                    None,
                    message,
                    format!("the stage3 is the stage `{name}`"),
                );
            }
            out.line(1, &format!("{}:", quoted(&name)));
            self.content(out, group, &stage3.sets, &[&stage3.scripts], subjects);
        }
        for stage4 in &group.stage4 {
            let Some(stage3) = group.stage3.iter().find(|stage3| stage3.name == stage4.stage3.name) else {
                continue;
            };
            out.line(1, &format!("{}:", quoted(&stage4.name)));
            self.content(out, group, &stage3.sets, &[&stage3.scripts, &stage4.scripts], subjects);
            self.removes(out, &stage4.removes);
            if let Some(kernel) = &stage4.kernel {
                out.line(
                    2,
                    &format!(
                        "# kernel: {}   # not built yet",
                        quoted(kernel.name.trim_end_matches(".kconf"))
                    ),
                );
            }
        }
        let file = group.stage3.first().map_or("", |stage3| stage3.folder.as_str());
        let advice = "write `sign: KEYID` under each stage; `farm key new` makes a key";
        self.draft.note(
            NoteKind::LeftOut,
            file,
            None,
            "Gentoomuch signed every stage with GnuPG's default key",
            advice,
        );
    }

    fn content(
        &mut self,
        out: &mut Writer,
        group: &Group<'_>,
        sets: &[Named],
        scripts: &[&Vec<Named>],
        subjects: &BTreeSet<String>,
    ) {
        out.value(2, "from", "base");
        let mut names: Vec<&str> = Vec::new();
        for set in sets.iter().filter(|set| subjects.contains(&set.name)) {
            if !names.contains(&set.name.as_str()) {
                names.push(&set.name);
            }
        }
        if !names.is_empty() {
            out.list(2, "subjects", names);
        }
        let mut paths = Vec::new();
        for script in scripts.iter().flat_map(|scripts| scripts.iter()) {
            paths.extend(self.script(group, script));
        }
        if !paths.is_empty() {
            out.list(2, "scripts", paths);
        }
    }

    /// Puts a script beside the manifest, and gives its path.
    fn script(&mut self, group: &Group<'_>, script: &Named) -> Option<String> {
        let candidates = [script.name.clone(), format!("{}.sh", script.name)];
        let found = candidates
            .iter()
            .find(|name| self.tree.has(&format!("{}user.scripts/{name}", self.prefix)));
        let entry = found.and_then(|name| self.tree.take(&format!("{}user.scripts/{name}", self.prefix)));
        let (Some(name), Some(Entry::File { bytes, .. })) = (found, entry) else {
            let message = format!("there is no script `{}` in user.scripts", script.name);
            self.draft.note(
                NoteKind::LeftOut,
                &script.file,
                script.line,
                message,
                "take the line out, or write the script",
            );
            return None;
        };
        let path = format!("scripts/{name}");
        let program = Entry::File {
            bytes: bytes.clone(),
            mode: 0o755,
        };
        self.draft.put(format!("farms/{}/{path}", group.farm), program);
        Some(path)
    }

    fn removes(&mut self, out: &mut Writer, lists: &[Named]) {
        let mut paths: Vec<String> = Vec::new();
        for list in lists {
            let file = format!("{}user.removes/{}", self.prefix, list.name);
            if !self.tree.has(&file) {
                let message = format!("there is no list `{}` in user.removes", list.name);
                self.draft.note(
                    NoteKind::LeftOut,
                    &list.file,
                    list.line,
                    message,
                    "take the line out, or write the list",
                );
                continue;
            }
            for path in names(self.tree, &file) {
                if path.name.split('/').any(|part| part == "..") || path.name.trim_matches('/').is_empty() {
                    let message = format!("`{}` is no path that can be removed", path.name);
                    self.draft
                        .note(NoteKind::LeftOut, &file, path.line, message, "write the absolute path");
                    continue;
                }
                let absolute = format!("/{}", literal(path.name.trim_start_matches('/')));
                if !paths.contains(&absolute) {
                    paths.push(absolute);
                }
            }
        }
        if !paths.is_empty() {
            out.list(2, "remove", paths);
        }
    }
}
