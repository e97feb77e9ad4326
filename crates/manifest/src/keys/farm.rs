//! The top of the manifest, subjects, images, tasks, publication; and the workspace's settings.

use super::packages::PACKAGES_SHAPE;
use super::{BINFARM, BOOLEAN, NUMBER, Section, Shape, TEXT, TEXT_MAP, TEXTS, key, required};

static MATRIX: Shape = Shape::Map(&TEXTS);
static REBUILD: Shape = Shape::Words(&["exact", "abi", "portage"]);
static BINFARM_SHAPE: Shape = Shape::Section(&BINFARM);
static SUBJECTS: Shape = Shape::Map(&Shape::Section(&SUBJECT));
static IMAGES: Shape = Shape::Map(&Shape::Section(&IMAGE));
static STAGES: Shape = Shape::Map(&Shape::Section(&STAGE));
static LATER: Shape = Shape::Map(&Shape::Anything);
static TASKS: Shape = Shape::Map(&Shape::Section(&TASK));
static PUBLISH_SHAPE: Shape = Shape::Section(&PUBLISH);
static LIVE: Shape = Shape::Map(&Shape::Section(&LIVE_CHECKOUT));
static DISTFILES_SHAPE: Shape = Shape::Section(&DISTFILES);
static SECRETS: Shape = Shape::Map(&Shape::Section(&SECRET));
static SSH: Shape = Shape::Words(&["agent"]);
static TEXT_OR_TEXTS: Shape = Shape::Either(&[&TEXT, &TEXTS]);
static STRIP: Shape = Shape::List(&Shape::Words(&["repos", "docs"]));
static PUBLISH_PKGS_SHAPE: Shape = Shape::Section(&PUBLISH_PKGS);
static PUBLISH_IMAGES_SHAPE: Shape = Shape::Section(&PUBLISH_IMAGES);

pub(crate) static FARM: Section = Section {
    name: "farm",
    doc: "A farm: one manifest, farms/NAME/farm.yaml.",
    keys: &[
        required("farm", &TEXT, "The farm's name, the same as that of its folder."),
        key(
            "include",
            &TEXT_OR_TEXTS,
            "Farms whose manifests this one continues: maps are merged, variables given here win, any other key given twice is an error unless tagged !override.",
        ),
        key(
            "vars",
            &TEXT_MAP,
            "Variables, used as ${NAME} in any text. FARM_NAME in the environment, then NAME=VALUE on the command line, override the value given here.",
        ),
        key(
            "flavour",
            &TEXT,
            "What must not be mixed in one binhost, such as platform and type. Usable as ${flavour}.",
        ),
        key(
            "matrix",
            &MATRIX,
            "Values of variables: a command that names no other value is for all their combinations, one after the other. NAME=VALUE picks.",
        ),
        key(
            "rebuild",
            &REBUILD,
            "How far a changed dependency reaches: exact (whatever a build could see of it), abi (what a library shows, and which version a tool has), portage (what it is bound to by `:=`, as Portage does).",
        ),
        key(
            "binfarm",
            &BINFARM_SHAPE,
            "The factory: its root and the settings that packages are built with.",
        ),
        key("subjects", &SUBJECTS, "Named sets of packages."),
        key(
            "images",
            &IMAGES,
            "Images put together from a base and the packages of subjects.",
        ),
        key("kernels", &LATER, "Kernels; not built yet."),
        key(
            "stages",
            &STAGES,
            "Stage4 archives: root file systems of a base and the packages of subjects, packed and signed.",
        ),
        key("disks", &LATER, "Bootable disk images; not built yet."),
        key("tasks", &TASKS, "Anything else: commands with inputs and outputs."),
        key("publish", &PUBLISH_SHAPE, "Where packages and images go."),
        key(
            "live",
            &LIVE,
            "Folders that live packages are built from, in place of their repositories.",
        ),
        key("distfiles", &DISTFILES_SHAPE, "Where source files are looked for."),
        key(
            "secrets",
            &SECRETS,
            "What git logs in with, by the beginning of addresses. Where the secrets are stands here, never what they are; nothing is built anew for them.",
        ),
        key("resolve", &TEXTS, "Options added to the resolver's emerge command."),
    ],
};

pub(crate) static SUBJECT: Section = Section {
    name: "subject",
    doc: "A named set of packages, resolved by itself with the farm's one configuration.",
    keys: &[
        key("needs", &TEXTS, "Subjects whose chosen versions this one starts from."),
        key(
            "config",
            &TEXTS,
            "Configuration layers (profiles/NAME), merged in this order after those of the binfarm.",
        ),
        required(
            "packages",
            &PACKAGES_SHAPE,
            "The members: a map, a list, a text block, or the path of a Portage set file.",
        ),
    ],
};

pub(crate) static IMAGE: Section = Section {
    name: "image",
    doc: "An image put together from a base and packages.",
    keys: &[
        required(
            "from",
            &TEXT,
            "What it starts from: base, binfarm, image/NAME, or a reference NAME:TAG or NAME@sha256:DIGEST.",
        ),
        key(
            "subjects",
            &TEXTS,
            "Subjects whose packages, with all they need to run, are put in.",
        ),
        key("strip", &STRIP, "What is left out: repos (ebuild repositories), docs."),
        key("entrypoint", &TEXTS, "The entrypoint: a program and its arguments."),
        key(
            "cmd",
            &TEXTS,
            "The default arguments, or the default program where there is no entrypoint.",
        ),
        key("env", &TEXT_MAP, "Environment variables of what runs in it."),
        key("user", &TEXT, "The user who runs in it."),
        key(
            "workdir",
            &TEXT,
            "The working directory, an absolute path in the image.",
        ),
        key("labels", &TEXT_MAP, "Labels."),
    ],
};

pub(crate) static STAGE: Section = Section {
    name: "stage",
    doc: "A root file system as an archive: .farm/stages/FARM/FLAVOUR/NAME.tar.zst.",
    keys: &[
        required(
            "from",
            &TEXT,
            "What it starts from: base, binfarm, image/NAME, or a reference NAME:TAG or NAME@sha256:DIGEST.",
        ),
        key(
            "subjects",
            &TEXTS,
            "Subjects whose packages, with all they need to run, are put in.",
        ),
        key(
            "kernel",
            &TEXT,
            "The kernel of `kernels` that is put in; not built yet.",
        ),
        key(
            "scripts",
            &TEXTS,
            "Programs run in it, in this order, once the packages are there; what they change becomes part of it, but for /etc/portage, caches and logs.",
        ),
        key(
            "remove",
            &TEXTS,
            "What is left out in the end: absolute paths, with all that is below, or globs, in which * and ? stay within a folder and ** does not. A path that is not there is an error; a glob may match nothing.",
        ),
        key(
            "sign",
            &TEXT,
            "The OpenPGP key that signs the archive (NAME.tar.zst.asc): fingerprint, long key id or e-mail address.",
        ),
    ],
};

pub(crate) static LIVE_CHECKOUT: Section = Section {
    name: "live",
    doc: "A folder that a live package is built from.",
    keys: &[required(
        "path",
        &TEXT,
        "The folder, relative to that of the manifest: all files in it that git does not ignore, committed or not. It may lie outside of the workspace.",
    )],
};

pub(crate) static TASK: Section = Section {
    name: "task",
    doc: "A command with inputs and outputs.",
    keys: &[
        key(
            "in",
            &TEXT,
            "Where it runs: host (the default), base, binfarm, env, or image/NAME.",
        ),
        key("needs", &TEXTS, "Tasks or other targets that are made first."),
        key(
            "inputs",
            &TEXTS,
            "Paths or globs that it reads, relative to the folder of the manifest. A glob that matches nothing is an error.",
        ),
        required(
            "run",
            &TEXT_OR_TEXTS,
            "A shell line, or a list of a program and its arguments.",
        ),
        key(
            "outputs",
            &TEXTS,
            "Paths or globs that it makes, relative to the folder of the manifest. What its last run made of them is removed before it runs; they must be there afterwards.",
        ),
        key(
            "env",
            &TEXT_MAP,
            "Its environment besides PATH, HOME, TMPDIR and LC_ALL.",
        ),
    ],
};

pub(crate) static PUBLISH: Section = Section {
    name: "publish",
    doc: "Where packages and images go.",
    keys: &[
        key("pkgs", &PUBLISH_PKGS_SHAPE, "The binhost."),
        key("images", &PUBLISH_IMAGES_SHAPE, "The registry."),
        key(
            "base",
            &BOOLEAN,
            "true: packages of the base that nobody built anew are published with the others, as they lie there.",
        ),
        key(
            "deny",
            &TEXTS,
            "Packages (atoms) and licences that are published nowhere.",
        ),
    ],
};

pub(crate) static PUBLISH_PKGS: Section = Section {
    name: "publish-pkgs",
    doc: "Where packages go.",
    keys: &[
        required(
            "to",
            &TEXT,
            "Where they go: file:///FOLDER, ssh://[USER@]HOST[:PORT]/FOLDER, s3://BUCKET[/PREFIX], http:// or https://HOST/FOLDER (PUT). Packages land in TO/FLAVOUR/. Never with a password: docs/publishing.md says where credentials come from.",
        ),
        key(
            "url",
            &TEXT,
            "Where clients fetch them, if that is another address than `to`, as behind ssh:// and s3://: http:// or https://HOST/FOLDER. FLAVOUR/ follows. It stands in client/binrepos.conf of every release.",
        ),
        key(
            "sign",
            &TEXT,
            "The OpenPGP key that signs the packages: fingerprint, long key id or e-mail address. Its secret part is in GnuPG's key ring, or in the file that FARM_SIGNING_KEY_FILE in the environment names.",
        ),
        key(
            "needs",
            &TEXTS,
            "Targets that must succeed before anything is published.",
        ),
        key(
            "deny",
            &TEXTS,
            "Packages (atoms) and licences that are not published here.",
        ),
        key("private", &BOOLEAN, "true: what may not be redistributed may go here."),
    ],
};

pub(crate) static PUBLISH_IMAGES: Section = Section {
    name: "publish-images",
    doc: "Where images go.",
    keys: &[
        required(
            "to",
            &TEXT,
            "The repository in a registry, without a tag; ${image} stands for the image's name.",
        ),
        key("tag", &TEXT, "The tag; the flavour where none is given."),
        key(
            "needs",
            &TEXTS,
            "Targets that must succeed before anything is published.",
        ),
    ],
};

pub(crate) static DISTFILES: Section = Section {
    name: "distfiles",
    doc: "Where source files are looked for.",
    keys: &[
        key("dir", &TEXT, "A folder that is looked into first."),
        key("mirrors", &TEXTS, "Base addresses tried before a package's own."),
        key("proxy", &TEXT, "The proxy of all fetches."),
    ],
};

pub(crate) static SECRET: Section = Section {
    name: "secret",
    doc: "What git logs in with where addresses begin in one way: token_file or ssh.",
    keys: &[
        required(
            "for",
            &TEXT,
            "The beginning of the addresses: https://HOST[:PORT][/PATH], or ssh://[USER@]HOST[:PORT][/PATH]. Whole names count; of several that fit, the longest.",
        ),
        key(
            "token_file",
            &TEXT,
            "For https: a file whose first line is the token, or the password: absolute, ~/PATH, or relative to the folder of the manifest, outside of the workspace as well. Git's helper reads it when the server asks; nobody else may be able to read it.",
        ),
        key(
            "user",
            &TEXT,
            "With token_file: the name of the user; oauth2, which most servers take with a token, where none is given.",
        ),
        key(
            "ssh",
            &SSH,
            "For ssh: agent, a key of the ssh agent that SSH_AUTH_SOCK names.",
        ),
    ],
};

pub(crate) static SETTINGS: Section = Section {
    name: "settings",
    doc: "Settings of the whole workspace: farms/settings.yaml.",
    keys: &[
        key(
            "salt",
            &TEXT,
            "Enters every key: changing it disowns everything that was built before.",
        ),
        key(
            "source_date_epoch",
            &NUMBER,
            "The time, in seconds since 1970, of everything that carries one.",
        ),
    ],
};
