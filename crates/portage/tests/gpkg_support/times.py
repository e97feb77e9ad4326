# Measures Portage's own reading, without its start. Prints seconds as JSON.
# Usage: times.py metadata < JSON list of package files; times.py index FILE
import io
import json
import sys
import time

import portage
import portage.gpkg


def metadata():
    paths = json.load(sys.stdin)
    start = time.perf_counter()
    for path in paths:
        assert portage.gpkg.gpkg(portage.settings, None, path).get_metadata()["PF"]
    return time.perf_counter() - start


def index(path):
    bintree = portage.db[portage.settings["EROOT"]]["bintree"]
    start = time.perf_counter()
    found = bintree._new_pkgindex()
    with io.open(path, encoding="utf-8", errors="replace") as f:
        found.read(f)
    read = time.perf_counter()
    found.modified = False
    found.write(io.StringIO())
    return [read - start, time.perf_counter() - read]


json.dump(globals()[sys.argv[1]](*sys.argv[2:]), sys.stdout)
