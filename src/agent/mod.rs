//! The loop: ask the model, call the tools it wants, and so on until there is an answer or the budget is spent.
//!
//! `scope` reads structured requests, `investigation` is the pure state machine, `driver` performs the effects it asks for,
//! `answer` and `output` make the artifacts that the client accepts.

mod answer;
mod budget;
mod driver;
mod investigation;
mod output;
mod scope;

pub use budget::{Budget, Limit};
pub use driver::Agent;
pub use investigation::{Effect, Input, Investigation, Outcome};
pub use output::OutputModes;

/// Name of the artifact that holds the answer as markdown.
pub const RESULT_ARTIFACT: &str = "k8s_diagnostics_result";

/// Name of the artifact that holds the `drydock.report/v1`.
pub const REPORT_ARTIFACT: &str = "report";
