# Reads a GPKG with Portage's own module and prints, as JSON, what Portage makes of it: metadata (hexadecimal) and the
# unpacked image. Usage: inspect_gpkg.py FILE PREFIX FOLDER
import hashlib
import json
import os
import stat
import sys

import portage
import portage.gpkg

path, prefix, folder = sys.argv[1:]
# Portage takes an uncompressed member for one that is compressed as BINPKG_COMPRESS says.
settings = portage.config(clone=portage.settings)
settings["BINPKG_COMPRESS"] = "none"
package = portage.gpkg.gpkg(settings, None, path)
package._verify_binpkg()
assert package.prefix == prefix, package.prefix
metadata = {key: value.hex() for key, value in package.get_metadata().items()}
package.decompress(folder)
image = {}
for parent, directories, files in os.walk(folder):
    for name in [*directories, *files]:
        full = os.path.join(parent, name)
        st = os.lstat(full)
        entry = {"type": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode)}
        if stat.S_ISLNK(st.st_mode):
            entry["mode"] = 0o777
            entry["target"] = os.readlink(full)
        elif stat.S_ISREG(st.st_mode):
            entry["links"] = st.st_nlink
            entry["mtime"] = int(st.st_mtime)
            with open(full, "rb") as f:
                entry["sha256"] = hashlib.sha256(f.read()).hexdigest()
        image[os.path.relpath(full, folder)] = entry
json.dump({"metadata": metadata, "image": image}, sys.stdout)
