# Has Portage verify packages as a client does that wants signatures. Usage: verify_gpkg.py GNUPGHOME FILE...
# Prints a JSON list: null for a package that is good, else why it is refused.
import json
import sys

import portage
import portage.gpkg

home, *paths = sys.argv[1:]
settings = portage.config(clone=portage.settings)
settings["BINPKG_GPG_VERIFY_GPG_HOME"] = home
# The key ring is this user's own.
settings["GPG_VERIFY_USER_DROP"] = ""
settings["GPG_VERIFY_GROUP_DROP"] = ""
answers = []
for path in paths:
    try:
        portage.gpkg.gpkg(settings, None, path, verify_signature=True)._verify_binpkg()
        answers.append(None)
    except Exception as error:
        answers.append(f"{type(error).__name__}: {error}")
json.dump(answers, sys.stdout)
