"""A resolved dependency graph of Portage's as plain data."""

import hashlib
import os

import client
import live
import native
import vdb

KINDS = (
    ("buildtime", "build"),
    ("installtime", "install"),
    ("runtime", "runtime"),
    ("runtime_post", "post"),
)
# The member of a package that no member asks for.
AUTOMATIC = ""
DEPENDENCY_KEYS = ("BDEPEND", "DEPEND", "IDEPEND", "PDEPEND", "RDEPEND")


def describe(resolver, graph, members, dropped_seed):
    """The plan: the packages to be built in merge order, and all that is reached."""
    digraph = graph._dynamic_config.digraph
    reached, roots = from_members(graph, members)
    order = [
        node
        for node in graph.altlist()
        if is_package(node) and node in reached and node.operation == "merge"
    ]
    uninstalls = sorted(
        str(node.cpv)
        for node in graph.altlist()
        if is_package(node) and node.operation == "uninstall"
    )
    lines, instructions = display(resolver, graph, order)
    installed = vdb.Installed(resolver)
    for node in sorted((node for node in reached if node.installed), key=lambda n: n.cpv):
        installed.add(str(node.cpv))
    implicit = installed.closure(installed.system())
    packages = []
    compilers = native.Native()
    for node, line in zip(order, lines):
        record = package(resolver, graph, node, installed)
        compilers.look(len(packages), record["environment"])
        record["line"] = line
        record["fetch_instructions"] = instructions.get(record["cpv"], "")
        packages.append(record)
    # What a package of the plan replaces stays in the root for those that
    # must be built before it, and so does what satisfied them there.
    for record in packages:
        if record["replaces"] is not None:
            installed.closure([record["replaces"]])
    for parent in reached:
        for child in digraph.child_nodes(parent):
            present = satisfied(digraph.nodes[parent][0][child])
            if present is not None:
                installed.closure([present])
    names = {node: ("package", position) for position, node in enumerate(order)}

    def reference(node):
        if node in names:
            kind, position = names[node]
            return {kind: position}
        return {"installed": installed.index(str(node.cpv))}

    edges = []
    for parent in sorted(reached, key=sort_key):
        for child in sorted(digraph.child_nodes(parent), key=sort_key):
            if not is_package(child):
                continue
            priorities = digraph.nodes[parent][0][child]
            present = satisfied(priorities)
            edges.append(
                {
                    "parent": reference(parent),
                    "child": reference(child),
                    "atoms": sorted(
                        {
                            str(atom)
                            for other, atom in graph._dynamic_config._parent_atoms.get(child, ())
                            if other is parent
                        }
                    ),
                    "kinds": [
                        name
                        for attribute, name in KINDS
                        if any(getattr(priority, attribute) for priority in priorities)
                    ],
                    "slot_operator": any(
                        priority.buildtime_slot_op or priority.runtime_slot_op
                        for priority in priorities
                    ),
                    "satisfied": None if present is None else installed.index(present),
                }
            )
    # Installed packages that the graph did not reach, with edges of our own reading.
    in_graph = {str(node.cpv) for node in reached if node.installed}
    edges += installed.edges(skip=in_graph)
    return {
        "packages": packages,
        "installed": installed.records(),
        "implicit": [installed.index(cpv) for cpv in implicit],
        "uninstalls": uninstalls,
        "edges": edges,
        "roots": [
            {"member": member, "atom": atom, "node": reference(node)}
            for member, atom, node in roots
        ],
        "profile": profile(resolver),
        "native": compilers.records(),
        "dropped_seed": dropped_seed,
    }


def is_package(node):
    """Whether a node of the graph is a package, not an argument, set or blocker."""
    return hasattr(node, "cpv") and hasattr(node, "operation")


def sort_key(node):
    return (str(node.cpv), node.type_name, node.operation)


def from_members(graph, members):
    """The packages that the members reach, and which member chose which package.

    The seed's packages are arguments too; without this they would all be nodes.
    """
    digraph = graph._dynamic_config.digraph
    members_of = arguments(digraph, members)
    roots, stack = set(), []
    for node, parents in graph._dynamic_config._parent_atoms.items():
        for parent, atom in parents:
            for member in members_of.get(parent, ()):
                roots.add((member, str(atom), node))
                stack.append(node)
    reached = set()
    while stack:
        node = stack.pop()
        if node not in reached and is_package(node):
            reached.add(node)
            stack.extend(digraph.child_nodes(node))
    named = sorted(
        (root for root in roots if root[0] != AUTOMATIC),
        key=lambda root: (root[0], root[1], sort_key(root[2])),
    )
    return reached, named


def arguments(digraph, members):
    """Argument nodes of the graph -> the members they come from.

    A set may hold further sets, which are nodes below it. Sets that Portage
    made itself, of packages to be rebuilt because of what changes, belong to
    no member but must be built.
    """
    found = {}
    for node in list(digraph.nodes):
        if is_package(node):
            continue
        name = str(getattr(node, "arg", node))
        if name.startswith("@__auto_"):
            found.setdefault(node, set()).add(AUTOMATIC)
        elif name in members:
            stack = [node]
            while stack:
                below = stack.pop()
                if not is_package(below) and name not in found.setdefault(below, set()):
                    found[below].add(name)
                    stack.extend(digraph.child_nodes(below))
    return found


def satisfied(priorities):
    """The installed package that already fulfils an edge, if there is one."""
    found = {str(priority.satisfied.cpv) for priority in priorities if priority.satisfied}
    return max(found, default=None)


def display(resolver, graph, order):
    """What `emerge --pretend --verbose` prints of these packages.

    Returns one line a package, and what pkg_nofetch says of those that must
    be downloaded by hand.
    """
    from _emerge.resolver.output import Display

    printer = Display()
    with resolver.capture() as text:
        printer(graph, order, [], 3)
    lines = []
    for message in printer.print_msg:
        if isinstance(message, str):
            continue
        line, use, _repository = message
        lines.append((line + " " + use).rstrip())
    if len(lines) != len(order):
        raise RuntimeError("emerge shows %d lines for %d packages" % (len(lines), len(order)))
    instructions = {}
    for part in text[0].split("\nFetch instructions for ")[1:]:
        cpv, _colon, words = part.partition(":\n")
        instructions[cpv] = words.strip()
    return lines, instructions


def package(resolver, graph, node, installed):
    """Everything about one ebuild that is to be built."""
    import portage

    settings = portage.config(clone=node.root_config.settings)
    settings.setcpv(node)
    path, location = resolver.portdb.findname2(node.cpv, myrepo=node.repo)
    folder = os.path.dirname(path)
    metadata = node._metadata
    use = sorted(graph._pkg_use_enabled(node))
    replaces, operation = operation_of(resolver, node)
    if replaces is not None:
        installed.add(replaces)
    record = {
        "cpv": str(node.cpv),
        "category": node.cpv.cpv_split[0],
        "name": node.cpv.cpv_split[1],
        "version": version_of(node.cpv),
        "repository": node.repo,
        "slot": node.slot,
        "subslot": node.sub_slot,
        "eapi": node.eapi,
        "use": use,
        "iuse": sorted(set(metadata["IUSE"].split())),
        "keywords": metadata["KEYWORDS"].split(),
        "license": metadata["LICENSE"],
        "restrict": sorted(node.restrict),
        "properties": sorted(node.properties),
        "defined_phases": sorted(set(node.defined_phases or ()) - {"-"}),
        "eclasses": eclasses(resolver, location, metadata["INHERITED"].split()),
        "ebuild": os.path.relpath(path, location),
        "files": files_below(folder, location),
        "distfiles": distfiles(resolver, node, folder, location, use),
        "dependencies": {key.lower(): metadata[key] for key in DEPENDENCY_KEYS},
        "operation": operation,
        "replaces": replaces,
        "environment": {
            name: value for name, value in sorted(settings.environ().items())
        },
        "configuration": configuration(settings, node),
    }
    if "live" in node.properties:
        record["live"] = live.source(resolver, settings, path)
    return record


def version_of(cpv):
    _category, _name, version, revision = cpv.cpv_split
    return version if revision == "r0" else version + "-" + revision


def operation_of(resolver, node):
    """What is replaced, and how emerge calls that."""
    from portage.versions import vercmp

    same_slot = resolver.vardb.match(node.slot_atom)
    if same_slot:
        old = same_slot[-1]
        difference = vercmp(node.cpv.version, old.version)
        word = "rebuild" if difference == 0 else "upgrade" if difference > 0 else "downgrade"
        return str(old), word
    return None, "new-slot" if resolver.vardb.match(node.cp) else "new"


def eclasses(resolver, location, names):
    """Inherited eclass -> the repository that provides it, and its path there."""
    repository = resolver.portdb.repositories.get_repo_for_location(location)
    homes = {}
    for other in resolver.portdb.repositories:
        homes[os.path.realpath(other.location)] = other.name
    found = {}
    for name in sorted(names):
        path = repository.eclass_db.eclasses[name].location
        home = os.path.dirname(os.path.dirname(os.path.realpath(path)))
        found[name] = {
            "repository": homes.get(home, ""),
            "path": "eclass/" + name + ".eclass",
        }
    return found


def files_below(folder, location):
    """Paths of the package's files/, relative to the repository, sorted."""
    found = []
    for here, folders, names in os.walk(os.path.join(folder, "files")):
        folders.sort()
        found += [os.path.relpath(os.path.join(here, name), location) for name in names]
    return sorted(found)


def distfiles(resolver, node, folder, location, use):
    """The files SRC_URI wants with these flags; mirror:// stays as it is written."""
    wanted = resolver.portdb.getFetchMap(node.cpv, useflags=use, mytree=location)
    if not wanted:
        return []
    repository = resolver.portdb.repositories.get_repo_for_location(location)
    manifest = repository.load_manifest(folder, resolver.settings["DISTDIR"])
    digests = manifest.getTypeDigests("DIST")
    found = []
    for name in sorted(wanted):
        recorded = digests.get(name, {})
        found.append(
            {
                "name": name,
                "uris": list(wanted[name]),
                "size": int(recorded["size"]) if "size" in recorded else None,
                "hashes": {key: value for key, value in recorded.items() if key != "size"},
            }
        )
    return found


def configuration(settings, node):
    """The user's files that act on this package and are not in its environment.

    Portage looks for them in ebuild.sh (__source_all_bashrcs) and in
    phase-helpers.sh (eapply_user); savedconfig.eclass for the last ones.
    """
    category, name = node.cpv.cpv_split[:2]
    plain = node.cpv.cpv_split[1] + "-" + node.cpv.cpv_split[2]
    full = node.pf
    slot = node.slot
    etc = os.path.join(settings["PORTAGE_CONFIGROOT"], "etc/portage")
    with_revision = plain + "-" + node.cpv.cpv_split[3]
    found = {}

    def add(role, path):
        if os.path.isfile(path):
            with open(path, "rb") as file:
                found[os.path.normpath(path)] = {
                    "role": role,
                    "path": os.path.normpath(path),
                    "sha256": hashlib.sha256(file.read()).hexdigest(),
                }

    for path in settings._pbashrc:
        add("bashrc", path)
    add("bashrc", os.path.join(etc, "bashrc"))
    for leaf in (name, name + ":" + slot, plain, full):
        add("environment", os.path.join(etc, "env", category, leaf))
    for leaf in (with_revision, plain, name):
        for suffix in ("", ":" + slot):
            folder = os.path.join(etc, "patches", category, leaf + suffix)
            if os.path.isdir(folder):
                for entry in sorted(os.listdir(folder)):
                    if entry.endswith((".patch", ".diff")):
                        add("patch", os.path.join(folder, entry))
    for leaf in (full, plain, name):
        add("savedconfig", os.path.join(etc, "savedconfig", category, leaf))
    return [found[path] for path in sorted(found)]


def profile(resolver):
    """What a binhost's index header and the fetch nodes want to know."""
    bintree = resolver.trees[resolver.root]["bintree"]
    settings = resolver.settings
    header = {}
    bintree._update_pkgindex_header(header)
    for key in ("ARCH", "CHOST", "ELIBC", "KERNEL", "DISTDIR", "PKGDIR"):
        header.setdefault(key, settings.get(key, ""))
    # The path of the repository in this root; what is below its profiles/ stays.
    header.pop("URI", None)
    return {
        "header": {key: value for key, value in header.items() if value},
        "mirrors": {name: list(urls) for name, urls in settings.thirdpartymirrors().items()},
        "gentoo_mirrors": settings.get("GENTOO_MIRRORS", "").split(),
        "license_groups": license_groups(settings._license_manager),
        "client": client.describe(settings),
        "repositories": {
            repository.name: {
                "location": repository.location,
                "masters": [master.name for master in repository.masters],
            }
            for repository in resolver.portdb.repositories
        },
    }


def license_groups(manager):
    """The licences of every group, those of the groups in it too, as Portage takes them."""
    members = {}
    for name in sorted(manager._license_groups):
        licenses = manager.expandLicenseTokens(["@" + name])
        # A group that is in itself, or that nobody defines, stays a group.
        members[name] = sorted({word for word in licenses if not word.startswith("@")})
    return members
