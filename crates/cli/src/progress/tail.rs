//! The last lines of a failed node's log.

use std::io::{Read as _, Seek as _, SeekFrom};
use std::path::Path;

/// How many lines are shown: enough for a compiler's error and what led to it.
const LINES: usize = 20;

/// How much of the end of a log is read to find them.
const WINDOW: u64 = 64 * 1024;

/// The last lines of the log at `path`, without control characters; empty when it cannot be read, which is no reason to fail
/// once more.
pub(super) fn last_lines(path: &Path) -> Vec<String> {
    let read = || -> std::io::Result<Vec<u8>> {
        let mut file = fs_err::File::open(path)?;
        let length = file.metadata()?.len();
        let start = length.saturating_sub(WINDOW);
        file.seek(SeekFrom::Start(start))?;
        let mut bytes = Vec::new();
        file.take(WINDOW).read_to_end(&mut bytes)?;
        if start > 0 {
            // The first line is most likely torn.
            let torn = bytes.iter().position(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            bytes.drain(..torn);
        }
        Ok(bytes)
    };
    read()
        .map(|bytes| clean(&String::from_utf8_lossy(&bytes)))
        .unwrap_or_default()
}

/// The last lines of a text as a terminal would show them: what a carriage return overwrote is gone, as are escapes.
pub(super) fn clean(text: &str) -> Vec<String> {
    let stripped = anstream::adapter::strip_str(text).to_string();
    let mut lines: Vec<String> = stripped
        .lines()
        .map(|line| {
            let shown = line.trim_end().rsplit('\r').next().unwrap_or_default();
            shown
                .replace('\t', "    ")
                .chars()
                .filter(|character| !character.is_control())
                .collect()
        })
        .collect();
    while lines.last().is_some_and(String::is_empty) {
        lines.pop();
    }
    lines.split_off(lines.len().saturating_sub(LINES))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_a_long_log() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log");
        let text: String = (0..20_000).map(|number| format!("line {number}\n")).collect();
        fs_err::write(&path, text).unwrap();
        let lines = last_lines(&path);
        assert_eq!(lines.len(), LINES);
        assert_eq!(lines[0], "line 19980");
        assert_eq!(lines[LINES - 1], "line 19999");
    }

    #[test]
    fn what_a_terminal_would_show() {
        assert_eq!(
            clean("a\x1b[31mb\x1b[0m\n 10%\r100%\r\nx\ty\n\n\n"),
            ["ab", "100%", "x    y"]
        );
    }

    #[test]
    fn no_log_is_no_failure() {
        assert!(last_lines(Path::new("/does/not/exist")).is_empty());
    }
}
