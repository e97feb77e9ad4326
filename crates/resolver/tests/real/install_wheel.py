"""Makes a Portage installation of a wheel: python3 install_wheel.py WHEEL.

The wheel calls itself a module of some Python; Portage in its own root is a
system installation with its programs in /usr/lib/portage.
"""

import os
import re
import shutil
import sys
import zipfile

packages, unpacked = "/usr/lib/python3/dist-packages", "/tmp/wheel"
with zipfile.ZipFile(sys.argv[1]) as wheel:
    wheel.extractall(unpacked)
data = next(name for name in os.listdir(unpacked) if name.endswith(".data"))
for name in ("portage", "_emerge"):
    shutil.copytree(os.path.join(unpacked, name), os.path.join(packages, name))
for name in ("lib", "share"):
    source = os.path.join(unpacked, data, "data", name, "portage")
    shutil.copytree(source, os.path.join("/usr", name, "portage"))
shutil.rmtree(unpacked)


def edit(path, *changes):
    path = os.path.join(packages, "portage", path)
    with open(path, encoding="utf-8") as file:
        text = file.read()
    for old, new in changes:
        text, count = re.subn(old, new, text)
        if not count:
            sys.exit("%s: %s is not there" % (path, old))
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


edit("installation.py", ('"MODULE" ==', '"SYSTEM" =='))
edit(
    "const.py",
    ('PORTAGE_BASE_PATH = """"""', 'PORTAGE_BASE_PATH = "/usr/lib/portage"'),
    ('PORTAGE_BIN_PATH = """"""', 'PORTAGE_BIN_PATH = "/usr/lib/portage/bin"'),
)
for folder, _folders, names in os.walk("/usr/lib/portage/bin"):
    for name in names:
        os.chmod(os.path.join(folder, name), 0o755)
for name in ("emerge", "ebuild"):
    os.symlink("../lib/portage/bin/" + name, "/usr/bin/" + name)
os.symlink("python3", "/usr/bin/python")
with open("/etc/passwd", "a", encoding="utf-8") as file:
    file.write("portage:x:250:250:portage:/var/tmp/portage:/bin/false\n")
with open("/etc/group", "a", encoding="utf-8") as file:
    file.write("portage::250:portage\n")
