//! Atoms as the old tools took them, and as farm takes them.

use farm_portage::atom::{Atom, AtomSyntax, UseDepKind};

/// What a manifest takes: the same as `/etc/portage`, without build numbers.
pub(crate) const SYNTAX: AtomSyntax = AtomSyntax {
    build_id: false,
    ..AtomSyntax::USER
};

/// An atom, and what was said with it that cannot stand with it in a manifest.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    pub(crate) atom: Atom,
    /// USE dependencies, as flags.
    pub(crate) flags: Vec<String>,
    /// What was changed about it, and why.
    pub(crate) changes: Vec<&'static str>,
}

/// Reads an atom that is to become a key of the manifest.
///
/// # Errors
/// Why it cannot: a sentence fragment.
pub(crate) fn take(written: &str) -> Result<Taken, String> {
    let mut changes = Vec::new();
    let mut text = written.to_owned();
    if let Some((bare, _)) = written.split_once(':')
        && !bare.contains('[')
        && (written.ends_with('=') || written.ends_with(":*"))
    {
        // What binds to a slot means something to a dependency, and nothing to a set.
        text = written.trim_end_matches(['=', '*']).trim_end_matches(':').to_owned();
        changes.push("a slot operator means nothing outside of ebuilds");
    }
    let atom = Atom::parse(&text, SYNTAX).map_err(|error| error.to_string())?;
    if atom.blocker().is_some() {
        return Err("a blocker cannot be merged".to_owned());
    }
    let mut flags = Vec::new();
    for dep in atom.use_deps() {
        let sign = match dep.kind {
            UseDepKind::Enabled => "",
            UseDepKind::Disabled => "-",
            _ => return Err(format!("`{dep}` is a condition, which only an ebuild can have")),
        };
        flags.push(format!("{sign}{}", dep.flag));
    }
    if !flags.is_empty() {
        changes.push("USE dependencies of an atom are flags in a manifest");
    }
    Ok(Taken {
        atom: atom.without_use(),
        flags,
        changes,
    })
}

#[cfg(test)]
mod tests {
    use super::take;

    #[test]
    fn what_means_nothing_in_a_set_is_taken_off() {
        let shown = |text: &str| match take(text) {
            Ok(taken) => format!("{} {}", taken.atom, taken.flags.join(" "))
                .trim_end()
                .to_owned(),
            Err(why) => format!("no: {why}"),
        };
        assert_eq!(shown("cat/pkg:0/2="), "cat/pkg:0/2");
        assert_eq!(shown("cat/pkg:="), "cat/pkg");
        assert_eq!(shown("cat/pkg[a,-b]"), "cat/pkg a -b");
        assert_eq!(shown("=cat/pkg-1*"), "=cat/pkg-1*");
        assert_eq!(shown("~cat/pkg-1:0"), "~cat/pkg-1:0");
        assert_eq!(shown("!cat/pkg"), "no: a blocker cannot be merged");
        assert!(shown("cat/pkg[a?]").starts_with("no: "));
        assert!(shown("pkg").starts_with("no: "));
    }
}
