# Reads the CONTENTS of app-misc/x-1 in ROOT with Portage, and prints [path, type, time, digest or target] of each line
# as JSON; the paths without ROOT.
import json
import os
import sys

import portage

root = portage.settings["EROOT"]
link = portage.dblink("app-misc", "x-1", settings=portage.settings, treetype="vartree")
found = []
for path, data in link.getcontents().items():
    kind, rest = data[0], list(data[1:])
    found.append([path[len(root) - 1 :], kind, *(rest or [None, None])])
json.dump(sorted(found, key=lambda line: line[0]), sys.stdout)
