//! What goes into a profile node and what must go to `/etc/portage`.
//!
//! Facts, from `portage(5)` and `lib/portage/package/ebuild/_config/*Manager.py`: files of a profile node know neither
//! wildcard atoms nor `::repository`, and `package.use` in a profile knows no `USE_EXPAND:` groups and no `-*`; `package.license`,
//! `package.env`, `package.properties` and `package.accept_restrict` exist in `/etc/portage` only.

use farm_portage::lines::{Dialect, parse_keywords, parse_masks, parse_use};

/// Files of lines `ATOM value...` or `ATOM` that a profile node can hold.
const PROFILE_LINES: &[&str] = &[
    "package.use",
    "package.accept_keywords",
    "package.mask",
    "package.unmask",
];

/// Files of a profile node that are taken as they are.
const PROFILE_VERBATIM: &[&str] = &[
    "package.provided",
    "package.use.force",
    "package.use.mask",
    "package.use.stable.force",
    "package.use.stable.mask",
    "packages",
    "use.force",
    "use.mask",
    "use.stable.force",
    "use.stable.mask",
];

/// Files of lines that only `/etc/portage` can hold, one file a layer in a folder of that name.
const ETC_LINES: &[&str] = &[
    "package.accept_restrict",
    "package.env",
    "package.license",
    "package.properties",
];

/// What a file of a layer is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// `make.conf` or `make.defaults`.
    MakeDefaults,
    /// Lines that are routed one by one.
    Lines(&'static str),
    /// A file of a profile node.
    ProfileVerbatim(&'static str),
    /// Lines for `/etc/portage`.
    EtcLines(&'static str),
    /// Shell code; that of all layers is run, in their order.
    Bashrc,
    /// Anything else, at its own place below `/etc/portage`.
    Etc,
}

/// Says what a file of a layer is, by its path below `/etc/portage`.
pub(super) fn kind(path: &str) -> Kind {
    let top = path.split('/').next().unwrap_or(path);
    let top = if top == "package.keywords" {
        "package.accept_keywords"
    } else {
        top
    };
    let among = |list: &'static [&'static str]| list.iter().copied().find(|name| *name == top);
    if matches!(top, "make.conf" | "make.defaults") {
        Kind::MakeDefaults
    } else if let Some(name) = among(PROFILE_LINES) {
        Kind::Lines(name)
    } else if let Some(name) = among(PROFILE_VERBATIM) {
        Kind::ProfileVerbatim(name)
    } else if let Some(name) = among(ETC_LINES) {
        Kind::EtcLines(name)
    } else if path == "bashrc" {
        Kind::Bashrc
    } else {
        Kind::Etc
    }
}

/// The lines of one file, sorted into where they can stand.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Routed {
    /// For the profile node.
    pub(super) profile: String,
    /// Assignments for the node that follows it: what `*/*` lines of `package.use` set for everybody.
    pub(super) everybody: String,
    /// For `/etc/portage`.
    pub(super) etc: String,
}

/// Routes the lines of `text`, a file called `name`.
pub(super) fn lines(name: &str, text: &str) -> Routed {
    let mut routed = Routed::default();
    let mut flags: Vec<&str> = Vec::new();
    for line in text.lines() {
        let bare = line.split_once('#').map_or(line, |(bare, _)| bare).trim();
        let Some(word) = bare.split_whitespace().next() else {
            continue;
        };
        let rest = bare[word.len()..].trim();
        if name == "package.use" && word == "*/*" {
            everybody(rest, &mut flags, &mut routed.everybody);
            continue;
        }
        let target = if fits_profile(name, bare) {
            &mut routed.profile
        } else {
            &mut routed.etc
        };
        target.push_str(bare);
        target.push('\n');
    }
    if !flags.is_empty() {
        routed.everybody.push_str(&format!("USE=\"{}\"\n", flags.join(" ")));
    }
    routed
}

fn everybody<'a>(rest: &'a str, flags: &mut Vec<&'a str>, assignments: &mut String) {
    let mut group: Option<&str> = None;
    let mut values: Vec<&str> = Vec::new();
    let mut flush = |group: Option<&str>, values: &mut Vec<&str>| {
        if let Some(name) = group {
            assignments.push_str(&format!("{name}=\"{}\"\n", values.join(" ")));
        }
        values.clear();
    };
    for word in rest.split_whitespace() {
        if let Some(name) = word.strip_suffix(':') {
            flush(group, &mut values);
            group = Some(name);
        } else if group.is_some() {
            values.push(word);
        } else {
            flags.push(word);
        }
    }
    flush(group, &mut values);
}

/// Whether Portage takes the line in a profile node of ours.
fn fits_profile(name: &str, line: &str) -> bool {
    match name {
        "package.use" => parse_use(line, Dialect::PROFILE).errors.is_empty(),
        "package.accept_keywords" => parse_keywords(line, Dialect::PROFILE).errors.is_empty(),
        _ => parse_masks(line, Dialect::PROFILE).errors.is_empty(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_atoms_go_to_the_profile_and_the_rest_to_etc() {
        let text = "# why\nsci-libs/gsl cblas # here\n*/* -* amd\n*/* VIDEO_CARDS: -* amdgpu radeonsi\n\
                    dev-qt/* widgets\na/b::hep x\nx/y PYTHON_TARGETS: python3_11\n";
        let routed = lines("package.use", text);
        assert_eq!(routed.profile, "sci-libs/gsl cblas\n");
        assert_eq!(
            routed.etc,
            "dev-qt/* widgets\na/b::hep x\nx/y PYTHON_TARGETS: python3_11\n"
        );
        assert_eq!(routed.everybody, "VIDEO_CARDS=\"-* amdgpu radeonsi\"\nUSE=\"-* amd\"\n");
    }
}
