//! `binfarm:` and what is below it.

use super::packages::PACKAGES_SHAPE;
use super::{NUMBER, Section, Shape, TEXT, TEXT_MAP, TEXTS, key, required};

static BASE: Shape = Shape::Either(&[
    &Shape::Section(&BASE_IMAGE),
    &Shape::Section(&BASE_HOSTED),
    &Shape::Section(&BASE_STAGE3),
]);
static REPOS: Shape = Shape::Map(&Shape::Section(&REPO));
static UPDATE: Shape = Shape::Words(&["none", "world", "emptytree"]);
static LIMITS_SHAPE: Shape = Shape::Section(&LIMITS);
static GIT_SHAPE: Shape = Shape::Either(&[&TEXT, &Shape::Section(&GIT)]);
static ARCHIVE_SHAPE: Shape = Shape::Either(&[&TEXT, &Shape::Section(&ARCHIVE)]);

pub(crate) static BINFARM: Section = Section {
    name: "binfarm",
    doc: "The factory: its root and the settings that packages are built with.",
    keys: &[
        required("base", &BASE, "The root filesystem everything starts from."),
        key("root", &TEXT, "A folder of literal files laid over the base."),
        key("repos", &REPOS, "Ebuild repositories by name."),
        key("profile", &TEXT, "The Portage profile, REPOSITORY:PATH."),
        key(
            "config",
            &TEXTS,
            "Configuration layers (profiles/NAME), an /etc/portage tree each, merged in this order.",
        ),
        key(
            "toolchain",
            &PACKAGES_SHAPE,
            "Packages built in the base and merged into the root before anything else, such as a compiler. What they replace of the base is replaced in images that start from it, too.",
        ),
        key(
            "update",
            &UPDATE,
            "What of the base is built anew, in the root with the toolchain: none; world (what is newer or is wanted with other flags: emerge --update --deep --newuse @world); emptytree (everything).",
        ),
        key(
            "rebuild",
            &TEXTS,
            "Base packages that are built anew in any case, such as a C library with other CFLAGS.",
        ),
        key(
            "bootstrap",
            &PACKAGES_SHAPE,
            "Packages built first to break a cycle, with flags of their own: media-libs/freetype: { use: [-harfbuzz] }. They are in the build roots that need them, never in images, and never published.",
        ),
        key(
            "packages",
            &PACKAGES_SHAPE,
            "People's tools: in the binfarm image and in farm shell; a change rebuilds nothing else.",
        ),
        key(
            "scripts",
            &TEXTS,
            "Programs run in the root, in this order; what they change becomes part of it.",
        ),
        key(
            "capabilities",
            &TEXTS,
            "Capabilities that build containers get besides the usual ones, such as SYS_PTRACE.",
        ),
        key("user", &TEXT, "The user of the binfarm image and of farm shell."),
        key("limits", &LIMITS_SHAPE, "Limits of each build container."),
        key(
            "env",
            &TEXT_MAP,
            "Variables that every build gets besides what Portage resolves.",
        ),
    ],
};

pub(crate) static BASE_IMAGE: Section = Section {
    name: "base-image",
    doc: "A base from an image with Portage in it, such as a stage3 image.",
    keys: &[required(
        "image",
        &TEXT,
        "The reference, NAME:TAG or NAME@sha256:DIGEST; the lock file pins the former.",
    )],
};

pub(crate) static BASE_STAGE3: Section = Section {
    name: "base-stage3",
    doc: "A base from a stage3 archive, whose signature is checked before anything is unpacked.",
    keys: &[
        required(
            "stage3",
            &TEXT,
            "The archive, a tar with any of the usual compressions: a path, or an address (https://, http://, file://). The lock file pins its content.",
        ),
        key(
            "signature",
            &TEXT,
            "Its detached OpenPGP signature, armoured or binary: a path or an address; the archive's with .asc behind it where none is given.",
        ),
        required(
            "keyring",
            &TEXT,
            "A file with the OpenPGP public keys of which one must have signed it, armoured or binary. Gentoo's is /usr/share/openpgp-keys/gentoo-release.asc of the package sec-keys/openpgp-keys-gentoo-release; put it beside the manifest.",
        ),
    ],
};

pub(crate) static BASE_HOSTED: Section = Section {
    name: "base-hosted",
    doc: "Portage on another distribution: no Gentoo download at all.",
    keys: &[
        required("hosted", &Shape::Words(&["debian"]), "The distribution: debian."),
        required("suite", &TEXT, "Its release, such as bookworm."),
        required("portage", &TEXT, "Portage's version, such as 3.0.83."),
        key(
            "packages",
            &TEXTS,
            "Packages of the distribution put in besides those that Portage needs.",
        ),
    ],
};

pub(crate) static REPO: Section = Section {
    name: "repo",
    doc: "An ebuild repository: one of image, path, git, archive.",
    keys: &[
        key("image", &TEXT, "An image that holds it at /var/db/repos/NAME."),
        key("path", &TEXT, "A folder."),
        key(
            "git",
            &GIT_SHAPE,
            "A git repository; commit, branch or tag stand beside it or inside of it.",
        ),
        key(
            "archive",
            &ARCHIVE_SHAPE,
            "A tar archive: an address or a path; sha256 stands beside it or inside of it.",
        ),
        key("commit", &TEXT, "With git: the commit, all its digits."),
        key(
            "branch",
            &TEXT,
            "With git: the branch; the lock file says which commit it was.",
        ),
        key("sha256", &TEXT, "With archive: its SHA-256."),
        key(
            "tag",
            &TEXT,
            "With git: the tag; the lock file says which commit it was, and farm update proposes newer ones.",
        ),
    ],
};

pub(crate) static GIT: Section = Section {
    name: "git",
    doc: "A git repository.",
    keys: &[
        required("url", &TEXT, "What git clone takes."),
        key("commit", &TEXT, "The commit, all its digits."),
        key("branch", &TEXT, "The branch; the lock file says which commit it was."),
        key("tag", &TEXT, "The tag; the lock file says which commit it was."),
    ],
};

pub(crate) static ARCHIVE: Section = Section {
    name: "archive",
    doc: "A tar archive.",
    keys: &[
        required("url", &TEXT, "An address or a path."),
        key("sha256", &TEXT, "Its SHA-256."),
    ],
};

pub(crate) static LIMITS: Section = Section {
    name: "limits",
    doc: "Limits of each build container.",
    keys: &[
        key("memory", &TEXT, "Memory: bytes, or with K, M, G or T (powers of 1024)."),
        key("pids", &NUMBER, "Number of processes."),
    ],
};
