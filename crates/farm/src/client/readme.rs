//! `README`: what goes where, in commands that can be copied.

use std::collections::{BTreeMap, BTreeSet};

use super::Client;
use crate::settings::SETTINGS_REPO;
use crate::signing::client_commands;

/// The folders of `/etc/portage` that are filled from folders of the same names.
fn folders(files: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let tops = files.keys().filter_map(|path| Some(path.split_once('/')?.0));
    tops.filter(|top| top.starts_with("package.") || *top == "sets")
        .collect()
}

/// The nodes of the profile that are the farm's own: its layers, and what its manifest sets.
fn farms_nodes(files: &BTreeMap<String, String>) -> BTreeSet<&str> {
    let nodes = files
        .keys()
        .filter_map(|path| Some(path.strip_prefix("profile/")?.split_once('/')?.0));
    nodes
        .filter(|node| {
            node.split_once('-')
                .is_some_and(|(_, name)| name.starts_with(SETTINGS_REPO))
        })
        .collect()
}

/// The text. `files` are those beside it.
pub(super) fn text(client: &Client, files: &BTreeMap<String, String>, fingerprint: Option<&str>) -> String {
    let name = &client.name;
    let mut text = Text(String::new());
    text.says(&format!(
        "How a machine installs the packages of {name}\n\n\
         All commands are root's, in the folder of this file; client.tar.gz holds the whole folder.\n\
         They can be given again when a later release has changed something.\n\
         Where /etc/portage has a file in the place of a folder that they fill, move it into a folder of its name first."
    ));
    text.says("Where the packages are.");
    if client.is_guess {
        text.says("Put the address by which this machine reads them into binrepos.conf before.");
    }
    text.commands(&[
        "mkdir -p /etc/portage/binrepos.conf".to_owned(),
        format!("cp binrepos.conf /etc/portage/binrepos.conf/{name}.conf"),
    ]);
    match fingerprint {
        Some(fingerprint) => {
            text.says("Who signed them: compare the fingerprint with what you were told elsewhere.");
            text.commands(&client_commands("key.asc", fingerprint));
        }
        None => text.says("They are not signed, and binrepos.conf says so: whoever can write there is trusted."),
    }
    text.says(
        "The profile under which they were built. It needs no repository.\n\
         (A make.profile that is a folder and no link, move away first.)",
    );
    text.commands(&[
        format!("rm -rf /etc/portage/{name}.profile"),
        format!("cp -r profile /etc/portage/{name}.profile"),
        format!("ln -sfn {name}.profile /etc/portage/make.profile"),
    ]);
    text.says(
        "make.conf sums up what that profile says of flags, keywords and licences, for whoever compares, or sets it\n\
         by hand.",
    );
    let nodes = farms_nodes(files);
    if !nodes.is_empty() {
        let lines: Vec<String> = nodes.iter().map(|node| format!("  ../{name}.profile/{node}")).collect();
        text.says(&format!(
            "A machine that keeps a profile of its own makes make.profile a folder instead of a link, with a file `parent`\n\
             that names first its own profile (gentoo:default/linux/amd64/23.0, say) and then what the farm adds:\n\n{}",
            lines.join("\n")
        ));
    }
    let folders: Vec<&str> = folders(files).into_iter().collect();
    let mut commands: Vec<String> = folders
        .iter()
        .map(|folder| format!("mkdir -p /etc/portage/{folder}"))
        .collect();
    if !folders.is_empty() {
        commands.push(format!("cp -r {} /etc/portage/", folders.join(" ")));
    }
    if files.keys().any(|path| path.starts_with("user-profile/")) {
        commands.push("mkdir -p /etc/portage/profile".to_owned());
        commands.push("cp -r user-profile/. /etc/portage/profile/".to_owned());
    }
    if !commands.is_empty() {
        text.says("What no profile holds: keywords, licences and flags of packages, and the subjects as sets.");
        text.commands(&commands);
    }
    let sets: Vec<String> = client
        .sets
        .keys()
        .map(|set| format!("@{}", super::plain(set)))
        .collect();
    if let Some(first) = sets.first() {
        text.says(&format!("Then, for each of {}:", sets.join(", ")));
        text.commands(&[format!("emerge --ask --getbinpkgonly {first}")]);
    }
    text.0
}

/// A text of paragraphs and of commands, which are indented.
struct Text(String);

impl Text {
    fn says(&mut self, paragraph: &str) {
        self.part(paragraph);
    }

    fn commands(&mut self, lines: &[String]) {
        let lines: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
        self.part(&lines.join("\n"));
    }

    fn part(&mut self, text: &str) {
        if !self.0.is_empty() {
            self.0.push('\n');
        }
        self.0.push_str(text);
        self.0.push('\n');
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::client;
    use super::*;

    fn of(files: &[&str], fingerprint: Option<&str>) -> String {
        let files = files.iter().map(|path| ((*path).to_owned(), String::new())).collect();
        text(&client(), &files, fingerprint)
    }

    #[test]
    fn it_names_what_is_there_and_nothing_else() {
        let layer = "profile/0002-farm-settings-layers-01-x/package.use";
        let text = of(
            &[
                "package.license/x",
                "profile/0001-gentoo-base/eapi",
                layer,
                "profile/parent",
                "sets/libs",
            ],
            Some("ABCD"),
        );
        for line in [
            "then what the farm adds:\n\n  ../tiny-amd64.opt.profile/0002-farm-settings-layers-01-x\n\n",
            "    cp binrepos.conf /etc/portage/binrepos.conf/tiny-amd64.opt.conf\n",
            "    echo ABCD:6: | gpg --homedir /etc/portage/gnupg --batch --import-ownertrust\n",
            "    ln -sfn tiny-amd64.opt.profile /etc/portage/make.profile\n",
            "    mkdir -p /etc/portage/package.license\n",
            "    cp -r package.license sets /etc/portage/\n",
            "    emerge --ask --getbinpkgonly @libs\n",
        ] {
            assert!(text.contains(line), "{line}\n{text}");
        }
        assert!(!text.contains("user-profile") && !text.contains("not signed"), "{text}");
        let unsigned = of(&["user-profile/use.mask"], None);
        assert!(
            unsigned.contains("    cp -r user-profile/. /etc/portage/profile/\n"),
            "{unsigned}"
        );
        assert!(
            !unsigned.contains("key.asc") && unsigned.contains("not signed"),
            "{unsigned}"
        );
    }
}
