"""Why Portage cannot resolve: its own words, and what would have to change."""

import difflib
import os


def empty(kind, explanation=""):
    """A refusal with nothing known but its kind."""
    return {
        "kind": kind,
        "explanation": explanation,
        "use": [],
        "keywords": [],
        "licenses": [],
        "unmasks": [],
        "unknown": [],
        "unsatisfied": [],
        "cycle": None,
        "blockers": [],
        "slot_conflicts": [],
    }


def of_profile(resolver):
    """A refusal if the root has no valid profile, else None."""
    from _emerge.actions import profile_check

    with resolver.capture() as text:
        status = profile_check(resolver.trees, None)
    if status != os.EX_OK:
        return empty("profile", text[0])
    return None


def of_exception(error):
    """An argument that Portage throws out before it resolves anything."""
    found = empty("argument", "%s: %s" % (type(error).__name__, error))
    if type(error).__name__ == "AmbiguousPackageName":
        names = sorted(str(name) for name in error.args[0])
        found["unknown"].append(
            {"atom": names[0].split("/")[-1], "wanted_by": [], "moved_to": None, "near": names}
        )
    return found


def describe(resolver, graph, members, printed):
    """What Portage has printed and would print, and the same as data."""
    with resolver.capture() as text:
        graph.display_problems()
    found = empty("unsatisfied", printed + text[0])
    state = graph._dynamic_config
    unsatisfied(resolver, graph, found)
    found["cycle"] = cycle(graph)
    blockers(state, found)
    slot_conflicts(state, found)
    if found["cycle"] is None:
        _resolved, relaxed, _text = resolver.resolve(members, autounmask=True)
        changes(resolver, relaxed, found)
    found["kind"] = kind_of(found, members)
    return found


def kind_of(found, members):
    from portage.dep import isvalidatom

    if found["cycle"] is not None:
        return "cycle"
    if found["unknown"]:
        return "unknown"
    if found["use"] or found["keywords"] or found["licenses"] or found["unmasks"]:
        return "configuration"
    if found["slot_conflicts"]:
        return "slot-conflict"
    if found["blockers"]:
        return "blocked"
    if not all(member[:1] == "@" or isvalidatom(member, allow_repo=True) for member in members):
        return "argument"
    return "unsatisfied"


def members_of(graph_state, node):
    """The arguments that a node is there for, directly or through others."""
    seen, waiting, found = {node}, [node], set()
    while waiting:
        current = waiting.pop()
        if not hasattr(current, "cpv"):
            found.add(name_of(current))
            continue
        for parent, _atom in graph_state._parent_atoms.get(current, ()):
            if parent not in seen:
                seen.add(parent)
                waiting.append(parent)
    return sorted(found)


def wanted_by(graph_state, package):
    """Who asks for a package, and with which atom."""
    found = set()
    for parent, atom in graph_state._parent_atoms.get(package, ()):
        found.add((name_of(parent), str(atom)))
    return [{"parent": parent, "atom": atom} for parent, atom in sorted(found)]


def name_of(node):
    """A package's CPV, or an argument as it was given."""
    return str(node.cpv) if hasattr(node, "cpv") else str(getattr(node, "arg", node))


def unsatisfied(resolver, graph, found):
    """Dependencies nothing fulfils; of those, the ones nobody has heard of."""
    seen = set()
    for (_root, atom), details in graph._dynamic_config._unsatisfied_deps_for_display:
        if not atom.package or str(atom) in seen:
            continue
        seen.add(str(atom))
        parent = details.get("myparent")
        members = members_of(graph._dynamic_config, parent) if parent else []
        wanted = (
            [{"parent": name_of(parent), "atom": str(atom.unevaluated_atom)}] if parent else []
        )
        if resolver.portdb.cp_list(atom.cp):
            found["unsatisfied"].append(
                {
                    "atom": str(atom),
                    "wanted_by": wanted,
                    "members": members,
                    "available": masked(resolver, graph, atom),
                }
            )
        else:
            name = str(atom).replace("null/", "")
            successor = moved(resolver, atom.cp)
            found["unknown"].append(
                {
                    "atom": name,
                    "wanted_by": wanted,
                    "members": members,
                    "moved_to": successor,
                    "near": [] if successor else near(resolver, atom.cp),
                }
            )


def masked(resolver, graph, atom):
    """The versions of a known package, and why each may not be used."""
    from portage.dep import match_from_list
    from portage.package.ebuild.getmaskingstatus import getmaskingstatus

    found = []
    versions = resolver.portdb.cp_list(atom.cp)
    fitting = {str(cpv) for cpv in match_from_list(atom.without_use, versions)}
    for cpv in versions:
        reasons = getmaskingstatus(cpv, settings=resolver.settings, portdb=resolver.portdb)
        reasons = [str(reason) for reason in reasons]
        version = {"cpv": str(cpv), "masked_by": reasons, "required_use": None}
        if not reasons:
            version["masked_by"], required = required_use(resolver, graph, atom, cpv)
            if str(cpv) in fitting:
                version["required_use"] = required
        found.append(version)
    return found


def required_use(resolver, graph, atom, cpv):
    """The part of REQUIRED_USE that the present flags do not fulfil, in words, and what decides it."""
    from portage.dep import check_required_use, human_readable_required_use

    (repository,) = resolver.portdb.aux_get(cpv, ["repository"])
    package = graph._pkg(cpv, "ebuild", resolver.root_config, myrepo=repository)
    text = package._metadata.get("REQUIRED_USE", "")
    use, known = graph._pkg_use_enabled(package), package.iuse.is_valid_flag
    # What the atom itself asks for is there as soon as somebody sets it, and may be what REQUIRED_USE then objects to.
    asked_on = set(atom.use.enabled) if atom.use else set()
    asked_off = set(atom.use.disabled) if atom.use else set()
    wanted = (use | asked_on) - asked_off
    if not text or check_required_use(text, wanted, known, eapi=package.eapi):
        return [], None
    reduced = check_required_use(text, wanted, known, eapi=package.eapi).tounicode()
    decided = {
        "expression": text,
        "eapi": package.eapi,
        "slot": package.slot,
        "enabled": sorted(flag for flag in use if known(flag)),
        "fixed": sorted(package.use.mask | package.use.force),
        "asked": sorted(asked_on | {"-" + flag for flag in asked_off}),
    }
    return ["REQUIRED_USE: " + human_readable_required_use(reduced)], decided


def moved(resolver, name):
    """The present name of a package that profiles/updates has renamed, or None."""
    moves = {}
    for repository in resolver.portdb.repositories:
        folder = os.path.join(repository.location, "profiles", "updates")
        if not os.path.isdir(folder):
            continue
        # Quarters are called 1Q-2026: by year, then by quarter.
        for entry in sorted(os.listdir(folder), key=lambda entry: entry.split("-")[::-1]):
            with open(os.path.join(folder, entry), encoding="utf-8") as file:
                for line in file:
                    words = line.split()
                    if len(words) == 3 and words[0] == "move":
                        moves[words[1]] = words[2]
    passed = set()
    current = name
    while current in moves and current not in passed:
        passed.add(current)
        current = moves[current]
    return current if current != name else None


def near(resolver, name):
    """Names of existing packages that look like this one, best first."""
    leaves = {}
    for other in sorted(resolver.portdb.cp_all()):
        leaves.setdefault(other.split("/")[-1], []).append(other)
    found = []
    for close in difflib.get_close_matches(name.split("/")[-1], sorted(leaves), n=4, cutoff=0.7):
        found += leaves[close]
    return found[:5]


def cycle(graph):
    """A circular dependency, with the USE changes Portage thinks would break it."""
    from _emerge.resolver.circular_dependency import circular_dependency_handler

    state = graph._dynamic_config
    if state._circular_deps_for_display is None:
        return None
    handler = circular_dependency_handler(graph, state._circular_deps_for_display)
    shortest = handler.shortest_cycle or []
    edges = []
    for position, child in enumerate(shortest):
        parent = shortest[position - 1]
        priority = handler.graph.nodes[parent][0][child][-1]
        edges.append(
            {
                "parent": name_of(parent),
                "child": name_of(child),
                "kind": str(priority),
                "affecting_use": sorted(handler._affecting_use(parent, child, priority)),
            }
        )
    # The shortest cycle starts anywhere; let it start at its least name.
    if edges:
        first = min(range(len(edges)), key=lambda place: edges[place]["parent"])
        edges = edges[first:] + edges[:first]
    solutions = []
    for package, alternatives in handler.parent_solutions.items():
        for alternative in alternatives:
            flags = sorted(flag if state else "-" + flag for flag, state in alternative)
            solutions.append(
                {
                    "cpv": str(package.cpv),
                    "slot": package.slot,
                    "flags": flags,
                    "wanted_by": wanted_by(graph._dynamic_config, package),
                    "members": members_of(graph._dynamic_config, package),
                }
            )
    solutions.sort(key=lambda solution: (solution["cpv"], solution["flags"]))
    return {"edges": edges, "solutions": solutions}


def blockers(state, found):
    """Packages that may not be together."""
    for blocker in state._unsatisfied_blockers_for_display or ():
        found["blockers"].append(
            {
                "atom": str(blocker.atom),
                "blocked": sorted(
                    {str(pkg.cpv) for pkg in state._blocked_pkgs.child_nodes(blocker)}
                ),
                "wanted_by": sorted(
                    {name_of(pkg) for pkg in state._blocker_parents.parent_nodes(blocker)}
                ),
            }
        )
    found["blockers"].sort(key=lambda blocker: blocker["atom"])


def slot_conflicts(state, found):
    """Several versions wanted for one slot, each with who wants it."""
    for conflict in state._package_tracker.slot_conflicts():
        found["slot_conflicts"].append(
            {
                "slot": str(conflict.atom),
                "packages": sorted(
                    (
                        {"cpv": str(pkg.cpv), "wanted_by": wanted_by(state, pkg)}
                        for pkg in conflict
                    ),
                    key=lambda package: package["cpv"],
                ),
            }
        )


def changes(resolver, graph, found):
    """What --autounmask would change, from a second resolution with it."""
    import portage

    state = graph._dynamic_config

    def record(package, **fields):
        return dict(
            {
                "cpv": str(package.cpv),
                "slot": package.slot,
                "repository": package.repo,
                "wanted_by": wanted_by(state, package),
                "members": members_of(state, package),
            },
            **fields,
        )

    def used(packages):
        return sorted(
            (package for package in packages if package in state.digraph),
            key=lambda package: package.cpv,
        )

    for package in used(state._needed_use_config_changes):
        _use, flags = state._needed_use_config_changes[package]
        words = sorted(flag if on else "-" + flag for flag, on in flags.items())
        found["use"].append(record(package, flags=words))
    for package in used(state._needed_unstable_keywords):
        found["keywords"].append(record(package, keyword=keyword(resolver, package)))
    for package in used(state._needed_license_changes):
        found["licenses"].append(
            record(package, licenses=sorted(state._needed_license_changes[package]))
        )
    for package in used(state._needed_p_mask_changes):
        comment = portage.getmaskingreason(
            package.cpv,
            metadata=package._metadata,
            settings=resolver.settings,
            portdb=resolver.portdb,
        )
        found["unmasks"].append(record(package, comment=(comment or "").strip()))


def keyword(resolver, package):
    """The keyword that would have to be accepted."""
    from _emerge.depgraph import _get_masking_status

    for reason in _get_masking_status(package, resolver.settings, package.root_config):
        hint = reason.unmask_hint
        if hint is not None and hint.key == "unstable keyword":
            return hint.value
    return "**"
