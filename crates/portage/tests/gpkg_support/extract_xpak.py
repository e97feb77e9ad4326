# Unpacks XPAKs with Portage's own extractor. Reads a JSON list of files, prints a JSON list of the same length: null where
# Portage fails, else metadata (hexadecimal), and type, mode and target or content (hexadecimal) of everything in the
# image.
import json
import os
import stat
import sys
import tempfile

import portage
import portage.xpak
from _emerge.BinpkgExtractorAsync import BinpkgExtractorAsync
from portage.util._async.SchedulerInterface import SchedulerInterface
from portage.util._eventloop.global_event_loop import global_event_loop


def inspect(path):
    st = os.lstat(path)
    entry = {"type": stat.S_IFMT(st.st_mode), "mode": stat.S_IMODE(st.st_mode)}
    if stat.S_ISLNK(st.st_mode):
        entry["content"] = os.fsencode(os.readlink(path)).hex()
        entry["mode"] = 0o777
    elif stat.S_ISREG(st.st_mode):
        with open(path, "rb") as f:
            entry["content"] = f.read().hex()
    return entry


def extract(file):
    with tempfile.TemporaryDirectory() as folder, tempfile.NamedTemporaryFile() as log:
        task = BinpkgExtractorAsync(
            background=True,
            env={**os.environ, "PORTAGE_BUNZIP2_COMMAND": "bzip2 -d", "PORTAGE_BZIP2_COMMAND": "bzip2"},
            features=portage.settings.features,
            image_dir=folder,
            # Portage gives its log to its own group (`PipeLogger.py`): as root, /dev/null would be closed to everybody else.
            logfile=log.name,
            pkg_path=file,
            scheduler=SchedulerInterface(global_event_loop()),
        )
        task.start()
        if task.wait() != 0:
            return None
        image = {}
        for parent, directories, files in os.walk(folder):
            for name in [*directories, *files]:
                path = os.path.join(parent, name)
                image[os.path.relpath(path, folder)] = inspect(path)
        metadata = {key.decode(): value.hex() for key, value in portage.xpak.tbz2(file).get_data().items()}
        return {"metadata": metadata, "image": image}


# What the programs complain about is no answer.
answers = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = [extract(file) for file in json.load(sys.stdin)]
with os.fdopen(answers, "w") as f:
    json.dump(found, f)
