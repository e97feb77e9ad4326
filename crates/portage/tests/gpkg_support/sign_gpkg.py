# Signs packages in place, as gpkg-sign does. Usage: sign_gpkg.py GNUPGHOME KEY FILE...
import sys

import portage
import portage.gpkg

home, key, *paths = sys.argv[1:]
settings = portage.config(clone=portage.settings)
settings["BINPKG_GPG_SIGNING_GPG_HOME"] = home
settings["BINPKG_GPG_SIGNING_KEY"] = key
for path in paths:
    portage.gpkg.gpkg(settings, None, path).update_signature()
