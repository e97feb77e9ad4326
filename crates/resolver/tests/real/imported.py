"""Prints what Portage reads of each root's configuration, as a JSON list.

    python3 imported.py ROOT... -- CPV...
"""

import json
import os
import sys

import portage

portage._internal_caller = True
NAMES = """
ACCEPT_KEYWORDS ACCEPT_LICENSE CFLAGS CHOST CXXFLAGS LDFLAGS PORTAGE_TMPDIR USE_EXPAND
""".split()
# Sets: their order says nothing.
FLAGS = ("ABI_X86", "CPU_FLAGS_X86", "L10N", "USE", "VIDEO_CARDS")
# What farm says of every build, below all that a user says.
FARMS_OWN = set(
    """binpkg-multi-instance cgroup ebuild-locks ipc-sandbox merge-sync merge-wait mount-sandbox network-sandbox news
    parallel-install pid-sandbox""".split()
)


def features(settings):
    return sorted(set(settings["FEATURES"].split()) - FARMS_OWN)


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
        "features": features(settings),
        "env": {name: settings.get(name, "") for name in ("CFLAGS", "CXXFLAGS", "PORTAGE_TMPDIR")},
    }


def below(folder):
    return sorted(
        os.path.relpath(os.path.join(parent, file), folder)
        for parent, _, files in os.walk(folder)
        for file in files
    )


def describe(root, cpvs):
    settings = portage.config(config_root=root, env={"PATH": "/usr/sbin:/usr/bin:/sbin:/bin"})
    found = {name: settings.get(name, "") for name in NAMES}
    found.update((name, sorted(settings.get(name, "").split())) for name in FLAGS)
    found["FEATURES"] = features(settings)
    found["patches"] = below(root + "/etc/portage/patches")
    found["usemask"] = sorted(settings.usemask)
    portdb = portage.portdbapi(mysettings=settings)
    scratch = portage.config(clone=settings)
    found["packages"] = {cpv: of_package(scratch, portdb, cpv) for cpv in cpvs}
    return found


split = sys.argv.index("--")
json.dump([describe(root, sys.argv[split + 1 :]) for root in sys.argv[1:split]], sys.stdout)
