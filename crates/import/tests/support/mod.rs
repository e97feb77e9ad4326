//! Folders from texts.

use camino::Utf8PathBuf;
use farm_import::{Entry, Files};

/// Reads a text in the form of Go's txtar: `-- PATH --` starts a file, `-- * PATH --` a program.
pub(crate) fn files(text: &str) -> Files {
    let mut files = Files::new();
    let mut current: Option<(Utf8PathBuf, u32, String)> = None;
    for line in text.lines() {
        let path = line.strip_prefix("-- ").and_then(|rest| rest.strip_suffix(" --"));
        match (path, &mut current) {
            (Some(path), _) => {
                let program = path.strip_prefix("* ");
                let mode = if program.is_some() { 0o755 } else { 0o644 };
                put(&mut files, current.take());
                current = Some((program.unwrap_or(path).into(), mode, String::new()));
            }
            (None, Some((_, _, text))) => {
                text.push_str(line);
                text.push('\n');
            }
            (None, None) => {}
        }
    }
    put(&mut files, current);
    files
}

fn put(files: &mut Files, file: Option<(Utf8PathBuf, u32, String)>) {
    if let Some((path, mode, text)) = file {
        let bytes = text.into_bytes();
        files.insert(path, Entry::File { bytes, mode });
    }
}
