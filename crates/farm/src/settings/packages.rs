//! What the manifest sets for packages, as lines of Portage's own files.

use farm_manifest::model::{Flag, SettingsOf};

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
    for (at, entry) in settings.iter().enumerate() {
        let atom = entry.atom.without_use().to_string();
        let values = entry.settings;
        let words = |words: Vec<String>| format!("{atom} {}", words.join(" "));
        let flags: Vec<String> = standing(settings, at).map(ToString::to_string).collect();
        if !flags.is_empty() {
            lines.push("package.use", &words(flags));
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

/// The flags of one entry that no later entry of the same atom overrides: lines are sorted, so that the later one cannot win by its place.
fn standing<'a>(settings: &'a [SettingsOf<'a>], at: usize) -> impl Iterator<Item = &'a Flag> {
    let entry = &settings[at];
    let later = settings[at + 1..].iter().filter(move |other| other.atom == entry.atom);
    let overriding: Vec<&Flag> = later
        .flat_map(|other| &other.settings.use_flags)
        .filter(|flag| flag.overrides)
        .collect();
    entry.settings.use_flags.iter().filter(move |flag| {
        let opposite = |other: &&Flag| other.name == flag.name && other.enabled != flag.enabled;
        !overriding.iter().any(opposite)
    })
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
