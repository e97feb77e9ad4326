//! What this crate makes of an atom, as JSON that `described.py` makes of the real Portage's.

use std::collections::BTreeSet;

use farm_portage::atom::{Atom, Blocker, Operator};
use farm_portage::name::FlagName;
use farm_portage::slot::SlotOperator;
use serde_json::{Value, json};

/// The parts of an atom; `enabled` are the flags of the package that has it.
pub(crate) fn described(atom: &Atom, enabled: &[&str]) -> Value {
    let tokens = |atom: &Atom| atom.use_deps().iter().map(ToString::to_string).collect::<Vec<_>>();
    let enabled: BTreeSet<FlagName> = flags(enabled);
    json!({
        "blocker": atom.blocker().map(|blocker| match blocker {
            Blocker::Weak => "!",
            Blocker::Strong => "!!",
        }),
        "operator": atom.operator().map(|operator| match operator {
            Operator::EqualPrefix => "=*",
            other => other.prefix(),
        }),
        "cp": atom.cp(),
        "version": atom.version().map(ToString::to_string).or(atom.version_contains().map(|word| format!("*{word}*"))),
        "build_id": atom.build_id(),
        "slot": atom.slot().and_then(|slot| slot.slot.as_deref()),
        "subslot": atom.slot().and_then(|slot| slot.subslot.as_deref()),
        "slot_operator": atom.slot().and_then(|slot| slot.operator).map(|operator| match operator {
            SlotOperator::Rebuild => "=",
            SlotOperator::Any => "*",
        }),
        "repository": atom.repository(),
        "use_deps": tokens(atom),
        "evaluated": tokens(&atom.evaluate_use(&enabled)),
        "extended": atom.is_extended(),
    })
}

/// The names of flags as flags.
pub(crate) fn flags<T: AsRef<str>>(names: &[T]) -> BTreeSet<FlagName> {
    names
        .iter()
        .map(|name| FlagName::parse(name.as_ref()).expect("a flag"))
        .collect()
}
