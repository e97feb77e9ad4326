//! Lines for a shell that need no shell: words that mean nothing but themselves, and redirections to and from files.
//!
//! What is simple here is simple for every shell that may be `/bin/sh`, by the grammar of POSIX (XCU 2) and the extensions of bash
//! and dash. Whatever is in doubt is not simple.

/// Signs that no shell takes for anything but themselves wherever they stand in a word, besides letters and digits. (`#` begins a
/// comment only where a word begins.)
const PLAIN: &str = "_-./,:+@%^=#";

/// The same for the word that names the program: without what would make an assignment, or mean a job, of it.
const PLAIN_IN_A_NAME: &str = "_-./+";

/// What a shell does itself, or takes for a part of its grammar: dash 0.5.12, bash 5.2 and busybox 1.35, without the names that have
/// other signs. Sorted.
const OF_THE_SHELL: [&str; 78] = [
    ".",
    "alias",
    "bg",
    "bind",
    "break",
    "builtin",
    "caller",
    "case",
    "cd",
    "chdir",
    "command",
    "compgen",
    "complete",
    "compopt",
    "continue",
    "coproc",
    "declare",
    "dirs",
    "disown",
    "do",
    "done",
    "echo",
    "elif",
    "else",
    "enable",
    "esac",
    "eval",
    "exec",
    "exit",
    "export",
    "false",
    "fc",
    "fg",
    "fi",
    "for",
    "function",
    "getopts",
    "hash",
    "help",
    "history",
    "if",
    "in",
    "jobs",
    "kill",
    "let",
    "local",
    "logout",
    "mapfile",
    "popd",
    "printf",
    "pushd",
    "pwd",
    "read",
    "readarray",
    "readonly",
    "return",
    "select",
    "set",
    "shift",
    "shopt",
    "source",
    "suspend",
    "test",
    "then",
    "time",
    "times",
    "trap",
    "true",
    "type",
    "typeset",
    "ulimit",
    "umask",
    "unalias",
    "unset",
    "until",
    "wait",
    "while",
    // A program that does something else if it leads its process group, as it does when no shell stands before it.
    "setsid",
];

/// A line that is a program with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct SimpleLine<'a> {
    /// The program and its arguments: one at least.
    pub(super) words: Vec<&'a str>,
    /// In the order in which a shell carries them out.
    pub(super) redirections: Vec<Redirection<'a>>,
}

/// One of the program's streams goes to a file, or comes from it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Redirection<'a> {
    pub(super) stream: Stream,
    /// As it stands in the line.
    pub(super) file: &'a str,
}

/// What is redirected, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stream {
    /// `<`
    Input,
    /// `>`
    Output,
    /// `>>`
    AppendedOutput,
    /// `2>`
    Errors,
}

impl Stream {
    /// The longer sign before the one that it begins with.
    const SIGNS: [(&'static str, Self); 4] = [
        (">>", Self::AppendedOutput),
        (">", Self::Output),
        ("<", Self::Input),
        ("2>", Self::Errors),
    ];
}

impl<'a> SimpleLine<'a> {
    /// Reads a line; `None` if it may mean something else to some shell.
    pub(super) fn parse(line: &'a str) -> Option<Self> {
        let (mut words, mut redirections) = (Vec::new(), Vec::new());
        // The line of a YAML block ends with a newline, after which a shell finds nothing.
        let mut tokens = line
            .trim_end_matches('\n')
            .split([' ', '\t'])
            .filter(|token| !token.is_empty());
        while let Some(token) = tokens.next() {
            let mut signs = Stream::SIGNS.into_iter();
            let found = signs.find_map(|(sign, stream)| Some((stream, token.strip_prefix(sign)?)));
            let Some((stream, file)) = found else {
                words.push(Some(token).filter(|word| is_plain(word, PLAIN))?);
                continue;
            };
            let file = if file.is_empty() { tokens.next()? } else { file };
            redirections.push(Redirection {
                stream,
                file: Some(file).filter(|file| is_plain(file, PLAIN))?,
            });
        }
        let name = words.first()?;
        let is_program = is_plain(name, PLAIN_IN_A_NAME) && !OF_THE_SHELL.contains(name);
        is_program.then_some(Self { words, redirections })
    }
}

fn is_plain(word: &str, signs: &str) -> bool {
    !word.starts_with('#') && word.chars().all(|c| c.is_ascii_alphanumeric() || signs.contains(c))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_redirections() {
        let line = SimpleLine::parse("  sed\t-e /^#/d  a,b 2>errors >> all < in > out\n").unwrap();
        assert_eq!(line.words, ["sed", "-e", "/^#/d", "a,b"]);
        let redirections: Vec<_> = line.redirections.iter().map(|one| (one.stream, one.file)).collect();
        assert_eq!(
            redirections,
            [
                (Stream::Errors, "errors"),
                (Stream::AppendedOutput, "all"),
                (Stream::Input, "in"),
                (Stream::Output, "out"),
            ]
        );
        for line in ["cc", "./tool/gen --x=1 a:b @c", ">out cat <in", "g++ -O2 a.c", "a 2 >b"] {
            assert!(SimpleLine::parse(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_a_shell_may_understand_otherwise() {
        let lines = [
            "",
            "\n",
            "> out",
            "A=1 cc",
            "a=b",
            "cd x",
            "echo a",
            ". a",
            "[ a ]",
            "if a",
            "time cc",
            "exec cc",
            "setsid cc",
            "%1",
            "^a^b",
            "-a #b",
            "#a",
            "a #",
            "~/a",
            "a ~",
            "a ~b",
            "a=~b c",
            "a;b",
            "a&",
            "a|b",
            "(a)",
            "{ a; }",
            "a {b,c}",
            "!a",
            "! a",
            "a $b",
            "a `b`",
            "a 'b'",
            "a \"b\"",
            "a \\b",
            "a *",
            "a ?",
            "a [b]",
            "a\nb",
            "\na",
            "a\rb",
            "a>b",
            "a 1>b",
            "a 3<b",
            "a 2>>b",
            "a >&b",
            "a >|b",
            "a <>b",
            "a <<b",
            "a <<<b",
            "a 2>&1",
            "a &>b",
            "a >",
            "a > > b",
            "a > #b",
            "a > 'b'",
            "a é",
            "é",
            "a \u{a0}b",
            "a\u{b}b",
        ];
        for line in lines {
            assert_eq!(SimpleLine::parse(line), None, "{line:?}");
        }
    }
}
