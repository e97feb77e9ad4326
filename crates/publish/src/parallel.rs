//! The same done with many things, several at once.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

/// Works on all items, one worker a processor; gives what came of them in their order, and `None` for what nobody took up.
///
/// `begun` is told, on the caller's thread, of each item's place when somebody takes it up. After a result for which `ends` holds
/// nothing more is begun.
pub(crate) fn work_on_all<T: Sync, R: Send>(
    items: &[T],
    work: impl Fn(&T) -> R + Sync,
    ends: impl Fn(&R) -> bool + Sync,
    begun: &mut dyn FnMut(usize),
) -> Vec<Option<R>> {
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        // The place of an item, and nothing yet when it is taken up, then what became of it.
        let (tell, told) = mpsc::channel();
        for _ in 0..workers.min(items.len()) {
            let (tell, next, stop, work, ends) = (tell.clone(), &next, &stop, &work, &ends);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let place = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(place) else { break };
                    // Nobody listens any more only if the thread that does is gone, and then nothing matters.
                    let _ = tell.send((place, None));
                    let result = work(item);
                    if ends(&result) {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let _ = tell.send((place, Some(result)));
                }
            });
        }
        drop(tell);
        for (place, result) in told {
            match result {
                None => begun(place),
                ended => results[place] = ended,
            }
        }
    });
    results
}
