//! Stage definitions: folders of files with one name a line.

use crate::draft::Draft;
use crate::report::NoteKind;
use crate::tree::Tree;

/// A name, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Named {
    pub(super) name: String,
    pub(super) file: String,
    pub(super) line: usize,
}

/// A stage3: a processor, sets of packages, local trees.
#[derive(Debug)]
pub(super) struct Stage3 {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) cpu: Option<Named>,
    pub(super) sets: Vec<Named>,
    pub(super) locals: Vec<Named>,
    pub(super) scripts: Vec<Named>,
}

/// A stage4: a stage3 with a kernel, scripts, and what is taken away.
#[derive(Debug)]
pub(super) struct Stage4 {
    pub(super) name: String,
    pub(super) folder: String,
    pub(super) stage3: Named,
    pub(super) profile: Option<Named>,
    pub(super) kernel: Option<Named>,
    pub(super) scripts: Vec<Named>,
    pub(super) removes: Vec<Named>,
}

/// All of them.
#[derive(Debug)]
pub(super) struct Definitions {
    pub(super) arch: String,
    pub(super) stage3: Vec<Stage3>,
    pub(super) stage4: Vec<Stage4>,
    /// The profile that was bootstrapped first.
    first_profile: Option<Named>,
}

impl Definitions {
    /// Reads them; `None` where there is no definition of a stage3.
    pub(super) fn read(draft: &mut Draft, tree: &mut Tree<'_>, prefix: &str) -> Option<Self> {
        let mut stage3 = Vec::new();
        let parent = format!("{prefix}stage3.defines");
        for name in tree.names(&parent) {
            let folder = format!("{parent}/{name}");
            let mut locals = names(tree, &format!("{folder}/portage.local"));
            locals.extend(names(tree, &format!("{folder}/portage.locals")));
            stage3.push(Stage3 {
                name: name.to_owned(),
                cpu: one(draft, tree, &format!("{folder}/cpu")),
                sets: names(tree, &format!("{folder}/packages")),
                locals,
                scripts: names(tree, &format!("{folder}/scripts")),
                folder,
            });
        }
        if stage3.is_empty() {
            return None;
        }
        let mut stage4 = Vec::new();
        let parent = format!("{prefix}stage4.defines");
        for name in tree.names(&parent) {
            let folder = format!("{parent}/{name}");
            let of = one(draft, tree, &format!("{folder}/stage3"));
            let known = of.filter(|of| stage3.iter().any(|stage3| stage3.name == of.name));
            let Some(of) = known else {
                let advice = "write the name of a folder of stage3.defines into the file `stage3`";
                draft.note(
                    NoteKind::LeftOut,
                    &folder,
                    None,
                    "the stage is of no stage3 that is defined",
                    advice,
                );
                continue;
            };
            stage4.push(Stage4 {
                name: name.to_owned(),
                stage3: of,
                profile: one(draft, tree, &format!("{folder}/profile")),
                kernel: one(draft, tree, &format!("{folder}/kconf")),
                scripts: names(tree, &format!("{folder}/scripts")),
                removes: names(tree, &format!("{folder}/removes")),
                folder,
            });
        }
        let arch = one(draft, tree, &format!("{prefix}env/arch")).map(|arch| arch.name);
        for (name, advice) in [
            ("uid", "farm's files belong to whoever runs it"),
            ("gid", "farm's files belong to whoever runs it"),
            ("jobs", "`farm build -jN` says how many jobs there are"),
        ] {
            let file = format!("{prefix}env/{name}");
            for value in names(tree, &file) {
                draft.note(
                    NoteKind::LeftOut,
                    &file,
                    value.line,
                    format!("{name} {}", value.name),
                    advice,
                );
            }
        }
        let bootstrapped = names(tree, &format!("{prefix}profiles"));
        for profile in &bootstrapped {
            let advice = "farm fetches and pins the base of `binfarm.base` by itself";
            draft.note(
                NoteKind::LeftOut,
                &profile.file,
                profile.line,
                format!("the bootstrapped profile `{}`", profile.name),
                advice,
            );
        }
        Some(Self {
            arch: arch.unwrap_or_else(|| "amd64".to_owned()),
            stage3,
            stage4,
            first_profile: bootstrapped.into_iter().next(),
        })
    }

    /// The profile of definitions without a stage4, which names one.
    pub(super) fn portage_profile(&self, draft: &mut Draft) -> String {
        portage_profile(draft, self.first_profile.as_ref(), &self.arch, "stage3.defines")
    }
}

impl Stage4 {
    pub(super) fn portage_profile(&self, draft: &mut Draft, arch: &str) -> String {
        portage_profile(draft, self.profile.as_ref(), arch, &self.folder)
    }
}

/// What was the name of a tarball of Gentoo's is not always the path of a profile.
fn portage_profile(draft: &mut Draft, named: Option<&Named>, arch: &str, folder: &str) -> String {
    if let Some(path) = named.filter(|named| named.name.contains('/')) {
        let name = path.name.trim_start_matches("gentoo:");
        return format!("gentoo:{name}");
    }
    let (file, line, what) = match named {
        Some(named) => (
            named.file.as_str(),
            Some(named.line),
            format!("`{}` is the name of a tarball, not of a profile", named.name),
        ),
        None => (folder, None, "no profile is named".to_owned()),
    };
    let profile = format!("gentoo:default/linux/{arch}/23.0");
    let advice = format!("`{profile}` is in the manifest; write the profile that the tarball was made with");
    draft.note(NoteKind::Look, file, line, what, advice);
    profile
}

/// The names in a file, one a line.
pub(super) fn names(tree: &mut Tree<'_>, file: &str) -> Vec<Named> {
    let text = tree.take_text(file).unwrap_or_default();
    let lines = text.lines().enumerate().map(|(index, line)| {
        let bare = line.split_once('#').map_or(line, |(bare, _)| bare).trim();
        (index + 1, bare)
    });
    let named = lines.filter(|(_, bare)| !bare.is_empty());
    named
        .map(|(line, name)| Named {
            name: name.to_owned(),
            file: file.to_owned(),
            line,
        })
        .collect()
}

/// The name in a file that should have one.
fn one(draft: &mut Draft, tree: &mut Tree<'_>, file: &str) -> Option<Named> {
    let mut found = names(tree, file).into_iter();
    let first = found.next();
    for more in found {
        draft.note(
            NoteKind::LeftOut,
            file,
            more.line,
            format!("`{}`: a second name", more.name),
            "only the first line counts",
        );
    }
    first
}
