//! What it costs to change one package of a binhost, to read the metadata of many, and to verify a large one, beside what Portage and
//! coreutils take. `cargo xtask bench index` runs it, and prints Markdown.
#![allow(clippy::unwrap_used, reason = "a measurement that cannot go on panics")]
#![allow(clippy::print_stdout, reason = "the result of this program")]

#[path = "../tests/gpkg_support/mod.rs"]
mod gpkg_support;

use std::hint::black_box;
use std::io::BufReader;
use std::path::Path;
use std::process::Command;
use std::time::Instant;

use farm_portage::gpkg::{Limits, Reader};
use farm_portage::index::{EntryFile, FileDigests, Index, Stanza, entry_for, gzip, header};
use fs_err as fs;
use gpkg_support::Lab;
use gpkg_support::made::{CATEGORIES, package, packages, packed};

/// Packages of the folder that Portage indexes as well.
const FOLDER: usize = 3000;

/// The sizes of the indexes.
const SIZES: [usize; 3] = [300, FOLDER, 30_000];

/// The package that changes.
const CHANGED: usize = 123;

/// Bytes of the large package.
const LARGE: usize = 256 << 20;

/// Seconds, one for each round.
type Times = Vec<f64>;

fn main() {
    // cargo itself passes `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let rounds = match &words[..] {
        [] => 3,
        [option, number] if option == "--runs" => number.parse().expect("--runs wants a number"),
        _ => panic!("what is {words:?}? There is --runs NUMBER"),
    };
    let lab = Lab::new();
    fs::write(lab.path("repo/profiles/categories"), CATEGORIES.join("\n") + "\n").unwrap();
    let folder = lab.path("pkgdir");
    let made = packages(0, FOLDER);
    made.iter().for_each(|made| made.write(&folder));
    let paths: Vec<_> = made.iter().map(|made| folder.join(&made.path)).collect();

    let mut emaint = [Times::new(), Times::new()];
    let mut portage_index = [Times::new(), Times::new()];
    for round in 0..rounds {
        let _ = fs::remove_file(folder.join("Packages"));
        let _ = fs::remove_file(folder.join("Packages.gz"));
        emaint[0].push(seconds(|| lab.emaint_binhost()));
        package(CHANGED, 1 + round).write(&folder);
        emaint[1].push(seconds(|| lab.emaint_binhost()));
        let index = folder.join("Packages");
        let [read, write]: [f64; 2] = python(&lab, &["index", index.to_str().unwrap()], "");
        portage_index[0].push(read);
        portage_index[1].push(write);
    }
    let stanzas: Vec<Stanza> = paths.iter().map(|path| stanza(path, &folder)).collect();
    println!("\n### Changing one package of an index\n");
    println!("| packages | read the index | the package's entry | put it in | write | compress | all of it |");
    println!("| --: | --: | --: | --: | --: | --: | --: |");
    let mut ours = Vec::new();
    for size in SIZES {
        let steps = change_one(&lab, &stanzas, size, &folder, rounds);
        let cells: Vec<String> = steps.iter().map(|times| duration(median(times))).collect();
        println!("| {size} | {} |", cells.join(" | "));
        if size == FOLDER {
            ours = steps;
        }
    }
    println!("\n### Beside Portage and coreutils\n");
    println!("| what | farm | beside it | took | times as long |");
    println!("| --- | --: | --- | --: | --: |");
    compare(
        "one of 3,000 packages changed",
        &ours[5],
        "`emaint binhost --fix`, its start included",
        &emaint[1],
    );
    compare(
        "the same",
        &ours[5],
        "`emaint binhost --fix` without an index",
        &emaint[0],
    );
    compare(
        "reading the index of 3,000",
        &ours[0],
        "`PackageIndex.read`",
        &portage_index[0],
    );
    compare("writing it", &ours[3], "`PackageIndex.write`", &portage_index[1]);

    let names = serde_json::to_string(&paths).unwrap();
    let (mut read, mut theirs) = (Times::new(), Times::new());
    for _ in 0..rounds {
        read.push(seconds(|| {
            paths
                .iter()
                .for_each(|path| drop(black_box(open(path).metadata().unwrap())));
        }));
        theirs.push(python(&lab, &["metadata"], &names));
    }
    compare(
        "metadata of 3,000 packages",
        &read,
        "`gpkg.get_metadata`, one process",
        &theirs,
    );
    verification(&lab, rounds);
}

/// Reads an index of so many packages, makes one entry anew, puts it in, writes the index and compresses it: the times of each, and of
/// all.
fn change_one(lab: &Lab, stanzas: &[Stanza], size: usize, folder: &Path, rounds: u64) -> Vec<Times> {
    let copies = (0..size).map(|number| {
        let mut stanza = stanzas[number % stanzas.len()].clone();
        if number >= stanzas.len() {
            for key in ["CPV", "PATH"] {
                let value = stanza[key].replace("/p", &format!("/p{}x", number / stanzas.len()));
                stanza.insert(key.to_owned(), value);
            }
        }
        stanza
    });
    let index = Index {
        header: header(&lab.header_settings(), size, 1_700_000_000),
        packages: copies.collect(),
    };
    let text = index.render();
    let changed = package(CHANGED, 0);
    let path = folder.join(&changed.path);
    let mut times = vec![Times::new(); 6];
    for _ in 0..rounds {
        let start = Instant::now();
        let mut marks = Vec::new();
        let mut mark = || marks.push(start.elapsed().as_secs_f64());
        let mut index = Index::parse(&text).unwrap();
        mark();
        let new = stanza(&path, folder);
        mark();
        let place = index.packages.iter_mut().find(|old| old["PATH"] == new["PATH"]);
        *place.unwrap() = new;
        mark();
        let written = index.render();
        mark();
        black_box(gzip(&written, 1_700_000_000));
        mark();
        let before = [0.0].iter().chain(&marks);
        let steps = before.zip(&marks).map(|(before, after)| after - before);
        for (times, step) in times.iter_mut().zip(steps.chain([marks[4]])) {
            times.push(step);
        }
    }
    times
}

fn stanza(path: &Path, folder: &Path) -> Stanza {
    let digests = FileDigests::of(fs::File::open(path).unwrap()).unwrap();
    let relative = path.strip_prefix(folder).unwrap().to_str().unwrap();
    let file = EntryFile {
        path: relative,
        mtime: 1,
        digests: &digests,
    };
    entry_for(&open(path).metadata().unwrap(), &file).unwrap()
}

fn open(path: &Path) -> Reader<BufReader<fs::File>> {
    Reader::open(BufReader::new(fs::File::open(path).unwrap()), Limits::default()).unwrap()
}

/// Verifies a large package beside programs that compute the same digests.
fn verification(lab: &Lab, rounds: u64) {
    let mut random = gpkg_support::random::Random::new(1);
    // Four mebibytes of noise again and again: too far apart for the compressor to see.
    let noise: Vec<u8> = (0..LARGE >> 6)
        .map(|_| u8::try_from(random.below(256)).unwrap())
        .collect();
    let metadata = [("PF".to_owned(), b"x-1".to_vec())].into();
    let path = lab.path("large.gpkg.tar");
    fs::write(&path, packed("x-1", &metadata, &noise.repeat(1 << 6))).unwrap();
    let length = fs::metadata(&path).unwrap().len();
    let (mut ours, mut both) = (Times::new(), Times::new());
    let mut programs = [("b2sum", Times::new()), ("sha512sum", Times::new())];
    for _ in 0..rounds {
        ours.push(seconds(|| open(&path).verify().unwrap()));
        for (program, times) in &mut programs {
            let run = || assert!(Command::new(*program).arg(&path).output().unwrap().status.success());
            times.push(seconds(run));
        }
        both.push(programs.iter().filter_map(|(_, times)| times.last()).sum());
    }
    let what = format!("verifying {} MiB, both digests", length >> 20);
    for (program, times) in &programs {
        compare(&what, &ours, &format!("`{program}` of the file"), times);
    }
    compare(&what, &ours, "both programs, one after the other", &both);
    println!("\nfarm verifies {:.0} MiB/s.", (length >> 20) as f64 / median(&ours));
}

/// Runs `times.py`.
fn python<T: for<'a> serde::Deserialize<'a>>(lab: &Lab, words: &[&str], input: &str) -> T {
    serde_json::from_str(&lab.python("times.py", words, input)).unwrap()
}

fn seconds(run: impl FnOnce()) -> f64 {
    let start = Instant::now();
    run();
    start.elapsed().as_secs_f64()
}

/// A line of the table: medians, and the median over the rounds of the ratio.
fn compare(what: &str, ours: &[f64], other: &str, theirs: &[f64]) {
    let ratios: Times = theirs.iter().zip(ours).map(|(theirs, ours)| theirs / ours).collect();
    let (ours, theirs) = (duration(median(ours)), duration(median(theirs)));
    println!("| {what} | {ours} | {other} | {theirs} | {:.1} |", median(&ratios));
}

fn median(values: &[f64]) -> f64 {
    let mut values = values.to_vec();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

fn duration(seconds: f64) -> String {
    if seconds < 1.0 {
        format!("{:.2} ms", seconds * 1000.0)
    } else {
        format!("{seconds:.1} s")
    }
}
