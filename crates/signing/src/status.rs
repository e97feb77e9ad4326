//! What gpg says beside its output: status lines for programs (`doc/DETAILS` of GnuPG, "Format of the --status-fd output") and
//! messages for people.

use crate::SigningError;

/// GnuPG's codes of errors that mean something to us (`err-codes.h` of libgpg-error): the lower 16 bits of a number that
/// tells its source above them.
mod code {
    pub(super) const BAD_PASSPHRASE: u32 = 11;
    pub(super) const NO_SECRET_KEY: u32 = 17;
    pub(super) const UNUSABLE_SECRET_KEY: u32 = 54;
    pub(super) const TIMEOUT: u32 = 62;
    pub(super) const NO_AGENT: u32 = 77;
    pub(super) const AGENT: u32 = 78;
    pub(super) const NO_PINENTRY: u32 = 85;
    pub(super) const PINENTRY: u32 = 86;
    pub(super) const CANCELLED: u32 = 99;
    pub(super) const KEY_EXPIRED: u32 = 153;
    pub(super) const FULLY_CANCELLED: u32 = 198;
    /// `ENOTTY`: a code that is an `errno` of the system has the highest bit set.
    pub(super) const NOT_A_TERMINAL: u32 = (1 << 15) + 102;
}

/// What gpg said.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Status {
    /// Keyword and arguments of every status line.
    lines: Vec<(String, String)>,
    /// Everything else, a line each.
    messages: Vec<String>,
}

impl Status {
    pub(crate) fn parse(text: &[u8]) -> Self {
        let mut status = Self::default();
        for line in String::from_utf8_lossy(text).lines() {
            match line.strip_prefix("[GNUPG:] ") {
                Some(line) => {
                    let (keyword, rest) = line.split_once(' ').unwrap_or((line, ""));
                    status.lines.push((keyword.to_owned(), rest.to_owned()));
                }
                None if !line.trim().is_empty() => status.messages.push(line.trim().to_owned()),
                None => {}
            }
        }
        status
    }

    /// The arguments of every line with this keyword.
    pub(crate) fn all<'s>(&'s self, keyword: &str) -> impl Iterator<Item = &'s str> {
        let lines = self.lines.iter().filter(move |(found, _)| found == keyword);
        lines.map(|(_, rest)| rest.as_str())
    }

    /// Whether there is a line with this keyword.
    pub(crate) fn has(&self, keyword: &str) -> bool {
        self.all(keyword).next().is_some()
    }

    /// The first argument of the first line with this keyword.
    pub(crate) fn word(&self, keyword: &str) -> Option<&str> {
        self.all(keyword)
            .next()?
            .split(' ')
            .next()
            .filter(|word| !word.is_empty())
    }

    /// Whether gpg told people something that contains this.
    pub(crate) fn says(&self, text: &str) -> bool {
        self.messages.iter().any(|message| message.contains(text))
    }

    /// Why a call failed that has to do with the secret part of `key`.
    pub(crate) fn failure(&self, key: &str, has_terminal: bool) -> SigningError {
        let key = key.to_owned();
        let codes: Vec<u32> = self
            .all("FAILURE")
            .chain(self.all("ERROR"))
            .filter_map(|line| line.split(' ').nth(1)?.parse::<u32>().ok())
            .map(|code| code & 0xffff)
            .collect();
        let has = |wanted: &[u32]| codes.iter().any(|code| wanted.contains(code));
        if has(&[code::NO_PINENTRY, code::PINENTRY, code::NOT_A_TERMINAL]) {
            return SigningError::NoTerminal(key);
        }
        if has(&[
            code::BAD_PASSPHRASE,
            code::CANCELLED,
            code::FULLY_CANCELLED,
            code::TIMEOUT,
        ]) {
            return if has_terminal {
                SigningError::Passphrase(key)
            } else {
                SigningError::NoTerminal(key)
            };
        }
        if has(&[code::NO_AGENT, code::AGENT]) {
            return SigningError::Agent(self.said());
        }
        if has(&[code::KEY_EXPIRED]) || self.has("KEYEXPIRED") {
            return SigningError::Expired(key);
        }
        if has(&[code::NO_SECRET_KEY]) {
            return SigningError::NoSecretKey(key);
        }
        if has(&[code::UNUSABLE_SECRET_KEY]) || self.has("INV_SGNR") {
            return SigningError::CannotSign(key);
        }
        self.trouble()
    }

    /// Why a call failed that has to do with no key.
    pub(crate) fn trouble(&self) -> SigningError {
        let home = ["homedir", "keyblock resource", "keyring", "trustdb", "lock"];
        let about_home = |message: &&String| home.iter().any(|word| message.contains(word));
        let fatal = |message: &&String| !message.contains("WARNING");
        match self.messages.iter().filter(fatal).find(about_home) {
            Some(message) => SigningError::Home(plain(message)),
            None => SigningError::Failed(self.said()),
        }
    }

    /// What gpg says, for people, in one line.
    fn said(&self) -> String {
        let messages: Vec<String> = self
            .messages
            .iter()
            .filter(|message| !message.contains("WARNING"))
            .map(|message| plain(message))
            .collect();
        if messages.is_empty() {
            "it does not say why".to_owned()
        } else {
            messages.join("; ")
        }
    }
}

/// A message without the program's name.
fn plain(message: &str) -> String {
    message.strip_prefix("gpg: ").unwrap_or(message).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What GnuPG 2.2.40 says, as far as it matters.
    fn failure(text: &str, has_terminal: bool) -> SigningError {
        Status::parse(text.as_bytes()).failure("KEY", has_terminal)
    }

    #[test]
    fn lines_for_programs_and_for_people() {
        let status =
            Status::parse(b"gpg: Good signature\n[GNUPG:] GOODSIG 85B5 a name\n\n[GNUPG:] NODATA 1\n[GNUPG:] END\n");
        assert_eq!(status.word("GOODSIG"), Some("85B5"));
        assert!(status.has("NODATA") && status.has("END") && !status.has("GOOD"));
        assert_eq!(status.word("END"), None);
        assert!(status.says("Good sig") && !status.says("NODATA"));
    }

    #[test]
    fn failures_are_told_apart() {
        let no_tty = "gpg: signing failed: Inappropriate ioctl for device\n[GNUPG:] FAILURE sign 83918950\n";
        for has_terminal in [true, false] {
            assert!(matches!(failure(no_tty, has_terminal), SigningError::NoTerminal(_)));
        }
        let none = "gpg: signing failed: No pinentry\n[GNUPG:] FAILURE sign 67108949\n";
        assert!(matches!(failure(none, true), SigningError::NoTerminal(_)));
        let cancelled = "[GNUPG:] FAILURE sign 83886179\n";
        assert!(matches!(failure(cancelled, true), SigningError::Passphrase(_)));
        assert!(matches!(failure(cancelled, false), SigningError::NoTerminal(_)));
        let agent = "gpg: can't connect to the agent: General error\n[GNUPG:] ERROR key_generate 33554509\n";
        let error = failure(agent, true);
        assert_eq!(
            error.to_string(),
            "GnuPG cannot reach its agent: can't connect to the agent: General error"
        );
        let unusable = "[GNUPG:] INV_SGNR 9 KEY!\n[GNUPG:] FAILURE sign 54\n";
        assert!(matches!(failure(unusable, true), SigningError::CannotSign(_)));
        let home = "gpg: WARNING: running with faked system time: 2023\n\
            gpg: keyblock resource '/x/pubring.kbx': No such file or directory\n[GNUPG:] ERROR add_keyblock_resource 33587281\n";
        assert_eq!(
            failure(home, true).to_string(),
            "GnuPG cannot use its home folder: keyblock resource '/x/pubring.kbx': No such file or directory"
        );
        assert_eq!(
            failure("gpg: WARNING: x\n", true).to_string(),
            "gpg failed: it does not say why"
        );
    }
}
