//! Writing several packages at once, one a processor.

use farm_portage::cpv::Cpv;

use crate::folder::Folder;
use crate::instance::Stamp;
use crate::parallel::work_on_all;
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
    let results = work_on_all(
        orders,
        |order| stage(folder, order.candidate, order.cpv, order.stamp, signer),
        Result::is_err,
        &mut |place| begun(&orders[place]),
    );
    // Orders that nobody took up come after a failure.
    results
        .into_iter()
        .map(|result| result.unwrap_or(Err(PublishError::ThreadLost)))
        .collect()
}
