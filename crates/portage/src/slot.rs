//! Slots: what a package has, and what an atom asks for.

use std::fmt;
use std::ops::Range;
use std::str::FromStr;

use serde::{Deserialize, Serialize};

use crate::name::{NameError, NameKind, NameProblem};

/// The `SLOT` of a package: a slot and a subslot, which is the slot itself when none is written.
///
/// `0` and `0/0` mean the same, so they are equal, and both are written `0`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Slot {
    /// The slot, such as `0`.
    pub slot: String,
    /// The subslot; equal to the slot when `SLOT` names none.
    pub subslot: String,
}

impl Slot {
    /// Parses the value of `SLOT`: `SLOT` or `SLOT/SUBSLOT`.
    ///
    /// # Errors
    /// [`NameError`] when a part is no slot name.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        let (slot, subslot) = text.split_once('/').unwrap_or((text, text));
        for part in [slot, subslot] {
            NameKind::Slot.check(part).map_err(|(span, problem)| NameError {
                text: part.to_owned(),
                kind: NameKind::Slot,
                span,
                problem,
            })?;
        }
        Ok(Self {
            slot: slot.to_owned(),
            subslot: subslot.to_owned(),
        })
    }
}

impl fmt::Display for Slot {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.slot)?;
        if self.subslot != self.slot {
            write!(f, "/{}", self.subslot)?;
        }
        Ok(())
    }
}

impl FromStr for Slot {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Self::parse(text)
    }
}

impl TryFrom<String> for Slot {
    type Error = NameError;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text)
    }
}

impl From<Slot> for String {
    fn from(slot: Slot) -> Self {
        slot.to_string()
    }
}

/// What `=` or `*` after a slot says about rebuilding the dependant.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SlotOperator {
    /// `=`: the dependant is bound to the subslot it was built against.
    Rebuild,
    /// `*`: any slot will do, and may change at run time.
    Any,
}

/// The slot part of an atom, `:0`, `:0/2`, `:=`, `:*`, `:0=` or `:0/2=`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SlotDep {
    /// The slot, unless only an operator is written.
    pub slot: Option<String>,
    /// The subslot; only ever there with a slot.
    pub subslot: Option<String>,
    /// The operator.
    pub operator: Option<SlotOperator>,
}

impl SlotDep {
    /// Parses what follows the colon.
    ///
    /// # Errors
    /// The offending bytes and what is wrong with them.
    pub fn parse(text: &str) -> Result<Self, (Range<usize>, SlotProblem)> {
        let (name, operator) = match text.as_bytes().last() {
            Some(b'=') => (&text[..text.len() - 1], Some(SlotOperator::Rebuild)),
            Some(b'*') => (&text[..text.len() - 1], Some(SlotOperator::Any)),
            _ => (text, None),
        };
        if name.is_empty() && operator.is_some() {
            return Ok(Self {
                slot: None,
                subslot: None,
                operator,
            });
        }
        let (slot, subslot) = match name.split_once('/') {
            Some((slot, subslot)) => (slot, Some(subslot)),
            None => (name, None),
        };
        let check = |part: &str, at: usize| match NameKind::Slot.check(part) {
            Ok(()) => Ok(()),
            Err((span, problem)) => Err((at + span.start..at + span.end, SlotProblem::Name(problem))),
        };
        check(slot, 0)?;
        if let Some(subslot) = subslot {
            check(subslot, slot.len() + 1)?;
        }
        if operator == Some(SlotOperator::Any) {
            return Err((name.len()..text.len(), SlotProblem::AnyWithSlot));
        }
        Ok(Self {
            slot: Some(slot.to_owned()),
            subslot: subslot.map(str::to_owned),
            operator,
        })
    }
}

impl fmt::Display for SlotDep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.slot.as_deref().unwrap_or(""))?;
        if let Some(subslot) = &self.subslot {
            write!(f, "/{subslot}")?;
        }
        match self.operator {
            Some(SlotOperator::Rebuild) => f.write_str("="),
            Some(SlotOperator::Any) => f.write_str("*"),
            None => Ok(()),
        }
    }
}

/// What keeps a text from being the slot part of an atom.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SlotProblem {
    /// The slot or subslot is no slot name.
    #[error("not a slot: {0}")]
    Name(NameProblem),
    /// `:0*`: a named slot and any slot contradict each other.
    #[error("`*` means any slot, so no slot may be named with it")]
    AnyWithSlot,
}
