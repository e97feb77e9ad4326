# Reduces dependency strings as Portage's index does. Reads a JSON list of [string, [flags on], atoms?], prints a JSON
# list of strings, null for those that Portage refuses.
import json
import sys

import portage
from portage.dep import Atom, paren_enclose, use_reduce
from portage.exception import InvalidDependString

results = []
for text, flags, atoms in json.load(sys.stdin):
    try:
        reduced = use_reduce(text, uselist=frozenset(flags), token_class=Atom if atoms else None)
        results.append(paren_enclose(reduced))
    except InvalidDependString:
        results.append(None)
json.dump(results, sys.stdout)
