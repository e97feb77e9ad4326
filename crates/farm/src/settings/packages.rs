//! What the manifest sets for packages, as lines of Portage's own files.

use farm_manifest::model::SettingsOf;

/// The lines by file name, sorted: contradictions are refused, so that their order means nothing, and a manifest whose keys
/// were only moved about must give the same bytes.
#[derive(Debug, Default)]
pub(super) struct PackageLines {
    pub(super) files: Vec<(&'static str, String)>,
}

impl PackageLines {
    fn push(&mut self, file: &'static str, line: &str) {
        let at = self
            .files
            .iter()
            .position(|(name, _)| *name == file)
            .unwrap_or_else(|| {
                self.files.push((file, String::new()));
                self.files.len() - 1
            });
        self.files[at].1.push_str(line);
        self.files[at].1.push('\n');
    }
}

/// Renders the settings of all packages of a farm.
///
/// `environments` are the file names in the layers' `env/` folders: the manifest may leave out `.conf`.
pub(super) fn lines(settings: &[SettingsOf<'_>], environments: &[String]) -> PackageLines {
    let mut lines = PackageLines::default();
    for entry in settings {
        let atom = entry.atom.without_use().to_string();
        let values = entry.settings;
        let words = |words: Vec<String>| format!("{atom} {}", words.join(" "));
        if !values.use_flags.is_empty() {
            lines.push(
                "package.use",
                &words(values.use_flags.iter().map(ToString::to_string).collect()),
            );
        }
        if !values.accept_keywords.is_empty() {
            let keywords = values
                .accept_keywords
                .iter()
                .map(|keyword| keyword.value.clone())
                .collect();
            lines.push("package.accept_keywords", &words(keywords));
        }
        if !values.license.is_empty() {
            let licences = values.license.iter().map(|licence| licence.value.clone()).collect();
            lines.push("package.license", &words(licences));
        }
        if !values.env.is_empty() {
            let names = values
                .env
                .iter()
                .map(|name| environment_file(&name.value, environments))
                .collect();
            lines.push("package.env", &words(names));
        }
        for masked in &values.mask {
            lines.push("package.mask", &masked.value.to_string());
        }
        for unmasked in &values.unmask {
            lines.push("package.unmask", &unmasked.value.to_string());
        }
    }
    for (_, text) in &mut lines.files {
        let mut sorted: Vec<&str> = text.lines().collect();
        sorted.sort_unstable();
        sorted.dedup();
        *text = sorted.join("\n") + "\n";
    }
    lines.files.sort();
    lines
}

fn environment_file(name: &str, environments: &[String]) -> String {
    let with_suffix = format!("{name}.conf");
    let exists = |name: &String| environments.contains(name);
    if !exists(&name.to_owned()) && exists(&with_suffix) {
        with_suffix
    } else {
        name.to_owned()
    }
}
