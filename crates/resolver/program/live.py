"""What a live ebuild says of its source, in the variables of git-r3.eclass."""

import os
import re
import tempfile

NAMES = (
    "EGIT_REPO_URI",
    "EGIT_BRANCH",
    "EGIT_COMMIT",
    "EGIT_COMMIT_DATE",
    "EGIT_LFS",
    "EGIT_SUBMODULES",
)

# Portage sources this before the ebuild, whose variables it must see when all
# is sourced: hence the hook, which runs before pkg_info and makes that harmless.
BASHRC = """
pre_pkg_info() {
	local farm_name farm_kind
	for farm_name in %(names)s; do
		farm_kind=text
		[[ $(declare -p "${farm_name}" 2>/dev/null) == "declare -a"* ]] && farm_kind=array
		[[ ${farm_kind} == array || -v ${farm_name} ]] || continue
		local -n farm_value=${farm_name}
		printf '%%s\\0' "${farm_name}" "${farm_kind}" "${#farm_value[@]}" "${farm_value[@]}"
		unset -n farm_value
	done > "%(answer)s"
	pkg_info() { :; }
}
"""


def source(resolver, settings, ebuild):
    """Where a live ebuild takes its source from, or why that is not known.

    The variables are computed while the ebuild is sourced, so that Portage has
    to do that: in a phase of which nothing is left but a hook.
    """
    import portage

    with tempfile.TemporaryDirectory() as folder:
        # Portage may give up being root for a phase.
        os.chmod(folder, 0o777)
        answer, bashrc = os.path.join(folder, "answer"), os.path.join(folder, "bashrc")
        with open(bashrc, "w", encoding="utf-8") as file:
            file.write(BASHRC % {"names": " ".join(NAMES), "answer": answer})
        os.chmod(bashrc, 0o644)
        settings = portage.config(clone=settings)
        settings._pbashrc = tuple(settings._pbashrc) + (bashrc,)
        with resolver.capture() as text:
            portage.doebuild(
                ebuild, "info", settings=settings, tree="porttree", mydbapi=resolver.portdb
            )
        try:
            with open(answer, "rb") as file:
                return describe(file.read().decode("utf-8", "replace").split("\0"))
        except FileNotFoundError:
            return {"error": reason(text[0])}


def describe(words):
    """The words of the answer, sorted out."""
    values = {}
    while len(words) > 2:
        name, kind, count = words[0], words[1], int(words[2])
        items, words = words[3 : 3 + count], words[3 + count :]
        # Of a text git-r3.eclass takes the words, of an array the elements.
        values[name] = items if kind == "array" else " ".join(items).split()
    found = {
        "uris": values.get("EGIT_REPO_URI", []),
        "branch": " ".join(values.get("EGIT_BRANCH", [])),
        "commit": " ".join(values.get("EGIT_COMMIT", [])),
        "date": " ".join(values.get("EGIT_COMMIT_DATE", [])),
        "lfs": bool(values.get("EGIT_LFS")),
    }
    if "EGIT_SUBMODULES" in values:
        found["submodules"] = values["EGIT_SUBMODULES"]
    return found


def reason(text):
    """What an ebuild died of, without paths that are other ones the next time."""
    # Whatever Portage is told of colours, its messages about ebuilds have them.
    plain = re.sub("\x1b\\[[0-9;]*m", "", text)
    lines = [line.strip().lstrip("* ") for line in plain.splitlines()]
    for position, line in enumerate(lines):
        if line.startswith("ERROR: ") and position + 1 < len(lines):
            return lines[position + 1]
    return "Portage does not say why"
