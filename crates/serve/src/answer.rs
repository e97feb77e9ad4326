//! From a request to an answer.

use std::hash::{BuildHasher as _, RandomState};
use std::path::Path;
use std::time::SystemTime;

use hyper::header::{
    ACCEPT_RANGES, ALLOW, CONTENT_LENGTH, CONTENT_RANGE, CONTENT_TYPE, ETAG, HeaderValue, LAST_MODIFIED, LOCATION,
    RANGE, RETRY_AFTER,
};
use hyper::{Method, Request, Response, StatusCode};
use rustix::io::Errno;

use crate::buffers::Buffers;
use crate::content::Content;
use crate::path::{self, Refused};
use crate::range::{Selected, Span, select};
use crate::root::{Found, Patience, Root};
use crate::validators::{Validators, Verdict};
use crate::{listing, media};

/// What answers are made from.
#[derive(Debug)]
pub(crate) struct Site {
    root: Root,
    buffers: Buffers,
    /// What nobody outside can guess: a boundary of parts must not occur in any of them.
    secret: RandomState,
}

/// An answer would have to wait for the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct MustWait;

impl Site {
    /// A site of which nothing was asked yet.
    pub(crate) fn new(root: Root) -> Self {
        Self {
            root,
            buffers: Buffers::default(),
            secret: RandomState::new(),
        }
    }

    /// Answers a request at the time `now`.
    ///
    /// # Errors
    ///
    /// [`MustWait`] without patience: to be asked again with it.
    pub(crate) fn answer(
        &self,
        request: &Request<()>,
        now: SystemTime,
        patience: Patience,
    ) -> Result<Response<Content>, MustWait> {
        let method = request.method();
        if method != Method::GET && method != Method::HEAD {
            let refusal = refusal(StatusCode::METHOD_NOT_ALLOWED);
            return Ok(with(refusal, [(ALLOW, HeaderValue::from_static("GET, HEAD"))]));
        }
        let mut answer = self.answer_get(request, now, patience)?;
        let length = answer.body().left();
        // The length of what was not modified is none of this answer's (RFC 9110, section 8.6).
        if answer.status() != StatusCode::NOT_MODIFIED {
            answer.headers_mut().insert(CONTENT_LENGTH, HeaderValue::from(length));
        }
        if method == Method::HEAD {
            *answer.body_mut() = Content::default();
        }
        Ok(answer)
    }

    fn answer_get(
        &self,
        request: &Request<()>,
        now: SystemTime,
        patience: Patience,
    ) -> Result<Response<Content>, MustWait> {
        let wanted = match path::parse(request.uri().path()) {
            Ok(wanted) => wanted,
            Err(Refused::Malformed) => return Ok(refusal(StatusCode::BAD_REQUEST)),
            Err(Refused::Hidden) => return Ok(refusal(StatusCode::NOT_FOUND)),
        };
        let found = match self.root.find(&wanted.path, patience) {
            Ok(found) => found,
            Err(Errno::AGAIN) if patience == Patience::None => return Err(MustWait),
            Err(error) => return Ok(refused_by(error)),
        };
        Ok(match (found.is_folder, wanted.is_folder) {
            // No name of a listing would lead anywhere from an address without the slash.
            (true, false) => moved(&format!("{}/", path::of(&wanted.path))),
            (true, true) if patience == Patience::None => return Err(MustWait),
            (true, true) => match listing::rows(&self.root, &found.file, &wanted.path) {
                Ok(rows) => html(listing::page(&wanted.path, &rows)),
                Err(error) => refused_by(error),
            },
            (false, true) => refusal(StatusCode::NOT_FOUND),
            (false, false) => self.file(request, &wanted.path, found, now),
        })
    }

    fn file(&self, request: &Request<()>, path: &Path, found: Found, now: SystemTime) -> Response<Content> {
        let headers = request.headers();
        let validators = Validators::of(&found.stat, now);
        let tag = (ETAG, header(&validators.tag()));
        match validators.verdict(headers) {
            Verdict::Go => {}
            Verdict::NotModified => return with(status(StatusCode::NOT_MODIFIED), [tag]),
            Verdict::Failed => return refusal(StatusCode::PRECONDITION_FAILED),
        }
        let length = found.stat.len;
        let media = media::type_of(path.file_name().unwrap_or_default());
        let mut content = Content::of(found.file, &self.buffers);
        // Ranges are for GET alone (section 14.2).
        let range = headers.get(RANGE).filter(|_| request.method() == Method::GET);
        let selected = match range.filter(|_| validators.range_counts(headers)) {
            Some(range) => select(range.as_bytes(), length),
            None => Selected::Whole,
        };
        let (code, media, range) = match selected {
            Selected::Whole => {
                content.push_part(Span { first: 0, len: length });
                (StatusCode::OK, media.to_owned(), None)
            }
            Selected::Nothing => {
                let range = (CONTENT_RANGE, header(&format!("bytes */{length}")));
                return with(refusal(StatusCode::RANGE_NOT_SATISFIABLE), [range]);
            }
            Selected::Spans(spans) => match spans[..] {
                // A single part is never sent as one of several (section 15.3.7.2).
                [span] => {
                    content.push_part(span);
                    let range = header(&span.content_range(length).to_string());
                    (StatusCode::PARTIAL_CONTENT, media.to_owned(), Some(range))
                }
                _ => {
                    let boundary = self.boundary(now);
                    push_parts(&mut content, &spans, length, media, &boundary);
                    let media = format!("multipart/byteranges; boundary={boundary}");
                    (StatusCode::PARTIAL_CONTENT, media, None)
                }
            },
        };
        let answer = Response::new(content);
        let answer = with(
            answer,
            [
                (CONTENT_TYPE, header(&media)),
                (ACCEPT_RANGES, HeaderValue::from_static("bytes")),
                tag,
                (LAST_MODIFIED, header(&validators.last_modified())),
            ],
        );
        let mut answer = with(answer, range.map(|range| (CONTENT_RANGE, range)));
        *answer.status_mut() = code;
        answer
    }

    fn boundary(&self, now: SystemTime) -> String {
        let word = |number: u8| self.secret.hash_one((now, number));
        format!("{:016x}{:016x}", word(0), word(1))
    }
}

/// Several parts of a file, as section 14.6 of RFC 9110 and section 5.1.1 of RFC 2046 have them.
fn push_parts(content: &mut Content, spans: &[Span], length: u64, media: &str, boundary: &str) {
    let mut line_end = "";
    for span in spans {
        let range = span.content_range(length);
        content.push_text(format!(
            "{line_end}--{boundary}\r\nContent-Type: {media}\r\nContent-Range: {range}\r\n\r\n"
        ));
        content.push_part(*span);
        line_end = "\r\n";
    }
    content.push_text(format!("\r\n--{boundary}--\r\n"));
}

/// An answer for what the system said of a name.
fn refused_by(error: Errno) -> Response<Content> {
    match error {
        // Who asks for what lies outside hears the same as who asks for nothing.
        Errno::NOENT | Errno::NOTDIR | Errno::XDEV | Errno::LOOP | Errno::NAMETOOLONG | Errno::NXIO => {
            refusal(StatusCode::NOT_FOUND)
        }
        Errno::ACCESS | Errno::PERM => refusal(StatusCode::FORBIDDEN),
        Errno::MFILE | Errno::NFILE | Errno::NOMEM | Errno::AGAIN => with(
            refusal(StatusCode::SERVICE_UNAVAILABLE),
            [(RETRY_AFTER, HeaderValue::from(1))],
        ),
        _ => refusal(StatusCode::INTERNAL_SERVER_ERROR),
    }
}

/// A short text that says what the status says.
pub(crate) fn refusal(code: StatusCode) -> Response<Content> {
    let mut answer = Response::new(Content::text(format!("{code}\n")));
    *answer.status_mut() = code;
    with(
        answer,
        [(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"))],
    )
}

fn moved(to: &str) -> Response<Content> {
    with(refusal(StatusCode::MOVED_PERMANENTLY), [(LOCATION, header(to))])
}

fn html(page: String) -> Response<Content> {
    with(
        Response::new(Content::text(page)),
        [(CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"))],
    )
}

fn status(code: StatusCode) -> Response<Content> {
    let mut answer = Response::new(Content::default());
    *answer.status_mut() = code;
    answer
}

fn with(
    mut answer: Response<Content>,
    headers: impl IntoIterator<Item = (hyper::header::HeaderName, HeaderValue)>,
) -> Response<Content> {
    answer.headers_mut().extend(headers);
    answer
}

/// A value that is ASCII by its making.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or_else(|_| HeaderValue::from_static(""))
}
