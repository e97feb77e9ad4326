"""Answers questions about names, atoms and configuration files with the real Portage: a line on stdout for each line on stdin."""

import json
import os
import sys
import tempfile

import portage
import portage.util.env_update as env_updating

portage._internal_caller = True
# Portage says on stderr what it refuses; the answers say it too.
portage.util.noiselimit = -10

from described import described
from portage.dbapi import vartree
from portage.dep import Atom, best_match_to_list, match_from_list
from portage.exception import InvalidAtom
from portage.package.ebuild._config.UseManager import UseManager
from portage.util import ConfigProtect, getconfig, grabdict_package, new_protect_filename
from portage.versions import _pkg_str, catpkgsplit, vercmp

MODE, SCRATCH = sys.argv[1:3]


def versions(line):
    return vercmp(*line.split("\t"))


def names(line):
    return catpkgsplit(line)


def atoms(line):
    question = json.loads(line)
    try:
        atom = Atom(
            question["text"],
            allow_wildcard=question["wildcard"],
            allow_repo=question["repository"],
            allow_build_id=question["build_id"],
        )
    except InvalidAtom:
        return None
    return described(atom, question["enabled"])


class Flags:
    """What Portage's Package objects have as `use` and as `iuse`."""

    def __init__(self, flags):
        self.enabled = frozenset(flags)

    def is_valid_flag(self, flags):
        return flags in self.enabled if isinstance(flags, str) else all(f in self.enabled for f in flags)


class Package:
    def __init__(self, question):
        self.cpv = _pkg_str(
            question["cpv"],
            slot=question["slot"],
            repo=question["repository"],
            build_id=question["build_id"],
        )
        self.cp = self.cpv.cp
        self.cpv_split = self.cpv.cpv_split
        self.version = self.cpv.version
        self.slot = self.cpv.slot
        self.sub_slot = self.cpv.sub_slot
        self.repo = getattr(self.cpv, "repo", None)
        self.use = Flags(question["enabled"])
        self.iuse = Flags(question["iuse"])


def matches(line):
    atom, question = json.loads(line)
    atom = Atom(atom, allow_wildcard=True, allow_repo=True)
    package = Package(question)
    # Portage never asks about a candidate of another name: its databases look the name up first.
    if not atom.extended_syntax and atom.cp != package.cp:
        return False
    return bool(match_from_list(atom, [package]))


def best(line):
    atoms, question = json.loads(line)
    atoms = [Atom(atom, allow_wildcard=True, allow_repo=True) for atom in atoms]
    return str(best_match_to_list(Package(question).cpv, atoms))


def scratch_file(name, text):
    path = os.path.join(SCRATCH, name)
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.write(text)
    return path


def flatten(found):
    return sorted((str(atom), list(flags)) for atoms in found.values() for atom, flags in atoms.items())


def user_use(line):
    scratch_file("package.use", json.loads(line))
    return flatten(UseManager._parse_user_files_to_extatomdict(None, "package.use", SCRATCH, True))


def profile_use(line):
    path = scratch_file("package.use", json.loads(line))
    return flatten(UseManager._parse_file_to_dict(None, path, recursive=False, eapi="8"))


def make_conf(line):
    path = scratch_file("make.conf", json.loads(line))
    try:
        return sorted(getconfig(path, expand=False).items())
    except Exception:
        return None


def make_conf_expanded(line):
    path = scratch_file("make.conf", json.loads(line))
    try:
        return sorted(getconfig(path).items())
    except Exception:
        return None


# The real one asks for permissions of what was there before, which takes a configured system.
env_updating.atomic_ofstream = lambda path: open(path, "w", encoding="utf-8", newline="")


def write_plainly(path, text, **_how):
    with env_updating.atomic_ofstream(path) as file:
        file.write(text)


portage.util.write_atomic = write_plainly


def env_update(line):
    """What env-update writes for these files of env.d, and this ld.so.conf."""
    question = json.loads(line)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as root:
        os.makedirs(os.path.join(root, "etc/env.d"))
        for name, text in question["files"].items():
            with open(os.path.join(root, "etc/env.d", name), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        present = question["ld_so_conf"]
        if present is not None:
            with open(os.path.join(root, "etc/ld.so.conf"), "w", encoding="utf-8", newline="") as file:
                file.write(present)
        try:
            env_updating._env_update(0, root, {}, None, {"EPREFIX": ""}, lambda *_words, **_options: None)
        except Exception:
            return None
        written = []
        for name in ("profile.env", "csh.env", "environment.d/10-gentoo-env.conf", "ld.so.conf"):
            path = os.path.join(root, "etc", name)
            if not os.path.exists(path):
                written.append(None)
                continue
            with open(path, encoding="utf-8", newline="") as file:
                written.append(file.read())
        return written


def config_protect(line):
    """Which of the paths are protected in a tree of these folders and files, and the name for a new version."""
    question = json.loads(line)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as root:
        for path in question["folders"]:
            os.makedirs(root + path, exist_ok=True)
        for path in question["files"]:
            if not os.path.lexists(root + path) and os.path.isdir(os.path.dirname(root + path)):
                open(root + path, "w").close()
        rules = ConfigProtect(root, question["protect"], question["mask"])
        protected = [rules.isprotected(root + path) for path in question["paths"]]
        name = os.path.join(root, "names", question["name"])
        os.makedirs(os.path.dirname(name))
        for other in question["names"]:
            open(os.path.join(root, "names", other), "w").close()
        return [protected, os.path.basename(new_protect_filename(name, force=True))]


def vdb_metadata(line):
    """What Portage reads of a record's short values, once as farm wrote them together and once file by file."""
    question = json.loads(line)
    with tempfile.TemporaryDirectory(dir=SCRATCH) as folder:
        for name, text in question["files"].items():
            with open(os.path.join(folder, name), "w", encoding="utf-8", newline="") as file:
                file.write(text)
        os.utime(folder, (question["changed"], question["changed"]))
        ours = vartree._read_metadata_file(os.path.join(folder, "metadata"))
        os.unlink(os.path.join(folder, "metadata"))
        vartree._consolidate_to_metadata_file(folder)
        with open(os.path.join(folder, "metadata"), encoding="utf-8", newline="") as file:
            theirs = [each for each in file if not each.startswith("#dir_mtime=")]
        return [ours, "".join(theirs)]


answer = globals()[MODE]
out = sys.stdout
sys.stdout = sys.stderr
for line in sys.stdin:
    out.write(json.dumps(answer(line.rstrip("\n")), ensure_ascii=False) + "\n")
