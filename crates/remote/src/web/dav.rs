//! A folder of a web server that takes PUT: WebDAV (RFC 4918), or less.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use url::Url;

use super::netrc;
use super::{Answer, Body, Call, Client, Method};
use crate::parallel::{download, each};
use crate::{Access, Created, Remote, RemoteError, Upload, Watch};

const LOGIN: &str = "put `machine HOST login USER password PASSWORD` into ~/.netrc (or the file that NETRC names), and let that user write there";

/// A folder of a web server. The server must replace a file in one step when it is PUT, as nginx and Apache do.
pub(crate) struct Dav<'w> {
    client: Client<'w>,
    base: Url,
    /// The header that says who publishes.
    authorization: Option<String>,
    /// Paths of folders that are there.
    folders: Mutex<BTreeSet<String>>,
}

/// Not what would show the password.
impl std::fmt::Debug for Dav<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Dav({})", self.base)
    }
}

impl<'w> Dav<'w> {
    pub(crate) fn new(base: &Url, access: &Access, watch: &'w dyn Watch) -> Result<Self, RemoteError> {
        let login = netrc::login(access, base.host_str().unwrap_or_default())?;
        let authorization = login.map(|login| {
            format!(
                "Basic {}",
                STANDARD.encode(format!("{}:{}", login.user, login.password))
            )
        });
        Ok(Self {
            client: Client::new(access, base, watch)?,
            base: base.clone(),
            authorization,
            folders: Mutex::default(),
        })
    }

    fn url(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut parts) = url.path_segments_mut() {
            parts.pop_if_empty().extend(path.split('/'));
        }
        url
    }

    fn call<'a>(&self, method: Method, path: &str) -> Call<'a> {
        self.call_at(method, self.url(path))
    }

    fn call_at<'a>(&self, method: Method, url: Url) -> Call<'a> {
        let mut call = Call::new(method, url);
        call.headers
            .extend(self.authorization.clone().map(|value| ("authorization", value)));
        call
    }

    fn unexpected(&self, method: Method, path: &str, answer: &Answer) -> RemoteError {
        answer.unexpected(method, self.url(path).into(), LOGIN)
    }

    /// Puts what `make` makes at `path`, after the folders it lies in: what becomes of a PUT whose folder is missing, servers do not
    /// agree on (nginx takes the file, and then says 500).
    fn put<'a>(&self, path: &str, make: &dyn Fn() -> Call<'a>) -> Result<Answer, RemoteError> {
        let mut folder = self.url(path);
        if let Ok(mut parts) = folder.path_segments_mut() {
            parts.pop();
        }
        self.make_folder(&folder)?;
        self.client.send(&format!("PUT {}", self.url(path)), make)
    }

    fn put_file(&self, root: &Path, file: &Upload) -> Result<(), RemoteError> {
        let time = UNIX_EPOCH + Duration::from_secs(file.mtime);
        let answer = self.put(&file.path, &|| {
            let mut call = self.call(Method::Put, &file.path);
            // nginx takes it as the time of the file.
            call.headers.push(("date", httpdate::fmt_http_date(time)));
            call.body = Body::File(root.join(&file.path));
            call
        })?;
        if answer.is_success() {
            return Ok(());
        }
        Err(self.unexpected(Method::Put, &file.path, &answer))
    }

    /// Makes a folder of the server; where the one above is missing, that first.
    fn make_folder(&self, url: &Url) -> Result<(), RemoteError> {
        let path = url.path().trim_end_matches('/').to_owned();
        let known = || self.folders.lock().unwrap_or_else(PoisonError::into_inner);
        if known().contains(&path) {
            return Ok(());
        }
        let make = || -> Result<Answer, RemoteError> {
            let mut at = url.clone();
            at.set_path(&format!("{path}/"));
            self.client
                .send(&format!("MKCOL {at}"), &|| self.call_at(Method::MkCol, at.clone()))
        };
        let answer = make()?;
        if matches!(answer.status, 404 | 409)
            && let Some((above, _)) = path.rsplit_once('/').filter(|(above, _)| !above.is_empty())
        {
            let mut folder = url.clone();
            folder.set_path(above);
            self.make_folder(&folder)?;
            make()?;
        }
        // It was there (405; RFC 4918, 9.3.1), or the server makes folders by itself and knows no MKCOL; else the PUT says why not.
        known().insert(path);
        Ok(())
    }

    fn delete(&self, path: &str) -> Result<Answer, RemoteError> {
        let what = format!("DELETE {}", self.url(path));
        self.client.send(&what, &|| self.call(Method::Delete, path))
    }

    /// Gives a file a name that must be free; `None` where the server cannot.
    fn create_by_move(&self, path: &str, bytes: &[u8]) -> Result<Option<Created>, RemoteError> {
        let passing = passing_name(path, bytes);
        self.put_bytes(&passing, bytes, None)?;
        let what = format!("MOVE {}", self.url(path));
        let answer = self.client.send(&what, &|| {
            let mut call = self.call(Method::Move, &passing);
            // Without scheme and host: behind a proxy the server knows neither.
            call.headers.push(("destination", self.url(path).path().to_owned()));
            call.headers.push(("overwrite", "F".to_owned()));
            call
        })?;
        let created = match answer.status {
            200..=299 => return Ok(Some(Created::Made)),
            412 => Some(Created::Exists),
            // The answer to a first attempt was lost.
            404 if self.get(path)?.as_deref() == Some(bytes) => return Ok(Some(Created::Made)),
            400 | 403 | 405 | 501 => None,
            _ => return Err(self.unexpected(Method::Move, path, &answer)),
        };
        self.delete(&passing)?;
        Ok(created)
    }

    fn put_bytes(&self, path: &str, bytes: &[u8], header: Option<(&'static str, &str)>) -> Result<Answer, RemoteError> {
        let answer = self.put(path, &|| {
            let mut call = self.call(Method::Put, path);
            let header = header.map(|(name, value)| (name, value.to_owned()));
            call.headers.extend(header);
            call.body = Body::Bytes(bytes);
            call
        })?;
        if answer.is_success() || (answer.status == 412 && header.is_some()) {
            return Ok(answer);
        }
        Err(self.unexpected(Method::Put, path, &answer))
    }
}

impl Remote for Dav<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        let what = format!("GET {}", self.url(path));
        let answer = self.client.send(&what, &|| self.call(Method::Get, path))?;
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 | 410 => Ok(None),
            _ => Err(self.unexpected(Method::Get, path, &answer)),
        }
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        let what = format!("HEAD {}", self.url(path));
        let answer = self.client.send(&what, &|| self.call(Method::Head, path))?;
        match answer.status {
            200 => Ok(answer.length()),
            404 | 410 => Ok(None),
            _ => Err(self.unexpected(Method::Head, path, &answer)),
        }
    }

    fn list(&self, _folder: &str) -> Result<Option<Vec<String>>, RemoteError> {
        // Not every server that takes PUT has PROPFIND (nginx's own module has not).
        Ok(None)
    }

    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError> {
        let wanted: Vec<&Upload> = files.iter().filter(|file| !file.settled).collect();
        let uploaded = AtomicUsize::new(0);
        each(&wanted, &|file| {
            if self.size(&file.path)? == Some(file.size) {
                return Ok(());
            }
            self.put_file(root, file)?;
            uploaded.fetch_add(1, Ordering::Relaxed);
            self.client.watch.tell(&format!("uploaded {}", file.path));
            Ok(())
        })?;
        Ok(uploaded.into_inner())
    }

    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError> {
        download(root, paths, self.client.watch, &|path, file| {
            let what = format!("GET {}", self.url(path));
            let answer = self.client.fetch(&what, &|| self.call(Method::Get, path), file)?;
            match answer.status {
                200 => Ok(true),
                404 | 410 => Ok(false),
                _ => Err(self.unexpected(Method::Get, path, &answer)),
            }
        })
    }

    /// The server is asked to rename without overwriting, which it decides on its side of the network; only where it cannot rename, by a
    /// PUT that must not replace (`If-None-Match`), which is read again, because a server may not know that header. Of two
    /// publishers in the same milliseconds both may then believe to have won; nothing more can be had of such a server.
    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError> {
        if self.size(path)?.is_some() {
            return Ok(Created::Exists);
        }
        if let Some(created) = self.create_by_move(path, bytes)? {
            return Ok(created);
        }
        let answer = self.put_bytes(path, bytes, Some(("if-none-match", "*")))?;
        if answer.is_success() && self.get(path)?.as_deref() == Some(bytes) {
            return Ok(Created::Made);
        }
        Ok(Created::Exists)
    }

    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError> {
        each(files, &|file| self.put_file(root, file))
    }

    fn remove(&self, paths: &[String]) -> Result<(), RemoteError> {
        let refused = AtomicBool::new(false);
        each(paths, &|path| {
            if refused.load(Ordering::Relaxed) {
                return Ok(());
            }
            let answer = self.delete(path)?;
            match answer.status {
                200..=299 | 404 | 410 => Ok(()),
                403 | 405 | 501 => {
                    if !refused.swap(true, Ordering::Relaxed) {
                        let count = paths.len();
                        let line = format!(
                            "{} takes no DELETE: {count} files that no client needs stay there",
                            self.base
                        );
                        self.client.watch.tell(&line);
                    }
                    Ok(())
                }
                _ => Err(self.unexpected(Method::Delete, path, &answer)),
            }
        })
    }
}

/// A hidden name beside `path` that no other publisher uses.
fn passing_name(path: &str, bytes: &[u8]) -> String {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let mut hasher = blake3::Hasher::new();
    hasher.update(bytes);
    hasher.update(&std::process::id().to_le_bytes());
    hasher.update(&now.as_nanos().to_le_bytes());
    let (folder, name) = path.rsplit_once('/').unwrap_or((".", path));
    format!("{folder}/.{name}.{}", &hasher.finalize().to_hex()[..16])
}
