//! What ssh and rsync say when they fail, and what that means.

use crate::RemoteError;
use crate::retry::Trouble;

const LOGIN: &str = "`ssh HOST` must succeed without a question: put the key into the agent, and its public part into authorized_keys there";
const KNOWN_HOST: &str =
    "compare the host's key with what its administrator says, and put it into ~/.ssh/known_hosts (`ssh HOST` asks)";
const WRITE: &str = "let this user write there: the folder's group should be one of theirs (chgrp GROUP, chmod 2775)";
const NO_RSYNC: &str = "install rsync there";

/// What ssh's own failure means.
pub(super) fn of_ssh(place: &str, code: Option<i32>, stderr: &str) -> Trouble {
    if let Some(error) = known(place, stderr) {
        return error.into();
    }
    match code {
        Some(255) => Trouble::passing(RemoteError::unreachable(place, last_line(stderr, "ssh failed"))),
        _ => failure(place, stderr).into(),
    }
}

/// What rsync's failure means (`man rsync`, EXIT VALUES).
pub(super) fn of_rsync(place: &str, code: Option<i32>, stderr: &str) -> Trouble {
    let no_rsync = stderr.contains("rsync: command not found")
        || stderr.contains("rsync: not found")
        || (stderr.contains("rsync") && code == Some(127));
    if no_rsync {
        let error = RemoteError::Unable {
            place: place.to_owned(),
            reason: "it has no rsync".to_owned(),
            hint: NO_RSYNC,
        };
        return error.into();
    }
    if let Some(error) = known(place, stderr) {
        return error.into();
    }
    match code {
        // Socket, protocol stream, timeouts, ssh; and a signal, which only a connection sends.
        Some(10 | 12 | 30 | 35 | 255) => {
            Trouble::passing(RemoteError::unreachable(place, last_line(stderr, "rsync failed")))
        }
        _ => failure(place, stderr).into(),
    }
}

/// What a script's failure means.
pub(super) fn failure(place: &str, stderr: &str) -> RemoteError {
    known(place, stderr).unwrap_or_else(|| RemoteError::Unable {
        place: place.to_owned(),
        reason: last_line(stderr, "it failed and said nothing"),
        hint: "try the same by hand, as this user",
    })
}

/// Failures that do not pass by themselves.
fn known(place: &str, stderr: &str) -> Option<RemoteError> {
    let says = |texts: &[&str]| texts.iter().any(|text| stderr.contains(text));
    let refused = |hint| {
        Some(RemoteError::Refused {
            place: place.to_owned(),
            reason: last_line(stderr, "no reason given"),
            hint,
        })
    };
    if says(&["Host key verification failed", "REMOTE HOST IDENTIFICATION HAS CHANGED"]) {
        return refused(KNOWN_HOST);
    }
    if says(&["Permission denied (", "Too many authentication failures"]) && !says(&["failed: Permission denied ("]) {
        return refused(LOGIN);
    }
    if says(&["No space left on device", "Disk quota exceeded", "File too large"]) {
        return Some(RemoteError::Full {
            place: place.to_owned(),
            reason: last_line(stderr, "no room is left"),
        });
    }
    if says(&["Permission denied", "Operation not permitted", "Read-only file system"]) {
        return refused(WRITE);
    }
    if says(&["Name or service not known", "No address associated with hostname"]) {
        return Some(RemoteError::unreachable(
            place,
            last_line(stderr, "its name is not known"),
        ));
    }
    None
}

/// The last line that is not rsync's sum of what it said before.
fn last_line(stderr: &str, otherwise: &str) -> String {
    let mut lines = stderr.lines().map(str::trim).filter(|line| !line.is_empty());
    let own =
        |line: &&str| !line.starts_with("rsync error:") && !line.starts_with("rsync: connection unexpectedly closed");
    let chosen = lines.clone().rfind(own).or_else(|| lines.next_back());
    chosen.unwrap_or(otherwise).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lasting(trouble: Trouble) -> RemoteError {
        match trouble {
            Trouble::Lasting(error) => *error,
            Trouble::Passing(error, _) => panic!("passes: {error}"),
        }
    }

    #[test]
    fn what_does_not_pass_says_what_to_do() {
        let ssh = |text: &str| lasting(of_ssh("h", Some(255), text));
        assert_eq!(ssh("banner\nHost key verification failed.\n").hint(), Some(KNOWN_HOST));
        assert_eq!(ssh("me@h: Permission denied (publickey).\n").hint(), Some(LOGIN));
        let rsync = |code, text: &str| lasting(of_rsync("h", Some(code), text));
        let full = "rsync: [receiver] write failed on \"/x/p\": No space left on device (28)\n\
                    rsync error: error in file IO (code 11) at receiver.c(400) [receiver=3.2.7]\n";
        assert_eq!(
            rsync(11, full).to_string(),
            "h takes no more: rsync: [receiver] write failed on \"/x/p\": No space left on device (28)"
        );
        let denied = "rsync: [generator] recv_generator: mkdir \"/x/a\" failed: Permission denied (13)\n";
        assert_eq!(rsync(23, denied).hint(), Some(WRITE));
        assert_eq!(
            rsync(127, "bash: line 1: rsync: command not found\n").hint(),
            Some(NO_RSYNC)
        );
        assert_eq!(rsync(12, "sh: 1: rsync: not found\n").hint(), Some(NO_RSYNC));
    }

    #[test]
    fn broken_connections_pass() {
        for (code, text) in [
            (255, "ssh: connect to host h port 22: Connection refused\n"),
            (255, "Connection closed by 127.0.0.1 port 22\n"),
        ] {
            assert!(matches!(of_ssh("h", Some(code), text), Trouble::Passing(..)), "{text}");
        }
        let cut = "rsync: connection unexpectedly closed (4 bytes received so far) [sender]\n\
                   rsync error: error in rsync protocol data stream (code 12) at io.c(232) [sender=3.2.7]\n";
        assert!(matches!(of_rsync("h", Some(12), cut), Trouble::Passing(..)));
    }
}
