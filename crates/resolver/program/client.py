"""The configuration as a machine can use it that has none of the repositories.

describe() gives texts by path:

    profile/parent             the nodes below, in the order in which Portage stacks them
    profile/NNNN-NAME/FILE     one node of the profile, without parents of its own
    user-profile/FILE          for /etc/portage/profile: what only that can hold
    package.license/FILE       for /etc/portage: what profiles say of licences (format profile-license)
    make.conf                  what the profile comes to, for a machine that keeps a profile of its own

What is read is what Portage reads, line by line and without comments. A
profile outside of all repositories has no formats: directories are allowed in
it, atoms with ::repository or a build-id are not (_addProfile in
portage/package/ebuild/_config/LocationsManager.py). So every file is written
as one file, whatever it was; what a node may not have is left out where it
would begin to count; and lines that only a format allows go to user-profile,
where all is allowed.

Of make.defaults and make.conf only the values of VARIABLES go out: those that
decide which packages may be installed, and with which flags. Anything else,
such as folders, mirrors, commands that fetch, and how much is built at once, is
the affair of whoever has set it.
"""

import os

# Files of a node that hold one flag, atom or CPV a line.
WORDS = (
    "package.mask",
    "package.provided",
    "package.unmask",
    "packages",
    "soname.provided",
    "use.force",
    "use.mask",
    "use.stable",
    "use.stable.force",
    "use.stable.mask",
)
# Files of a node that begin their lines with an atom.
ATOMS = (
    "package.accept_keywords",
    "package.keywords",
    "package.mask",
    "package.unmask",
    "package.use",
    "package.use.force",
    "package.use.mask",
    "package.use.stable",
    "package.use.stable.force",
    "package.use.stable.mask",
    "packages",
)
FILES = tuple(sorted(set(WORDS + ATOMS)))

VARIABLES = frozenset(
    (
        "ABI",
        "ACCEPT_KEYWORDS",
        "ACCEPT_LICENSE",
        "ACCEPT_PROPERTIES",
        "ACCEPT_RESTRICT",
        "ARCH",
        "CHOST",
        "DEFAULT_ABI",
        "ELIBC",
        "IUSE_IMPLICIT",
        "KERNEL",
        "MULTILIB_ABIS",
        "PROFILE_ONLY_VARIABLES",
        "SYMLINK_LIB",
        "USE",
        "USERLAND",
        "USE_EXPAND",
        "USE_EXPAND_HIDDEN",
        "USE_EXPAND_IMPLICIT",
        "USE_EXPAND_UNPREFIXED",
        "USE_ORDER",
    )
)
# With the name of an ABI behind them.
OF_ABI = ("CFLAGS_", "CHOST_", "LDFLAGS_", "LIBDIR_")
# With the name of a USE_EXPAND variable behind it.
VALUES = "USE_EXPAND_VALUES_"
# What make.conf can say, USE and the variables of USE_EXPAND aside. (ARCH and the like are the profile's alone.)
MAKE_CONF = (
    "ACCEPT_KEYWORDS",
    "ACCEPT_LICENSE",
    "ACCEPT_PROPERTIES",
    "ACCEPT_RESTRICT",
    "CHOST",
)
# Not one of these is in a value that Portage could make anything of.
QUOTING = frozenset("\"'\\$`")


def describe(settings):
    """The texts by path; see above."""
    nodes = settings._locations_manager.profiles_complex
    defaults = make_defaults(settings, nodes)
    allowed = variables(settings)
    files, parents, last = {}, [], []
    for node, values in zip(nodes, defaults):
        if node.user_config:
            own = user_files(node)
            own["make.defaults"] = assignments(settings, values, allowed)
            for name, lines in own.items():
                if lines:
                    files.setdefault("user-profile/" + name, []).extend(lines)
            last.append(values)
            continue
        name = "%04d-%s" % (len(parents) + 1, name_of(settings, node))
        own = {"make.defaults": assignments(settings, values, allowed)}
        for file in FILES:
            plain, special = sort_out(node, file, read(node, file))
            own[file] = plain
            if special:
                files.setdefault("user-profile/" + file, []).extend(special)
        if "profile-license" in node.profile_formats:
            lines = grab(os.path.join(node.location, "package.license"), True)
            if lines:
                files["package.license/" + name] = [licenses(settings, line) for line in lines]
        own = {file: lines for file, lines in own.items() if lines}
        if not own:
            continue
        # A node that says nothing has the EAPI of its repository.
        own["eapi"] = [node.eapi]
        parents.append(name)
        last.append(values)
        files.update(("profile/%s/%s" % (name, file), lines) for file, lines in own.items())
    files["profile/eapi"] = ["8"]
    files["profile/parent"] = parents
    files["make.conf"] = make_conf(settings, last)
    return {path: "".join(line + "\n" for line in lines) for path, lines in files.items()}


def name_of(settings, node):
    """What people know a node by: its repository, and its path in profiles/."""
    for repository in settings.repositories:
        top = os.path.realpath(os.path.join(repository.location, "profiles")) + os.sep
        if os.path.realpath(node.location).startswith(top):
            below = os.path.realpath(node.location)[len(top) :]
            return plain_name(repository.name + "-" + below)
    return plain_name(os.path.basename(node.location))


def plain_name(text):
    return "".join(c if c.isascii() and (c.isalnum() or c in "._+-") else "-" for c in text)


def grab(path, recursive):
    """The lines that Portage sees in a file or folder: without comments, one space between words."""
    from portage.util import grabfile

    if not recursive and not os.path.isfile(path):
        return []
    return list(grabfile(path, recursive=recursive))


def read(node, file):
    """The lines of a file of a node; none where Portage would not read it."""
    # A node that may have no directories may have no package.unmask either (MaskManager).
    if file == "package.unmask" and not node.portage1_directories:
        return []
    return grab(os.path.join(node.location, file), node.portage1_directories)


def sort_out(node, file, lines):
    """Lines that a profile without formats takes, and those that it does not."""
    from portage.dep import Atom
    from portage.exception import InvalidAtom

    if file not in ATOMS:
        return lines, []
    plain, special = [], []
    for line in lines:
        word = line.split()[0].lstrip("-*")
        try:
            atom = Atom(word, allow_repo=True, allow_build_id=True)
            is_special = atom.repo is not None or atom.build_id is not None
        except InvalidAtom:
            # Portage says so, and passes it over, here as well as there.
            is_special = False
        if not is_special:
            plain.append(line)
        elif is_allowed(node, atom):
            special.append(line)
    return plain, special


def is_allowed(node, atom):
    """Whether Portage takes a special atom in this node."""
    from portage.repository.config import allow_profile_repo_deps

    return (atom.repo is None or allow_profile_repo_deps(node)) and (
        atom.build_id is None or node.allow_build_id
    )


def user_files(node):
    """The files of /etc/portage/profile, which a machine takes as they are."""
    return {file: grab(os.path.join(node.location, file), True) for file in FILES}


def make_defaults(settings, nodes):
    """What every node assigns, as config.__init__ reads it; Portage forgets that when it has stacked it."""
    from portage.util import getconfig

    known = dict(settings.configdict["env.d"])
    for name in (
        "BROOT",
        "EPREFIX",
        "EROOT",
        "ESYSROOT",
        "PORTAGE_CONFIGROOT",
        "PORTDIR",
        "PORTDIR_OVERLAY",
        "ROOT",
        "SYSROOT",
    ):
        known[name] = settings.get(name, "")
    known.update(settings.configdict["globals"])
    found = []
    for node in nodes:
        known.pop("USE", None)
        path = os.path.join(node.location, "make.defaults")
        values = getconfig(path, expand=known, recursive=node.portage1_directories)
        found.append(values or {})
    return found


def variables(settings):
    """Whether a variable goes out, by its name."""
    expanded = set()
    for name in ("USE_EXPAND", "USE_EXPAND_UNPREFIXED", "USE_EXPAND_IMPLICIT"):
        expanded.update(settings.get(name, "").split())
    abis = set(settings.get("MULTILIB_ABIS", "").split()) | {"default"}
    allowed = VARIABLES | expanded | {VALUES + name for name in expanded}
    return allowed | {prefix + abi for prefix in OF_ABI for abi in abis}


def assignments(settings, values, allowed):
    """Lines of make.defaults for what is allowed of these values, in the order in which Portage would have them sorted."""
    lines = []
    for name in sorted(values):
        if name in allowed:
            value = " ".join(words(settings, name, values[name]))
            if not QUOTING.intersection(value):
                lines.append('%s="%s"' % (name, value))
    return lines


def words(settings, name, value):
    """The words of a value; what is in a group of licences, only the repositories know."""
    if name != "ACCEPT_LICENSE":
        return value.split()
    return licenses(settings, value).split()


def licenses(settings, text):
    """A text with the licences of a group in the place of its name."""
    found = []
    for word in text.split():
        found += sorted(settings._license_manager.expandLicenseTokens([word]))
    return " ".join(found)


def make_conf(settings, nodes):
    """Assignments that bring a profile of somebody's own to the same."""
    lines = []
    for name in MAKE_CONF:
        if name in settings.incrementals:
            lines.append((name, stacked(settings, name, nodes)))
        elif any(name in values for values in nodes):
            lines.append((name, words(settings, name, settings.get(name, ""))))
    implicit = set(settings.get("USE_EXPAND_IMPLICIT", "").split())
    implicit.update(settings.get("USE_EXPAND_UNPREFIXED", "").split())
    implicit.update(settings.get("USE_EXPAND_HIDDEN", "").split())
    lines.append(("USE", stacked(settings, "USE", nodes)))
    for name in sorted(set(settings.get("USE_EXPAND", "").split()) - implicit):
        lines.append((name, sorted(settings.get(name, "").split())))
    texts = ((name, " ".join(value)) for name, value in lines if value)
    return ['%s="%s"' % pair for pair in texts if not QUOTING.intersection(pair[1])]


def stacked(settings, name, nodes):
    """What the nodes' values come to, one after the other, what they take away included."""
    found = {}
    for values in nodes:
        for word in words(settings, name, values.get(name, "")):
            if word == "-*":
                found.clear()
            else:
                found.pop("-" + word if word[0] != "-" else word[1:], None)
                found.pop(word, None)
            found[word] = True
    return list(found)
