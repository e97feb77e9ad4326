//! Dockerfiles and scripts: what they did that a farm does by itself, what has a place in the manifest, and what somebody must look at.

use crate::draft::Draft;
use crate::report::NoteKind;

/// What a command of a script is in a farm. The first that fits counts; a command in none of these lines needs a place.
const COMMANDS: &[(&str, &str)] = &[
    ("/etc/portage/", "the layer has what stands in /etc/portage in the end"),
    ("emerge --depclean", "a farm's roots have only what is put into them"),
    (
        "emerge --getbinpkg=n sys-libs/glibc",
        "`binfarm.rebuild: [sys-libs/glibc]`, which is not built yet",
    ),
    (
        "@world",
        "`binfarm.update: world`, which is not built yet; until then take a base of the day that is wanted",
    ),
    (
        "emerge",
        "farm builds the members of the subjects, and of `binfarm.packages`",
    ),
    ("revdep-rebuild", "farm rebuilds what a changed library concerns"),
    ("quickpkg", "every package is in the binhost; those of the base are not"),
    ("eselect profile", "`binfarm.profile` names the profile"),
    ("eselect news", "farm reads no news"),
    (
        "locale",
        "put the files that this makes into the literal root, or the command into a script of `binfarm.scripts`",
    ),
    (
        "useradd",
        "put it into a script of `binfarm.scripts`; `binfarm.user` names the user of the images",
    ),
    ("usermod", "put it into a script of `binfarm.scripts`"),
    ("chmod", "`farm publish-pkgs` sets the modes of what it publishes"),
    ("find", "`farm publish-pkgs` sets the modes of what it publishes"),
    ("distfiles", "sources never come into a root"),
];

/// Words that begin lines which do nothing by themselves.
const SYNTAX: [&str; 10] = ["set", "then", "fi", "do", "done", "else", "{", "}", "esac", ";;"];

/// Tells of the commands of a script, a line each.
pub(super) fn script(draft: &mut Draft, file: &str, text: &str) {
    let mut continued = false;
    for (index, line) in text.lines().enumerate() {
        let line = line.trim();
        let first = !continued;
        continued = line.ends_with('\\');
        let word = line.split_whitespace().next().unwrap_or_default();
        if !first || line.is_empty() || line.starts_with('#') || SYNTAX.contains(&word) {
            continue;
        }
        let known = COMMANDS.iter().find(|(part, _)| line.contains(part));
        let advice = known.map_or(
            "put it into a script of `binfarm.scripts` if the root needs it",
            |(_, advice)| advice,
        );
        draft.note(NoteKind::LeftOut, file, index + 1, format!("`{line}`"), advice);
    }
}

/// The files of `/etc/portage` that a script removes once it needs them no more: they are no part of what Portage reads in the end.
pub(super) fn removed(text: &str) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (index, line) in text.lines().enumerate() {
        let mut words = line.split_whitespace();
        if words.next() != Some("rm") {
            continue;
        }
        let paths = words.filter_map(|word| word.trim_matches(['"', '\'', ';']).strip_prefix("/etc/portage/"));
        found.extend(paths.map(|path| (path.trim_end_matches('/').to_owned(), index + 1)));
    }
    found
}

/// What a Dockerfile says of where its image comes from.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Dockerfile {
    /// The image that it starts from.
    pub(super) base: Option<(String, usize)>,
    /// The image that the ebuild repository is copied from.
    pub(super) portage: Option<(String, usize)>,
}

/// Reads a Dockerfile; instructions that a farm has no place for get a line each.
pub(super) fn dockerfile(draft: &mut Draft, file: &str, text: &str) -> Dockerfile {
    let mut read = Dockerfile::default();
    let mut continued = false;
    for (index, line) in text.lines().enumerate() {
        let number = index + 1;
        let line = line.trim();
        let first = !continued;
        continued = line.ends_with('\\');
        let mut words = line.split_whitespace();
        let word = words.next().unwrap_or_default().to_uppercase();
        if !first || word.is_empty() || word.starts_with('#') {
            continue;
        }
        let advice = match word.as_str() {
            "FROM" => {
                let image = words.next().unwrap_or_default().to_owned();
                let named = words.nth(1).is_some();
                if named && image.contains("portage") {
                    read.portage = Some((image, number));
                } else {
                    read.base = Some((image, number));
                }
                continue;
            }
            "ARG" => continue,
            "COPY" | "ADD"
                if ["--from=portage", "root.d.tar", "bootstrap.sh"]
                    .iter()
                    .any(|part| line.contains(part)) =>
            {
                continue;
            }
            "RUN" if ["bootstrap.sh", "eselect"].iter().any(|part| line.contains(part)) => continue,
            "USER" => "write `binfarm.user: NAME`",
            "WORKDIR" | "VOLUME" => "`images:` have a `workdir`; farm mounts nothing into build containers",
            "ENV" => "write `binfarm.env: { NAME: VALUE }`",
            "LABEL" => "write `labels:` of an image",
            "ENTRYPOINT" | "CMD" => "write `entrypoint:` or `cmd:` of an image",
            "COPY" | "ADD" => "put the file into the literal root (`binfarm.root`)",
            _ => "put the command into a script of `binfarm.scripts`",
        };
        draft.note(NoteKind::LeftOut, file, number, format!("`{line}`"), advice);
    }
    read
}

/// The reference of an image with the variables that a manifest keeps in its form. `None` where it has others.
pub(super) fn reference(image: &str) -> Option<String> {
    let mut text = String::new();
    let mut rest = image;
    while let Some(at) = rest.find('$') {
        text.push_str(&rest[..at]);
        let after = rest[at + 1..].trim_start_matches('{');
        let end = after
            .find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(after.len());
        let name = &after[..end];
        if !super::makefile::KEPT.contains(&name) {
            return None;
        }
        text.push_str(&format!("${{{name}}}"));
        rest = after[end..].trim_start_matches('}');
    }
    text.push_str(rest);
    Some(text)
}

#[cfg(test)]
mod tests {
    use super::{reference, removed};

    #[test]
    fn references_keep_the_variables_of_the_manifest() {
        assert_eq!(
            reference("gentoo/stage3-$PLATFORM:${STAGE3_TAG}").as_deref(),
            Some("gentoo/stage3-${PLATFORM}:${STAGE3_TAG}")
        );
        assert_eq!(reference("$BASE_IMG"), None);
        assert_eq!(reference("a:1").as_deref(), Some("a:1"));
    }

    #[test]
    fn what_is_removed_in_the_end_is_known() {
        let text = "set -e\nrm -f /etc/portage/package.use/pam-workaround\nrm -rf /usr/portage\n";
        assert_eq!(removed(text), [("package.use/pam-workaround".to_owned(), 2)]);
    }
}
