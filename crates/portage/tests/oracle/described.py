"""What the real Portage makes of an atom, as JSON that `described.rs` makes of this crate's."""


def described(atom, enabled):
    """The parts of an atom; `enabled` are the flags of the package that has it."""
    evaluated = atom.evaluate_conditionals(set(enabled)).use if atom.use else None
    return {
        "blocker": ("!!" if atom.blocker.overlap.forbid else "!") if atom.blocker else None,
        "operator": atom.operator,
        "cp": atom.cp,
        "version": atom.version,
        "build_id": atom.build_id,
        "slot": atom.slot,
        "subslot": atom.sub_slot,
        "slot_operator": atom.slot_operator,
        "repository": atom.repo,
        "use_deps": list(atom.use.tokens) if atom.use else [],
        "evaluated": list(evaluated.tokens) if evaluated else [],
        "extended": atom.extended_syntax,
    }
