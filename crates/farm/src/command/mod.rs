//! What the program's commands do, without arguments, terminals or exit codes.

mod build;
mod clean;
mod debug;
mod error;
mod inspect;
mod killed;
mod outer_jobs;
pub mod pins;
mod plan;
mod session;
mod settled;
mod words;

pub use build::{BuildOptions, PublishedImage, build, publish_image, publish_pkgs};
pub use clean::{CleanReport, clean};
pub use debug::guards;
pub use error::FarmError;
pub use inspect::{GraphEdge, GraphNode, GraphView, TargetLine, When, WhyAnswer, graph, log, targets, why};
pub use outer_jobs::OuterJobs;
pub use plan::{PlanView, UpdateView, plan, update};
pub use session::Setup;
pub use words::Words;
