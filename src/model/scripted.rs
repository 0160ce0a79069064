//! A model that plays a written conversation, for tests of everything around a model.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use futures::StreamExt;
use futures::stream::{self, BoxStream};

use super::{ConverseRequest, Model, ModelDelta, ModelError};

/// What the model does in one turn.
#[derive(Debug, Clone)]
pub enum ScriptedTurn {
    /// These pieces, then the end of the turn.
    Deltas(Vec<ModelDelta>),
    /// An error.
    Fails(ModelError),
    /// Never answers.
    Hangs,
}

/// Plays one [`ScriptedTurn`] per request and keeps the requests for inspection.
#[derive(Debug, Clone, Default)]
pub struct Scripted {
    turns: Arc<Mutex<VecDeque<ScriptedTurn>>>,
    requests: Arc<Mutex<Vec<ConverseRequest>>>,
}

impl Scripted {
    /// A model that will take these turns. Asked for more, it is unavailable.
    pub fn new(turns: impl IntoIterator<Item = ScriptedTurn>) -> Self {
        Self { turns: Arc::new(Mutex::new(turns.into_iter().collect())), requests: Arc::default() }
    }

    /// What it was asked so far.
    pub fn requests(&self) -> Vec<ConverseRequest> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Turns that were not asked for yet.
    pub fn unused(&self) -> usize {
        self.turns.lock().unwrap_or_else(PoisonError::into_inner).len()
    }
}

impl Model for Scripted {
    fn id(&self) -> &str {
        "scripted"
    }

    fn converse(&self, request: ConverseRequest) -> BoxStream<'static, Result<ModelDelta, ModelError>> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner).push(request);
        match self.turns.lock().unwrap_or_else(PoisonError::into_inner).pop_front() {
            Some(ScriptedTurn::Deltas(deltas)) => {
                stream::iter(deltas.into_iter().chain([ModelDelta::Done]).map(Ok)).boxed()
            }
            Some(ScriptedTurn::Fails(error)) => stream::iter([Err(error)]).boxed(),
            Some(ScriptedTurn::Hangs) => stream::pending().boxed(),
            None => stream::iter([Err(ModelError::Unavailable("the script has ended".to_owned()))]).boxed(),
        }
    }
}
