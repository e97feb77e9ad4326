//! `profiles/updates`: what packages were called before, as `portage.update` reads it.

use crate::atom::{Atom, AtomSyntax};

/// A package that got another name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Move {
    /// What it was called, `CATEGORY/NAME`.
    pub from: String,
    /// What it is called since.
    pub to: String,
    /// The file that says so, such as `1Q-2024`.
    pub file: String,
    /// Its line, from 1.
    pub line: usize,
}

/// The renamings of a repository, oldest first. (Slots that moved are not among them: they change no name.)
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moves(Vec<Move>);

impl Moves {
    /// Reads the files of `profiles/updates`, each a name and a text, in whatever order they come: those called `nQ-YYYY` count by
    /// their date, any other after them. Lines that Portage would not take are passed over, as are files whose name begins with a dot.
    pub fn read<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        let mut dated: Vec<(bool, (&str, &str), &str, &str)> = files
            .into_iter()
            .filter(|(name, _)| !name.starts_with('.'))
            .map(|(name, text)| (quarter(name).is_none(), quarter(name).unwrap_or_default(), name, text))
            .collect();
        dated.sort_unstable();
        let mut moves = Vec::new();
        for (_, _, file, text) in dated {
            for (index, line) in text.lines().enumerate() {
                let words: Vec<&str> = line.split_whitespace().collect();
                if let ["move", from, to] = words[..]
                    && is_name(from)
                    && is_name(to)
                {
                    moves.push(Move {
                        from: from.to_owned(),
                        to: to.to_owned(),
                        file: file.to_owned(),
                        line: index + 1,
                    });
                }
            }
        }
        Self(moves)
    }

    /// The renamings of a package that was called `name` once, oldest first; the last one says what it is called today. Empty if its
    /// name never changed.
    #[must_use]
    pub fn of(&self, name: &str) -> Vec<&Move> {
        let mut found: Vec<&Move> = Vec::new();
        for one in &self.0 {
            if one.from == found.last().map_or(name, |last| &last.to) {
                found.push(one);
            }
        }
        found
    }
}

/// Year and quarter of a file `nQ-YYYY`, by which the files are sorted.
fn quarter(file: &str) -> Option<(&str, &str)> {
    let (quarter, year) = file.split_once("Q-")?;
    let digits = |text: &str, length| text.len() == length && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits(quarter, 1) && digits(year, 4)).then_some((year, quarter))
}

fn is_name(text: &str) -> bool {
    Atom::parse(text, AtomSyntax::EBUILD).is_ok_and(|atom| atom.is_plain_name())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_followed_through_the_quarters() {
        let moves = Moves::read([
            (
                "1Q-2024",
                "move sys-devel/gdb dev-debug/gdb\nmove dev-util/b dev-build/c\n",
            ),
            (
                "4Q-2019",
                "move dev-util/a dev-util/b\n# no comment\nmove x/y\nslotmove a/b 0 1\n",
            ),
            (".notes", "move dev-util/a never/seen\n"),
            ("0-undated", "move dev-debug/gdb dev-debug/gnu\n"),
        ]);
        let of = |name| -> Vec<String> {
            let found = moves.of(name);
            found
                .iter()
                .map(|one| format!("{} {}:{}", one.to, one.file, one.line))
                .collect()
        };
        assert_eq!(of("dev-util/a"), ["dev-util/b 4Q-2019:1", "dev-build/c 1Q-2024:2"]);
        assert_eq!(
            of("sys-devel/gdb"),
            ["dev-debug/gdb 1Q-2024:1", "dev-debug/gnu 0-undated:1"]
        );
        assert_eq!(of("dev-build/c"), [""; 0]);
        assert_eq!(moves.0.len(), 4);
    }

    #[test]
    fn what_was_called_so_before_a_renaming_back_stays() {
        let moves = Moves::read([("1Q-2020", "move a/b c/d\n"), ("2Q-2020", "move c/d a/b\n")]);
        assert_eq!(moves.of("a/b").last().map(|last| last.to.as_str()), Some("a/b"));
        assert_eq!(moves.of("c/d").len(), 1);
    }
}
