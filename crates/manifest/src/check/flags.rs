//! Contradicting USE flags. Flags are farm-wide, so two subjects cannot want a flag of one atom differently.

use std::collections::BTreeMap;

use crate::diagnostic::Diagnostic;
use crate::model::{Farm, Flag};
use crate::source::Sources;

/// Reports each flag that is switched on in one place and off in another for the same atom, unless the later place overrides.
pub(super) fn check(farm: &Farm, sources: &Sources, diagnostics: &mut Vec<Diagnostic>) {
    let mut said: BTreeMap<(String, &str), &Flag> = BTreeMap::new();
    for entry in farm.package_settings() {
        let atom = entry.atom.to_string();
        for flag in &entry.settings.use_flags {
            // `-*` clears what the profile set; flags beside it are what it is written for.
            if flag.name.ends_with('*') {
                continue;
            }
            let earlier = said.insert((atom.clone(), &flag.name), flag);
            if let Some(earlier) = earlier.filter(|earlier| earlier.enabled != flag.enabled && !flag.overrides) {
                let message = format!(
                    "`{flag}` of `{atom}` contradicts `{earlier}` at {}",
                    sources.place(earlier.span)
                );
                diagnostics.push(
                    Diagnostic::error(flag.span, message)
                        .also(earlier.span, format!("`{earlier}` is set here"))
                        .help(format!("flags hold for the whole farm; remove one, or write `!override {flag}` if the later is to win")),
                );
            }
        }
    }
}
