//! The index beside the file: it changes how long opening takes, and nothing else.

use farm_engine::Input;

use super::tests::{guard, records, write};
use super::*;

/// A guard of some size: so that a few make a file that is worth an index.
fn large(node: &str, variant: &str) -> Guard {
    let mut guard = guard(node, variant);
    guard.inputs = vec![Input::text("text", "x".repeat(300_000))];
    guard
}

/// A file with an index, and with a short record after that.
fn indexed(path: &Path) -> Vec<Guard> {
    let mut guards: Vec<Guard> = (0..10).map(|number| large(&format!("n{number}"), "v")).collect();
    let file = write(path);
    for guard in &guards {
        file.record(guard.clone()).unwrap();
    }
    drop(file);
    guards.push(guard("n3", "other"));
    write(path).record(guards[10].clone()).unwrap();
    guards
}

/// The index as it is read, without what is beside the file.
fn scanned(path: &Path) -> Index {
    let file = File::open(path).unwrap();
    let len = file.metadata().unwrap().len();
    let mut index = Index::default();
    let scanned = scan(&file, HEADER_LEN as u64, len, &mut |at, payload| index.add(at, payload)).unwrap();
    index.fold();
    index.stamp.len = scanned.end;
    (index.stamp.last, index.stamp.header) = scanned.last.unwrap();
    index
}

fn opened(path: &Path) -> Index {
    let file = GuardFile::open(path, Mode::Read).unwrap().guards;
    file.inner().index.clone()
}

#[test]
fn it_says_what_the_file_says() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let guards = indexed(&path);
    let read = table::read(&path, fs::metadata(&path).unwrap().len()).unwrap();
    assert_eq!(read.rows.len(), 10, "the last one was not worth an index");
    assert_eq!(opened(&path), scanned(&path));
    let file = write(&path);
    for guard in &guards {
        assert_eq!(file.find(&guard.node, &guard.key).as_ref(), Some(guard));
    }
    assert_eq!(file.newest("n3").as_ref(), Some(&guards[10]));
}

#[test]
fn a_damaged_index_or_one_of_another_file_is_not_believed() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    indexed(&path);
    let (beside, truth) = (table::path_of(&path), scanned(&path));
    let whole = fs::read(&beside).unwrap();
    let len = fs::metadata(&path).unwrap().len();
    for at in 0..whole.len() {
        let mut damaged = whole.clone();
        damaged[at] ^= 1;
        fs::write(&beside, &damaged).unwrap();
        assert!(table::read(&path, len).is_none(), "flip at {at}");
        fs::write(&beside, &whole[..at]).unwrap();
        assert!(table::read(&path, len).is_none(), "cut at {at}");
    }
    assert_eq!(opened(&path), truth);

    // As long as the one the index was made of, and longer, with other records.
    let former = folder.path().join("former");
    fs::rename(&path, &former).unwrap();
    let file = write(&path);
    for number in 0..11 {
        file.record(large(&format!("m{number}"), "v")).unwrap();
    }
    drop(file);
    fs::write(&beside, &whole).unwrap();
    assert_eq!(opened(&path), scanned(&path));
    assert_eq!(write(&path).all().len(), 11);
}

#[test]
fn damage_that_the_index_does_not_see_is_found_by_whoever_reads_it_and_mended_by_the_next_run() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let guards = indexed(&path);
    let (at, ..) = records(&path)[4];
    let mut bytes = fs::read(&path).unwrap();
    bytes[usize::try_from(at).unwrap() + 5000] ^= 1;
    fs::write(&path, &bytes).unwrap();

    let opened = GuardFile::open(&path, Mode::Write).unwrap();
    assert_eq!(opened.damaged, []);
    assert_eq!(opened.guards.find("n4", &guards[4].key), None);
    assert_eq!(opened.guards.newest("n4"), None);
    let unreadable = opened.guards.unreadable();
    assert_eq!((unreadable.len(), unreadable[0].node.as_deref()), (1, Some("n4")));
    drop(opened.guards);

    let opened = GuardFile::open(&path, Mode::Write).unwrap();
    assert_eq!(opened.damaged.len(), 1);
    assert_eq!(opened.guards.all().len(), 10);
    drop(opened.guards);
    assert_eq!(GuardFile::open(&path, Mode::Write).unwrap().damaged, []);
}

#[test]
fn a_file_that_grew_under_another_run_gets_no_index_of_half_of_it() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let (one, other) = (write(&path), write(&path));
    for number in 0..10 {
        one.record(large(&format!("one{number}"), "v")).unwrap();
        other.record(large(&format!("other{number}"), "v")).unwrap();
    }
    drop((one, other));
    assert!(!table::path_of(&path).exists());
    let opened = GuardFile::open(&path, Mode::Write).unwrap();
    assert_eq!((opened.torn_bytes, opened.damaged), (0, vec![]));
    assert_eq!(opened.guards.all().len(), 20, "nobody's records are lost");
}

#[test]
fn a_run_whose_file_was_replaced_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("guards");
    let (one, other) = (write(&path), write(&path));
    one.record(guard("a", "v")).unwrap();
    let retention = other.retention();
    other.compact(&retention.kept).unwrap();
    let error = one.record(guard("b", "v")).unwrap_err().to_string();
    assert!(error.contains("was replaced"), "{error}");
    other.record(guard("c", "v")).unwrap();
}
