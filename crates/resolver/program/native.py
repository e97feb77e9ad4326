"""What the compilers of this root take `native` to mean on this machine."""

import re
import shlex
import shutil
import subprocess

NATIVE = re.compile(r"-m(arch|cpu|tune)=native")
# The variable that names the compiler for a variable's flags, where it is set.
COMPILERS = {"CXXFLAGS": "CXX", "FCFLAGS": "FC", "FFLAGS": "F77"}


class Native:
    """Questions to compilers, each asked once."""

    def __init__(self):
        self.found = {}
        self.plain = {}

    def look(self, package, environment):
        """Asks about every variable of the package at this place in the plan."""
        for variable, value in sorted(environment.items()):
            words = value.split()
            if not any(NATIVE.fullmatch(word) for word in words):
                continue
            # With the others beside it: they decide what `native` adds.
            options = tuple(word for word in words if word.startswith("-m"))
            command, error = compiler(environment, variable)
            record = self.found.get((command, options))
            if record is None:
                record = self.found[command, options] = self.ask(command, options, error)
            record["used"].append([package, variable])

    def ask(self, command, options, error):
        plain = answer = []
        if not error:
            try:
                if command not in self.plain:
                    self.plain[command] = call(command, ())
                plain, answer = self.plain[command], call(command, options)
            except (OSError, NoAnswer) as problem:
                error = "%s: %s" % (" ".join(command), problem)
        return {
            "compiler": " ".join(command),
            "options": list(options),
            "plain": plain,
            "answer": answer,
            "error": error,
            "used": [],
        }

    def records(self):
        return [self.found[question] for question in sorted(self.found)]


class NoAnswer(Exception):
    """The compiler does not say how it would be called."""


def compiler(environment, variable):
    """The compiler for a variable's flags as toolchain-funcs.eclass finds it.

    Returns its command line and what is wrong with it, if anything is.
    """
    path = environment.get("PATH")
    own = tuple(environment.get(COMPILERS.get(variable, ""), "").split())
    if own and shutil.which(own[0], path=path):
        return own, ""
    named = tuple(environment.get("CC", "").split())
    if named:
        there = shutil.which(named[0], path=path)
        return named, "" if there else "CC is %s, which the root does not have" % named[0]
    for name in (environment.get("CHOST", "") + "-gcc", "gcc"):
        if shutil.which(name, path=path):
            return (name,), ""
    return (), "the root has no gcc"


def call(command, options):
    """The words with which a driver would call its compiler proper."""
    # -### as well as -v prints them; only -### does nothing else.
    done = subprocess.run(
        list(command) + list(options) + ["-###", "-E", "-x", "c", "-"],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        errors="replace",
        check=False,
    )
    lines = done.stderr.splitlines()
    if done.returncode != 0:
        raise NoAnswer(lines[-1] if lines else "it ended with status %d" % done.returncode)
    for line in lines:
        if line.startswith(" "):
            return shlex.split(line)
    raise NoAnswer("it does not say how it would call its compiler")
