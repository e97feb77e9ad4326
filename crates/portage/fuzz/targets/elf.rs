//! Shared libraries: whatever the file, a look at it ends, and it does not matter in what pieces its bytes came.

use farm_portage::abi::{Finding, Look};

pub(crate) fn check(input: &[u8]) {
    let whole = look("usr/lib/libx.so.1", &[input]);
    assert_ne!(whole, Finding::Nothing, "the linker finds it by its name");
    for at in [1, 3, 4, 5, input.len() / 2] {
        let (start, rest) = input.split_at(at.min(input.len()));
        assert_eq!(look("usr/lib/libx.so.1", &[start, rest]), whole, "cut at {at}");
    }
    let module = look("usr/lib/x.so", &[input]);
    match whole {
        // A module is a library only if it has a name; nothing that can be read counts with all its bytes.
        Finding::Library(_) => assert!(module == whole || module == Finding::Nothing),
        _ => assert_eq!(module, Finding::Nothing),
    }
    // What follows is in no section.
    if matches!(whole, Finding::Library(_)) {
        assert_eq!(look("usr/lib/libx.so.1", &[input, b"\0appended"]), whole);
    }
}

fn look(path: &str, pieces: &[&[u8]]) -> Finding {
    let mut look = Look::at(path).expect("it is called like a library");
    for piece in pieces {
        look.take(piece);
    }
    look.finish()
}
