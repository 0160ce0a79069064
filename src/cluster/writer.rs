//! Changing one object: create, replace, patch, apply, delete, each also as a dry run on the server. Nothing is repeated.

use http::{Method, Request, StatusCode};
use kube::client::Body;
use serde_json::{Value, json};

use super::{Cluster, ClusterError, Kind, redact};

/// What is done to an object.
#[derive(Debug, Clone, Copy)]
pub enum Change<'a> {
    /// Makes it.
    Create(&'a Value),
    /// Puts this in its place.
    Replace(&'a Value),
    /// Changes these members: as a strategic merge where the kind knows that, else as a merge (RFC 7386).
    Patch(&'a Value),
    /// Makes it what this says, as far as it says something, and makes it where there is none: a server-side apply.
    Apply {
        /// The object, as far as it is to be managed.
        object: &'a Value,
        /// Fields that others manage are taken over; without it they are a [`ClusterError::Conflict`].
        force: bool,
    },
    /// Deletes it if it still has this uid; what it owns goes with it.
    Delete {
        /// `metadata.uid`.
        uid: &'a str,
    },
}

/// What would come of applying an object.
#[derive(Debug, Clone, PartialEq)]
pub struct Trial {
    /// The object as it is, if it is there; secrets are redacted.
    pub before: Option<Value>,
    /// The object as it would be; secrets are redacted.
    pub after: Value,
    /// Nothing would change, not even what is redacted.
    pub same: bool,
}

const STRATEGIC: &str = "application/strategic-merge-patch+json";
const APPLY: &str = "application/apply-patch+yaml";
const MERGE: &str = "application/merge-patch+json";
const JSON: &str = "application/json";

impl Cluster {
    /// Changes an object, or with `dry_run` only has the server check that and say what would come of it. The answer is
    /// the object, or for a deletion possibly a `Status`; secrets are redacted.
    ///
    /// # Errors
    /// The server refuses it. [`ClusterError::Unreachable`] leaves open whether it was done.
    pub async fn change(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        change: Change<'_>,
        dry_run: bool,
    ) -> Result<Value, ClusterError> {
        let mut object = self.change_unredacted(kind, namespace, name, change, dry_run).await?;
        redact::object(&mut object);
        if !dry_run {
            self.discovery.changed(kind);
        }
        Ok(object)
    }

    /// What would come of applying this object, as the server says, without effect.
    ///
    /// # Errors
    /// The server refuses it; [`ClusterError::Conflict`] where others manage what would change.
    pub async fn try_apply(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        object: &Value,
        force: bool,
    ) -> Result<Trial, ClusterError> {
        let path = kind.path(namespace, Some(name))?;
        let mut before: Option<Value> = match self.requests().json(&path).await {
            Ok(before) => Some(before),
            Err(ClusterError::NotFound(_)) => None,
            Err(error) => return Err(error),
        };
        let change = Change::Apply { object, force };
        let mut after = self.change_unredacted(kind, namespace, name, change, true).await?;
        let with_status = object.get("status").is_some();
        let same = before.as_ref().is_some_and(|before| is_same(before, &after, with_status));
        before.iter_mut().chain([&mut after]).for_each(redact::object);
        Ok(Trial { before, after, same })
    }

    async fn change_unredacted(
        &self,
        kind: &Kind,
        namespace: Option<&str>,
        name: &str,
        change: Change<'_>,
        dry_run: bool,
    ) -> Result<Value, ClusterError> {
        let name = Some(name).filter(|_| !matches!(change, Change::Create(_)));
        let path = kind.path(namespace, name)?;
        let sent = self.sent(&path, change, dry_run).await.map_err(|error| match error {
            ClusterError::Unreachable(why) if !dry_run => ClusterError::Unreachable(format!(
                "{why}. Whether the change was made is not known: read the object before you try it again"
            )),
            error => error,
        });
        sent?.ok_or_else(|| ClusterError::Invalid(format!("{} cannot be changed in this way", kind.plural)))
    }

    /// `None` where the server does not know this kind of change.
    async fn sent(
        &self,
        path: &str,
        change: Change<'_>,
        dry_run: bool,
    ) -> Result<Option<Value>, ClusterError> {
        let options = if dry_run { "?dryRun=All&fieldManager=drydock" } else { "?fieldManager=drydock" };
        let send =
            |method, media, body: Value| self.send_change(method, format!("{path}{options}"), media, body);
        match change {
            Change::Create(object) => send(Method::POST, JSON, object.clone()).await,
            Change::Replace(object) => send(Method::PUT, JSON, object.clone()).await,
            Change::Patch(patch) => match send(Method::PATCH, STRATEGIC, patch.clone()).await {
                Ok(None) => send(Method::PATCH, MERGE, patch.clone()).await,
                ended => ended,
            },
            Change::Apply { object, force } => {
                let path = format!("{path}{options}&force={force}");
                self.send_change(Method::PATCH, path, APPLY, object.clone()).await
            }
            Change::Delete { uid } => {
                let dry_run = if dry_run { json!(["All"]) } else { json!([]) };
                let options = json!({
                    "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                    "preconditions": { "uid": uid }, "dryRun": dry_run,
                });
                self.send_change(Method::DELETE, path.to_owned(), JSON, options).await
            }
        }
    }

    /// `None` where the server does not know this kind of body.
    async fn send_change(
        &self,
        method: Method,
        path: String,
        media: &str,
        body: Value,
    ) -> Result<Option<Value>, ClusterError> {
        let request = Request::builder().method(method).uri(path).header(http::header::CONTENT_TYPE, media);
        let request = request.body(Body::from(body.to_string().into_bytes()));
        let request = request.map_err(|_| ClusterError::Invalid("not a path of an API".to_owned()))?;
        let (status, answer) = self.requests().once(request).await?;
        Ok((status != StatusCode::UNSUPPORTED_MEDIA_TYPE).then_some(answer))
    }
}

/// True where an object says the same twice, but for what the server keeps for itself.
fn is_same(before: &Value, after: &Value, with_status: bool) -> bool {
    let said = |object: &Value| {
        let mut object = object.clone();
        if let Some(members) = object.as_object_mut().filter(|_| !with_status) {
            members.remove("status");
        }
        if let Some(metadata) = object["metadata"].as_object_mut() {
            metadata
                .retain(|member, _| !["managedFields", "resourceVersion", "generation"].contains(&&**member));
        }
        object
    };
    said(before) == said(after)
}
