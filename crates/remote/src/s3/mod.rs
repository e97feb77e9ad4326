//! A bucket of S3, or of a server that speaks its protocol.

mod config;
mod ini;

use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use rusty_s3::actions::{ListObjectsV2, S3Action};
use rusty_s3::{Bucket, Credentials};

use crate::parallel::{download, each};
use crate::web::{Answer, Body, Call, Client, Method};
use crate::{Access, Created, Remote, RemoteError, Upload, Watch};

/// How long a signature holds. It is made for one request, but clocks differ.
const SIGNED_FOR: Duration = Duration::from_secs(3600);

/// The biggest object that one PUT makes (5 GiB, S3's own limit).
const LARGEST: u64 = 5 << 30;

const LOGIN: &str = "check AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_REGION, and that this key may list, get, put and delete objects";

/// Objects below a prefix of a bucket. They become visible when they are whole, which is S3's own promise.
#[derive(Debug)]
pub(crate) struct S3<'w> {
    client: Client<'w>,
    bucket: Bucket,
    credentials: Credentials,
    prefix: String,
}

impl<'w> S3<'w> {
    pub(crate) fn new(bucket: &str, prefix: &str, access: &Access, watch: &'w dyn Watch) -> Result<Self, RemoteError> {
        let (bucket, credentials) = config::read(access, bucket)?;
        Ok(Self {
            client: Client::new(access, bucket.base_url(), watch)?,
            bucket,
            credentials,
            prefix: prefix.to_owned(),
        })
    }

    fn key(&self, path: &str) -> String {
        if self.prefix.is_empty() {
            path.to_owned()
        } else {
            format!("{}/{path}", self.prefix)
        }
    }

    fn place(&self, path: &str) -> String {
        format!("s3://{}/{}", self.bucket.name(), self.key(path))
    }

    /// Sends a request that is signed anew at each attempt.
    fn send(
        &self,
        method: Method,
        path: &str,
        headers: &[(&'static str, &'static str)],
        body: &Body<'_>,
    ) -> Result<Answer, RemoteError> {
        let key = self.key(path);
        let what = format!("{} {}", method.name(), self.place(path));
        self.client.send(&what, &|| {
            let credentials = Some(&self.credentials);
            let url = match method {
                Method::Get => signed(self.bucket.get_object(credentials, &key), headers),
                Method::Head => signed(self.bucket.head_object(credentials, &key), headers),
                Method::Delete => signed(self.bucket.delete_object(credentials, &key), headers),
                Method::Put | Method::MkCol | Method::Move => {
                    signed(self.bucket.put_object(credentials, &key), headers)
                }
            };
            let mut call = Call::new(method, url);
            let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned()));
            call.headers.extend(headers);
            call.body = body.clone();
            call
        })
    }

    fn unexpected(&self, method: Method, path: &str, answer: &Answer) -> RemoteError {
        let place = self.place(path);
        if answer.status == 404 {
            return RemoteError::Unable {
                place,
                reason: format!("there is no bucket {}", self.bucket.name()),
                hint: "make the bucket, or name another one; AWS_ENDPOINT_URL says at which server",
            };
        }
        // The message is for people, what surrounds it is not.
        let text = String::from_utf8_lossy(&answer.body).into_owned();
        let parts: Vec<&str> = ["Code", "Message"]
            .iter()
            .filter_map(|tag| element(&text, tag))
            .collect();
        let told = Answer {
            status: answer.status,
            headers: answer.headers.clone(),
            body: parts.join(": ").into_bytes(),
        };
        told.unexpected(method, place, LOGIN)
    }

    fn put(&self, root: &Path, file: &Upload) -> Result<(), RemoteError> {
        if file.size > LARGEST {
            return Err(RemoteError::Full {
                place: self.place(&file.path),
                reason: format!("{} bytes are more than one PUT may bring (5 GiB)", file.size),
            });
        }
        let answer = self.send(Method::Put, &file.path, &[], &Body::File(root.join(&file.path)))?;
        if answer.is_success() {
            return Ok(());
        }
        Err(self.unexpected(Method::Put, &file.path, &answer))
    }

    /// All keys below a folder, with sizes, relative to the remote.
    fn objects(&self, folder: &str) -> Result<Vec<(String, u64)>, RemoteError> {
        let prefix = self.key(folder);
        let what = format!("list {}", self.place(folder));
        let mut all = Vec::new();
        let mut token: Option<String> = None;
        loop {
            let answer = self.client.send(&what, &|| {
                let mut action = self.bucket.list_objects_v2(Some(&self.credentials));
                // Keys are paths of packages, which XML can hold as they are; not every server that promises to quote them does.
                action.query_mut().remove("encoding-type");
                action.with_prefix(prefix.as_str());
                if let Some(token) = &token {
                    action.with_continuation_token(token.as_str());
                }
                Call::new(Method::Get, action.sign(SIGNED_FOR))
            })?;
            if !answer.is_success() {
                return Err(self.unexpected(Method::Get, folder, &answer));
            }
            let page = ListObjectsV2::parse_response(&String::from_utf8_lossy(&answer.body)).map_err(|error| {
                RemoteError::Unable {
                    place: self.place(folder),
                    reason: format!("the list of objects cannot be read: {error}"),
                    hint: "does AWS_ENDPOINT_URL name a server that speaks S3?",
                }
            })?;
            let strip = self.key("").len();
            all.extend(
                page.contents
                    .into_iter()
                    .filter_map(|object| Some((object.key.get(strip..)?.to_owned(), object.size?))),
            );
            token = page.next_continuation_token;
            if token.is_none() {
                return Ok(all);
            }
        }
    }
}

fn signed<'a>(mut action: impl S3Action<'a>, headers: &[(&'static str, &'static str)]) -> url::Url {
    for (name, value) in headers {
        action.headers_mut().insert(*name, *value);
    }
    action.sign(SIGNED_FOR)
}

/// The text of the first element with this name.
fn element<'t>(xml: &'t str, name: &str) -> Option<&'t str> {
    let (_, rest) = xml.split_once(&format!("<{name}>"))?;
    Some(rest.split_once("</")?.0)
}

impl Remote for S3<'_> {
    fn get(&self, path: &str) -> Result<Option<Vec<u8>>, RemoteError> {
        let answer = self.send(Method::Get, path, &[], &Body::None)?;
        let no_bucket = || String::from_utf8_lossy(&answer.body).contains("NoSuchBucket");
        match answer.status {
            200 => Ok(Some(answer.body)),
            404 if !no_bucket() => Ok(None),
            _ => Err(self.unexpected(Method::Get, path, &answer)),
        }
    }

    fn size(&self, path: &str) -> Result<Option<u64>, RemoteError> {
        let answer = self.send(Method::Head, path, &[], &Body::None)?;
        match answer.status {
            200 => Ok(answer.length()),
            404 => Ok(None),
            _ => Err(self.unexpected(Method::Head, path, &answer)),
        }
    }

    fn list(&self, folder: &str) -> Result<Option<Vec<String>>, RemoteError> {
        let folder = format!("{folder}/");
        let objects = self.objects(&folder)?;
        let names = objects.into_iter().filter_map(|(key, _)| {
            let name = key.strip_prefix(&folder)?;
            (!name.contains('/')).then(|| name.to_owned())
        });
        Ok(Some(names.collect()))
    }

    /// One list says what is there: a name is given to one content only, and an object is whole or not there. (That its ETag is the
    /// MD5 of the content is true of some servers and settings only.)
    fn upload(&self, root: &Path, files: &[Upload]) -> Result<usize, RemoteError> {
        if files.iter().all(|file| file.settled) {
            return Ok(0);
        }
        let there: std::collections::BTreeMap<String, u64> = self.objects("")?.into_iter().collect();
        let lacking: Vec<&Upload> = files
            .iter()
            .filter(|file| there.get(&file.path) != Some(&file.size))
            .collect();
        let uploaded = AtomicUsize::new(0);
        each(&lacking, &|file| {
            self.put(root, file)?;
            uploaded.fetch_add(1, Ordering::Relaxed);
            self.client.watch.tell(&format!("uploaded {}", file.path));
            Ok(())
        })?;
        Ok(uploaded.into_inner())
    }

    fn download(&self, root: &Path, paths: &[String]) -> Result<usize, RemoteError> {
        download(root, paths, self.client.watch, &|path, file| {
            let key = self.key(path);
            let what = format!("GET {}", self.place(path));
            let call = || {
                let object = self.bucket.get_object(Some(&self.credentials), &key);
                Call::new(Method::Get, signed(object, &[]))
            };
            let answer = self.client.fetch(&what, &call, file)?;
            match answer.status {
                200 => Ok(true),
                404 => Ok(false),
                _ => Err(self.unexpected(Method::Get, path, &answer)),
            }
        })
    }

    fn create(&self, path: &str, bytes: &[u8]) -> Result<Created, RemoteError> {
        let answer = self.send(Method::Put, path, &[("if-none-match", "*")], &Body::Bytes(bytes))?;
        match answer.status {
            200..=299 => Ok(Created::Made),
            // 409: another request for the same key was under way.
            409 | 412 => Ok(Created::Exists),
            _ => Err(self.unexpected(Method::Put, path, &answer)),
        }
    }

    fn replace(&self, root: &Path, files: &[Upload]) -> Result<(), RemoteError> {
        each(files, &|file| self.put(root, file))
    }

    fn remove(&self, paths: &[String]) -> Result<(), RemoteError> {
        each(paths, &|path| {
            let answer = self.send(Method::Delete, path, &[], &Body::None)?;
            if answer.is_success() || answer.status == 404 {
                return Ok(());
            }
            Err(self.unexpected(Method::Delete, path, &answer))
        })
    }
}
