//! Writes tar archives whose bytes depend on nothing but what is in them.
//!
//! ustar headers (POSIX.1-1988) with PAX records (POSIX.1-2001) for what does not fit: names over 100 bytes or beyond ASCII,
//! large numbers, capabilities. Owners have no names, and whatever is given no time has the epoch.

use std::ffi::OsStr;
use std::io::{self, Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use tar::{EntryType, Header};

/// Owner, mode, capability and time of a member.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Attributes<'a> {
    pub(crate) mode: u32,
    pub(crate) uid: u32,
    pub(crate) gid: u32,
    pub(crate) capability: Option<&'a [u8]>,
    /// Seconds since 1970; the archive's own where there is none.
    pub(crate) time: Option<u64>,
}

/// Kind and content of a member.
pub(crate) enum Body<'a> {
    File { size: u64, content: &'a mut dyn Read },
    HardLink { target: &'a Path },
    Dir,
    Symlink { target: &'a OsStr },
    Fifo,
    CharDevice { major: u32, minor: u32 },
    BlockDevice { major: u32, minor: u32 },
}

/// The largest number that seven octal digits hold: the owner fields of a header.
const LARGEST_OWNER: u32 = 0o777_7777;
/// The same for the eleven digits of the size field.
const LARGEST_SIZE: u64 = 0o777_7777_7777;
/// Name field of a header.
const NAME: usize = 100;

pub(crate) struct TarWriter<W> {
    out: W,
    epoch: u64,
}

impl<W: Write> TarWriter<W> {
    pub(crate) fn new(out: W, epoch: u64) -> Self {
        Self { out, epoch }
    }

    /// Appends one member. A source that yields fewer bytes than it said is an error of kind `UnexpectedEof`.
    pub(crate) fn append(&mut self, path: &Path, attributes: Attributes<'_>, body: Body<'_>) -> io::Result<()> {
        let mut name = path.as_os_str().as_bytes().to_vec();
        if matches!(body, Body::Dir) {
            name.push(b'/');
        }
        let (kind, size, link, device) = match &body {
            Body::File { size, .. } => (EntryType::Regular, *size, &b""[..], None),
            Body::HardLink { target } => (EntryType::Link, 0, target.as_os_str().as_bytes(), None),
            Body::Dir => (EntryType::Directory, 0, &b""[..], None),
            Body::Symlink { target } => (EntryType::Symlink, 0, target.as_bytes(), None),
            Body::Fifo => (EntryType::Fifo, 0, &b""[..], None),
            Body::CharDevice { major, minor } => (EntryType::Char, 0, &b""[..], Some((*major, *minor))),
            Body::BlockDevice { major, minor } => (EntryType::Block, 0, &b""[..], Some((*major, *minor))),
        };
        let fits = |text: &[u8]| text.len() <= NAME && text.is_ascii();
        let mut records = Vec::new();
        if let Some(capability) = attributes.capability {
            record(&mut records, "SCHILY.xattr.security.capability", capability);
        }
        if attributes.gid > LARGEST_OWNER {
            record(&mut records, "gid", attributes.gid.to_string().as_bytes());
        }
        if !fits(link) {
            record(&mut records, "linkpath", link);
        }
        if !fits(&name) {
            record(&mut records, "path", &name);
        }
        if size > LARGEST_SIZE {
            record(&mut records, "size", size.to_string().as_bytes());
        }
        if attributes.uid > LARGEST_OWNER {
            record(&mut records, "uid", attributes.uid.to_string().as_bytes());
        }
        if !records.is_empty() {
            let header = self.header(
                b"PaxHeader",
                b"",
                EntryType::XHeader,
                records.len() as u64,
                &Attributes {
                    mode: 0o644,
                    ..Attributes::default()
                },
            );
            self.out.write_all(header.as_bytes())?;
            self.out.write_all(&records)?;
            self.pad(records.len() as u64)?;
        }
        let mut header = self.header(
            &name,
            link,
            kind,
            if size > LARGEST_SIZE { 0 } else { size },
            &attributes,
        );
        if let Some((major, minor)) = device {
            header.set_device_major(major)?;
            header.set_device_minor(minor)?;
            header.set_cksum();
        }
        self.out.write_all(header.as_bytes())?;
        if let Body::File { content, .. } = body {
            let copied = io::copy(&mut content.take(size), &mut self.out)?;
            if copied != size {
                let message = format!("`{}` ended after {copied} of {size} bytes", path.display());
                return Err(io::Error::new(io::ErrorKind::UnexpectedEof, message));
            }
            self.pad(size)?;
        }
        Ok(())
    }

    /// Writes the end of the archive and returns the writer.
    pub(crate) fn finish(mut self) -> io::Result<W> {
        self.out.write_all(&[0; 1024])?;
        self.out.flush()?;
        Ok(self.out)
    }

    fn header(&self, name: &[u8], link: &[u8], kind: EntryType, size: u64, attributes: &Attributes<'_>) -> Header {
        let mut header = Header::new_ustar();
        header.set_entry_type(kind);
        header.set_mode(attributes.mode & 0o7777);
        header.set_uid(u64::from(if attributes.uid > LARGEST_OWNER {
            0
        } else {
            attributes.uid
        }));
        header.set_gid(u64::from(if attributes.gid > LARGEST_OWNER {
            0
        } else {
            attributes.gid
        }));
        header.set_size(size);
        header.set_mtime(attributes.time.unwrap_or(self.epoch));
        let fields = header.as_old_mut();
        // What is cut here stands whole in a PAX record.
        let put = |field: &mut [u8; NAME], text: &[u8]| {
            let length = text.len().min(NAME);
            field[..length].copy_from_slice(&text[..length]);
        };
        put(&mut fields.name, name);
        put(&mut fields.linkname, link);
        header.set_cksum();
        header
    }

    fn pad(&mut self, size: u64) -> io::Result<()> {
        let padding = size.next_multiple_of(512) - size;
        self.out.write_all(&[0; 512][..padding as usize])
    }
}

/// Appends `LENGTH KEY=VALUE\n`, where the length counts its own digits too.
fn record(records: &mut Vec<u8>, key: &str, value: &[u8]) {
    let rest = key.len() + value.len() + 3;
    let mut length = rest + 1;
    while length != rest + length.to_string().len() {
        length = rest + length.to_string().len();
    }
    records.extend_from_slice(format!("{length} {key}=").as_bytes());
    records.extend_from_slice(value);
    records.push(b'\n');
}
