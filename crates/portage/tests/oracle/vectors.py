"""Runs Portage's own unit tests of names and dependencies, which must pass, and prints what they ask of the functions that this crate
has as well, with Portage's answers; then what Portage makes of every word and every dependency string in the sources of all its tests.
One question a line, as JSON."""

import ast
import importlib
import inspect
import json
import pathlib
import pkgutil
import re
import sys
import unittest
from types import SimpleNamespace

import portage

portage._internal_caller = True
# What the tests try on purpose is refused with words on stderr; the answers say it too.
portage.util.noiselimit = -10

import portage.dep
import portage.tests
import portage.tests.dep
import portage.tests.versions
import portage.versions
from described import described
from portage.dep import Atom, dep_getrepo, dep_getslot, paren_enclose, remove_slot, use_reduce
from portage.exception import InvalidAtom, InvalidDependString

REFUSED = object()
questions = {}


def note(of, question, answer):
    if re.search("[\ud800-\udfff]", json.dumps(question, ensure_ascii=False)):
        # What stands for bytes that are no UTF-8 is no text here.
        return
    line = {"of": of, "question": question, "answer": None if answer is REFUSED else answer}
    questions.setdefault(json.dumps([of, question]), json.dumps(line))


def note_atom(text, wildcard, repository, build_id):
    try:
        atom = Atom(text, allow_wildcard=wildcard, allow_repo=repository, allow_build_id=build_id)
        answer = described(atom, [])
    except InvalidAtom:
        answer = REFUSED
    syntax = {"wildcard": wildcard, "repository": repository, "build_id": build_id}
    note("atom", {"text": text, **syntax}, answer)


def note_reduced(text, flags, atoms):
    """In the EAPI of this crate, and of indexes: none, in which an any-of group without alternatives is unsatisfied."""
    try:
        answer = paren_enclose(use_reduce(text, uselist=frozenset(flags), token_class=Atom if atoms else None))
    except InvalidDependString:
        answer = REFUSED
    note("reduced", {"text": text, "flags": sorted(flags), "atoms": atoms}, answer)


def candidate(thing, atom):
    """A package as `match_from_list` takes it: a text, of which little is known, or an object with flags."""
    if isinstance(thing, str):
        slot, subslot = ((dep_getslot(thing) or "").split("/") + [""])[:2]
        found = {"cpv": remove_slot(thing), "slot": slot, "subslot": subslot or slot, "repository": dep_getrepo(thing)}
        return {**found, "enabled": None, "iuse": None}
    words = [re.fullmatch(r"[-!]?(.*?)(\([+-]\))?[?=]?", token).group(1) for token in (atom.use.tokens if atom.use else [])]
    return {
        "cpv": str(thing.cpv),
        "slot": thing.slot,
        "subslot": thing.sub_slot,
        "repository": thing.repo,
        "enabled": sorted(thing.use.enabled),
        "iuse": [word for word in words if thing.iuse.is_valid_flag(word)],
    }


def on_vercmp(given, answer):
    note("vercmp", [given.ver1, given.ver2], answer and (answer > 0) - (answer < 0))


def on_cpvequal(given, answer):
    # Portage invents a category where there is none.
    if "/" in given.cpv1 and "/" in given.cpv2:
        note("cpvequal", [given.cpv1, given.cpv2], answer)


def is_ours(eapi):
    """Whether an EAPI allows what atoms without one allow, but for repositories."""
    return eapi is None or eapi.isdigit() and int(eapi) >= 5


def on_isvalidatom(given, answer):
    if isinstance(given.atom, str) and not isinstance(given.atom, Atom) and is_ours(given.eapi):
        repository = given.eapi is None if given.allow_repo is None else given.allow_repo
        syntax = {"wildcard": given.allow_wildcard, "repository": repository, "build_id": given.allow_build_id}
        note("isvalidatom", {"text": given.atom, "blocker": given.allow_blockers, **syntax}, bool(answer))


def on_atom(given, _answer):
    if isinstance(given.s, str) and not isinstance(given.s, Atom) and is_ours(given.eapi):
        smart = lambda switch: given.eapi is None if switch is None else bool(switch)
        note_atom(given.s, given.allow_wildcard, smart(given.allow_repo), smart(given.allow_build_id))


def on_match_from_list(given, answer):
    atom = given.mydep
    if not isinstance(atom, Atom):
        atom = Atom(atom, allow_wildcard=True, allow_repo=True)
    for thing in given.candidate_list:
        # Other kinds of candidates are known in parts only.
        if answer is not REFUSED and (type(thing) is str or hasattr(thing, "iuse")) and atom.unevaluated_atom is atom:
            note("matches", [str(atom), candidate(thing, atom)], any(found is thing for found in answer))


def on_best_match_to_list(given, answer):
    atoms = [str(atom) for atom in given.mylist]
    if answer is not REFUSED and type(given.mypkg) is str:
        note("best", [atoms, candidate(given.mypkg, None), answer and str(answer)], True)


def on_use_reduce(given, answer):
    # This crate has none of these; texts of SRC_URI are none of its business.
    special = ["masklist", "matchall", "excludeall", "is_src_uri", "opconvert", "flat", "is_valid_flag", "matchnone", "subset"]
    if not any(getattr(given, name, None) for name in special) and (given.token_class or "[" not in given.depstr):
        note_reduced(given.depstr, given.uselist, given.token_class is not None)


def watched(function, report, signature=None):
    """A function that tells `report` with what it was called and what it answered."""
    signature = signature or inspect.signature(function)

    def call(*words, **options):
        words = [Atom if word is WatchedAtom else word for word in words]
        options = {name: Atom if value is WatchedAtom else value for name, value in options.items()}
        given = signature.bind(*words, **options)
        given.apply_defaults()
        answer = REFUSED
        try:
            answer = function(*words, **options)
            return answer
        finally:
            report(SimpleNamespace(**given.arguments), answer)

    return call


def parameters_of_atom():
    signature = inspect.signature(Atom.__init__)
    return signature.replace(parameters=[p for p in signature.parameters.values() if p.name != "self"])


class Watched(type):
    """Makes what stands in for the class Atom: its calls are watched, and what it makes are true Atoms."""

    def __call__(cls, *words, **options):
        return watched_atom(*words, **options)

    def __instancecheck__(cls, thing):
        return isinstance(thing, Atom)

    def __getattr__(cls, name):
        return getattr(Atom, name)


class WatchedAtom(metaclass=Watched):
    pass


watched_atom = watched(Atom, on_atom, parameters_of_atom())
STAND_INS = {
    Atom: WatchedAtom,
    portage.dep.best_match_to_list: watched(portage.dep.best_match_to_list, on_best_match_to_list),
    portage.dep.cpvequal: watched(portage.dep.cpvequal, on_cpvequal),
    portage.dep.isvalidatom: watched(portage.dep.isvalidatom, on_isvalidatom),
    portage.dep.match_from_list: watched(portage.dep.match_from_list, on_match_from_list),
    portage.dep.use_reduce: watched(portage.dep.use_reduce, on_use_reduce),
    portage.versions.vercmp: watched(portage.versions.vercmp, on_vercmp),
}
evaluate_conditionals = Atom.evaluate_conditionals


def evaluate_and_note(atom, use):
    answer = evaluate_conditionals(atom, use)
    # Portage forgets the repository here, and nobody asks it about one.
    if not atom.repo:
        note("evaluated", [str(atom), sorted(use)], str(answer))
    return answer


def run_tests():
    suite = unittest.TestSuite()
    for package in [portage.tests.dep, portage.tests.versions]:
        for found in pkgutil.iter_modules(package.__path__, package.__name__ + "."):
            module = importlib.import_module(found.name)
            for name, value in list(vars(module).items()):
                if inspect.isroutine(value) or inspect.isclass(value):
                    setattr(module, name, STAND_INS.get(value, value))
            suite.addTests(unittest.defaultTestLoader.loadTestsFromModule(module))
    Atom.evaluate_conditionals = evaluate_and_note
    # Its report says which tests failed.
    result = unittest.TextTestRunner(stream=sys.stderr, verbosity=0).run(suite)
    Atom.evaluate_conditionals = evaluate_conditionals
    assert result.wasSuccessful()


def read_texts():
    """Every text in the sources of all tests: most are atoms, versions and dependency strings, and nobody chose them for this crate."""
    for source in sorted(pathlib.Path(portage.tests.__path__[0]).rglob("*.py")):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            if not isinstance(node, ast.Constant) or not isinstance(node.value, str):
                continue
            words = node.value.split()
            for word in words:
                note_atom(word, True, True, True)
            # Sentences are no dependency strings; what has parentheses mostly is one, but for REQUIRED_USE, which is reduced nowhere.
            if {"(", ")", "||"} & set(words) and not {"^^", "??"} & set(words):
                flags = {word.strip("!?") for word in words if word.endswith("?")}
                for enabled in [flags, set(), set(sorted(flags)[::2])]:
                    note_reduced(node.value, enabled, True)
                    # Atoms with USE dependencies are never read as mere words.
                    if "[" not in node.value:
                        note_reduced(node.value, enabled, False)


sys.stdout, out = sys.stderr, sys.stdout
run_tests()
read_texts()
out.write("".join(line + "\n" for line in questions.values()))
