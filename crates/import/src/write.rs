//! The text of a manifest.

/// The longest line that is written where a list can be broken.
const WIDTH: usize = 110;

/// A manifest under way.
#[derive(Debug, Default)]
pub(crate) struct Writer {
    text: String,
}

impl Writer {
    /// A line, two blanks a level.
    pub(crate) fn line(&mut self, depth: usize, text: &str) {
        if !text.is_empty() {
            self.text.push_str(&"  ".repeat(depth));
            self.text.push_str(text);
        }
        self.text.push('\n');
    }

    /// Comments, each with its `#`.
    pub(crate) fn comments(&mut self, depth: usize, comments: &[String]) {
        for comment in comments {
            self.line(depth, comment.trim_end());
        }
    }

    /// `key: value`.
    pub(crate) fn value(&mut self, depth: usize, key: &str, value: &str) {
        self.line(depth, &format!("{}: {}", quoted(key), quoted(value)));
    }

    /// `key: [a, b]`, broken where it would be too long.
    pub(crate) fn list(&mut self, depth: usize, key: &str, words: impl IntoIterator<Item = impl AsRef<str>>) {
        let start = format!("{key}: [");
        let indent = " ".repeat(start.len());
        let mut line = start;
        let mut empty = true;
        for word in words {
            let word = quoted(word.as_ref());
            if !empty {
                line.push(',');
                if 2 * depth + line.len() + 1 + word.len() > WIDTH {
                    self.line(depth, &line);
                    line = indent.clone();
                } else {
                    line.push(' ');
                }
            }
            line.push_str(&word);
            empty = false;
        }
        line.push(']');
        self.line(depth, &line);
    }

    pub(crate) fn finish(self) -> String {
        self.text
    }
}

/// A text as YAML takes it, in quotes where it might be taken for something else.
pub(crate) fn quoted(text: &str) -> String {
    let bare = text.strip_prefix('-').unwrap_or(text);
    // What a manifest's variables are made of may stand as it is, outside of flow lists and in them.
    let plain = |c: char| c.is_ascii_alphanumeric() || "_./+-${}".contains(c);
    let word = bare.starts_with(|first: char| first.is_ascii_alphanumeric()) && text.chars().all(plain);
    let said_otherwise = matches!(text, "null" | "true" | "false" | "yes" | "no" | "on" | "off");
    if word && !said_otherwise && !text.contains(['{', '}']) {
        text.to_owned()
    } else {
        format!("\"{}\"", text.replace('\\', "\\\\").replace('"', "\\\""))
    }
}

/// A text of the source, in which nothing is a variable of the manifest.
pub(crate) fn literal(text: &str) -> String {
    text.replace("${", "$${")
}

#[cfg(test)]
mod tests {
    use super::{Writer, literal, quoted};

    #[test]
    fn quotes_stand_where_they_must() {
        for plain in ["a", "-c++11", "sci-physics/root", "mysql++", "4.10.6_p2", "file.conf"] {
            assert_eq!(quoted(plain), plain);
        }
        for quote in [
            "=a/b-1", "~amd64", "*/*", "@set", "", "-*", "a b", "a:0", "a: b", "no", "${X}", "[a]", "-", "#a", "ü",
        ] {
            assert_eq!(quoted(quote), format!("\"{quote}\""));
        }
        assert_eq!(quoted("a\"\\b"), "\"a\\\"\\\\b\"");
        assert_eq!(literal("${A} $B"), "$${A} $B");
    }

    #[test]
    fn long_lists_are_broken() {
        let mut writer = Writer::default();
        writer.list(1, "use", (0..30).map(|number| format!("flag{number}")));
        let text = writer.finish();
        assert_eq!(text.lines().count(), 3, "{text}");
        assert!(text.lines().all(|line| line.len() <= 112), "{text}");
        assert!(text.starts_with("  use: [flag0, ") && text.ends_with("flag29]\n"));
    }
}
