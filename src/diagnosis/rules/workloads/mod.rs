//! Controllers of workloads (FAILURES J): rollouts, Jobs, CronJobs, autoscalers, disruption budgets.

pub(super) mod autoscaling;
pub(super) mod budgets;
pub(super) mod cronjobs;
pub(super) mod jobs;
pub(super) mod rollouts;

#[cfg(test)]
mod tests;
