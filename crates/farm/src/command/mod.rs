//! What the program's commands do, without arguments, terminals or exit codes.

mod build;
mod clean;
mod damage;
mod debug;
mod error;
mod gc;
mod inspect;
mod killed;
pub mod pins;
mod plan;
mod recording;
mod runs;
mod session;
mod settled;
mod words;

pub use build::{BuildOptions, PublishedImage, build, publish_image, publish_pkgs};
pub use clean::{CleanReport, clean};
pub use debug::guards;
pub use error::FarmError;
pub use gc::{Freed, GcReport, gc};
pub use inspect::{GraphEdge, GraphNode, GraphView, TargetLine, When, WhyAnswer, graph, log, targets, why};
pub use plan::{PlanView, UpdateView, plan, update};
pub use runs::{HistoryLine, RecordedRun, WhichRun, history, recorded_run};
pub use session::Setup;
pub use words::Words;
