//! The tools as a caller meets them: by name, with JSON arguments, on a recorded cluster.

mod bounds;
mod calls;
mod cloudwatch_logs;
mod cloudwatch_metrics;
mod eks_stacks;
mod events;
mod guide;
mod lists;
mod logs;
mod objects;
mod shop;
mod writes;
