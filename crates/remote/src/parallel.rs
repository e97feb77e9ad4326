//! Several transfers at a time.

use std::path::Path;
use std::sync::Mutex;
use std::sync::PoisonError;
use std::sync::atomic::{AtomicUsize, Ordering};

use fs_err as fs;

use crate::{RemoteError, Watch};

/// How many requests are under way at once: enough to hide the time that an answer travels, and few enough for a small server.
const AT_ONCE: usize = 8;

/// Does `work` for all items, several at a time. After a failure nothing more is begun, and the first is told.
pub(crate) fn each<T: Sync>(
    items: &[T],
    work: &(dyn Fn(&T) -> Result<(), RemoteError> + Sync),
) -> Result<(), RemoteError> {
    let next = AtomicUsize::new(0);
    let failed: Mutex<Option<(usize, RemoteError)>> = Mutex::new(None);
    let held = || failed.lock().unwrap_or_else(PoisonError::into_inner);
    std::thread::scope(|scope| {
        for _ in 0..AT_ONCE.min(items.len()) {
            scope.spawn(|| {
                while held().is_none() {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(number) else { break };
                    if let Err(error) = work(item) {
                        let mut failed = held();
                        if failed.as_ref().is_none_or(|(first, _)| number < *first) {
                            *failed = Some((number, error));
                        }
                    }
                }
            });
        }
    });
    match failed.into_inner().unwrap_or_else(PoisonError::into_inner) {
        Some((_, error)) => Err(error),
        None => Ok(()),
    }
}

/// Brings files to a folder, several at a time: `fetch` writes one to the path that it is given, and says whether it is there. Each gets
/// its name when it is whole. Gives how many came.
pub(crate) fn download(
    root: &Path,
    paths: &[String],
    watch: &dyn Watch,
    fetch: &(dyn Fn(&str, &Path) -> Result<bool, RemoteError> + Sync),
) -> Result<usize, RemoteError> {
    let came = AtomicUsize::new(0);
    each(paths, &|path| {
        let target = root.join(path);
        let folder = target.parent().unwrap_or(root);
        fs::create_dir_all(folder)?;
        let passing = tempfile::Builder::new().prefix(".farm-").tempfile_in(folder)?;
        if fetch(path, passing.path())? {
            // Who made it alone may read it, and a published file is everybody's.
            fs::set_permissions(passing.path(), std::os::unix::fs::PermissionsExt::from_mode(0o644))?;
            passing.persist(&target).map_err(|error| error.error)?;
            came.fetch_add(1, Ordering::Relaxed);
            watch.tell(&format!("downloaded {path}"));
        }
        Ok(())
    })?;
    Ok(came.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everything_is_done_once() {
        let items: Vec<usize> = (0..100).collect();
        let done: Vec<AtomicUsize> = items.iter().map(|_| AtomicUsize::new(0)).collect();
        each(&items, &|item| {
            done[*item].fetch_add(1, Ordering::Relaxed);
            Ok(())
        })
        .unwrap();
        assert!(done.iter().all(|count| count.load(Ordering::Relaxed) == 1));
    }

    #[test]
    fn after_a_failure_nothing_is_begun() {
        let items: Vec<usize> = (0..1000).collect();
        let begun = AtomicUsize::new(0);
        let result = each(&items, &|_| {
            begun.fetch_add(1, Ordering::Relaxed);
            Err(RemoteError::Stopped)
        });
        assert!(matches!(result, Err(RemoteError::Stopped)));
        assert!(begun.load(Ordering::Relaxed) <= AT_ONCE);
    }
}
