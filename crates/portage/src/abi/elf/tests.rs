//! Libraries of all classes and byte orders, put together field by field. `tests/abi.rs` has what a real linker made.

use proptest::prelude::*;

use super::*;

/// A library to be.
#[derive(Clone)]
struct Made {
    is_64: bool,
    is_big_endian: bool,
    kind: u16,
    machine: u16,
    flags: u32,
    /// Tag and text of each.
    dynamic: Vec<(u64, &'static str)>,
    /// Number, flags and name of each; none means no section.
    versions: Vec<(u16, u16, &'static str)>,
    symbols: Vec<MadeSymbol>,
}

#[derive(Clone, Copy)]
struct MadeSymbol {
    name: &'static str,
    info: u8,
    other: u8,
    section: u16,
    value: u64,
    size: u64,
    version: u16,
}

const FUNCTION: MadeSymbol = MadeSymbol {
    name: "f",
    info: 0x12,
    other: 0,
    section: 5,
    value: 0x100,
    size: 7,
    version: 1,
};

const DATA: MadeSymbol = MadeSymbol {
    name: "d",
    info: 0x11,
    ..FUNCTION
};

fn plain() -> Made {
    Made {
        is_64: true,
        is_big_endian: false,
        kind: 3,
        machine: 62,
        flags: 0,
        dynamic: vec![
            (DT_NEEDED, "liby.so.1"),
            (DT_NEEDED, "libc.so.6"),
            (DT_SONAME, "libx.so.1"),
        ],
        versions: vec![(1, 1, "libx.so.1"), (2, 0, "X_1"), (3, 0, "X_2")],
        symbols: vec![FUNCTION, DATA],
    }
}

impl Made {
    fn number(&self, bytes: &mut Vec<u8>, value: u64, width: usize) {
        let little = value.to_le_bytes();
        let mut field = little[..width].to_vec();
        if self.is_big_endian {
            field.reverse();
        }
        bytes.extend(field);
    }

    fn word(&self, bytes: &mut Vec<u8>, value: u64) {
        self.number(bytes, value, if self.is_64 { 8 } else { 4 });
    }

    fn bytes(&self) -> Vec<u8> {
        let mut strings = vec![0];
        let mut string = |text: &str| {
            let at = strings.len() as u64;
            strings.extend(text.bytes().chain([0]));
            at
        };
        let (mut dynamic, mut verdef, mut dynsym, mut versym) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        for (tag, text) in &self.dynamic {
            self.word(&mut dynamic, *tag);
            self.word(&mut dynamic, string(text));
        }
        self.word(&mut dynamic, 0);
        self.word(&mut dynamic, 0);
        for (at, (number, flags, name)) in self.versions.iter().enumerate() {
            let next = if at + 1 == self.versions.len() { 0 } else { 28 };
            for (value, width) in [
                (1, 2),
                ((*flags).into(), 2),
                ((*number).into(), 2),
                (1, 2),
                (99, 4),
                (20, 4),
                (next, 4),
            ] {
                self.number(&mut verdef, value, width);
            }
            self.number(&mut verdef, string(name), 4);
            self.number(&mut verdef, 0, 4);
        }
        dynsym.extend(vec![0; if self.is_64 { 24 } else { 16 }]);
        self.number(&mut versym, 0, 2);
        for symbol in &self.symbols {
            self.number(&mut dynsym, string(symbol.name), 4);
            let tail = |bytes: &mut Vec<u8>| {
                bytes.extend([symbol.info, symbol.other]);
                self.number(bytes, symbol.section.into(), 2);
            };
            if self.is_64 {
                tail(&mut dynsym);
            }
            self.word(&mut dynsym, symbol.value);
            self.word(&mut dynsym, symbol.size);
            if !self.is_64 {
                tail(&mut dynsym);
            }
            self.number(&mut versym, symbol.version.into(), 2);
        }
        let mut contents = vec![
            (3, strings, 0),
            (sections::SHT_DYNSYM, dynsym, 1),
            (sections::SHT_DYNAMIC, dynamic, 1),
        ];
        if !self.versions.is_empty() {
            contents.push((sections::SHT_GNU_VERSYM, versym, 2));
            contents.push((sections::SHT_GNU_VERDEF, verdef, 1));
        }
        self.file(&contents)
    }

    /// The header, the sections, and the table of sections.
    fn file(&self, contents: &[(u32, Vec<u8>, u32)]) -> Vec<u8> {
        let header_size = if self.is_64 { 64 } else { 52 };
        let table = header_size + contents.iter().map(|(_, bytes, _)| bytes.len()).sum::<usize>();
        let mut file = b"\x7fELF".to_vec();
        file.extend([1 + u8::from(self.is_64), 1 + u8::from(self.is_big_endian), 1]);
        file.resize(16, 0);
        self.number(&mut file, self.kind.into(), 2);
        self.number(&mut file, self.machine.into(), 2);
        self.number(&mut file, 1, 4);
        for value in [0, 0, table as u64] {
            self.word(&mut file, value);
        }
        self.number(&mut file, self.flags.into(), 4);
        let entry = if self.is_64 { 64 } else { 40 };
        for value in [header_size as u64, 0, 0, entry, contents.len() as u64 + 1, 0] {
            self.number(&mut file, value, 2);
        }
        let mut headers = vec![0; usize::try_from(entry).unwrap()];
        for (kind, bytes, link) in contents {
            self.number(&mut headers, 0, 4);
            self.number(&mut headers, (*kind).into(), 4);
            for value in [0, 0, file.len() as u64, bytes.len() as u64] {
                self.word(&mut headers, value);
            }
            self.number(&mut headers, (*link).into(), 4);
            self.number(&mut headers, 0, 4);
            self.word(&mut headers, 1);
            self.word(&mut headers, 0);
            file.extend(bytes);
        }
        file.extend(headers);
        file
    }

    fn digest(&self) -> blake3::Hash {
        library(&self.bytes()).expect("it can be read").digest
    }
}

/// Makes another library of one.
type Change = Box<dyn Fn(&mut Made)>;

/// All classes and byte orders.
fn all() -> Vec<Made> {
    let both = [(false, false), (false, true), (true, false), (true, true)];
    let made = both.map(|(is_64, is_big_endian)| Made {
        is_64,
        is_big_endian,
        ..plain()
    });
    made.into()
}

#[test]
fn whatever_the_linker_sees_changes_the_digest() {
    let symbol = |change: MadeSymbol| move |made: &mut Made| made.symbols[1] = change;
    let changes: Vec<(&str, Change)> = vec![
        ("machine", Box::new(|made| made.machine = 183)),
        ("flags", Box::new(|made| made.flags = 5)),
        ("soname", Box::new(|made| made.dynamic[2].1 = "libx.so.2")),
        ("no soname", Box::new(|made| made.dynamic.truncate(2))),
        ("needed", Box::new(|made| made.dynamic[0].1 = "libz.so.1")),
        ("runpath", Box::new(|made| made.dynamic.push((DT_RUNPATH, "/opt")))),
        ("version", Box::new(|made| made.versions[2].2 = "X_3")),
        ("fewer versions", Box::new(|made| made.versions.truncate(2))),
        ("no symbol", Box::new(|made| made.symbols.truncate(1))),
        (
            "more symbols",
            Box::new(|made| made.symbols.push(MadeSymbol { name: "g", ..FUNCTION })),
        ),
        ("name", Box::new(symbol(MadeSymbol { name: "e", ..DATA }))),
        ("weak", Box::new(symbol(MadeSymbol { info: 0x21, ..DATA }))),
        ("thread-local", Box::new(symbol(MadeSymbol { info: 0x16, ..DATA }))),
        ("protected", Box::new(symbol(MadeSymbol { other: 3, ..DATA }))),
        ("size", Box::new(symbol(MadeSymbol { size: 8, ..DATA }))),
        ("versioned", Box::new(symbol(MadeSymbol { version: 2, ..DATA }))),
        (
            "versioned otherwise",
            Box::new(symbol(MadeSymbol { version: 3, ..DATA })),
        ),
        (
            "not by default",
            Box::new(symbol(MadeSymbol {
                version: 0x8002,
                ..DATA
            })),
        ),
    ];
    for made in all() {
        let mut seen = vec![("nothing", made.digest())];
        for (name, change) in &changes {
            let mut changed = made.clone();
            change(&mut changed);
            seen.push((name, changed.digest()));
        }
        for (at, (name, digest)) in seen.iter().enumerate() {
            let same = seen[..at].iter().find(|(_, other)| other == digest);
            assert!(same.is_none(), "{name} is {:?}", same.map(|(name, _)| name));
        }
    }
    let digests: Vec<_> = all().iter().map(Made::digest).collect();
    assert!(
        (1..4).all(|at| !digests[..at].contains(&digests[at])),
        "class and byte order count"
    );
}

#[test]
fn what_the_linker_does_not_see_does_not() {
    for made in all() {
        let same = |what: &str, change: &dyn Fn(&mut Made)| {
            let mut changed = made.clone();
            change(&mut changed);
            assert_eq!(changed.digest(), made.digest(), "{what}");
        };
        same("order of symbols", &|made| made.symbols.reverse());
        same("order of libraries", &|made| made.dynamic.reverse());
        same("addresses", &|made| made.symbols[1].value = 9);
        same("section", &|made| made.symbols[1].section = 9);
        same("size of code", &|made| made.symbols[0].size = 9);
        same("numbers of versions", &|made| {
            (made.versions[1].0, made.versions[2].0) = (3, 2);
        });
        same("other tags", &|made| made.dynamic.push((5, "")));
        for unseen in [
            MadeSymbol { section: 0, ..DATA },
            MadeSymbol { info: 1, ..DATA },
            MadeSymbol { other: 2, ..DATA },
            MadeSymbol { other: 1, ..DATA },
            MadeSymbol { version: 0, ..DATA },
            MadeSymbol {
                version: 0x8000,
                ..DATA
            },
        ] {
            same("what is not exported", &|made| made.symbols.push(unseen));
        }
    }
}

#[test]
fn only_whole_shared_objects_are_libraries() {
    for made in all() {
        assert!(library(&made.bytes()).is_some_and(|library| library.has_soname));
        let mut nameless = made.clone();
        nameless.dynamic.truncate(2);
        assert!(library(&nameless.bytes()).is_some_and(|library| !library.has_soname));
        for kind in [1, 2, 4] {
            assert!(library(&Made { kind, ..made.clone() }.bytes()).is_none(), "type {kind}");
        }
        let bytes = made.bytes();
        for length in 0..bytes.len() {
            // The table of sections is at the end.
            assert!(library(&bytes[..length]).is_none(), "{length} of {} bytes", bytes.len());
        }
    }
}

#[test]
fn many_names_in_one_string_take_no_time_that_grows_with_their_square() {
    let mut names = Strings::new(10);
    let table = b"abcdefgh\0";
    assert_eq!(names.get(table, 0), Some(&b"abcdefgh"[..]));
    assert_eq!(names.get(table, 0), None, "nothing is left");
    assert_eq!(names.get(table, 8), Some(&b""[..]));
    assert_eq!(Strings::new(10).get(b"abc", 0), None, "it has no end");
    assert_eq!(Strings::new(10).get(b"abc\0", u64::MAX), None);
}

proptest! {
    #[test]
    fn damage_is_no_panic(which in 0..4_usize, changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8)) {
        let mut bytes = all()[which].bytes();
        for (at, byte) in changes {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        let first = library(&bytes).map(|library| library.digest);
        prop_assert_eq!(first, library(&bytes).map(|library| library.digest));
    }
}
