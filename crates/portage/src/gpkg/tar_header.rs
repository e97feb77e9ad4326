//! Writing tar entries: POSIX ustar, and GNU's extensions where ustar has no room, as GLEP 78 demands. No pax.

use std::io::{self, Write};

/// The size of a tar block.
pub(super) const BLOCK: u64 = 512;

/// The room for a name or a link target in every tar header, in bytes.
const NAME: usize = 100;

/// The room for what precedes the name in a ustar header, in bytes.
const PREFIX: usize = 155;

/// What a tar header says, apart from the content.
#[derive(Debug, Clone)]
pub(super) struct Fields<'a> {
    pub(super) path: &'a str,
    pub(super) kind: tar::EntryType,
    pub(super) link: &'a str,
    pub(super) mode: u32,
    pub(super) uid: u64,
    pub(super) gid: u64,
    pub(super) uname: &'a str,
    pub(super) gname: &'a str,
    pub(super) size: u64,
    pub(super) mtime: u64,
}

impl<'a> Fields<'a> {
    /// A plain file of root's with mode 0644, as all members and metadata are.
    pub(super) fn file(path: &'a str, size: u64, mtime: u64) -> Self {
        Self {
            path,
            kind: tar::EntryType::Regular,
            link: "",
            mode: 0o644,
            uid: 0,
            gid: 0,
            uname: "",
            gname: "",
            size,
            mtime,
        }
    }
}

/// Writes the header, with GNU long-name entries before it if the path or the link target does not fit.
///
/// The number of bytes depends on path and link alone, so that a header can be written again once the size is known.
pub(super) fn write_header(sink: &mut dyn Write, fields: &Fields<'_>) -> io::Result<()> {
    let long_link = fields.link.len() > NAME;
    let ustar = split_name(fields.path).filter(|_| !long_link);
    let mut header = if ustar.is_some() {
        tar::Header::new_ustar()
    } else {
        tar::Header::new_gnu()
    };
    if long_link {
        write_long(sink, tar::EntryType::GNULongLink, fields.link)?;
    }
    if ustar.is_none() && fields.path.len() > NAME {
        write_long(sink, tar::EntryType::GNULongName, fields.path)?;
    }
    let (prefix, name) = ustar.unwrap_or(("", fields.path));
    put(&mut header.as_old_mut().name, name);
    if let Some(header) = header.as_ustar_mut() {
        put(&mut header.prefix, prefix);
    }
    put(&mut header.as_old_mut().linkname, fields.link);
    header.set_entry_type(fields.kind);
    header.set_mode(fields.mode);
    header.set_uid(fields.uid);
    header.set_gid(fields.gid);
    if !fields.uname.is_empty() {
        header.set_username(fields.uname)?;
    }
    if !fields.gname.is_empty() {
        header.set_groupname(fields.gname)?;
    }
    header.set_size(fields.size);
    header.set_mtime(fields.mtime);
    header.set_cksum();
    sink.write_all(header.as_bytes())
}

/// Fills the last block of an entry of `size` bytes.
pub(super) fn write_padding(sink: &mut dyn Write, size: u64) -> io::Result<()> {
    let rest = size % BLOCK;
    if rest == 0 {
        Ok(())
    } else {
        sink.write_all(&[0; BLOCK as usize][rest as usize..])
    }
}

/// Ends an archive: two empty blocks.
pub(super) fn write_end(sink: &mut dyn Write) -> io::Result<()> {
    sink.write_all(&[0; 2 * BLOCK as usize])
}

fn write_long(sink: &mut dyn Write, kind: tar::EntryType, value: &str) -> io::Result<()> {
    let mut header = tar::Header::new_gnu();
    put(&mut header.as_old_mut().name, "././@LongLink");
    let size = value.len() as u64 + 1;
    header.set_entry_type(kind);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(size);
    header.set_cksum();
    sink.write_all(header.as_bytes())?;
    sink.write_all(value.as_bytes())?;
    sink.write_all(b"\0")?;
    write_padding(sink, size)
}

/// Copies as much of `value` as the field holds.
fn put(field: &mut [u8], value: &str) {
    let n = value.len().min(field.len());
    field[..n].copy_from_slice(&value.as_bytes()[..n]);
}

/// Divides a path between ustar's fields `prefix` and `name`; `None` if it does not fit.
fn split_name(path: &str) -> Option<(&str, &str)> {
    if path.len() <= NAME {
        return Some(("", path));
    }
    path.match_indices('/')
        .map(|(at, _)| (&path[..at], &path[at + 1..]))
        .find(|(prefix, name)| prefix.len() <= PREFIX && (1..=NAME).contains(&name.len()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_names_and_links_survive() {
        let deep = "d/".repeat(70) + "file";
        let flat = "image/".to_owned() + &"n".repeat(180);
        let long_link = "t".repeat(130);
        for path in ["a", &deep, &flat, &"x".repeat(100), &"x".repeat(101)] {
            for link in ["target", &long_link] {
                let mut bytes = Vec::new();
                let fields = Fields {
                    kind: tar::EntryType::Symlink,
                    link,
                    mode: 0o777,
                    ..Fields::file(path, 0, 7)
                };
                write_header(&mut bytes, &fields).unwrap();
                write_end(&mut bytes).unwrap();
                let mut archive = tar::Archive::new(&bytes[..]);
                let entry = archive.entries().unwrap().next().unwrap().unwrap();
                assert_eq!(entry.path_bytes(), path.as_bytes());
                assert_eq!(entry.link_name_bytes().unwrap(), link.as_bytes());
                assert_eq!(entry.header().mtime().unwrap(), 7);
            }
        }
    }
}
