# Unpacks XPAKs with Portage's own extractor. Reads a JSON list of files, prints a JSON list of the same length: null where
# Portage fails, else metadata (hexadecimal), and type, mode and target or content (hexadecimal) of everything in the
# image.
import json
import os
import sys
import tempfile

import portage
import portage.xpak
from _emerge.BinpkgExtractorAsync import BinpkgExtractorAsync
from portage.util._async.SchedulerInterface import SchedulerInterface
from portage.util._eventloop.global_event_loop import global_event_loop

from unpacked import unpacked


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
        metadata = {key.decode(): value.hex() for key, value in portage.xpak.tbz2(file).get_data().items()}
        return {"metadata": metadata, "image": unpacked(folder)}


# What the programs complain about is no answer.
answers = os.dup(1)
os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
found = [extract(file) for file in json.load(sys.stdin)]
with os.fdopen(answers, "w") as f:
    json.dump(found, f)
