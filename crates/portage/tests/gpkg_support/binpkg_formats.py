# Tells the format of files by their content, as Portage does. Reads a JSON list of files, prints a JSON list of names of
# formats, null for what is neither.
import json
import os
import sys

from portage.binpkg import get_binpkg_format
from portage.exception import InvalidBinaryPackageFormat


def binpkg_format(file):
    try:
        return get_binpkg_format(file, check_file=True)
    except InvalidBinaryPackageFormat:
        return None


answers = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = [binpkg_format(file) for file in json.load(sys.stdin)]
with os.fdopen(answers, "w") as f:
    json.dump(found, f)
