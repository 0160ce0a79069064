//! A query that runs at CloudWatch: asked for until it ends, and stopped when nobody waits for it any more.

use std::time::Duration;

use aws_sdk_cloudwatchlogs::Client;
use aws_sdk_cloudwatchlogs::operation::get_query_results::GetQueryResultsOutput;
use aws_sdk_cloudwatchlogs::types::QueryStatus;
use tokio::time::Instant;

use crate::aws::AwsError;

use super::super::{CallContext, ToolError};

/// How long a query may run; what it has found until then is taken. Less than the deadline of a call.
pub(super) const PATIENCE: Duration = Duration::from_secs(45);
/// The first wait between two looks, which grow by half each time.
const FIRST_WAIT: Duration = Duration::from_millis(300);
const LONGEST_WAIT: Duration = Duration::from_secs(3);

/// A query that was started. AWS bills what it scans, so it is stopped when this is dropped before its end.
pub(super) struct Running {
    client: Client,
    id: String,
    ended: bool,
}

/// What a query has found.
pub(super) struct Found {
    pub(super) output: GetQueryResultsOutput,
    /// It was stopped before its end.
    pub(super) partial: bool,
}

impl Running {
    pub(super) fn new(client: Client, id: String) -> Self {
        Self { client, id, ended: false }
    }

    /// Waits for the end.
    pub(super) async fn end(mut self, call: &CallContext) -> Result<Found, ToolError> {
        let begun = Instant::now();
        let mut wait = FIRST_WAIT;
        for look in 1.. {
            let output = self.client.get_query_results().query_id(&self.id).send().await;
            let output = output.map_err(AwsError::of("logs:GetQueryResults"))?;
            if let Some(status) = ended(output.status.as_ref()) {
                self.ended = true;
                return status.map(|()| Found { output, partial: false });
            }
            if begun.elapsed() + wait > PATIENCE {
                return Ok(Found { output, partial: true });
            }
            call.report(look, None, format!("the query runs, {} lines so far", output.results().len()));
            tokio::time::sleep(wait).await;
            wait = (wait * 3 / 2).min(LONGEST_WAIT);
        }
        Err(ToolError::Bug)
    }
}

/// Whether a query has ended, and how.
fn ended(status: Option<&QueryStatus>) -> Option<Result<(), ToolError>> {
    let why = match status {
        Some(QueryStatus::Complete) => return Some(Ok(())),
        Some(QueryStatus::Failed) => "CloudWatch could not run the query",
        Some(QueryStatus::Cancelled) => "someone has stopped the query",
        Some(QueryStatus::Timeout) => "the query took CloudWatch too long",
        _ => return None,
    };
    let next = "try again with a shorter time (minutes) and a filter_pattern";
    Some(Err(AwsError::Unavailable(format!("{why}: {next}")).into()))
}

impl Drop for Running {
    fn drop(&mut self) {
        if self.ended {
            return;
        }
        // Where the runtime is gone the process ends, and nothing can be sent any more.
        if let Ok(runtime) = tokio::runtime::Handle::try_current() {
            let stop = self.client.stop_query().query_id(&self.id);
            runtime.spawn(async move {
                if let Err(error) = stop.send().await.map_err(AwsError::of("logs:StopQuery")) {
                    tracing::debug!(%error, "a query could not be stopped");
                }
            });
        }
    }
}
