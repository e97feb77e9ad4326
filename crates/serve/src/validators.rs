//! Validators of a file, and the conditions that requests make of them (RFC 9110, sections 8.8 and 13).

use std::time::{Duration, SystemTime};

use hyper::HeaderMap;
use hyper::header::{HeaderName, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_RANGE, IF_UNMODIFIED_SINCE};

/// How long after a change of a file another one could leave its times as they are. Ticks of clocks are a few milliseconds; this is for
/// file systems that count seconds.
const TICK: Duration = Duration::from_secs(1);

/// The last moment that a date of HTTP can name: the end of the year 9999.
const LAST_SECOND: u64 = 253_402_300_799;

/// What `stat` says of a file, as far as its content can be told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Stat {
    /// In bytes.
    pub(crate) len: u64,
    /// The time of the last change of the content, which anybody may set: seconds since 1970, and nanoseconds.
    pub(crate) modified: (i64, u64),
    /// The time of the last change of content or status, which nobody can set.
    pub(crate) changed: (i64, u64),
    /// Its number in its file system.
    pub(crate) inode: u64,
}

/// By what clients tell one state of a file from another.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Validators {
    /// What stands between the quotes of the `ETag`.
    opaque: String,
    /// Whether the file may have changed, or may yet, without another tag (section 8.8.1).
    is_weak: bool,
    /// In whole seconds, as HTTP has it.
    modified: SystemTime,
}

/// What the conditions of a request say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// They hold, or there are none.
    Go,
    /// The client has this state of the file already: 304.
    NotModified,
    /// The client wants another state of it, or none: 412.
    Failed,
}

impl Validators {
    /// Those of a file that was looked at at the time `now`.
    ///
    /// The inode tells files apart that were put in one another's place; the time of the last status change tells of changes after
    /// which the other time was set back, as publication does it, and rsync.
    pub(crate) fn of(stat: &Stat, now: SystemTime) -> Self {
        let Stat {
            len,
            modified,
            changed,
            inode,
        } = stat;
        let age = now.duration_since(moment(changed.0) + Duration::from_nanos(changed.1));
        Self {
            opaque: format!(
                "{len:x}-{:x}.{:x}-{:x}.{:x}-{inode:x}",
                modified.0, modified.1, changed.0, changed.1
            ),
            // A time of change in the future says that the clock was set: nothing follows from it.
            is_weak: age.map_or(true, |age| age < TICK),
            modified: moment(modified.0),
        }
    }

    /// The value of `ETag`.
    pub(crate) fn tag(&self) -> String {
        format!("{}\"{}\"", if self.is_weak { "W/" } else { "" }, self.opaque)
    }

    /// The value of `Last-Modified`. It may be in the future, which section 8.8.2.1 would not have: the time of an index is its
    /// TIMESTAMP, which publication may have had to put ahead of the clock, and Portage compares the two.
    pub(crate) fn last_modified(&self) -> String {
        httpdate::fmt_http_date(self.modified)
    }

    /// What the conditions of a GET or HEAD say, in the order of section 13.2.2.
    pub(crate) fn verdict(&self, headers: &HeaderMap) -> Verdict {
        if let Some(holds) = self.is_listed(headers, &IF_MATCH, Compare::Strong) {
            if !holds {
                return Verdict::Failed;
            }
        } else if date(headers, &IF_UNMODIFIED_SINCE).is_some_and(|date| self.modified > date) {
            return Verdict::Failed;
        }
        if let Some(is_listed) = self.is_listed(headers, &IF_NONE_MATCH, Compare::Weak) {
            if is_listed {
                return Verdict::NotModified;
            }
        } else if date(headers, &IF_MODIFIED_SINCE).is_some_and(|date| self.modified <= date) {
            return Verdict::NotModified;
        }
        Verdict::Go
    }

    /// Whether a `Range` counts: if the client has a part of this very state of the file, or does not ask (section 13.1.5).
    pub(crate) fn range_counts(&self, headers: &HeaderMap) -> bool {
        let Some(value) = headers.get(IF_RANGE) else {
            return true;
        };
        if let Some((is_weak, opaque, _)) = first_tag(value.as_bytes()) {
            return !is_weak && self.matches(opaque, Compare::Strong);
        }
        // A date is a strong validator only if the file cannot have changed twice in its second (section 8.8.2.2).
        date(headers, &IF_RANGE).is_some_and(|date| !self.is_weak && date == self.modified)
    }

    /// Whether a list of tags has ours in it; `None` if there is no such header.
    fn is_listed(&self, headers: &HeaderMap, name: &HeaderName, compare: Compare) -> Option<bool> {
        let mut values = headers.get_all(name).iter().peekable();
        values.peek()?;
        Some(values.any(|value| {
            let mut rest = value.as_bytes().trim_ascii();
            if rest == b"*" {
                return true;
            }
            while let Some((is_weak, opaque, after)) = first_tag(rest) {
                if !(is_weak && compare == Compare::Strong) && self.matches(opaque, compare) {
                    return true;
                }
                rest = after;
            }
            false
        }))
    }

    fn matches(&self, opaque: &[u8], compare: Compare) -> bool {
        !(self.is_weak && compare == Compare::Strong) && opaque == self.opaque.as_bytes()
    }
}

/// How tags are compared (section 8.8.3.2).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Compare {
    Strong,
    Weak,
}

/// The first tag of a list: whether it is weak, what stands between its quotes, and what comes after it. `None` if the list is at its
/// end, or is none.
fn first_tag(list: &[u8]) -> Option<(bool, &[u8], &[u8])> {
    let skipped = list.iter().take_while(|byte| b" \t,".contains(byte)).count();
    let list = &list[skipped..];
    let (is_weak, list) = match list.strip_prefix(b"W/") {
        Some(list) => (true, list),
        None => (false, list),
    };
    let list = list.strip_prefix(b"\"")?;
    let end = list.iter().position(|&byte| byte == b'"')?;
    Some((is_weak, &list[..end], &list[end + 1..]))
}

/// The date in a header. One that cannot be read counts as none (sections 13.1.3 and 13.1.4).
fn date(headers: &HeaderMap, name: &HeaderName) -> Option<SystemTime> {
    httpdate::parse_http_date(headers.get(name)?.to_str().ok()?).ok()
}

/// A number of seconds since 1970, as near to it as a date of HTTP can be.
fn moment(seconds: i64) -> SystemTime {
    let seconds = u64::try_from(seconds).unwrap_or(0).min(LAST_SECOND);
    SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Sun, 06 Nov 1994 08:49:37 GMT, the date of RFC 9110.
    const THEN: i64 = 784_111_777;
    const DATE: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    const FILE: Stat = Stat {
        len: 0x1000,
        modified: (THEN, 0x10),
        changed: (THEN + 5, 0x20),
        inode: 0xabc,
    };

    fn seen_after(seconds: u64) -> Validators {
        Validators::of(&FILE, moment(FILE.changed.0) + Duration::from_secs(seconds))
    }

    fn headers(pairs: &[(HeaderName, &str)]) -> HeaderMap {
        let pair = |(name, value): &(HeaderName, &str)| (name.clone(), value.parse().unwrap());
        pairs.iter().map(pair).collect()
    }

    #[test]
    fn as_headers() {
        let old = seen_after(60);
        assert_eq!(old.tag(), "\"1000-2ebc98a1.10-2ebc98a6.20-abc\"");
        assert_eq!(old.last_modified(), DATE);
        assert_eq!(seen_after(0).tag(), format!("W/{}", old.tag()));
        // The clock was set back.
        assert!(Validators::of(&FILE, moment(THEN)).tag().starts_with("W/"));
    }

    #[test]
    fn whatever_changes_changes_the_tag() {
        let tag = |stat: Stat| Validators::of(&stat, moment(THEN + 60)).tag();
        let others = [
            Stat { len: 0x1001, ..FILE },
            Stat {
                modified: (THEN + 1, 0x10),
                ..FILE
            },
            Stat {
                modified: (THEN, 0x11),
                ..FILE
            },
            Stat {
                changed: (THEN + 4, 0x20),
                ..FILE
            },
            Stat {
                changed: (THEN + 5, 0x21),
                ..FILE
            },
            Stat { inode: 0xabd, ..FILE },
        ];
        for other in others {
            assert_ne!(tag(other), tag(FILE), "{other:?}");
        }
    }

    #[test]
    fn times_that_http_does_not_know() {
        let at = |seconds| {
            Validators::of(
                &Stat {
                    modified: (seconds, 0),
                    ..FILE
                },
                moment(THEN),
            )
            .last_modified()
        };
        assert_eq!(at(-1), "Thu, 01 Jan 1970 00:00:00 GMT");
        assert_eq!(at(i64::MAX), "Fri, 31 Dec 9999 23:59:59 GMT");
    }

    #[test]
    fn conditions() {
        use Verdict::{Failed, Go, NotModified};
        let file = seen_after(60);
        let own = file.tag();
        let weak = format!("W/{own}");
        let list = format!("\"a,b\", W/\"c\" ,{own}");
        let weak_list = format!(", \"x\",{weak}");
        let table: [(&[(HeaderName, &str)], Verdict); 28] = [
            (&[], Go),
            (&[(IF_NONE_MATCH, &own)], NotModified),
            (&[(IF_NONE_MATCH, &weak)], NotModified),
            (&[(IF_NONE_MATCH, &list)], NotModified),
            (&[(IF_NONE_MATCH, &weak_list)], NotModified),
            (&[(IF_NONE_MATCH, "*")], NotModified),
            (&[(IF_NONE_MATCH, "\"x\"")], Go),
            (&[(IF_NONE_MATCH, "nonsense")], Go),
            (&[(IF_NONE_MATCH, "\"x\""), (IF_NONE_MATCH, &own)], NotModified),
            (&[(IF_MODIFIED_SINCE, DATE)], NotModified),
            (&[(IF_MODIFIED_SINCE, AFTER)], NotModified),
            (&[(IF_MODIFIED_SINCE, BEFORE)], Go),
            (&[(IF_MODIFIED_SINCE, "Sunday, 06-Nov-94 08:49:37 GMT")], NotModified),
            (&[(IF_MODIFIED_SINCE, "Sun Nov  6 08:49:37 1994")], NotModified),
            (&[(IF_MODIFIED_SINCE, "yesterday")], Go),
            // A tag says more than a date, whichever way.
            (&[(IF_NONE_MATCH, "\"x\""), (IF_MODIFIED_SINCE, AFTER)], Go),
            (&[(IF_NONE_MATCH, &own), (IF_MODIFIED_SINCE, BEFORE)], NotModified),
            (&[(IF_MATCH, &own)], Go),
            (&[(IF_MATCH, &list)], Go),
            (&[(IF_MATCH, "*")], Go),
            (&[(IF_MATCH, &weak)], Failed),
            (&[(IF_MATCH, "\"x\"")], Failed),
            (&[(IF_MATCH, &own), (IF_UNMODIFIED_SINCE, BEFORE)], Go),
            (&[(IF_UNMODIFIED_SINCE, DATE)], Go),
            (&[(IF_UNMODIFIED_SINCE, BEFORE)], Failed),
            (&[(IF_UNMODIFIED_SINCE, "yesterday")], Go),
            (&[(IF_MATCH, "\"x\""), (IF_NONE_MATCH, &own)], Failed),
            (&[(IF_MATCH, &own), (IF_NONE_MATCH, &own)], NotModified),
        ];
        for (pairs, verdict) in table {
            assert_eq!(file.verdict(&headers(pairs)), verdict, "{pairs:?}");
        }
    }

    #[test]
    fn ranges_of_another_state_do_not_count() {
        let file = seen_after(60);
        let own = file.tag();
        let table = [
            (own.as_str(), true),
            (&format!("W/{own}"), false),
            ("\"x\"", false),
            (DATE, true),
            (BEFORE, false),
            (AFTER, false),
            ("nonsense", false),
        ];
        for (value, counts) in table {
            assert_eq!(file.range_counts(&headers(&[(IF_RANGE, value)])), counts, "{value}");
        }
        assert!(file.range_counts(&HeaderMap::new()));
    }

    /// A file that is written just now may change once more, and nobody could tell.
    #[test]
    fn young_files_have_no_strong_validator() {
        let young = seen_after(0);
        let (own, opaque) = (young.tag(), format!("\"{}\"", young.opaque));
        for value in [own.as_str(), &opaque, DATE] {
            assert!(!young.range_counts(&headers(&[(IF_RANGE, value)])), "{value}");
        }
        assert_eq!(young.verdict(&headers(&[(IF_MATCH, &opaque)])), Verdict::Failed);
        assert_eq!(young.verdict(&headers(&[(IF_NONE_MATCH, &own)])), Verdict::NotModified);
    }
}
