"""The packages a root already holds, and what they need of each other."""

DEPENDENCIES = (("RDEPEND", "runtime"), ("IDEPEND", "install"), ("PDEPEND", "post"))


class Installed:
    """Installed packages as they are met; each gets its place when asked for."""

    def __init__(self, resolver):
        self.resolver = resolver
        self.vardb = resolver.vardb
        self.cpvs = set()
        self.frozen = None
        self.needs = {}

    def add(self, cpv):
        """Adds one package and returns its name."""
        self.cpvs.add(cpv)
        return cpv

    def index(self, cpv):
        """Its place among all records; nothing may be added afterwards."""
        if self.frozen is None:
            self.frozen = {name: place for place, name in enumerate(sorted(self.cpvs))}
        return self.frozen[cpv]

    def system(self):
        """The installed packages of the profile's @system."""
        found = set()
        for atom in self.resolver.root_config.sets["system"].getAtoms():
            found.update(str(cpv) for cpv in self.vardb.match(atom))
        return sorted(found)

    def closure(self, cpvs):
        """These and whatever they need at run time, sorted; all are added."""
        found, stack = set(), list(cpvs)
        while stack:
            cpv = stack.pop()
            if cpv in found:
                continue
            found.add(self.add(cpv))
            stack.extend(self.dependencies(cpv))
        return sorted(found)

    def dependencies(self, cpv):
        """child cpv -> {"atoms", "kinds"} of one installed package."""
        from portage.dep import Atom, use_reduce

        if cpv in self.needs:
            return self.needs[cpv]
        keys = [key for key, _kind in DEPENDENCIES]
        values = self.vardb.aux_get(cpv, keys + ["USE", "EAPI"])
        use = frozenset(values[-2].split())
        found = {}
        for (_key, kind), text in zip(DEPENDENCIES, values):
            if not text.strip():
                continue
            tree = use_reduce(
                text, uselist=use, eapi=values[-1], opconvert=True, token_class=Atom
            )
            for atom in self.chosen(tree):
                for child in self.vardb.match(atom.without_use)[-1:]:
                    edge = found.setdefault(str(child), {"atoms": set(), "kinds": []})
                    edge["atoms"].add(str(atom))
                    if kind not in edge["kinds"]:
                        edge["kinds"].append(kind)
        found.pop(cpv, None)
        self.needs[cpv] = found
        return found

    def chosen(self, tree):
        """Atoms of a dependency tree; of any-of groups the first that is there."""
        for part in tree:
            if isinstance(part, list):
                if part and part[0] == "||":
                    yield from self.first_present(part[1:])
                else:
                    yield from self.chosen(part)
            elif not part.blocker:
                yield part

    def first_present(self, choices):
        for choice in choices:
            atoms = list(self.chosen([choice]))
            if all(self.vardb.match(atom) for atom in atoms):
                return atoms
        return []

    def edges(self, skip):
        """Edges of the packages that Portage's graph did not describe."""
        found = []
        for cpv in sorted(self.cpvs - skip):
            for child, edge in sorted(self.dependencies(cpv).items()):
                if child not in self.cpvs:
                    continue
                found.append(
                    {
                        "parent": {"installed": self.index(cpv)},
                        "child": {"installed": self.index(child)},
                        "atoms": sorted(edge["atoms"]),
                        "kinds": edge["kinds"],
                        "slot_operator": False,
                        "satisfied": None,
                    }
                )
        return found

    def records(self):
        """What the VDB records of each, in the order of the indices."""
        keys = ["SLOT", "USE", "repository", "CHOST", "CFLAGS", "CXXFLAGS", "LDFLAGS"]
        found = []
        for cpv in sorted(self.cpvs):
            values = dict(zip(keys, self.vardb.aux_get(cpv, keys)))
            slot, _slash, subslot = values["SLOT"].partition("/")
            found.append(
                {
                    "cpv": cpv,
                    "slot": slot,
                    "subslot": subslot or slot,
                    "use": sorted(set(values["USE"].split())),
                    "repository": values["repository"],
                    "flags": {
                        key: " ".join(values[key].split()) for key in keys[3:] if values[key]
                    },
                }
            )
        return found
