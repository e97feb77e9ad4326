# Reads texts of Packages files with Portage's own class and writes them again. A JSON list of texts on stdin, one on stdout.
import io
import json
import os
import sys
import tempfile

import portage

bintree = portage.db[portage.settings["EROOT"]]["bintree"]
rewritten = []
with tempfile.TemporaryDirectory() as folder:
    path = os.path.join(folder, "Packages")
    for text in json.load(sys.stdin):
        with open(path, "w", encoding="utf-8", newline="") as f:
            f.write(text)
        index = bintree._new_pkgindex()
        # As the bintree opens its own index.
        with io.open(path, encoding="utf-8", errors="replace") as f:
            index.read(f)
        # Otherwise it would put in the time of now.
        index.modified = False
        out = io.StringIO()
        index.write(out)
        rewritten.append(out.getvalue())
json.dump(rewritten, sys.stdout)
