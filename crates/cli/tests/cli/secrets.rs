//! Credentials for git over HTTP: a server that wants a password, and what may be seen of it.

use std::io::Read as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::git_server::GitServer;
use crate::settled::looks_closely;
use crate::space::{Ended, Space};
use crate::upstream::{Upstream, farm, script};

const TOKEN: &str = "wheat-0123456789";

/// A server that wants a token, and what it serves.
fn server() -> (Upstream, GitServer) {
    let upstream = Upstream::new();
    let server = GitServer::serve_with_login(upstream.folder(), "oauth2", TOKEN);
    (upstream, server)
}

/// Writes a file that only its owner may read, below the folder in which home and workspace are.
fn private(space: &Space, path: &str, text: &str) -> PathBuf {
    let path = space.path("..").join(path);
    fs_err::write(&path, text).unwrap();
    fs_err::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    path
}

fn build(space: &Space) -> Ended {
    space.farm(&["build", "f:repo/hep"])
}

#[track_caller]
fn built(ended: &Ended) {
    assert_eq!(ended.status, Some(0), "{}", ended.text());
}

/// Every file below a folder, decompressed where it is compressed.
fn files(folder: &Path, found: &mut Vec<(PathBuf, Vec<u8>)>) {
    for entry in fs_err::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, found);
        } else if path.is_file() {
            let bytes = fs_err::read(&path).unwrap();
            let mut plain = Vec::new();
            let decompressed = zstd::Decoder::new(&bytes[..]).and_then(|mut decoder| decoder.read_to_end(&mut plain));
            found.push((path, if decompressed.is_ok() { plain } else { bytes }));
        }
    }
}

fn holds(text: &[u8], word: &str) -> bool {
    text.windows(word.len()).any(|part| part == word.as_bytes())
}

#[test]
fn a_token_opens_a_repository_and_is_seen_nowhere() {
    let (upstream, server) = server();
    let name = "it's \"my\" $(token) \\";
    let space = farm(
        &server.url("group/hep.git"),
        &format!(
            "secrets:\n  lab:\n    for: \"{}\"\n    token_file: |-\n      ~/{name}\n",
            server.url("group/")
        ),
    );
    private(&space, &format!("home/{name}"), &format!("{TOKEN}\n"));
    // A git that notes what it is given, and notes itself what it starts and sends.
    let bin = space.path("../bin");
    let notes = space.path("../notes");
    fs_err::create_dir_all(&bin).unwrap();
    script(
        &bin.join("git"),
        &format!(
            "{{ tr '\\0' '\\n' < /proc/$$/cmdline; tr '\\0' '\\n' < /proc/$$/environ; }} >> {0}\nPATH=${{PATH#*:}} exec git \"$@\"\n",
            notes.display()
        ),
    );
    let run = |arguments: &[&str]| {
        let mut command = space.command(arguments);
        command
            .env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()))
            .env("GIT_TRACE", space.path("../trace"))
            .env("GIT_TRACE_CURL", space.path("../trace-curl"))
            .env("GIT_TRACE_REDACT", "0");
        space.ended(command)
    };
    let mut said = String::new();
    for arguments in [
        &["build", "f:repo/hep", "--json"][..],
        &["update", "f"],
        &["why", "f:repo/hep"],
        &["debug", "history"],
        &["debug", "guard", "f:repo/hep"],
        &["log", "what-ran"],
    ] {
        let ended = run(arguments);
        // It pins, and then there is no engine.
        let expected = if arguments[0] == "update" { Some(3) } else { Some(0) };
        assert_eq!(ended.status, expected, "{}", ended.text());
        said.push_str(&ended.text());
    }
    let lock = space.read("farms/f/farm.lock");
    assert!(lock.contains(&upstream.commit()), "{said}");
    let requests = server.requests();
    assert!(requests.iter().any(|request| request.status == 200), "{requests:?}");

    let login = requests
        .iter()
        .find_map(|request| request.authorization.clone())
        .unwrap();
    let login = login.strip_prefix("Basic ").unwrap();
    let mut found = vec![("what was said".into(), said.into_bytes())];
    files(&space.path(".."), &mut found);
    let looked_at: Vec<_> = found.iter().map(|(path, _)| path.clone()).collect();
    for file in [
        "notes",
        "trace",
        "trace-curl",
        "workspace/.farm/guards",
        "workspace/farms/f/farm.lock",
    ] {
        assert!(
            looked_at.iter().any(|path| path.ends_with(file)),
            "{file} of {looked_at:?}"
        );
    }
    assert!(
        looked_at
            .iter()
            .any(|path| path.to_string_lossy().contains("/.farm/runs/"))
    );
    let trace = fs_err::read(space.path("../trace")).unwrap();
    assert!(holds(&trace, "FARM_TOKEN_FILE"), "git's helper was not noted");
    for (path, bytes) in found.iter().filter(|(path, _)| !path.ends_with(name)) {
        assert!(!holds(bytes, TOKEN) && !holds(bytes, login), "{}", path.display());
    }
}

#[test]
fn a_wrong_token_is_the_environments_fault() {
    let (_upstream, server) = server();
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n",
        server.url("")
    );
    let space = farm(&server.url("group/hep.git"), &secrets);
    private(&space, "home/token", "rye-0123456789\n");
    let ended = build(&space);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("Authentication failed"), "{}", ended.text());
    assert!(
        ended.stderr.contains("does not take the token of the secret `lab` ("),
        "{}",
        ended.text()
    );
    assert!(!ended.text().contains("rye"), "{}", ended.text());

    // The name counts as well; and with the right one the token is read anew.
    private(&space, "home/token", TOKEN);
    built(&build(&space));
    space.write(
        "farms/f/farm.yaml",
        &space.read("farms/f/farm.yaml").replace("~/token", "~/token, user: me"),
    );
    let ended = space.farm(&["update", "f"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("Authentication failed"), "{}", ended.text());
}

#[test]
fn a_server_that_wants_nothing_is_told_nothing() {
    let upstream = Upstream::new();
    let server = GitServer::serve(upstream.folder());
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n",
        server.url("")
    );
    let space = farm(&server.url("group/hep.git"), &secrets);
    private(&space, "home/token", TOKEN);
    built(&build(&space));
    let requests = server.requests();
    assert!(
        requests.iter().all(|request| request.authorization.is_none()),
        "{requests:?}"
    );
}

#[test]
fn without_a_secret_the_hint_is_to_name_one() {
    let (_upstream, server) = server();
    let space = farm(&server.url("group/hep.git"), "");
    let ended = build(&space);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("`secrets:` in the manifest"), "{}", ended.text());
}

#[test]
fn files_that_cannot_be_used_are_named() {
    let (_upstream, server) = server();
    // Outside of the workspace, relative to the manifest.
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ../../../home/token }} }}\n",
        server.url("")
    );
    let space = farm(&server.url("group/hep.git"), &secrets);
    let mut said = String::new();
    let mut try_it = |ended: Ended| {
        assert_eq!(ended.status, Some(3), "{}", ended.text());
        said.push_str(&ended.text().replace(&server.url(""), "$SERVER/"));
    };
    try_it(build(&space));
    let file = private(&space, "home/token", "");
    try_it(build(&space));
    fs_err::write(&file, TOKEN).unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
    try_it(build(&space));
    fs_err::remove_file(&file).unwrap();
    fs_err::create_dir(&file).unwrap();
    try_it(build(&space));
    assert!(server.requests().is_empty(), "{:?}", server.requests());
    insta::assert_snapshot!(said, @r"
    --- stderr
    error: the token of the secret `lab` for $SERVER/group/hep.git is not there: $SPACE/workspace/../home/token
    hint: write it into that file, in one line, and `chmod 600` it
    --- status 3
    --- stderr
    error: the token of the secret `lab` for $SERVER/group/hep.git is empty: $SPACE/workspace/../home/token
    hint: write it into that file, in one line
    --- status 3
    --- stderr
    error: the token of the secret `lab` for $SERVER/group/hep.git is open to everybody on this machine: $SPACE/workspace/../home/token
    hint: run `chmod 600 $SPACE/workspace/../home/token`; if others had the time to read it, get another token
    --- status 3
    --- stderr
    error: the token of the secret `lab` for $SERVER/group/hep.git cannot be read: $SPACE/workspace/../home/token is a folder
    hint: name the file in it
    --- status 3
    ");

    // A group may share a token.
    fs_err::remove_dir(&file).unwrap();
    fs_err::write(&file, TOKEN).unwrap();
    fs_err::set_permissions(&file, std::fs::Permissions::from_mode(0o640)).unwrap();
    built(&build(&space));
    // An empty line is no token, and nobody is asked for one.
    fs_err::write(&file, "\n").unwrap();
    let mut command = space.command(&["update", "f"]);
    let asked = space.path("../asked");
    script(&space.path("../askpass"), &format!("echo >> {}\n", asked.display()));
    command.env("GIT_ASKPASS", space.path("../askpass"));
    let ended = space.ended(command);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("the first line of"), "{}", ended.text());
    assert!(!asked.exists());
}

#[test]
fn the_longest_beginning_is_meant_and_whole_names_count() {
    let (_upstream, server) = server();
    let (all, group, gro) = (server.url(""), server.url("group"), server.url("gro"));
    let secrets = format!(
        "secrets:\n  all: {{ for: \"{all}\", token_file: ~/wrong }}\n  group: {{ for: \"{group}\", token_file: ~/right }}\n  \
         gro: {{ for: \"{gro}\", token_file: ~/none }}\n"
    );
    let space = farm(&server.url("group/hep.git"), &secrets);
    private(&space, "home/wrong", "rye");
    private(&space, "home/right", TOKEN);
    built(&build(&space));
}

#[test]
fn what_the_user_has_set_up_for_git_stays_and_gets_no_token() {
    let (_upstream, server) = server();
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n",
        server.url("")
    );
    // A setting of the environment leads from one address to the other.
    let space = farm(&server.url("alias/hep.git"), &secrets);
    private(&space, "home/token", TOKEN);
    let asked = space.path("../asked");
    script(
        &space.path("../helper"),
        &format!(
            "echo $1 >> {}; echo username=oauth2; echo password=rye\n",
            asked.display()
        ),
    );
    let helper = space.path("../helper");
    private(
        &space,
        "home/.gitconfig",
        &format!(
            "[credential]\n helper = {0}\n[credential \"{1}\"]\n helper = {0}\n",
            helper.display(),
            server.url("group")
        ),
    );
    let mut command = space.command(&["build", "f:repo/hep"]);
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", format!("url.{}.insteadOf", server.url("group/")))
        .env("GIT_CONFIG_VALUE_0", server.url("alias/"));
    built(&space.ended(command));
    assert!(!asked.exists(), "{}", fs_err::read_to_string(&asked).unwrap());
}

#[test]
fn a_redirection_to_elsewhere_takes_no_token_along() {
    let (upstream, server) = server();
    let elsewhere = GitServer::serve_with_login(upstream.folder(), "oauth2", TOKEN);
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n",
        server.url("")
    );
    server.redirect("/moved/", &elsewhere.url("group/"), false);
    server.redirect("/secretly/", &elsewhere.url("group/"), true);
    server.redirect("/renamed/", &server.url("group/"), false);
    for path in ["moved", "secretly"] {
        let space = farm(&server.url(&format!("{path}/hep.git")), &secrets);
        private(&space, "home/token", TOKEN);
        let before = elsewhere.requests().len();
        let ended = build(&space);
        assert_eq!(ended.status, Some(3), "{}", ended.text());
        assert!(
            elsewhere.requests().len() > before,
            "nobody went there: {}",
            ended.text()
        );
    }
    let there = elsewhere.requests();
    assert!(there.iter().all(|request| request.authorization.is_none()), "{there:?}");

    // To another place of the same server it goes along.
    let space = farm(&server.url("renamed/hep.git"), &secrets);
    private(&space, "home/token", TOKEN);
    built(&build(&space));
}

#[test]
fn no_secret_decides_what_is_built() {
    let (_upstream, mut server) = server();
    let secrets = format!(
        "secrets: {{ lab: {{ for: \"{}\", token_file: ~/token }} }}\n",
        server.url("")
    );
    let space = farm(&server.url("group/hep.git"), &secrets);
    private(&space, "home/token", TOKEN);
    built(&build(&space));
    server.stop();
    private(&space, "home/token", "rye");
    let without = space.read("farms/f/farm.yaml").replace(&secrets, "");
    space.write("farms/f/farm.yaml", &without);
    let ended = build(&space);
    built(&ended);
    assert!(ended.stderr.contains("nothing to do"), "{}", ended.text());
    // Not even the names of pins are asked for, until somebody wants that.
    server.start();
    let before = server.requests().len();
    built(&build(&space));
    assert_eq!(server.requests().len(), before);
    let ended = space.farm(&["update", "f"]);
    assert!(ended.stderr.contains("could not read Username"), "{}", ended.text());
    let asked = server.requests().split_off(before);
    assert!(
        asked.iter().all(|request| request.path.starts_with("/group/hep.git/")),
        "{asked:?}"
    );
}

#[test]
fn a_run_with_nothing_to_do_does_not_look_at_tokens() {
    let tasks = "farm: f\ntasks: { t: { in: host, run: 'echo > t.out', outputs: [t.out] } }\n";
    let secrets = "secrets: { lab: { for: \"https://example.org/\", token_file: ../../token } }\n";
    let space = Space::with_farm("f", &format!("{tasks}{secrets}"));
    private(&space, "workspace/token", "wheat");
    assert_eq!(space.farm(&["build"]).status, Some(0));
    space.settle();
    private(&space, "workspace/token", "rye-0123456789");
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(!closely && ended.stderr.contains("nothing to do"), "{}", ended.text());
    // A manifest is read again, and nothing is done for it.
    space.write("farms/f/farm.yaml", tasks);
    let (closely, ended) = looks_closely(&space, &["build"]);
    assert!(closely && ended.stderr.contains("nothing to do"), "{}", ended.text());
}

#[test]
fn two_farms_of_one_run_agree() {
    let (_upstream, server) = server();
    let url = server.url("");
    let secret = |file: &str| format!("secrets: {{ lab: {{ for: \"{url}\", token_file: {file} }} }}\n");
    let space = farm(&server.url("group/hep.git"), &secret("~/token"));
    private(&space, "home/token", TOKEN);
    let second = |file: &str| {
        space
            .read("farms/f/farm.yaml")
            .replace("farm: f", "farm: g")
            .replace("~/token", file)
    };
    space.write("farms/g/farm.yaml", &second("~/token"));
    let both = ["build", "f:repo/hep", "g:repo/hep"];
    built(&space.farm(&both));
    space.write("farms/g/farm.yaml", &second("~/other"));
    let ended = space.farm(&both);
    assert_eq!(ended.status, Some(2), "{}", ended.text());
    assert!(
        ended.stderr.contains("the farms f and g have different secrets for"),
        "{}",
        ended.text()
    );
    built(&space.farm(&["build", "f:repo/hep"]));
}

#[test]
fn passwords_in_addresses_stay_nowhere() {
    let more = "vars: { URL: \"ssh://git@example.org/x\", SAYS: x }\ntasks: { t: { in: host, run: 'true' } }\n";
    let space = farm("${URL}", more);
    // Written by a farm that did not refuse it yet.
    space.write(
        "farms/f/farm.lock",
        "version = 1\n[git]\n\"https://me:wheat@example.org/x\" = \"0123456789012345678901234567890123456789\"\n\
         \"ssh://git@example.org/x#main\" = \"0123456789012345678901234567890123456789\"\n",
    );
    let refused = space.farm(&["build", "f:repo/hep", "URL=https://me:wheat@example.org/x"]);
    assert_eq!(refused.status, Some(2), "{}", refused.text());
    assert!(
        refused.stderr.contains("a password does not belong into a manifest"),
        "{}",
        refused.text()
    );
    // git itself would name the address that it goes to.
    let mut command = space.command(&["build", "f:repo/hep", "URL=http://127.0.0.1:1/x", "--json"]);
    command
        .env("GIT_CONFIG_COUNT", "1")
        .env("GIT_CONFIG_KEY_0", "url.http://me:wheat@127.0.0.1:1/.insteadOf")
        .env("GIT_CONFIG_VALUE_0", "http://127.0.0.1:1/");
    let failed = space.ended(command);
    assert_eq!(failed.status, Some(3), "{}", failed.text());
    // The word is in the record of a run as it was given, but for the password.
    let recorded = space.farm(&["build", "f:task/t", "SAYS=https://me:wheat@example.org/"]);
    built(&recorded);
    let history = space.farm(&["debug", "history"]);
    assert!(
        history.stdout.contains("SAYS=https://***@example.org/"),
        "{}",
        history.text()
    );
    let mut found = Vec::new();
    files(&space.path(".farm"), &mut found);
    found.push((
        "what was said".into(),
        (refused.text() + &failed.text() + &recorded.text() + &history.text()).into_bytes(),
    ));
    found.push(("the lock file".into(), space.read("farms/f/farm.lock").into_bytes()));
    for (path, bytes) in found {
        assert!(
            !holds(&bytes, "wheat"),
            "{}: {}",
            path.display(),
            String::from_utf8_lossy(&bytes)
        );
    }
}
