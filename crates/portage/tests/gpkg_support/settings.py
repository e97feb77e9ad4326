# Prints the settings that an index header may show, as JSON, and the name of the profile.
import json
import sys

import portage

settings = {key: value for key, value in portage.settings.items() if isinstance(value, str)}
json.dump({"profile": "base", "variables": settings}, sys.stdout)
