//! Places to publish to, with a server each that is real.

use std::ffi::OsString;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use farm_remote::{Access, Address};
use fs_err as fs;
use hyper_util::rt::TokioIo;
use tempfile::TempDir;

use super::front::{Behind, Front};

const UNAVAILABLE: &[u8] = b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// How nginx is set up.
pub(crate) const ALL_METHODS: &str = "PUT DELETE MKCOL MOVE";

/// A kind of place: its name, and how one is made.
pub(crate) type Kind = (&'static str, fn() -> Site);

/// A place to publish to.
pub(crate) struct Site {
    pub(crate) address: Address,
    pub(crate) access: Access,
    /// Where on the disk its files lie.
    pub(crate) folder: PathBuf,
    pub(crate) front: Front,
    _server: Option<Server>,
    pub(crate) dir: TempDir,
}

/// A server that ends with the test.
enum Server {
    Child(Child),
    /// Its process.
    Daemon(String),
}

impl Server {
    fn process(&self) -> String {
        match self {
            Self::Child(child) => child.id().to_string(),
            Self::Daemon(process) => process.clone(),
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        match self {
            Self::Child(child) => {
                let _ = child.kill();
                let _ = child.wait();
            }
            Self::Daemon(process) => {
                let _ = Command::new("kill").arg(process).status();
            }
        }
    }
}

impl Site {
    /// One of each kind, by name.
    pub(crate) fn each() -> [Kind; 3] {
        [("ssh", Self::ssh), ("http", Self::http), ("s3", Self::s3)]
    }

    /// sshd with keys of its own, and an ssh that knows them and nothing of the user's.
    pub(crate) fn ssh() -> Self {
        Self::ssh_in(tempfile::tempdir().unwrap(), None)
    }

    /// nginx with what it has of WebDAV; it does not make folders by itself.
    pub(crate) fn http() -> Self {
        Self::nginx(ALL_METHODS, None)
    }

    /// A server that speaks S3, checks signatures, and keeps objects as files.
    pub(crate) fn s3() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("buckets");
        fs::create_dir_all(root.join("binhost")).unwrap();
        let behind = Behind::Port(serve_s3(&root));
        let front = Front::of(behind, UNAVAILABLE);
        let access = Access::new(environment(&[
            ("HOME", dir.path().as_os_str().to_owned()),
            ("AWS_ENDPOINT_URL", format!("http://127.0.0.1:{}", front.port).into()),
            ("AWS_ACCESS_KEY_ID", "farm".into()),
            ("AWS_SECRET_ACCESS_KEY", "wheat".into()),
        ]));
        Self {
            address: Address::parse("s3://binhost/pkgs/opt").unwrap(),
            access,
            folder: root.join("binhost/pkgs/opt"),
            front,
            _server: None,
            dir,
        }
    }

    /// The same with a file system for its files that takes so many bytes.
    pub(crate) fn small_http(bytes: u64) -> Self {
        Self::nginx(ALL_METHODS, Some(bytes))
    }

    pub(crate) fn small_ssh(bytes: u64) -> Self {
        Self::ssh_in(tempfile::tempdir().unwrap(), Some(bytes))
    }

    /// nginx that takes these methods.
    pub(crate) fn nginx(methods: &str, size: Option<u64>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let root = dir.path().join("www");
        fs::create_dir(&root).unwrap();
        let at = dir.path().display();
        let socket = dir.path().join("socket");
        fs::write(dir.path().join("users"), "me:{PLAIN}s3cret\n").unwrap();
        // The worker stays who the tests are, since nobody else may look into a test's folder.
        let user = if is_root() { "user root;" } else { "" };
        let config = format!(
            "{user} worker_processes 1; pid {at}/pid; error_log {at}/errors info;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log {at}/requests; client_body_temp_path {at}/bodies; proxy_temp_path {at}/t1;\n\
             fastcgi_temp_path {at}/t2; uwsgi_temp_path {at}/t3; scgi_temp_path {at}/t4; client_max_body_size 1m;\n\
             server {{ listen unix:{}; root {at}/www; dav_methods {methods}; dav_access user:rw group:rw all:r;\n\
             location /private/ {{ auth_basic farm; auth_basic_user_file {at}/users; }} }} }}\n",
            socket.display(),
        );
        fs::write(dir.path().join("conf"), config).unwrap();
        let mut command = confined(&root, size);
        command
            .args(["nginx", "-c"])
            .arg(dir.path().join("conf"))
            .arg("-e")
            .arg(dir.path().join("errors"));
        // It goes into the background as soon as it listens.
        let started = command.stdin(Stdio::null()).stderr(Stdio::null()).status().unwrap();
        let errors = || fs::read_to_string(dir.path().join("errors")).unwrap_or_default();
        assert!(started.success(), "nginx does not start: {}", errors());
        let server = Server::Daemon(fs::read_to_string(dir.path().join("pid")).unwrap().trim().to_owned());
        let folder = folder_of(&server, &root, size);
        let front = Front::of(Behind::Socket(socket), UNAVAILABLE);
        Self {
            address: Address::parse(&format!("http://127.0.0.1:{}/pkgs/opt", front.port)).unwrap(),
            access: Access::new(environment(&[("HOME", dir.path().as_os_str().to_owned())])),
            folder: folder.join("pkgs/opt"),
            front,
            _server: Some(server),
            dir,
        }
    }

    fn ssh_in(dir: TempDir, size: Option<u64>) -> Self {
        let at = dir.path();
        for name in ["host", "user"] {
            let made = Command::new("ssh-keygen")
                .args(["-q", "-t", "ed25519", "-N", "", "-f"])
                .arg(at.join(name))
                .status()
                .unwrap();
            assert!(made.success());
        }
        let root = at.join("srv");
        fs::create_dir(&root).unwrap();
        fs::copy(at.join("user.pub"), at.join("authorized")).unwrap();
        let shown = at.display();
        fs::write(
            at.join("sshd.conf"),
            format!(
                "HostKey {shown}/host\nAuthorizedKeysFile {shown}/authorized\nStrictModes no\nUsePAM no\n\
                 PermitRootLogin yes\nPasswordAuthentication no\nPidFile none\n"
            ),
        )
        .unwrap();
        // Where sshd of the superuser locks itself up; only a boot makes it.
        if is_root() {
            fs::create_dir_all("/run/sshd").unwrap();
        }
        let holder = size.map(|size| {
            let mut command = confined(&root, Some(size));
            let mut child = command
                .args(["sh", "-c", "echo; exec sleep 100000"])
                .stdout(Stdio::piped())
                .spawn()
                .unwrap();
            // The line comes when the file system is there.
            std::io::Read::read_exact(child.stdout.as_mut().unwrap(), &mut [0]).unwrap();
            Server::Child(child)
        });
        let folder = holder
            .as_ref()
            .map_or_else(|| root.clone(), |holder| folder_of(holder, &root, size));
        let sshd = PathBuf::from("/usr/sbin/sshd");
        let (config, log) = (at.join("sshd.conf"), at.join("sshd.log"));
        let namespace = holder.as_ref().map(Server::process);
        let behind = Behind::Program(Box::new(move || {
            let mut command = match &namespace {
                Some(process) => {
                    let mut command = Command::new("nsenter");
                    command.args(["--mount", "--target", process]).arg(&sshd);
                    command
                }
                None => Command::new(&sshd),
            };
            command
                .arg("-i")
                .arg("-f")
                .arg(&config)
                .arg("-E")
                .arg(&log)
                .stderr(Stdio::null());
            command
        }));
        let front = Front::of(behind, b"");
        let host_key = fs::read_to_string(at.join("host.pub")).unwrap();
        fs::write(at.join("known"), format!("[127.0.0.1]:{} {host_key}", front.port)).unwrap();
        fs::write(
            at.join("ssh.conf"),
            format!(
                "IdentityFile {shown}/user\nIdentitiesOnly yes\nUserKnownHostsFile {shown}/known\nGlobalKnownHostsFile none\n"
            ),
        )
        .unwrap();
        let bin = at.join("bin");
        fs::create_dir(&bin).unwrap();
        script(
            &bin.join("ssh"),
            &format!("exec /usr/bin/ssh -F {shown}/ssh.conf \"$@\"\n"),
        );
        let path = format!("{}:/usr/sbin:/usr/bin:/sbin:/bin", bin.display());
        Self {
            address: Address::parse(&format!("ssh://127.0.0.1:{}{}/pkgs/opt", front.port, root.display())).unwrap(),
            access: Access::new(environment(&[
                ("HOME", at.as_os_str().to_owned()),
                ("PATH", path.into()),
            ])),
            folder: folder.join("pkgs/opt"),
            front,
            _server: holder,
            dir,
        }
    }

    /// The lines of what nginx was asked.
    pub(crate) fn requests(&self) -> Vec<String> {
        let log = fs::read_to_string(self.dir.path().join("requests")).unwrap();
        log.lines().map(str::to_owned).collect()
    }
}

pub(crate) fn is_root() -> bool {
    let id = Command::new("id").arg("-u").output().unwrap();
    id.stdout == b"0\n"
}

/// Writes a program.
pub(crate) fn script(path: &Path, text: &str) {
    fs::write(path, format!("#!/bin/sh\n{text}")).unwrap();
    fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

pub(crate) fn environment(pairs: &[(&str, OsString)]) -> Vec<(OsString, OsString)> {
    pairs.iter().map(|(name, value)| (name.into(), value.clone())).collect()
}

/// A command that runs another one, with a file system of `size` bytes at `folder` if that is given, in a namespace of its own.
fn confined(folder: &Path, size: Option<u64>) -> Command {
    let Some(size) = size else {
        return Command::new("env");
    };
    let mut command = Command::new("unshare");
    if !is_root() {
        command.args(["--user", "--map-root-user"]);
    }
    command
        .args(["--mount", "sh", "-c"])
        .arg("mount -t tmpfs -o mode=755,size=$1 farm-test \"$2\" || exit; shift 2; exec \"$@\"")
        .arg("sh")
        .arg(size.to_string())
        .arg(folder);
    command
}

/// The same folder, seen from outside of the namespace.
fn folder_of(server: &Server, folder: &Path, size: Option<u64>) -> PathBuf {
    match size {
        None => folder.to_owned(),
        Some(_) => PathBuf::from(format!("/proc/{}/root{}", server.process(), folder.display())),
    }
}

/// Serves a folder of buckets until the process ends.
fn serve_s3(root: &Path) -> std::net::SocketAddr {
    let files = s3s_fs::FileSystem::new(root).unwrap();
    let mut builder = s3s::service::S3ServiceBuilder::new(files);
    builder.set_auth(s3s::auth::SimpleAuth::from_single("farm", "wheat"));
    let service = builder.build();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(2)
            .enable_all()
            .build()
            .unwrap();
        runtime.block_on(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                let service = service.clone();
                tokio::spawn(async move {
                    let connection = hyper::server::conn::http1::Builder::new();
                    let _ = connection.serve_connection(TokioIo::new(stream), service).await;
                });
            }
        });
    });
    address
}

/// Whether a namespace with a file system of its own can be had here. Continuous integration may run in a container without the right
/// to mount.
pub(crate) fn can_confine() -> bool {
    let dir = tempfile::tempdir().unwrap();
    let tried = confined(dir.path(), Some(65536))
        .arg("true")
        .stderr(Stdio::null())
        .status();
    tried.is_ok_and(|status| status.success())
}
