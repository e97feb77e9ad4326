//! What decides a node's output, and the one traversal that both hashes and explains it.
//!
//! The canonical encoding, version 1, is a sequence of fields. A field is a tag byte, then the name and the value, each as a
//! 64-bit little-endian length and its bytes. The whole is hashed with BLAKE3 in its key-derivation mode under
//! [`KEY_CONTEXT`], so that a key can never be mistaken for the digest of a file with the same bytes.

use serde::{Deserialize, Serialize};

use crate::{Digest, Key};

/// Domain of node keys. A change of the encoding changes this text.
pub const KEY_CONTEXT: &str = "farm node key v1";

/// The value of one input.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Value {
    /// A text that people can read.
    Text(String),
    /// The digest of something too large to show.
    Digest(Digest),
    /// The thing is not there, which is an input, too.
    Absent,
}

/// One named input of a node.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Input {
    /// A name that says what it is: `use/zlib`, `ebuild`, `env/CFLAGS`.
    pub name: String,
    /// Its value.
    pub value: Value,
}

impl Input {
    /// An input whose value is a text.
    pub fn text(name: impl Into<String>, value: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Value::Text(value.into()),
        }
    }

    /// An input whose value is known by its digest.
    pub fn digest(name: impl Into<String>, value: impl Into<Digest>) -> Self {
        Self {
            name: name.into(),
            value: Value::Digest(value.into()),
        }
    }

    /// An input that is not there.
    pub fn absent(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            value: Value::Absent,
        }
    }
}

/// Receives the inputs of a node one by one, in canonical order.
pub trait InputSink {
    /// One input.
    fn input(&mut self, name: &str, value: &Value);
}

/// Feeds the rule, its version, the inputs and the dependencies' output digests to `sink`, sorted by name.
///
/// `inputs` must be sorted (a [`crate::Graph`] sorts them when a node is added); `dependencies` are `(name, value)` pairs in
/// the order of the node's dependency list, which the graph sorts as well.
pub fn describe<'a>(
    kind: &str,
    rule_version: u32,
    salt: &str,
    inputs: impl IntoIterator<Item = &'a Input>,
    dependencies: impl IntoIterator<Item = (String, Value)>,
    sink: &mut dyn InputSink,
) {
    sink.input("rule", &Value::Text(format!("{kind} {rule_version}")));
    if !salt.is_empty() {
        sink.input("salt", &Value::Text(salt.to_owned()));
    }
    for input in inputs {
        sink.input(&input.name, &input.value);
    }
    for (name, value) in dependencies {
        sink.input(&name, &value);
    }
}

/// Hashes inputs to a [`Key`].
pub struct KeyHasher(blake3::Hasher);

impl Default for KeyHasher {
    fn default() -> Self {
        Self(blake3::Hasher::new_derive_key(KEY_CONTEXT))
    }
}

impl KeyHasher {
    /// The key of all inputs fed so far.
    #[must_use]
    pub fn finish(self) -> Key {
        Key(self.0.finalize().into())
    }

    fn bytes(&mut self, bytes: &[u8]) {
        self.0.update(&(bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
    }
}

impl InputSink for KeyHasher {
    fn input(&mut self, name: &str, value: &Value) {
        let tag = match value {
            Value::Text(_) => 1,
            Value::Digest(_) => 2,
            Value::Absent => 3,
        };
        self.0.update(&[tag]);
        self.bytes(name.as_bytes());
        match value {
            Value::Text(text) => self.bytes(text.as_bytes()),
            Value::Digest(digest) => self.bytes(digest.as_bytes()),
            Value::Absent => self.bytes(&[]),
        }
    }
}

impl InputSink for Vec<Input> {
    fn input(&mut self, name: &str, value: &Value) {
        self.push(Input {
            name: name.to_owned(),
            value: value.clone(),
        });
    }
}

/// Both at once: what is hashed is what is recorded.
impl<A: InputSink, B: InputSink> InputSink for (A, B) {
    fn input(&mut self, name: &str, value: &Value) {
        self.0.input(name, value);
        self.1.input(name, value);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(inputs: &[Input]) -> Key {
        let mut hasher = KeyHasher::default();
        describe("rule", 1, "", inputs, [], &mut hasher);
        hasher.finish()
    }

    #[test]
    fn text_digest_and_absence_differ() {
        let keys = [
            key(&[Input::text("a", "")]),
            key(&[Input::absent("a")]),
            key(&[Input::digest("a", Digest::of(b""))]),
            key(&[]),
        ];
        for (i, a) in keys.iter().enumerate() {
            for b in &keys[i + 1..] {
                assert_ne!(a, b);
            }
        }
    }

    #[test]
    fn boundaries_between_name_and_value_count() {
        assert_ne!(key(&[Input::text("ab", "c")]), key(&[Input::text("a", "bc")]));
        assert_ne!(
            key(&[Input::text("a", "b"), Input::text("c", "d")]),
            key(&[Input::text("a", "bcd")])
        );
    }

    /// A change of this value rebuilds everything everywhere: it is made on purpose or not at all (`docs/keys.md`).
    #[test]
    fn golden_key() {
        let inputs = [
            Input::text("env/CFLAGS", "-O2"),
            Input::digest("ebuild", Digest::of(b"EAPI=8\n")),
            Input::absent("patch"),
        ];
        let mut sink = (KeyHasher::default(), Vec::new());
        let dependency = ("dependency/x:interface".to_owned(), Value::Digest(Digest::of(b"x")));
        describe("package", 3, "salt", &inputs, [dependency], &mut sink);
        assert_eq!(
            sink.0.finish().to_string(),
            "25aa54f32688ef199493b79689d24339a3946e7c48e0703fcb18b8c20e64836f"
        );
        assert_eq!(sink.1.len(), 6);
    }
}
