//! The Python program that talks to Portage.
//!
//! Put [`FILES`] into one folder of the root, and a request file anywhere; then run [`command`] there as root. The folder, the request and the
//! answer should lie where no package looks (such as `/var/tmp/farm`). Python 3.9 or newer and Portage must be in the root.

/// The program's files: name in its folder, text. All of them enter the key of a plan.
pub const FILES: [(&str, &str); 7] = [
    ("client.py", include_str!("../program/client.py")),
    ("live.py", include_str!("../program/live.py")),
    ("native.py", include_str!("../program/native.py")),
    ("plan.py", include_str!("../program/plan.py")),
    ("refusal.py", include_str!("../program/refusal.py")),
    ("resolve.py", include_str!("../program/resolve.py")),
    ("vdb.py", include_str!("../program/vdb.py")),
];

/// The command line that answers the request file `request` into the file `answer`, the program's files lying in `folder`.
///
/// All three are absolute paths in the root. The command needs only PATH in its environment; what Portage is to see stands in the request.
/// It ends with status 0 whether Portage can resolve or not; any other status is no answer.
#[must_use]
pub fn command(folder: &str, request: &str, answer: &str) -> Vec<String> {
    // Portage goes through sets on its way, and the order of a set of strings is random unless the seed is given: with it, equal questions have
    // equal answers. -B: no .pyc files beside the program.
    [
        "env",
        "PYTHONHASHSEED=0",
        "python3",
        "-B",
        &format!("{folder}/resolve.py"),
        request,
        answer,
    ]
    .map(str::to_owned)
    .to_vec()
}

/// A digest of the program, for the key of the nodes that run it.
#[must_use]
pub fn digest() -> blake3::Hash {
    let mut hasher = blake3::Hasher::new_derive_key("farm resolver program");
    for (name, text) in FILES {
        for part in [name, text] {
            hasher.update(&(part.len() as u64).to_le_bytes());
            hasher.update(part.as_bytes());
        }
    }
    hasher.finalize()
}
