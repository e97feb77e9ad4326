//! From layers and the manifest's package settings to [`Settings`].

use farm_manifest::model::SettingsOf;

use super::route::{self, Kind};
use super::{SETTINGS_REPO, Settings, packages};
use crate::files::{FileNode, Files};

/// What every build container has in common, whatever runs it: namespaces are the executor's business, and the FEATURES
/// string is stored in every package. Stands below all layers, so that a layer can say otherwise.
const FARM_DEFAULTS: &str = "FEATURES=\"-cgroup -ipc-sandbox -mount-sandbox -network-sandbox -news -pid-sandbox \
                             binpkg-multi-instance parallel-install -ebuild-locks -merge-sync -merge-wait\"\n";

/// A configuration layer as it lies in `profiles/NAME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RenderedLayer {
    /// Its name.
    pub name: String,
    /// Its files, by path below the folder.
    pub files: Files,
}

/// Everything a configuration is rendered from.
#[derive(Debug)]
pub struct RenderInput<'a> {
    /// The base profile, `REPOSITORY:PATH`.
    pub profile: &'a str,
    /// Names of all repositories, in the order of the manifest.
    pub repos: &'a [String],
    /// The layers of the binfarm and then of the subjects, each once.
    pub layers: &'a [RenderedLayer],
    /// What the manifest sets for packages.
    pub packages: &'a [SettingsOf<'a>],
    /// What it sets for packages that are built first to break a circle (`bootstrap:`): it wins over everything else.
    pub first: &'a [SettingsOf<'a>],
}

/// Renders a configuration. A pure function: equal inputs give equal bytes.
#[must_use]
pub fn render(input: &RenderInput<'_>) -> Settings {
    let mut renderer = Renderer {
        parents: vec![input.profile.to_owned()],
        settings: Settings::default(),
    };
    renderer.node(
        "farm-defaults",
        Files::from([("make.defaults".to_owned(), FileNode::text(FARM_DEFAULTS))]),
    );
    for (at, layer) in input.layers.iter().enumerate() {
        renderer.layer(&format!("{:02}-{}", at + 1, layer.name.replace('/', "-")), &layer.files);
    }
    renderer.packages("99-packages", input.packages);
    renderer.packages("99-packages-first", input.first);
    renderer.finish(input)
}

struct Renderer {
    parents: Vec<String>,
    settings: Settings,
}

impl Renderer {
    /// Adds a profile node and makes it a parent; an empty one is passed over.
    fn node(&mut self, name: &str, mut files: Files) {
        if files.is_empty() {
            return;
        }
        files.insert("eapi".to_owned(), FileNode::text("8\n"));
        for (path, node) in files {
            self.settings
                .repo
                .insert(format!("profiles/layers/{name}/{path}"), node);
        }
        self.parents.push(format!("../layers/{name}"));
    }

    fn layer(&mut self, name: &str, files: &Files) {
        let mut node = Files::new();
        let mut everybody = String::new();
        for (path, file) in files {
            match route::kind(path) {
                Kind::MakeDefaults => append(&mut node, "make.defaults", file.as_text()),
                Kind::ProfileVerbatim(target) => append(&mut node, target, file.as_text()),
                Kind::Lines(target) => {
                    let routed = route::lines(target, file.as_text());
                    append(&mut node, target, &routed.profile);
                    everybody.push_str(&routed.everybody);
                    append(&mut self.settings.etc, &format!("{target}/{name}"), &routed.etc);
                }
                Kind::EtcLines(target) => append(&mut self.settings.etc, &format!("{target}/{name}"), file.as_text()),
                Kind::Bashrc => append(&mut self.settings.etc, "bashrc", file.as_text()),
                Kind::Etc => {
                    self.settings.etc.insert(path.clone(), file.clone());
                }
            }
        }
        self.node(name, node);
        // What `*/*` lines set is one node above: a second assignment in one file would replace the first.
        let mut extra = Files::new();
        append(&mut extra, "make.defaults", &everybody);
        self.node(&format!("{name}-everybody"), extra);
    }

    fn packages(&mut self, name: &str, settings: &[SettingsOf<'_>]) {
        let environments: Vec<String> = self
            .settings
            .etc
            .keys()
            .filter_map(|path| path.strip_prefix("env/"))
            .map(str::to_owned)
            .collect();
        let lines = packages::lines(settings, &environments);
        let files = lines
            .files
            .into_iter()
            .map(|(name, text)| (name.to_owned(), FileNode::text(text)));
        self.layer(name, &files.collect());
    }

    fn finish(mut self, input: &RenderInput<'_>) -> Settings {
        let repo = &mut self.settings.repo;
        repo.insert(
            "profiles/repo_name".to_owned(),
            FileNode::text(format!("{SETTINGS_REPO}\n")),
        );
        repo.insert("profiles/eapi".to_owned(), FileNode::text("8\n"));
        repo.insert("profiles/farm/eapi".to_owned(), FileNode::text("8\n"));
        repo.insert(
            "profiles/farm/parent".to_owned(),
            FileNode::text(self.parents.join("\n") + "\n"),
        );
        let layout = format!(
            "masters = {}\nprofile-formats = portage-2\nthin-manifests = true\ncache-formats =\n",
            input.repos.join(" ")
        );
        repo.insert("metadata/layout.conf".to_owned(), FileNode::text(layout));

        let etc = &mut self.settings.etc;
        let profile = FileNode::Link {
            target: format!("../../var/db/repos/{SETTINGS_REPO}/profiles/farm"),
        };
        etc.insert("make.profile".to_owned(), profile);
        etc.insert("repos.conf".to_owned(), FileNode::text(repos_conf(input.repos)));
        self.settings
    }
}

fn repos_conf(repos: &[String]) -> String {
    let main = repos.iter().find(|name| *name == "gentoo").or_else(|| repos.first());
    let mut text = String::new();
    if let Some(main) = main {
        text.push_str(&format!("[DEFAULT]\nmain-repo = {main}\n"));
    }
    for name in repos.iter().map(String::as_str).chain([SETTINGS_REPO]) {
        text.push_str(&format!(
            "\n[{name}]\nlocation = /var/db/repos/{name}\nauto-sync = no\n"
        ));
    }
    text
}

/// Adds a text to a file, with a line break between what was there and what comes.
fn append(files: &mut Files, path: &str, text: &str) {
    if text.trim().is_empty() {
        return;
    }
    let mut whole = files
        .get(path)
        .map(|node| node.as_text().to_owned())
        .unwrap_or_default();
    whole.push_str(text);
    if !whole.ends_with('\n') {
        whole.push('\n');
    }
    files.insert(path.to_owned(), FileNode::text(whole));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn layer(name: &str, files: &[(&str, &str)]) -> RenderedLayer {
        let files = files
            .iter()
            .map(|(path, text)| ((*path).to_owned(), FileNode::text(*text)))
            .collect();
        RenderedLayer {
            name: name.to_owned(),
            files,
        }
    }

    #[test]
    fn layers_become_profile_nodes_in_their_order() {
        let layers = [
            layer(
                "common",
                &[
                    ("make.conf", "USE=\"-* x\""),
                    ("package.use/a", "a/b c\n"),
                    ("package.license", "a/b L"),
                ],
            ),
            layer(
                "type/dbg",
                &[
                    ("package.use/b", "*/* VIDEO_CARDS: -* amdgpu\na/b -c"),
                    ("patches/a/b/x.patch", "p"),
                ],
            ),
        ];
        let repos = ["gentoo".to_owned(), "hep".to_owned()];
        let input = RenderInput {
            profile: "hep:binfarm/dbg",
            repos: &repos,
            layers: &layers,
            packages: &[],
            first: &[],
        };
        let settings = render(&input);
        assert_eq!(
            settings.repo["profiles/farm/parent"].as_text(),
            "hep:binfarm/dbg\n../layers/farm-defaults\n../layers/01-common\n../layers/02-type-dbg\n\
             ../layers/02-type-dbg-everybody\n"
        );
        assert_eq!(
            settings.repo["profiles/layers/01-common/make.defaults"].as_text(),
            "USE=\"-* x\"\n"
        );
        assert_eq!(
            settings.repo["profiles/layers/02-type-dbg/package.use"].as_text(),
            "a/b -c\n"
        );
        assert_eq!(
            settings.repo["profiles/layers/02-type-dbg-everybody/make.defaults"].as_text(),
            "VIDEO_CARDS=\"-* amdgpu\"\n"
        );
        assert_eq!(settings.etc["package.license/01-common"].as_text(), "a/b L\n");
        assert_eq!(settings.etc["patches/a/b/x.patch"].as_text(), "p");
        assert!(
            settings.etc["repos.conf"]
                .as_text()
                .starts_with("[DEFAULT]\nmain-repo = gentoo\n")
        );
        assert_eq!(render(&input), settings);
    }
}
