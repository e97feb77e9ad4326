//! Live ebuilds: pinned to commits, built without a network, moved by `farm update` alone; and folders in the place of repositories.
//!
//! The eclass is the tests' own, with the variables of Gentoo's eclass of that name.

use fs_err as fs;

use crate::support::{FarmSpace, GitDaemon, Output, base_image, weekly_git_base};

const MANIFEST: &str = "farms/tiny/farm.yaml";
const OVERLAY: &str = "farms/tiny/overlay";
const EBUILD: &str = "farms/tiny/overlay/app-misc/own/own-9999.ebuild";
const LOCK: &str = "farms/tiny/farm.lock";
const LOG: &str = ".farm/logs/tiny/pkg/app-misc/own-9999.log";
const PKG: &str = "tiny:pkg/app-misc/own-9999";
const SOURCE: &str = "tiny:live/app-misc/own-9999";

const ECLASS: &str = r#"# Fetches a commit with its submodules, one level of them.

PROPERTIES+=" live"

# Address, what of it, and where to.
own_get() {
	local store=${PORTAGE_ACTUAL_DISTDIR:-${DISTDIR}}/git3-src/${1//[^a-z0-9]/_}.git
	addwrite "${store%/*}"
	[[ -d ${store} ]] || git init --quiet --bare "${store}" || die
	git --git-dir="${store}" fetch --quiet "${1}" "+${2}:refs/own/wanted" || die "no ${2} at ${1}"
	mkdir -p "${3}" || die
	git --git-dir="${store}" archive refs/own/wanted | tar -x -C "${3}" || die
	OWN_COMMIT=$(git --git-dir="${store}" rev-parse 'refs/own/wanted^{commit}')
	OWN_HISTORY=$(git --git-dir="${store}" rev-list --count refs/own/wanted)
}

git-r3_src_unpack() {
	local uris=( "${EGIT_REPO_URI[@]}" )
	[[ $(declare -p EGIT_REPO_URI) == "declare -a"* ]] || uris=( ${EGIT_REPO_URI} )
	local ref=HEAD
	[[ ${EGIT_BRANCH} ]] && ref=refs/heads/${EGIT_BRANCH}
	if [[ ${EGIT_COMMIT} ]]; then
		[[ $(git ls-remote "${uris[0]}" "refs/tags/${EGIT_COMMIT}") ]] && ref=refs/tags/${EGIT_COMMIT}
	fi
	own_get "${uris[0]}" "${ref}" "${WORKDIR}/${P}"
	export EGIT_VERSION=${OWN_COMMIT}
	local depth=${OWN_HISTORY} name path url modules=${WORKDIR}/${P}/.gitmodules
	[[ -f ${modules} ]] || { echo "history: ${depth}"; return; }
	while read -r name path; do
		name=${name#submodule.}
		name=${name%.path}
		url=$(git config -f "${modules}" "submodule.${name}.url")
		own_get "${url/#../${uris[0]%/*}}" "$(<"${WORKDIR}/${P}/${path}.id")" "${WORKDIR}/${P}/${path}"
	done < <(git config -f "${modules}" --get-regexp 'path$')
	echo "history: ${depth}"
}

EXPORT_FUNCTIONS src_unpack
"#;

/// A farm of one live package, whose ebuild has these lines besides.
fn space(lines: &str) -> FarmSpace {
    let space = FarmSpace::new();
    let base = format!("{{ image: \"{}\" }}", base_image());
    space.edit(MANIFEST, &base, &format!("{{ image: \"{}\" }}", weekly_git_base()));
    let manifest = space.read(MANIFEST);
    let (top, _) = manifest.split_once("subjects:").unwrap();
    let subjects = "subjects:\n  own: { packages: { app-misc/own: {} } }\n";
    space.write(MANIFEST, top.to_owned() + subjects);
    space.write(&format!("{OVERLAY}/eclass/git-r3.eclass"), ECLASS);
    space.write(EBUILD, ebuild(lines));
    space
}

fn ebuild(lines: &str) -> String {
    format!(
        "EAPI=8\n\ninherit git-r3\n\nDESCRIPTION=\"Of a branch\"\nHOMEPAGE=\"https://example.org/own\"\nLICENSE=\"MIT\"\nSLOT=\"0\"\n\
         KEYWORDS=\"amd64\"\n{lines}\n\nsrc_compile() {{\n\techo \"answer: $(<answer)\"\n\
         \t[[ -d lib ]] && echo \"lib: $(<lib/answer)\"\n\treturn 0\n}}\n\nsrc_install() {{\n\tinsinto /usr/share/own\n\tdoins answer\n}}\n"
    )
}

fn build(space: &FarmSpace) -> Output {
    space.farm(&["build", "tiny:pkgs", "--json"])
}

/// Builds, and says whether the package or its source was made.
#[track_caller]
fn ran(space: &FarmSpace) -> (bool, bool) {
    let ran = build(space).succeeded().ran();
    (ran.contains(SOURCE), ran.contains(PKG))
}

/// What the package said while it was built last.
#[track_caller]
fn assert_said(space: &FarmSpace, words: &str) {
    let log = space.read(LOG);
    assert!(log.contains(words), "no `{words}` in {log}");
}

#[test]
fn it_is_what_it_was_pinned_to_until_it_is_updated() {
    let mut server = GitDaemon::new();
    let lib = server.commit("lib", &[("answer", "a lib\n")]);
    server.commit("own", &[("answer", "one\n"), ("lib.id", &lib)]);
    server.git(
        "own",
        &["submodule", "--quiet", "add", "--name", "a.lib", "../lib.git", "lib"],
    );
    let first = server.commit("own", &[]);
    // What the submodule's branch is today is no matter.
    server.commit("lib", &[("answer", "another lib\n")]);
    let url = server.url("own");
    let space = space(&format!("EGIT_REPO_URI=\"{url}\""));

    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: one");
    assert_said(&space, "lib: a lib");
    assert_said(&space, "history: 2");
    let pin = |commit: &str| format!("\"{url}#HEAD\" = \"{commit}\"");
    assert!(space.read(LOCK).contains(&pin(&first)), "{}", space.read(LOCK));
    let package = space.place(PKG, "payload");

    let second = server.commit("own", &[("answer", "two\n")]);
    server.stop();
    assert_eq!(ran(&space), (false, false), "a commit that nobody asked for");
    let again = space.farm(&["build", "--json", "--rebuild", PKG]).succeeded();
    assert!(again.ran().contains(PKG), "{again}");
    assert!(!again.ran().contains(SOURCE), "{again}");
    assert_eq!(space.place(PKG, "payload"), package, "built twice");
    // The lock file is all that a fresh clone has; it asks for the commit, and for no name.
    space.edit(EBUILD, "Of a branch", "Of another branch");
    assert_eq!(ran(&space), (false, true), "another ebuild of the same commit");

    server.start();
    let updated = space.farm(&["update", "tiny"]).succeeded();
    let change = format!("{url}#HEAD: {first} -> {second}");
    assert!(updated.stdout.contains(&change), "{updated}");
    let why = space.farm(&["why", PKG]).succeeded();
    assert!(
        why.stdout.contains("live/commit") && why.stdout.contains(&second),
        "{why}"
    );
    assert_eq!(ran(&space), (true, true), "after the update");
    assert_said(&space, "answer: two");
}

#[test]
fn branches_and_tags_and_addresses() {
    let server = GitDaemon::new();
    let first = server.commit("own", &[("answer", "one\n")]);
    server.git(
        "own",
        &["-c", "tag.gpgSign=false", "tag", "--annotate", "--message=a tag", "v1"],
    );
    server.git("own", &["checkout", "--quiet", "-b", "next"]);
    let next = server.commit("own", &[("answer", "next\n")]);
    server.git("own", &["checkout", "--quiet", "main"]);
    let last = server.commit("own", &[("answer", "two\n")]);
    let url = server.url("own");

    // Nobody listens at the first address: the second stands for both.
    let dead = "git://127.0.0.1:9/own.git";
    let space = space(&format!("EGIT_REPO_URI=( {dead} {url} )\nEGIT_BRANCH=next"));
    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: next");
    let lock = space.read(LOCK);
    assert!(
        lock.contains(&format!("\"{url}#refs/heads/next\" = \"{next}\"")),
        "{lock}"
    );

    space.write(EBUILD, ebuild(&format!("EGIT_REPO_URI=\"{url}\"\nEGIT_COMMIT=v1")));
    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: one");
    let tag = server.git("own", &["rev-parse", "v1"]);
    assert!(space.read(LOCK).contains(&format!("#refs/tags/v1\" = \"{tag}\"")));

    // A commit's id is pinned as it is.
    let pins = space.read(LOCK);
    space.write(EBUILD, ebuild(&format!("EGIT_REPO_URI=\"{url}\"\nEGIT_COMMIT={first}")));
    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: one");
    assert_eq!(space.read(LOCK), pins);
    assert_ne!(first, last);

    space.write(EBUILD, ebuild(&format!("EGIT_REPO_URI=\"{url}\"\nEGIT_BRANCH=nowhere")));
    let output = space.farm(&["build", "tiny:pkgs"]);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(
        output.stderr.contains(&format!("{url} has no refs/heads/nowhere")),
        "{output}"
    );
    assert!(output.stderr.contains("EGIT_BRANCH"), "{output}");

    // What would be in the package, and must not be said either.
    space.write(
        EBUILD,
        ebuild("EGIT_REPO_URI=\"https://me:hush-hush@example.org/own.git\""),
    );
    let output = space.farm(&["build", "tiny:pkgs"]);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(output.stderr.contains("secrets:"), "{output}");
    assert!(!output.stderr.contains("hush-hush"), "{output}");

    space.write(&format!("{OVERLAY}/eclass/subversion.eclass"), "ESVN_OWN=1\n");
    let text = ebuild(&format!("EGIT_REPO_URI=\"{url}\""));
    space.write(EBUILD, text.replace("inherit git-r3", "inherit git-r3 subversion"));
    let output = space.farm(&["build", "tiny:pkgs"]);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(output.stderr.contains("subversion.eclass"), "{output}");
}

#[test]
fn a_server_that_gives_no_object_by_its_id() {
    let server = GitDaemon::new();
    let first = server.commit("own", &[("answer", "one\n")]);
    let url = server.url("own");
    let space = space(&format!("EGIT_REPO_URI=\"{url}\"\nEGIT_BRANCH=main"));
    // Of the old protocol, names are all that may be asked for.
    fs::create_dir_all(space.folder().join("home")).unwrap();
    fs::write(space.folder().join("home/.gitconfig"), "[protocol]\n\tversion = 0\n").unwrap();
    space.write(
        LOCK,
        format!("version = 1\n\n[live]\n\"{url}#refs/heads/main\" = \"{first}\"\n"),
    );
    server.commit("own", &[("answer", "two\n")]);
    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: one");
    assert_said(&space, "history: 1");

    // A history without the commit.
    let gone = "1234567890123456789012345678901234567890";
    space.edit(LOCK, &first, gone);
    let output = space.farm(&["build", "tiny:pkgs"]);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(
        output.stderr.contains(gone) && output.stderr.contains("`farm update`"),
        "{output}"
    );
}

#[test]
fn a_folder_in_the_place_of_a_repository() {
    let server = GitDaemon::new();
    let space = space(&format!(
        "EGIT_REPO_URI=\"{}\"\nEGIT_BRANCH=main",
        server.url("nothing")
    ));
    let code = |path: &str| format!("../code/{path}");
    space.write(&code(".gitignore"), "*.o\nbuilt/\n");
    space.write(&code("answer"), "mine\n");
    space.write(&code("built/much"), "");
    let manifest = space.read(MANIFEST);
    space.write(
        MANIFEST,
        manifest.clone() + "live: { app-misc/own: { path: ../../../code } }\n",
    );
    let folder = space.path("../code");
    let git = |words: &[&str]| {
        let status = std::process::Command::new("git")
            .args(words)
            .current_dir(&folder)
            .status();
        assert!(status.unwrap().success());
    };
    git(&["init", "--quiet"]);
    git(&["add", "answer"]);

    assert_eq!(ran(&space), (true, true));
    assert_said(&space, "answer: mine");
    let lock = fs::read_to_string(space.path(LOCK)).unwrap_or_default();
    assert!(!lock.contains("[live]"), "{lock}");
    assert_eq!(ran(&space), (false, false));

    for (path, text) in [
        ("x.o", "object"),
        ("built/more", "more"),
        ("new/x.o", ""),
        ("answer", "mine\n"),
    ] {
        space.write(&code(path), text);
        assert_eq!(ran(&space), (false, false), "{path}");
    }
    assert_eq!(ran(&space), (false, false), "by what the last run saw");
    space.write(&code("answer"), "mine again\n");
    assert_eq!(ran(&space), (true, true), "an edit");
    assert_said(&space, "answer: mine again");
    space.write(&code("new/file"), "");
    assert_eq!(
        ran(&space),
        (true, true),
        "a file that git does not know, in a folder of ignored ones"
    );
    space.chmod(&code("new/file"), 0o755);
    assert_eq!(ran(&space), (true, true), "a file that can be executed");
    space.write(&code(".gitignore"), "*.o\nbuilt/\nnew/\n");
    assert_eq!(ran(&space), (true, true), "a file that is ignored from now on");

    space.write(
        MANIFEST,
        manifest.clone() + "live: { app-misc/other: { path: ../../../code } }\n",
    );
    server.commit("nothing", &[("answer", "theirs\n")]);
    let output = space.farm(&["build", "tiny:pkgs"]).succeeded();
    assert!(output.stderr.contains("app-misc/other in vain"), "{output}");
    assert_said(&space, "answer: theirs");

    space.write(MANIFEST, manifest + "live: { app-misc/own: { path: nowhere } }\n");
    let output = space.farm(&["build", "tiny:pkgs"]);
    assert_ne!(output.status, Some(0), "{output}");
    assert!(output.stderr.contains("there is no farms/tiny/nowhere"), "{output}");
    assert!(output.stderr.contains("farm.yaml:"), "{output}");
}
