# What is in an unpacked image: type, mode, and target or content (hexadecimal) of everything, by path.
import os
import stat


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


def unpacked(folder):
    image = {}
    for parent, directories, files in os.walk(folder):
        for name in [*directories, *files]:
            path = os.path.join(parent, name)
            image[os.path.relpath(path, folder)] = inspect(path)
    return image
