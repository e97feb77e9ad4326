"""Ask Portage what is to be built, and write its answer as JSON.

    python3 resolve.py REQUEST ANSWER

REQUEST and ANSWER are JSON files. The program runs as root inside the root in
which the packages will be built, with that root's own Portage, and changes
nothing there but Portage's metadata cache. Whatever Portage says, the exit
status is 0 and ANSWER tells what happened; any other status is a fault of
this program or of the root (no Python, no Portage).

REQUEST:
    members      atoms and @sets, as emerge takes them
    mode         what is to be built of them, see MODES
    reinstall    atoms of packages that are built anew though they are there
    options      further options of emerge
    seed         atoms (=category/pf) chosen by the subjects this one needs
    environment  the whole environment Portage is to see

ANSWER has "format", "portage" (its version), "command", "warnings" (what
Portage printed while it read its configuration) and "outcome", which names
the one further key: "plan", "refusal" or "crash".
"""

import contextlib
import json
import os
import sys
import tempfile
import traceback

FORMAT = 1

OPTIONS = (
    "--pretend",
    "--verbose",
    "--color=n",
    "--deep",
    "--with-bdeps=y",
    "--newuse",
    "--changed-deps=n",
    "--autounmask=n",
    "--backtrack=50",
)

# --selective=n, because --newuse makes emerge selective: a member that the
# root already holds would then not be a node.
MODES = {
    "members": ("--selective=n",),
    "update": ("--update",),
    "emptytree": ("--emptytree",),
}


class Capture:
    """Collects what this process and its children write to descriptors 1 and 2.

    Portage runs bash for ebuilds without cached metadata, and what an ebuild
    prints there never passes through sys.stderr.
    """

    def __init__(self):
        self.texts = []

    @contextlib.contextmanager
    def __call__(self):
        sys.stdout.flush()
        sys.stderr.flush()
        saved = [os.dup(1), os.dup(2)]
        with tempfile.TemporaryFile() as sink:
            os.dup2(sink.fileno(), 1)
            os.dup2(sink.fileno(), 2)
            text = []
            try:
                yield text
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                for number, descriptor in enumerate(saved, 1):
                    os.dup2(descriptor, number)
                    os.close(descriptor)
                sink.seek(0)
                text.append(sink.read().decode("utf-8", "replace"))
                self.texts.append(text[0])


class Resolver:
    """Portage's configuration, loaded once, and resolutions made with it."""

    def __init__(self, options, capture):
        import portage

        portage._internal_caller = True
        import portage.output

        portage.output.nocolor()
        from _emerge.actions import adjust_configs, load_emerge_config
        from _emerge.main import parse_opts

        self.options = options
        self.capture = capture
        try:
            action, opts, files = parse_opts(list(options), silent=True)
        except SystemExit:
            raise BadOptions() from None
        config = load_emerge_config(action=action, args=files, opts=opts)
        self.trees = config.trees
        adjust_configs(config.opts, self.trees)
        self.root_config = config.target_config
        self.settings = config.target_config.settings
        self.root = self.settings["EROOT"]
        self.portdb = self.trees[self.root]["porttree"].dbapi
        self.vardb = self.trees[self.root]["vartree"].dbapi

    def resolve(self, arguments, autounmask=False):
        """Returns (resolved, depgraph, what was printed) for emerge's arguments."""
        from _emerge.actions import expand_set_arguments
        from _emerge.create_depgraph_params import create_depgraph_params
        from _emerge.depgraph import backtrack_depgraph
        from _emerge.main import parse_opts

        options = list(self.options)
        if autounmask:
            # Later options win.
            options += [
                "--autounmask=y",
                "--autounmask-use=y",
                "--autounmask-license=y",
                "--autounmask-keep-keywords=n",
                "--autounmask-keep-masks=n",
                "--autounmask-backtrack=y",
            ]
        action, opts, files = parse_opts(options + ["--"] + list(arguments), silent=True)
        with self.capture() as text:
            files, status = expand_set_arguments(files, action, self.root_config)
            if status == os.EX_OK:
                params = create_depgraph_params(opts, action)
                resolved, graph, _favorites = backtrack_depgraph(
                    self.settings, self.trees, opts, params, action, files, None
                )
        if status != os.EX_OK:
            raise UnknownSet(text[0])
        return bool(resolved), graph, text[0]


class BadOptions(Exception):
    """Options that emerge does not take; it has printed why."""


class UnknownSet(Exception):
    """A @set that no sets.conf and no /etc/portage/sets knows."""


def resolve_with_seed(resolver, members, seed):
    """Resolves members so that what the seed names is chosen where it fits.

    A seed is given to Portage as one more argument: an argument is chosen
    before any dependency is looked at, and what a dependency can use is taken
    from what is chosen already. Parts of the seed that cannot be had together
    with the members are dropped, by halving, and returned.
    """
    kept, dropped = [], []

    def attempt(extra):
        return resolver.resolve(members + kept + extra)

    whole = attempt(seed)
    if whole[0] or not seed:
        return whole, dropped
    best = attempt([])
    if not best[0]:
        return best, dropped
    waiting = halves(seed)
    while waiting:
        part = waiting.pop(0)
        found = attempt(part)
        if found[0]:
            kept += part
            best = found
        else:
            dropped += part if len(part) == 1 else []
            waiting[:0] = halves(part)
    return best, dropped


def halves(parts):
    """A list in two, or nothing for a single part, which has been tried."""
    middle = len(parts) // 2
    return [parts[:middle], parts[middle:]] if middle else []


def answer(request, capture):
    """What goes into ANSWER, without what was captured."""
    members, seed = list(request["members"]), list(request.get("seed", []))
    options = list(OPTIONS) + list(MODES[request.get("mode", "members")])
    options += ["--reinstall-atoms=" + atom for atom in request.get("reinstall", [])]
    options += request.get("options", [])
    import portage

    import plan
    import refusal

    with capture() as warnings:
        try:
            resolver = Resolver(options, capture)
        except BadOptions:
            resolver = None
    if resolver is None:
        return {
            "portage": portage.VERSION,
            "command": ["emerge"] + options + members,
            "warnings": "",
            "outcome": "refusal",
            "refusal": refusal.empty("argument", warnings[0]),
        }
    command = ["emerge"] + list(resolver.options) + members
    result = {"portage": portage.VERSION, "command": command, "warnings": warnings[0]}
    try:
        problem = refusal.of_profile(resolver)
        if problem is None:
            (resolved, graph, text), dropped = resolve_with_seed(resolver, members, seed)
            if resolved:
                result["warnings"] += text
                result["plan"] = plan.describe(resolver, graph, members, dropped)
            else:
                problem = refusal.describe(resolver, graph, members, text)
    except UnknownSet as error:
        problem = refusal.empty("unknown-set", str(error))
    except (
        portage.exception.AmbiguousPackageName,
        portage.exception.InvalidAtom,
        portage.exception.PackageSetNotFound,
        portage.exception.InvalidDependString,
    ) as error:
        problem = refusal.of_exception(error)
    if problem is not None:
        result["refusal"] = problem
    result["outcome"] = "plan" if problem is None else "refusal"
    return result


def main():
    request_path, answer_path = sys.argv[1:]
    with open(request_path, encoding="utf-8") as file:
        request = json.load(file)
    # Portage takes every variable it finds for one that the ebuilds may see.
    os.environ.clear()
    os.environ.update(request["environment"])
    capture = Capture()
    try:
        result = answer(request, capture)
    except (Exception, SystemExit):
        result = {
            "portage": "",
            "command": [],
            "warnings": "".join(capture.texts),
            "outcome": "crash",
            "crash": traceback.format_exc(),
        }
    result["format"] = FORMAT
    with open(answer_path, "w", encoding="utf-8") as file:
        json.dump(result, file, sort_keys=True, indent=1)
        file.write("\n")


if __name__ == "__main__":
    main()
