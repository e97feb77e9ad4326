# Lays a Portage wheel out as a source tree, which Portage runs from without being installed.
# Usage: unpack.py WHEEL DESTINATION. The destination appears at once and whole.
import os
import shutil
import sys
import tempfile
import zipfile

wheel, destination = sys.argv[1:]
parent = os.path.dirname(destination)
work = tempfile.mkdtemp(dir=parent)
zipfile.ZipFile(wheel).extractall(os.path.join(work, "wheel"))
tree = os.path.join(work, "tree")
os.makedirs(os.path.join(tree, "lib"))
for name in os.listdir(os.path.join(work, "wheel")):
    path = os.path.join(work, "wheel", name)
    if name.endswith(".data"):
        shutil.move(os.path.join(path, "data/lib/portage/bin"), os.path.join(tree, "bin"))
        shutil.move(os.path.join(path, "data/share/portage/config"), os.path.join(tree, "cnf"))
    elif not name.endswith(".dist-info"):
        shutil.move(path, os.path.join(tree, "lib", name))
for directory, _, names in os.walk(os.path.join(tree, "bin")):
    for name in names:
        os.chmod(os.path.join(directory, name), 0o755)
# Without this file the programs would look for an installed Portage.
open(os.path.join(tree, ".portage_not_installed"), "w").close()
installation = os.path.join(tree, "lib/portage/installation.py")
with open(installation) as f:
    text = f.read()
with open(installation, "w") as f:
    f.write(text.replace('"MODULE" ==', '"SOURCE" =='))
try:
    os.rename(tree, destination)
except OSError:
    # Another test was faster.
    assert os.path.isdir(destination)
shutil.rmtree(work)
