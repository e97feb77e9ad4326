"""Compares a root's configuration with what client.py makes of it, as Portage sees both.

    python3 client.py < JSON of texts by path

Prints a JSON list of two: what Portage says of packages and settings with the
root's own configuration, and in a root of configuration that has the texts
where a client puts them.
"""

import json
import os
import shutil
import sys

import portage

portage._internal_caller = True
CLIENT = "/var/tmp/client-root"
# Not all that the toy has: Portage asks bash about each.
PACKAGES = (
    "dev-libs/environment-1",
    "dev-libs/inheriting-1",
    "dev-libs/leaf-1",
    "dev-libs/leaf-3",
    "dev-libs/masked-1",
    "dev-libs/plain-1",
    "dev-libs/proprietary-1",
    "dev-libs/testing-1",
    "dev-libs/use-parent-1",
)


def install(texts):
    etc = CLIENT + "/etc/portage"
    shutil.rmtree(CLIENT, ignore_errors=True)
    for path, text in texts.items():
        if path.startswith("user-profile/"):
            path = path[len("user-") :]
        elif path.startswith("profile/"):
            path = "make." + path
        path = os.path.join(etc, path)
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w") as file:
            file.write(text)
    # A client takes the profile or these lines.
    os.remove(etc + "/make.conf")
    shutil.copy("/etc/portage/repos.conf", etc)
    # What farm itself puts into /etc/portage is not the program's affair.
    if os.path.isdir("/etc/portage/package.use"):
        shutil.copytree("/etc/portage/package.use", etc + "/package.use")


def of_package(settings, portdb, cpv):
    keys = ("KEYWORDS", "LICENSE", "SLOT", "IUSE", "EAPI", "repository", "PROPERTIES", "RESTRICT")
    metadata = dict(zip(keys, portdb.aux_get(cpv, keys)))
    settings.setcpv(cpv, mydb=portdb)
    metadata["USE"] = settings["PORTAGE_USE"]
    return {
        "use": sorted(settings["PORTAGE_USE"].split()),
        "mask": str(settings._getMaskAtom(cpv, metadata)),
        "keywords": settings._getMissingKeywords(cpv, metadata),
        "licenses": settings._getMissingLicenses(cpv, metadata),
        "usemask": sorted(settings.usemask),
        "useforce": sorted(settings.useforce),
    }


def describe(root):
    settings = portage.config(config_root=root, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    names = ["ARCH", "CHOST", "ELIBC", "KERNEL", "USE", "USE_EXPAND", "ACCEPT_KEYWORDS", "IUSE_IMPLICIT"]
    names += settings["USE_EXPAND"].split()
    found = {
        "settings": {name: sorted(settings.get(name, "").split()) for name in names},
        "system": sorted(map(str, settings.packages)),
        "provided": settings.pprovideddict,
        "iuse": sorted(settings._iuse_effective),
        "usemask": sorted(settings.usemask),
        "useforce": sorted(settings.useforce),
    }
    portdb = portage.portdbapi(mysettings=settings)
    scratch = portage.config(clone=settings)
    found["packages"] = {cpv: of_package(scratch, portdb, cpv) for cpv in PACKAGES}
    return found


install(json.load(sys.stdin))
json.dump([describe("/"), describe(CLIENT)], sys.stdout)
