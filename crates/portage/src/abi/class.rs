//! What a file is to dependants, by its path.

/// What a file is to whoever is built against its package.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// A shared library, or the text that the linker takes for one. Only a [`Look`](super::Look) tells.
    Shared,
    /// What becomes a part of what is linked: archives, objects.
    Static,
    /// What compilers read of other packages: headers, modules, descriptions of interfaces.
    Interface,
    /// What says how to build against the package: flags, paths, macros of build systems.
    Advice,
    /// A script that prints such things when it is run. Only a [`Look`](super::Look) tells it from a compiled program.
    Script,
    /// A link by which folders of the above have another name.
    Folder,
}

impl Class {
    /// Whether a package with such a file is a library. Advice alone makes none: build systems' own modules are advice, and
    /// many a tool brings some beside its program.
    pub(super) fn is_library(self) -> bool {
        matches!(self, Self::Shared | Self::Static | Self::Interface)
    }
}

/// Folders below any `share` with documents for people, examples among them: a header that is shown in a manual is in no
/// compiler's path.
const DOCUMENTS: &[&str] = &[
    "doc", "examples", "gtk-doc", "help", "info", "licenses", "locale", "man",
];

/// Trees of a root that hold nothing to build against: symbols for debuggers, and state.
const NEVER: &[&str] = &["usr/lib/debug/", "var/"];

/// Folders whose whole content is of one class, wherever they lie. Headers of C++ have no suffix.
const FOLDERS: &[(&str, Class)] = &[
    ("include", Class::Interface),
    // Qt's qmake reads these when it configures a dependant.
    ("mkspecs", Class::Advice),
];

/// Folders below any `share` with descriptions of protocols that dependants make code from, and with macros of autoconf
/// (`aclocal-1.16` holds those of automake itself).
const SHARED_FOLDERS: &[(&str, Class)] = &[
    ("aclocal", Class::Advice),
    ("dbus-1/interfaces", Class::Interface),
    ("wayland", Class::Interface),
    ("wayland-protocols", Class::Interface),
    ("xcb", Class::Interface),
];

/// What follows the last dot of a name, wherever the file lies.
const SUFFIXES: &[(&str, Class)] = &[
    // Archives and objects (crt1.o), code for other processors, and the table that kernel modules are linked by.
    ("a", Class::Static),
    ("bc", Class::Static),
    ("o", Class::Static),
    ("rlib", Class::Static),
    ("syms", Class::Static),
    ("symvers", Class::Static),
    // C and C++, outside of `include` as well: Perl has its headers in CORE, NumPy in its package.
    ("H", Class::Interface),
    ("cuh", Class::Interface),
    ("h", Class::Interface),
    ("h++", Class::Interface),
    ("hh", Class::Interface),
    ("hpp", Class::Interface),
    ("hxx", Class::Interface),
    ("inl", Class::Interface),
    ("ipp", Class::Interface),
    ("tcc", Class::Interface),
    // Modules of C++ and of clang; ROOT's dictionaries have the same suffix, and a map each.
    ("cppm", Class::Interface),
    ("gcm", Class::Interface),
    ("ixx", Class::Interface),
    ("modulemap", Class::Interface),
    ("pcm", Class::Interface),
    ("rootmap", Class::Interface),
    // Fortran.
    ("mod", Class::Interface),
    ("smod", Class::Interface),
    // Other languages' compiled or written interfaces: Cython, SIP, Vala, GObject, OCaml, Haskell, D, Rust.
    ("pxd", Class::Interface),
    ("pxi", Class::Interface),
    ("sip", Class::Interface),
    ("vapi", Class::Interface),
    ("deps", Class::Interface),
    ("gir", Class::Interface),
    ("cma", Class::Interface),
    ("cmi", Class::Interface),
    ("cmx", Class::Interface),
    ("cmxa", Class::Interface),
    ("mli", Class::Interface),
    ("hi", Class::Interface),
    ("dyn_hi", Class::Interface),
    ("di", Class::Interface),
    ("rmeta", Class::Interface),
    // What stubs are generated from.
    ("idl", Class::Interface),
    ("proto", Class::Interface),
    // Flags and paths.
    ("cmake", Class::Advice),
    ("la", Class::Advice),
    ("pc", Class::Advice),
    ("prf", Class::Advice),
    ("pri", Class::Advice),
    ("prl", Class::Advice),
    ("spec", Class::Advice),
    ("specs", Class::Advice),
];

/// Whole names of files in which languages keep how they were built, and by which they build their extensions.
const NAMES: &[(&str, Class)] = &[
    ("Config.pm", Class::Advice),
    ("Config_heavy.pl", Class::Advice),
    ("META", Class::Advice),
    ("Makeconf", Class::Advice),
    ("rbconfig.rb", Class::Advice),
];

/// Ends of such names: Tcl's tclConfig.sh, libxml2's xml2Conf.sh.
const ENDS: &[(&str, Class)] = &[("Config.sh", Class::Advice), ("Conf.sh", Class::Advice)];

/// Folders of programs. Nothing but scripts that print flags counts there.
const PROGRAMS: &[&str] = &["bin", "sbin"];

/// Names of folders where a link decides under which path the rest is found.
const LINKED_FOLDERS: &[&str] = &[
    "aclocal",
    "cmake",
    "lib",
    "lib32",
    "lib64",
    "libx32",
    "mkspecs",
    "pkgconfig",
];

/// What the file at `path` (relative to the root) is to dependants. `None` if nothing: programs, documents, data, modules of
/// interpreters.
pub fn class_of(path: &str) -> Option<Class> {
    let (folder, name) = path.rsplit_once('/').unwrap_or(("", path));
    if NEVER.iter().any(|tree| path.starts_with(tree)) || is_document(folder) {
        return None;
    }
    let parent = folder.rsplit('/').next().unwrap_or_default();
    if PROGRAMS.contains(&parent) {
        return name.ends_with("-config").then_some(Class::Script);
    }
    if is_shared_name(name) {
        return Some(Class::Shared);
    }
    let whole = |(wanted, class): &(&str, Class)| (*wanted == name).then_some(*class);
    let end = |(end, class): &(&str, Class)| name.ends_with(end).then_some(*class);
    let suffix = name.rsplit_once('.').map_or("", |(_, suffix)| suffix);
    let by_suffix = |(wanted, class): &(&str, Class)| (*wanted == suffix).then_some(*class);
    class_of_folder(folder)
        .or_else(|| SUFFIXES.iter().find_map(by_suffix))
        .or_else(|| NAMES.iter().find_map(whole))
        .or_else(|| ENDS.iter().find_map(end))
        .or_else(|| is_of_python(parent, name).then_some(Class::Advice))
}

/// What a symbolic link is to dependants: the same as a file of its name would be, and also a folder's other name.
pub(super) fn class_of_link(path: &str, target: &str) -> Option<Class> {
    // A link in the place of a folder is the whole folder's.
    let below = format!("{path}/");
    let (last, leads_to) = (last(path), last(target));
    let is_folder = LINKED_FOLDERS.contains(&last) || LINKED_FOLDERS.contains(&leads_to) || leads_to == "include";
    class_of(path)
        .or_else(|| class_of_folder(&below).filter(|_| !is_document(path)))
        .or_else(|| is_folder.then_some(Class::Folder))
}

fn last(path: &str) -> &str {
    path.trim_end_matches('/').rsplit('/').next().unwrap_or_default()
}

/// The class of everything in a folder.
fn class_of_folder(folder: &str) -> Option<Class> {
    let named = |part: &str| {
        FOLDERS
            .iter()
            .find_map(|(name, class)| (*name == part).then_some(*class))
    };
    folder.split('/').find_map(named).or_else(|| {
        let rest = after_share(folder)?;
        SHARED_FOLDERS.iter().find_map(|(name, class)| {
            let end = rest.strip_prefix(name)?;
            (end.is_empty() || end.starts_with('/') || end.starts_with('-')).then_some(*class)
        })
    })
}

fn is_document(folder: &str) -> bool {
    let first = after_share(folder).map(|rest| rest.split('/').next().unwrap_or_default());
    first.is_some_and(|first| DOCUMENTS.contains(&first))
}

/// What follows the first `share/` of a path.
fn after_share(path: &str) -> Option<&str> {
    path.strip_prefix("share/")
        .or_else(|| path.split_once("/share/").map(|(_, rest)| rest))
}

/// `libx.so`, and `libx.so.1.2`.
fn is_shared_name(name: &str) -> bool {
    name.ends_with(".so")
        || name
            .rsplit_once(".so.")
            .is_some_and(|(_, version)| version.starts_with(|first: char| first.is_ascii_digit()))
}

/// What Python's `sysconfig` reads: the flags that extensions are compiled with.
fn is_of_python(parent: &str, name: &str) -> bool {
    name.starts_with("_sysconfigdata") && name.ends_with(".py") || name == "Makefile" && parent.starts_with("config-")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_what_compilers_linkers_and_build_systems_take_them_for() {
        for (class, paths) in [
            (
                Class::Shared,
                "lib64/libc.so.6 usr/lib64/libx.so usr/lib64/libx.so.1.2.3 usr/lib/x/y.so opt/a/lib/libz-1.2.so",
            ),
            (
                Class::Static,
                "usr/lib64/libx.a usr/lib64/crt1.o usr/lib64/libx.syms usr/lib/rustlib/x/lib/libstd.rlib",
            ),
            (
                Class::Interface,
                "usr/include/zlib.h usr/include/c++/v1/vector usr/lib/gcc/x/14/include/stddef.h \
                 usr/x86_64-pc-linux-gnu/include/a usr/lib64/perl5/CORE/perl.h usr/lib64/gfortran/x.mod \
                 usr/share/vala/vapi/x.vapi usr/share/gir-1.0/X-1.gir usr/share/wayland/wayland.xml \
                 usr/share/wayland-protocols/stable/x.xml usr/share/xcb/xproto.xml usr/lib64/root/libCore_rdict.pcm \
                 usr/lib/python3.12/site-packages/numpy/__init__.pxd usr/share/dbus-1/interfaces/x.xml include/a",
            ),
            (
                Class::Advice,
                "usr/lib64/pkgconfig/x.pc usr/share/pkgconfig/x.pc usr/lib64/cmake/X/XConfig.cmake usr/lib64/libx.la \
                 usr/share/aclocal/x.m4 usr/share/aclocal-1.16/x.m4 usr/lib64/tclConfig.sh usr/lib64/qt5/mkspecs/qt.conf \
                 usr/lib/python3.12/_sysconfigdata__linux_.py usr/lib/python3.12/config-3.12-x/Makefile \
                 usr/lib64/R/etc/Makeconf usr/lib64/libgomp.spec",
            ),
            (
                Class::Script,
                "usr/bin/x-config usr/bin/x86_64-pc-linux-gnu-x-config bin/y-config",
            ),
        ] {
            for path in paths.split_whitespace() {
                assert_eq!(class_of(path), Some(class), "{path}");
            }
        }
    }

    #[test]
    fn what_a_dependant_only_runs_or_reads_does_not_count() {
        let paths = "usr/bin/gcc usr/sbin/x.h usr/share/doc/x-1/x.h usr/share/doc/x/include/y usr/share/man/man3/x.so.3 \
                     usr/share/gtk-doc/html/x.h usr/share/locale/de/x.mo usr/lib/debug/usr/lib64/libx.so.1 \
                     usr/lib/python3.12/os.py usr/lib/python3.12/Makefile usr/share/x/x.m4 usr/libexec/x etc/ld.so.conf \
                     var/db/pkg/a/b-1/x.h usr/lib64/libx.so.conf usr/share/wayland2/x.xml usr/bin/xconfig Makefile \
                     usr/share/locale/x/include/a include usr/lib64";
        for path in paths.split_whitespace() {
            assert_eq!(class_of(path), None, "{path}");
        }
    }

    #[test]
    fn links_count_as_what_they_stand_for() {
        for (path, target, class) in [
            ("usr/lib64/libx.so", "libx.so.1", Some(Class::Shared)),
            ("usr/include/x", "x-1", Some(Class::Interface)),
            ("usr/x/include", "../include", Some(Class::Interface)),
            ("usr/lib64/x", "../x/include/", Some(Class::Folder)),
            ("usr/share/aclocal", "aclocal-1.16", Some(Class::Advice)),
            ("lib", "usr/lib", Some(Class::Folder)),
            ("usr/lib64/pkgconfig", "../share/pkgconfig", Some(Class::Folder)),
            ("usr/bin/x-config", "y-config", Some(Class::Script)),
            ("usr/bin/cc", "gcc", None),
            ("usr/share/doc/x/include", "y", None),
            ("usr/lib64/python3", "python3.12", None),
        ] {
            assert_eq!(class_of_link(path, target), class, "{path}");
        }
    }
}
