//! Writing several packages at once, one a processor.

use std::num::NonZero;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc;

use farm_portage::cpv::Cpv;

use crate::folder::Folder;
use crate::instance::Stamp;
use crate::stage::{StagedPackage, stage};
use crate::{Candidate, PublishError, ReleaseSigner};

/// A package to be written.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Order<'a> {
    pub(crate) candidate: &'a Candidate,
    pub(crate) cpv: &'a Cpv,
    pub(crate) stamp: Stamp,
}

/// Writes the packages into the staging folder; gives them in the order of the orders. `begun` is told of each when somebody
/// takes it up.
///
/// Stamping reads and sums up, and signing mostly waits for another program, so one worker a processor keeps all of them
/// busy. After a failure nothing more is begun, and of several failures the first in order is told.
pub(crate) fn stage_all(
    folder: &Folder,
    orders: &[Order<'_>],
    signer: Option<&dyn ReleaseSigner>,
    begun: &mut dyn FnMut(&Order<'_>),
) -> Result<Vec<StagedPackage>, PublishError> {
    if orders.is_empty() {
        return Ok(Vec::new());
    }
    folder.make_staging()?;
    let (next, stop) = (AtomicUsize::new(0), AtomicBool::new(false));
    let workers = std::thread::available_parallelism().map_or(1, NonZero::get);
    let mut results: Vec<Option<Result<StagedPackage, PublishError>>> = orders.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        // The number of an order, and nothing yet when it is taken up, then what became of it.
        let (tell, told) = mpsc::channel();
        for _ in 0..workers.min(orders.len()) {
            let (tell, next, stop) = (tell.clone(), &next, &stop);
            scope.spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let Some(order) = orders.get(number) else { break };
                    // Nobody listens any more only if the thread that does is gone, and then nothing matters.
                    let _ = tell.send((number, None));
                    let result = stage(folder, order.candidate, order.cpv, order.stamp, signer);
                    if result.is_err() {
                        stop.store(true, Ordering::Relaxed);
                    }
                    let _ = tell.send((number, Some(result)));
                }
            });
        }
        drop(tell);
        for (number, result) in told {
            match result {
                None => begun(&orders[number]),
                ended => results[number] = ended,
            }
        }
    });
    // Orders that nobody took up come after a failure.
    results
        .into_iter()
        .map(|result| result.unwrap_or(Err(PublishError::ThreadLost)))
        .collect()
}
