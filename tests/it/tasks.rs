//! The lifecycle: what the runner guarantees, each guarantee by its name, on a real store file.

mod cancel;
mod executors;
mod guarantees;
mod kill;
mod recovery;
pub mod reducer;
mod store;

use std::sync::Arc;
use std::time::Duration;

use drydock::a2a::types::TaskId;
use drydock::tasks::{Owner, RunnerLimits, TaskRunner, TaskStore, Until};
use tempfile::TempDir;

use crate::support::{Puppet, store_in};

/// A runner on a store of its own, and an executor in the test's hands.
struct Bench {
    runner: TaskRunner,
    puppet: Arc<Puppet>,
    store: Arc<dyn TaskStore>,
    folder: TempDir,
}

impl Bench {
    async fn new() -> Self {
        Self::with_limits(RunnerLimits::default()).await
    }

    async fn with_limits(limits: RunnerLimits) -> Self {
        Self::in_folder(tempfile::tempdir().unwrap(), limits).await
    }

    /// As after a restart, where something is in the folder already.
    async fn in_folder(folder: TempDir, limits: RunnerLimits) -> Self {
        let store: Arc<dyn TaskStore> = Arc::new(store_in(folder.path()).await);
        let puppet = Arc::new(Puppet::default());
        let runner = TaskRunner::new(Arc::clone(&store), Arc::clone(&puppet) as _, limits);
        Self { runner, puppet, store, folder }
    }

    /// Waits until nobody works on a task any more.
    async fn settled(&self, id: &TaskId) {
        self.runner.subscribe(&me(), id, None, Until::Settled).await.unwrap().settled().await.unwrap();
    }

    /// What a killed process leaves behind: its folder. The executions are dropped where they are.
    async fn killed(self) -> TempDir {
        self.runner.shutdown(Duration::ZERO).await;
        self.folder
    }
}

fn me() -> Owner {
    Owner("me".to_owned())
}
