//! Credentials for git over ssh: a real sshd, and a key that only the agent has.

use std::net::TcpStream;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use crate::nginx::free_port;
use crate::space::{Ended, Space};
use crate::upstream::{Upstream, farm, script};

/// Longer than a start takes on a busy machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// A program that runs until the test ends.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// An sshd that lets one key in, and an ssh that knows the server and has no key.
struct Sshd {
    folder: tempfile::TempDir,
    port: u16,
    _daemon: Daemon,
}

impl Sshd {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        for name in ["host", "user"] {
            let mut command = Command::new("ssh-keygen");
            command.args(["-q", "-t", "ed25519", "-N", "", "-f"]).arg(at.join(name));
            assert!(command.status().unwrap().success());
        }
        fs_err::copy(at.join("user.pub"), at.join("authorized")).unwrap();
        let shown = at.display();
        let configuration = format!(
            "HostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\nStrictModes no\nUsePAM no\nPermitRootLogin yes\n\
             PasswordAuthentication no\nPidFile none\nSetEnv PATH=/usr/local/bin:/usr/bin:/bin\n"
        );
        fs_err::write(at.join("sshd.conf"), configuration).unwrap();
        // Where sshd of the superuser locks itself up; only a boot makes it.
        if rustix::process::geteuid().is_root() {
            fs_err::create_dir_all("/run/sshd").unwrap();
        }
        let (port, daemon) = listening(at);
        let host_key = fs_err::read_to_string(at.join("host.pub")).unwrap();
        fs_err::write(at.join("known"), format!("[127.0.0.1]:{port} {host_key}")).unwrap();
        let client = format!(
            "IdentityFile none\nIdentityAgent none\nUserKnownHostsFile {shown}/known\nGlobalKnownHostsFile none\n"
        );
        fs_err::write(at.join("ssh.conf"), client).unwrap();
        fs_err::create_dir(at.join("bin")).unwrap();
        script(
            &at.join("bin/ssh"),
            &format!("exec /usr/bin/ssh -F {shown}/ssh.conf \"$@\"\n"),
        );
        Self {
            folder,
            port,
            _daemon: daemon,
        }
    }

    /// The beginning of its addresses.
    fn url(&self, path: &Path) -> String {
        format!("ssh://127.0.0.1:{}{}", self.port, path.display())
    }

    /// An agent with the key that the server takes, and where it listens.
    fn agent(&self) -> (Daemon, PathBuf) {
        let socket = self.folder.path().join("agent");
        let mut command = Command::new("ssh-agent");
        command.arg("-D").arg("-a").arg(&socket).stdout(Stdio::null());
        let agent = Daemon(command.spawn().unwrap());
        wait_for("ssh-agent", || socket.exists());
        let mut add = Command::new("ssh-add");
        add.arg("-q")
            .arg(self.folder.path().join("user"))
            .env("SSH_AUTH_SOCK", &socket);
        assert!(add.status().unwrap().success());
        (agent, socket)
    }

    /// Runs farm with its ssh, and perhaps an agent.
    fn farm(&self, space: &Space, agent: Option<&Path>, arguments: &[&str]) -> Ended {
        let mut command = space.command(arguments);
        let bin = self.folder.path().join("bin");
        command.env("PATH", format!("{}:/usr/local/bin:/usr/bin:/bin", bin.display()));
        if let Some(agent) = agent {
            command.env("SSH_AUTH_SOCK", agent);
        }
        space.ended(command)
    }
}

/// An sshd of the configuration in this folder, and the port on which it listens.
fn listening(at: &Path) -> (u16, Daemon) {
    for _ in 0..20 {
        let port = free_port();
        let mut command = Command::new("/usr/sbin/sshd");
        command
            .args(["-D", "-o", "ListenAddress=127.0.0.1", "-p", &port.to_string()])
            .arg("-f")
            .arg(at.join("sshd.conf"))
            .arg("-E")
            .arg(at.join("sshd.log"));
        let mut daemon = Daemon(command.spawn().unwrap());
        let begun = Instant::now();
        while begun.elapsed() < PATIENCE && daemon.0.try_wait().unwrap().is_none() {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return (port, daemon);
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
    let log = fs_err::read_to_string(at.join("sshd.log")).unwrap_or_default();
    panic!("sshd does not start: {log}");
}

fn wait_for(what: &str, done: impl Fn() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "{what} does not start");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_key_of_the_agent_opens_a_repository() {
    let (upstream, sshd) = (Upstream::new(), Sshd::start());
    let url = sshd.url(&upstream.repository());
    let secrets = format!(
        "secrets: {{ deploy: {{ for: \"{}\", ssh: agent }} }}\n",
        sshd.url(upstream.folder())
    );
    let space = farm(&url, &secrets);
    let (_agent, socket) = sshd.agent();
    let ended = sshd.farm(&space, Some(&socket), &["build", "f:repo/hep"]);
    assert_eq!(ended.status, Some(0), "{}", ended.text());
    assert!(space.read("farms/f/farm.lock").contains(&upstream.commit()));

    // As git is started by the user, ssh does not look at the agent here: that is what the secret changes.
    let space = farm(&url, "");
    let ended = sshd.farm(&space, Some(&socket), &["build", "f:repo/hep"]);
    assert_eq!(ended.status, Some(3), "{}", ended.text());
    assert!(ended.stderr.contains("`secrets:` in the manifest"), "{}", ended.text());
}

#[test]
fn without_an_agent_or_a_key_that_is_said() {
    let (upstream, sshd) = (Upstream::new(), Sshd::start());
    let url = sshd.url(&upstream.repository());
    let secrets = format!(
        "secrets: {{ deploy: {{ for: \"{}\", ssh: agent }} }}\n",
        sshd.url(Path::new(""))
    );
    let space = farm(&url, &secrets);
    let none = sshd.farm(&space, None, &["build", "f:repo/hep"]);
    assert_eq!(none.status, Some(3), "{}", none.text());
    let said = format!("{url} wants the ssh agent (secret `deploy`), and SSH_AUTH_SOCK is not set");
    assert!(none.stderr.contains(&said), "{}", none.text());

    let (agent, socket) = sshd.agent();
    let mut remove = Command::new("ssh-add");
    remove
        .args(["-q", "-D"])
        .env("SSH_AUTH_SOCK", &socket)
        .stderr(Stdio::null());
    assert!(remove.status().unwrap().success());
    let empty = sshd.farm(&space, Some(&socket), &["build", "f:repo/hep"]);
    assert_eq!(empty.status, Some(3), "{}", empty.text());
    assert!(
        empty.stderr.contains("`ssh-add -l` lists what it has"),
        "{}",
        empty.text()
    );

    // It is gone, and its socket is not.
    drop(agent);
    let dead = sshd.farm(&space, Some(&socket), &["build", "f:repo/hep"]);
    assert_eq!(dead.status, Some(3), "{}", dead.text());
    assert!(dead.stderr.contains("nobody answers at"), "{}", dead.text());

    // A server that is not known yet is not asked about.
    fs_err::write(sshd.folder.path().join("known"), "").unwrap();
    let (_agent, socket) = {
        fs_err::remove_file(&socket).unwrap();
        sshd.agent()
    };
    let unknown = sshd.farm(&space, Some(&socket), &["build", "f:repo/hep"]);
    assert_eq!(unknown.status, Some(3), "{}", unknown.text());
    assert!(unknown.stderr.contains("connect once with ssh"), "{}", unknown.text());
}
