# Reads GPKGs with Portage's own module, as a client does that trusts a key ring. Usage: read_gpkg.py GNUPGHOME; reads a JSON list of
# [file, must be signed?] from its input, prints a JSON list of the same length: metadata (hexadecimal) and the unpacked image.
import json
import os
import sys
import tempfile

import portage
import portage.gpkg

from unpacked import unpacked

settings = portage.config(clone=portage.settings)
settings["BINPKG_GPG_VERIFY_GPG_HOME"] = sys.argv[1]
# The key ring is this user's own.
settings["GPG_VERIFY_USER_DROP"] = ""
settings["GPG_VERIFY_GROUP_DROP"] = ""


def read(file, signed):
    package = portage.gpkg.gpkg(settings, None, file, verify_signature=signed)
    package._verify_binpkg()
    metadata = {key: value.hex() for key, value in package.get_metadata().items()}
    with tempfile.TemporaryDirectory() as folder:
        package.decompress(folder)
        return {"metadata": metadata, "image": unpacked(folder)}


# What the programs complain about is no answer.
answers = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = [read(*work) for work in json.load(sys.stdin)]
with os.fdopen(answers, "w") as f:
    json.dump(found, f)
