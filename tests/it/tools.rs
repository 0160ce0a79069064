//! The tools as a caller meets them: by name, with JSON arguments, on a recorded cluster.

mod apply;
mod bounds;
mod calls;
mod cloudwatch_logs;
mod cloudwatch_metrics;
mod eks_stacks;
mod events;
mod guide;
mod guide_queries;
mod guide_ranking;
mod hostile;
mod lists;
mod logs;
mod metrics;
mod objects;
mod raw;
mod read_on;
mod rights;
mod rollouts;
mod secrets;
pub mod shop;
mod trace;
mod writes;
