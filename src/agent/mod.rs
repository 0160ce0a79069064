//! The loop: ask the model, call the tools it wants, and so on until there is an answer or the budget is spent.
//!
//! `investigation` is the pure state machine, `driver` performs the effects it asks for.

mod answer;
mod budget;
mod driver;
mod investigation;

pub use budget::{Budget, Limit};
pub use driver::Agent;
pub use investigation::{Effect, Input, Investigation, Outcome};

/// Name of the artifact that holds the answer as markdown.
pub const RESULT_ARTIFACT: &str = "k8s_diagnostics_result";

/// Name of the artifact that holds the `drydock.report/v1`.
pub const REPORT_ARTIFACT: &str = "report";
