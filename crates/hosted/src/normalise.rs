//! A Debian root made neutral, and made a place where Portage feels at home.

use crate::error::BuildError;
use crate::tree::{Entry, Tree};

/// User and group id of Gentoo's `portage` (acct-user/portage).
const PORTAGE_ID: u64 = 250;

/// Folders that are kept and whose content is not: devices, caches, logs, apt's lists.
const EMPTIED: &[&str] = &[
    "dev",
    "etc/apt/sources.list.d",
    "proc",
    "run",
    "sys",
    "tmp",
    "var/cache/apt",
    "var/cache/ldconfig",
    "var/cache/man",
    "var/lib/apt/lists",
    "var/log",
    "var/tmp",
];

/// Files that belong to a machine or to one run.
const DROPPED: &[&str] = &[
    "etc/.pwd.lock",
    "etc/apt/apt.conf.d/99mmdebstrap",
    "etc/apt/sources.list",
    "etc/dpkg/dpkg.cfg.d/99mmdebstrap",
    "etc/group-",
    "etc/gshadow-",
    "etc/hostname",
    "etc/machine-id",
    "etc/passwd-",
    "etc/resolv.conf",
    "etc/shadow-",
    "etc/subgid-",
    "etc/subuid-",
    "var/cache/debconf/config.dat-old",
    "var/cache/debconf/templates.dat-old",
    "var/lib/apt/extended_states",
    "var/lib/dbus/machine-id",
    "var/lib/dpkg/diversions-old",
    "var/lib/dpkg/lock",
    "var/lib/dpkg/lock-frontend",
    "var/lib/dpkg/statoverride-old",
    "var/lib/dpkg/status-old",
    "var/lib/dpkg/triggers/Lock",
    "var/lib/systemd/random-seed",
];

/// Whether a path of the bootstrapped root is taken over.
pub(crate) fn keep(path: &str) -> bool {
    let is_emptied = |folder: &&str| path.strip_prefix(*folder).is_some_and(|rest| rest.starts_with('/'));
    let is_ssh_key = path.starts_with("etc/ssh/ssh_host_");
    // gpg keys of binary packages are locked there, so the one folder below /run stays.
    path == "run/lock" || !(EMPTIED.iter().any(is_emptied) || DROPPED.contains(&path) || is_ssh_key)
}

/// Adds what a Gentoo stage has and a Debian root has not: the portage user, Portage's folders with the modes that it
/// gives them itself, a `python`, and the environment files.
pub(crate) fn add_gentoo_parts(tree: &mut Tree, epoch: u64) -> Result<(), BuildError> {
    add_portage_user(tree, epoch)?;
    // The first merge of a package with an env.d file makes Portage write ld.so.conf and the PATH anew from these
    // files: without them Debian's library folders and the whole PATH would be gone.
    let library_path = library_path(tree)?;
    tree.insert("etc/env.d", Entry::directory(0o755, 0));
    tree.insert(
        "etc/env.d/00debian",
        Entry::file(format!("LDPATH=\"{library_path}\"\n")),
    );
    tree.insert("etc/env.d/50baselayout", Entry::file(BASELAYOUT));
    for (path, mode, gid) in [
        ("etc/portage", 0o755, 0),
        ("var/cache/binpkgs", 0o755, 0),
        ("var/cache/distfiles", 0o775, PORTAGE_ID),
        ("var/cache/edb", 0o755, PORTAGE_ID),
        ("var/db", 0o755, 0),
        ("var/db/pkg", 0o755, 0),
        ("var/db/repos", 0o755, 0),
        ("var/lib/portage", 0o2750, PORTAGE_ID),
    ] {
        if tree.get(path).is_none() {
            tree.insert(path, Entry::directory(mode, gid));
        }
    }
    // Portage's helpers call Python and GNU tar by names that Gentoo has and Debian has not.
    for (path, target) in [("usr/bin/gtar", "tar"), ("usr/bin/python", "python3")] {
        if tree.get(path).is_none() {
            tree.insert(path, Entry::symlink(target));
        }
    }
    Ok(())
}

/// Gentoo's baselayout has these; `/usr/lib64` is where most ebuilds put libraries, and no default of Debian's loader.
const BASELAYOUT: &str = "\
LDPATH=\"/usr/local/lib64:/usr/lib64\"
MANPATH=\"/usr/local/share/man:/usr/share/man\"
PATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
ROOTPATH=\"/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin\"
";

/// The folders of `/etc/ld.so.conf.d`, in the loader's order.
fn library_path(tree: &mut Tree) -> Result<String, BuildError> {
    let files: Vec<String> = tree
        .under("etc/ld.so.conf.d/")
        .filter(|(path, _)| path.ends_with(".conf"))
        .map(|(path, _)| path.to_owned())
        .collect();
    let mut folders = Vec::new();
    for file in files {
        let text = tree.text(&file)?;
        folders.extend(
            text.lines()
                .map(str::trim)
                .filter(|line| line.starts_with('/'))
                .map(str::to_owned),
        );
    }
    Ok(folders.join(":"))
}

fn add_portage_user(tree: &mut Tree, epoch: u64) -> Result<(), BuildError> {
    let day = epoch / 86_400;
    let has_shadow = tree.get("etc/shadow").is_some();
    // Without shadow passwords an `x` would mean a missing entry; `*` is a password that nobody has.
    let password = if has_shadow { "x" } else { "*" };
    append_line(
        tree,
        "etc/passwd",
        Some(PORTAGE_ID),
        &format!("portage:{password}:{PORTAGE_ID}:{PORTAGE_ID}:portage:/var/tmp/portage:/bin/false"),
    )?;
    append_line(
        tree,
        "etc/group",
        Some(PORTAGE_ID),
        &format!("portage:x:{PORTAGE_ID}:portage"),
    )?;
    if has_shadow {
        append_line(tree, "etc/shadow", None, &format!("portage:!:{day}:0:99999:7:::"))?;
    }
    if tree.get("etc/gshadow").is_some() {
        append_line(tree, "etc/gshadow", None, "portage:!::portage")?;
    }
    Ok(())
}

/// Adds a line to one of the account files; name and id must be free.
fn append_line(tree: &mut Tree, path: &str, id: Option<u64>, line: &str) -> Result<(), BuildError> {
    let Some(entry) = tree.get(path).cloned() else {
        return Err(BuildError::BadRoot {
            reason: format!("there is no {path}"),
        });
    };
    let mut text = tree.text(path)?;
    let is_taken = text.lines().any(|known| {
        let mut fields = known.split(':');
        fields.next() == Some("portage") || id.is_some_and(|id| fields.nth(1) == Some(id.to_string().as_str()))
    });
    if is_taken {
        return Err(BuildError::BadRoot {
            reason: format!("the name portage or the id {PORTAGE_ID} is taken in {path}"),
        });
    }
    if !text.is_empty() && !text.ends_with('\n') {
        text.push('\n');
    }
    text += line;
    text.push('\n');
    let kind = Entry::file(text).kind;
    tree.insert(path, Entry { kind, ..entry });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_a_machine_is_dropped() {
        for path in [
            "dev/null",
            "etc/hostname",
            "etc/resolv.conf",
            "etc/ssh/ssh_host_rsa_key",
            "run/utmp",
            "var/cache/apt/pkgcache.bin",
            "var/cache/ldconfig/aux-cache",
            "var/lib/apt/lists/lock",
            "var/log/apt/history.log",
        ] {
            assert!(!keep(path), "{path}");
        }
        for path in [
            "dev",
            "etc/host.conf",
            "run",
            "run/lock",
            "tmp",
            "usr/bin/dev",
            "var/lib/dpkg/status",
            "var/log",
        ] {
            assert!(keep(path), "{path}");
        }
    }

    fn tree(files: &[(&str, &str)]) -> Tree {
        let empty = tempfile::NamedTempFile::new().unwrap();
        tar::Builder::new(fs_err::File::create(empty.path()).unwrap())
            .finish()
            .unwrap();
        let mut tree = Tree::read(empty.path(), |_| true).unwrap();
        for (path, text) in files {
            tree.insert(path, Entry::file(*text));
        }
        tree
    }

    #[test]
    fn debians_library_folders_are_kept_in_order() {
        let mut tree = tree(&[
            ("etc/group", "root:x:0:\n"),
            ("etc/ld.so.conf.d/libc.conf", "# libc\n/usr/local/lib\n"),
            (
                "etc/ld.so.conf.d/x86_64-linux-gnu.conf",
                "/lib/x86_64-linux-gnu\n/usr/lib/x86_64-linux-gnu",
            ),
            ("etc/passwd", "root:*:0:0::/root:/bin/sh\n"),
        ]);
        add_gentoo_parts(&mut tree, 1_700_000_000).unwrap();
        assert_eq!(
            tree.text("etc/env.d/00debian").unwrap(),
            "LDPATH=\"/usr/local/lib:/lib/x86_64-linux-gnu:/usr/lib/x86_64-linux-gnu\"\n"
        );
        assert!(
            tree.text("etc/passwd")
                .unwrap()
                .ends_with("\nportage:*:250:250:portage:/var/tmp/portage:/bin/false\n")
        );
        assert_eq!(tree.text("etc/group").unwrap(), "root:x:0:\nportage:x:250:portage\n");
    }

    #[test]
    fn with_shadow_passwords_the_day_is_the_epochs() {
        let mut tree = tree(&[
            ("etc/group", ""),
            ("etc/gshadow", ""),
            ("etc/passwd", ""),
            ("etc/shadow", ""),
        ]);
        add_gentoo_parts(&mut tree, 1_700_000_000).unwrap();
        assert_eq!(tree.text("etc/shadow").unwrap(), "portage:!:19675:0:99999:7:::\n");
        assert!(tree.text("etc/passwd").unwrap().starts_with("portage:x:250:"));
    }

    #[test]
    fn a_taken_id_is_an_error() {
        let mut tree = tree(&[("etc/group", ""), ("etc/passwd", "other:x:250:250::/:/bin/sh\n")]);
        assert!(add_gentoo_parts(&mut tree, 0).is_err());
    }
}
