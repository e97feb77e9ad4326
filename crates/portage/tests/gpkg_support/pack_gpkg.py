# Packs a folder with Portage's own writer. Usage: pack_gpkg.py FILE BASENAME COMPRESSION FOLDER < metadata as JSON
import json
import sys

import portage
import portage.gpkg

path, basename, compression, folder = sys.argv[1:]
settings = portage.config(clone=portage.settings)
settings["BINPKG_COMPRESS"] = compression
metadata = {key: value.encode() for key, value in json.load(sys.stdin).items()}
portage.gpkg.gpkg(settings, basename, path).compress(folder, metadata)
