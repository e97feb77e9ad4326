# Packs folders as XPAK and as GPKG, as `__dyn_package` in bin/misc-functions.sh does. Reads a JSON list of
# [folder, compression, with extended attributes?] from its input: FOLDER/image and FOLDER/build-info become FOLDER/x.xpak
# and FOLDER/x.gpkg.tar.
import json
import os
import subprocess
import sys

import portage
import portage.gpkg
import portage.xpak
from portage.util import varexpand
from portage.util.compression_probe import _compressors

for folder, compression, xattrs in json.load(sys.stdin):
    image, info = os.path.join(folder, "image"), os.path.join(folder, "build-info")
    settings = portage.config(clone=portage.settings)
    settings["BINPKG_COMPRESS"] = compression
    command = "cat"
    if compression != "none":
        command = varexpand(_compressors[compression]["compress"].replace("{JOBS}", "1"), mydict=settings)
    file = os.path.join(folder, "x.xpak")
    tar = "gtar --xattrs" if xattrs else "gtar"
    pipe = f'set -o pipefail; {tar} -cf - -C "$1" . | {command} > "$2"'
    subprocess.run(["bash", "-c", pipe, "bash", image, file], check=True)
    portage.xpak.tbz2(file).recompose(info)
    package = portage.gpkg.gpkg(settings, "app-misc/x-1", os.path.join(folder, "x.gpkg.tar"))
    package.compress(image, package._generate_metadata_from_dir(info))
