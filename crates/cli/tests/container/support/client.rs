//! A machine that takes binary packages.

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use super::docker;

/// A machine with Portage and nothing of farm's, in the host's network. Gone when dropped.
pub(crate) struct Client {
    container: String,
}

impl Client {
    /// One made of this image, that knows the main repository only.
    pub(crate) fn new(image: &str, gentoo: &Path) -> Self {
        let container = docker(&[
            "run",
            "--detach",
            "--init",
            "--network",
            "host",
            "--label",
            "org.farm.test=1",
            image,
            "sleep",
            "infinity",
        ]);
        let client = Self { container };
        client.shell("mkdir -p /var/db/repos");
        client.copy(gentoo, "/var/db/repos/gentoo");
        client.shell(
            "mkdir -p /etc/portage/repos.conf /etc/portage/binrepos.conf\n\
             printf '[DEFAULT]\\nmain-repo = gentoo\\n[gentoo]\\nlocation = /var/db/repos/gentoo\\n' \
             > /etc/portage/repos.conf/gentoo.conf\n\
             ln -s ../../var/db/repos/gentoo/profiles/default/linux/amd64 /etc/portage/make.profile\n",
        );
        client
    }

    /// Takes packages from where these lines of binrepos.conf say, and from nowhere else; what it took before is forgotten.
    pub(crate) fn takes_from(&self, binrepos: &str) {
        self.shell(&format!(
            "rm -rf /var/cache/binhost /var/cache/binpkgs /var/cache/edb/binhost\n\
             cat > /etc/portage/binrepos.conf/farm.conf <<'END'\n{binrepos}\nEND\n"
        ));
    }

    /// Copies a file or folder to where nothing is yet.
    pub(crate) fn copy(&self, from: &Path, to: &str) {
        docker(&["cp", &from.display().to_string(), &format!("{}:{to}", self.container)]);
    }

    /// What a shell script prints; it must succeed.
    pub(crate) fn shell(&self, script: &str) -> String {
        let (succeeded, printed) = self.run(script);
        assert!(succeeded, "{script}\n{printed}");
        printed
    }

    /// Runs a shell script; tells whether it succeeded, and what it printed and said.
    pub(crate) fn run(&self, script: &str) -> (bool, String) {
        let mut process = Command::new("docker")
            .args(["exec", "--interactive", &self.container, "sh", "-e", "-s"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        process.stdin.take().unwrap().write_all(script.as_bytes()).unwrap();
        let output = process.wait_with_output().unwrap();
        let mut printed = String::from_utf8_lossy(&output.stdout).trim_end().to_owned();
        if !output.status.success() {
            printed += &String::from_utf8_lossy(&output.stderr);
        }
        (output.status.success(), printed)
    }

    /// `emerge` as users of a binhost call it.
    pub(crate) fn emerge(&self, arguments: &str) -> String {
        self.shell(&emerge(arguments))
    }

    /// The same, for what must not be installed; gives what emerge says.
    pub(crate) fn emerge_refuses(&self, arguments: &str) -> String {
        let (succeeded, said) = self.run(&emerge(arguments));
        assert!(!succeeded, "emerge {arguments} succeeds\n{said}");
        said
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        docker(&["rm", "--force", "--volumes", &self.container]);
    }
}

fn emerge(arguments: &str) -> String {
    format!("emerge --getbinpkg --usepkgonly --color=n --ask=n {arguments} 2>&1")
}
