//! USE flags on a line, with `NAME:` groups.

use super::error::{LineError, LineProblem, from_name};
use super::words::Placed;
use crate::name::FlagName;
use crate::use_flags::SignedFlag;

/// One word after the atom in `package.use`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum UseValue {
    /// A flag outside of groups.
    Flag(SignedFlag),
    /// A value after `NAME:`.
    Grouped {
        /// The variable as written, without the colon, such as `VIDEO_CARDS`.
        group: String,
        /// The value as written, with its sign; `-*` switches off the values of this group only.
        value: String,
    },
}

impl UseValue {
    /// The flag as Portage understands it: with the group's name in lower case before it, and its sign.
    ///
    /// `-*` in a group gives `-group_*`, which is how Portage's incremental variables write it.
    #[must_use]
    pub fn expanded(&self) -> String {
        match self {
            Self::Flag(flag) => flag.to_string(),
            Self::Grouped { group, value } => {
                let (sign, name) = value.strip_prefix('-').map_or(("", value.as_str()), |name| ("-", name));
                format!("{sign}{}_{name}", group.to_lowercase())
            }
        }
    }
}

/// Reads flags word by word; a `NAME:` holds until the next one or the end of the line.
pub(super) struct UseReader<'a> {
    /// Whether `NAME:` and `-*` are known.
    user: bool,
    group: Option<Placed<&'a str>>,
    group_is_empty: bool,
}

impl<'a> UseReader<'a> {
    pub(super) fn new(user: bool) -> Self {
        Self {
            user,
            group: None,
            group_is_empty: false,
        }
    }

    pub(super) fn in_group(&self) -> bool {
        self.group.is_some()
    }

    /// Takes a word; gives nothing for a `NAME:`.
    pub(super) fn read(&mut self, word: &Placed<&'a str>) -> Result<Option<Placed<UseValue>>, LineError> {
        let fail = |problem, advice: Option<&str>| LineError {
            place: word.place.clone(),
            problem,
            advice: advice.map(str::to_owned),
        };
        if let Some(group) = word.value.strip_suffix(':') {
            let starts = |c: char| c.is_ascii_alphabetic() || c == '_';
            self.end()?;
            if !group.starts_with(starts) || !group.chars().all(|c| starts(c) || c.is_ascii_digit()) {
                return Err(fail(LineProblem::Group(group.to_owned()), None));
            }
            if !self.user {
                let advice = format!("write the flags in full, such as `{}_VALUE`", group.to_lowercase());
                return Err(fail(LineProblem::UserOnly(word.value.to_owned()), Some(&advice)));
            }
            self.group = Some(Placed {
                place: word.place.clone(),
                value: group,
            });
            self.group_is_empty = true;
            return Ok(None);
        }
        let placed = |value| {
            Some(Placed {
                place: word.place.clone(),
                value,
            })
        };
        let Some(group) = &self.group else {
            let flag = SignedFlag::parse(word.value).map_err(|error| from_name(&word.place, error))?;
            if flag == SignedFlag::DisableAll && !self.user {
                return Err(fail(
                    LineProblem::UserOnly(word.value.to_owned()),
                    Some("name the flags, or write `USE=\"-*\"` in make.defaults"),
                ));
            }
            return Ok(placed(UseValue::Flag(flag)));
        };
        self.group_is_empty = false;
        let name = word.value.strip_prefix('-').unwrap_or(word.value);
        if word.value != "-*" {
            // What Portage looks up is the group's name and the value in one word.
            let prefix = group.value.to_lowercase().len() + 1;
            FlagName::parse(&format!("{}_{name}", group.value.to_lowercase())).map_err(|mut error| {
                let sign = word.value.len() - name.len();
                error.span =
                    sign + error.span.start.saturating_sub(prefix)..sign + error.span.end.saturating_sub(prefix);
                error.text = word.value.to_owned();
                from_name(&word.place, error)
            })?;
        }
        Ok(placed(UseValue::Grouped {
            group: group.value.to_owned(),
            value: word.value.to_owned(),
        }))
    }

    /// Closes the group that is open.
    pub(super) fn end(&mut self) -> Result<(), LineError> {
        match self.group.take() {
            Some(group) if self.group_is_empty => Err(LineError {
                place: group.place,
                problem: LineProblem::EmptyGroup(format!("{}:", group.value)),
                advice: None,
            }),
            _ => Ok(()),
        }
    }
}
