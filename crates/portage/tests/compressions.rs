//! The decoders of all compressors beside the programs, which the library itself must not call.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on panics")]

#[path = "../src/compression/mod.rs"]
#[allow(dead_code, unreachable_pub, reason = "here it is no library, and only decodes")]
mod compression;

use std::io::{self, Read as _, Seek as _, Write as _};
use std::process::Command;

use compression::{Compression, decoder};

type Encode = fn(&str) -> Vec<u8>;

fn bz(text: &str) -> Vec<u8> {
    let mut encoder = bzip2::write::BzEncoder::new(Vec::new(), bzip2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn gz(text: &str) -> Vec<u8> {
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

fn xz(text: &str) -> Vec<u8> {
    let mut encoder = liblzma::write::XzEncoder::new(Vec::new(), 1);
    encoder.write_all(text.as_bytes()).unwrap();
    encoder.finish().unwrap()
}

/// What a program makes of a text. `scripts/setup --tests` installs it.
fn made_by(program: &str, arguments: &[&str], text: &[u8]) -> Vec<u8> {
    let mut file = tempfile::tempfile().unwrap();
    file.write_all(text).unwrap();
    file.rewind().unwrap();
    let made = Command::new(program).args(arguments).stdin(file).output().unwrap();
    assert!(made.status.success(), "{program}: {}", made.status);
    made.stdout
}

fn lz4(text: &str) -> Vec<u8> {
    made_by("lz4", &["-c"], text.as_bytes())
}

fn lz(text: &str) -> Vec<u8> {
    made_by("lzip", &["-c"], text.as_bytes())
}

fn lzo(text: &str) -> Vec<u8> {
    made_by("lzop", &["-c"], text.as_bytes())
}

fn zst(text: &str) -> Vec<u8> {
    zstd::encode_all(text.as_bytes(), 1).unwrap()
}

/// Decodes with a buffer of every small size, which must not matter.
fn decode(compression: Compression, bytes: &[u8]) -> Option<String> {
    let results: Vec<_> = [1, 2, 3, 5, 4096]
        .iter()
        .map(|&size| {
            let mut text = String::new();
            let input = io::BufReader::with_capacity(size, bytes);
            decoder(compression, input)
                .unwrap()
                .read_to_string(&mut text)
                .ok()
                .map(|_| text)
        })
        .collect();
    assert!(results.windows(2).all(|pair| pair[0] == pair[1]), "{results:?}");
    results.into_iter().next().flatten()
}

/// What `bzip2 1.0.8`, `gzip 1.12`, `lz4 1.9.4`, `lzip 1.23`, `xz 5.4` and `zstd 1.5.4` did with the same bytes, as shown by their
/// statuses. (lzop: [`what_follows_lzops_archive`].)
#[test]
fn what_follows_the_stream_is_treated_as_the_programs_do() {
    let skippable = b"\x50\x2a\x4d\x18\0\0\0\0";
    let cases: &[(Compression, Encode, &[u8], bool)] = &[
        (Compression::Bzip2, bz, b"", true),
        (Compression::Bzip2, bz, b"garbage", true),
        (Compression::Bzip2, bz, b"XPAKPACK", true),
        (Compression::Bzip2, bz, b"BX", true),
        (Compression::Bzip2, bz, b"BZhx", true),
        (Compression::Bzip2, bz, b"B", false),
        (Compression::Bzip2, bz, b"BZ", false),
        (Compression::Bzip2, bz, b"BZh", false),
        (Compression::Bzip2, bz, b"BZh9", false),
        (Compression::Bzip2, bz, b"BZh9xxxxxxxx", false),
        (Compression::Gzip, gz, b"", true),
        (Compression::Gzip, gz, b"\0", true),
        (Compression::Gzip, gz, b"\0\0\0", true),
        (Compression::Gzip, gz, b"\0\0x", false),
        (Compression::Gzip, gz, b"garbage", false),
        (Compression::Gzip, gz, b"\x1f", false),
        (Compression::Gzip, gz, b"\x1f\x8b", false),
        (Compression::Lz4, lz4, b"", true),
        (Compression::Lz4, lz4, skippable, true),
        (Compression::Lz4, lz4, b"\x50\x2a\x4d\x18\x02\0\0\0xy", true),
        (Compression::Lz4, lz4, b"\x50\x2a\x4d\x18\x02\0\0\0x", false),
        (Compression::Lz4, lz4, b"garbage", false),
        (Compression::Lz4, lz4, b"\0\0\0\0", false),
        (Compression::Lz4, lz4, b"\x04\x22", false),
        (Compression::Lzip, lz, b"", true),
        (Compression::Lzip, lz, b"garbage", true),
        (Compression::Lzip, lz, b"\0\0\0\0", true),
        (Compression::Lzip, lz, b"LZ", false),
        (Compression::Lzip, lz, b"LZIP", false),
        (Compression::Xz, xz, b"", true),
        (Compression::Xz, xz, b"\0\0\0\0", true),
        (Compression::Xz, xz, b"\0", false),
        (Compression::Xz, xz, b"garb", false),
        (Compression::Zstd, zst, b"", true),
        (Compression::Zstd, zst, skippable, true),
        (Compression::Zstd, zst, b"\0\0\0\0", false),
        (Compression::Zstd, zst, b"garbage", false),
    ];
    for (compression, encode, rest, good) in cases {
        let bytes = [encode("one, "), encode(""), encode("two"), rest.to_vec()].concat();
        let expected = good.then(|| "one, two".to_owned());
        assert_eq!(
            decode(*compression, &bytes),
            expected,
            "{compression:?} {}",
            rest.escape_ascii()
        );
    }
}

#[test]
fn a_stream_cut_anywhere_is_an_error() {
    for (compression, whole) in [
        (Compression::Bzip2, bz("some text")),
        (Compression::Gzip, gz("some text")),
        (Compression::Lz4, lz4("some text")),
        (Compression::Lzip, lz("some text")),
        (Compression::Lzop, lzo("some text")),
        (Compression::Xz, xz("some text")),
        (Compression::Zstd, zst("some text")),
    ] {
        for end in 1..whole.len() {
            assert_eq!(decode(compression, &whole[..end]), None, "{compression:?} cut at {end}");
        }
    }
}

/// As `lzop 1.04` does it: it takes one archive only.
#[test]
fn what_follows_lzops_archive() {
    let decoded = |rest: &[u8]| decode(Compression::Lzop, &[lzo("one"), rest.to_vec()].concat());
    for good in [&b""[..], b"\0", b"\0\0\0\0"] {
        assert_eq!(decoded(good).as_deref(), Some("one"), "{}", good.escape_ascii());
    }
    for bad in [&b"garbage"[..], b"\0\0x", &lzo("two")] {
        assert_eq!(decoded(bad), None, "{}", bad.escape_ascii());
    }
}

/// Text that compresses, text that does not, and more than a block of each.
fn texts() -> Vec<String> {
    let mut state = 1_u64;
    let mut noise = |length: usize| {
        let mut next = || {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            char::from(b' ' + u8::try_from((state >> 40) % 95).unwrap())
        };
        (0..length).map(|_| next()).collect::<String>()
    };
    let mixed: String = (0..40)
        .map(|_| noise(9_000) + &"again and again ".repeat(2_000))
        .collect();
    vec![
        String::new(),
        "x".to_owned(),
        "ab".repeat(3_000_000),
        noise(700_000),
        mixed,
    ]
}

#[test]
fn what_the_programs_make_is_read_at_every_setting() {
    let ways: &[(Compression, &str, &[&[&str]])] = &[
        (
            Compression::Lz4,
            "lz4",
            &[
                &["-1"],
                &["-9"],
                &["-B4", "-BD"],
                &["-B7", "-BX"],
                &["--no-frame-crc"],
                &["--content-size"],
                &["-12"],
            ],
        ),
        (
            Compression::Lzip,
            "lzip",
            &[&["-0"], &["-6"], &["-9"], &["-b", "100000"]],
        ),
        (
            Compression::Lzop,
            "lzop",
            &[&["-1"], &["-3"], &["-9"], &["-F"], &["--crc32"], &["-C"]],
        ),
        (Compression::Bzip2, "bzip2", &[&["-1"], &["-9"]]),
        (Compression::Gzip, "gzip", &[&["-1"], &["-9"]]),
        (Compression::Xz, "xz", &[&["-1"], &["--check=sha256"]]),
        (Compression::Zstd, "zstd", &[&["-1"], &["--long=27"]]),
    ];
    for text in texts() {
        for (compression, program, settings) in ways {
            for setting in *settings {
                let bytes = made_by(program, &[*setting, &["-c"]].concat(), text.as_bytes());
                let mut found = String::new();
                let read = decoder(*compression, bytes.as_slice())
                    .unwrap()
                    .read_to_string(&mut found);
                // No `assert_eq`: these texts are long.
                assert!(
                    read.is_ok() && found == text,
                    "{program} {setting:?}, {} bytes: {read:?}",
                    text.len()
                );
            }
        }
    }
}

#[test]
fn a_byte_that_is_another_is_noticed_by_those_with_checksums() {
    let text = "some text, some text, some text, and an end";
    let cases = [
        (
            Compression::Lz4,
            made_by("lz4", &["-c", "-BX", "--content-size"], text.as_bytes()),
        ),
        (Compression::Lzip, lz(text)),
        (Compression::Lzop, lzo(text)),
        (Compression::Lzop, made_by("lzop", &["-c", "--crc32"], text.as_bytes())),
        (Compression::Lzop, made_by("lzop", &["-c", "-C"], text.as_bytes())),
    ];
    for (compression, whole) in cases {
        for at in 0..whole.len() {
            let mut damaged = whole.clone();
            damaged[at] ^= 0x10;
            let found = decode(compression, &damaged);
            assert!(
                found.is_none() || found.as_deref() == Some(text),
                "{compression:?}, byte {at}: {found:?}"
            );
        }
    }
}

#[test]
fn the_format_before_lz4s_frames_is_named() {
    let bytes = made_by("lz4", &["-l", "-c"], b"text");
    let read = decoder(Compression::Lz4, bytes.as_slice())
        .unwrap()
        .read_to_end(&mut Vec::new());
    assert!(read.unwrap_err().to_string().contains("legacy"));
}
