//! Changing one object: create, replace, patch, delete, each also as a dry run on the server. Nothing is repeated.

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
    /// Deletes it if it still has this uid; what it owns goes with it.
    Delete {
        /// `metadata.uid`.
        uid: &'a str,
    },
}

const STRATEGIC: &str = "application/strategic-merge-patch+json";
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
        let name = Some(name).filter(|_| !matches!(change, Change::Create(_)));
        let path = kind.path(namespace, name)?;
        let options = if dry_run { "?dryRun=All&fieldManager=drydock" } else { "?fieldManager=drydock" };
        let send =
            |method, media, body: Value| self.send_change(method, format!("{path}{options}"), media, body);
        let sent = match change {
            Change::Create(object) => send(Method::POST, JSON, object.clone()).await,
            Change::Replace(object) => send(Method::PUT, JSON, object.clone()).await,
            Change::Patch(patch) => match send(Method::PATCH, STRATEGIC, patch.clone()).await {
                Ok(None) => send(Method::PATCH, MERGE, patch.clone()).await,
                ended => ended,
            },
            Change::Delete { uid } => {
                let dry_run = if dry_run { json!(["All"]) } else { json!([]) };
                let options = json!({
                    "apiVersion": "v1", "kind": "DeleteOptions", "propagationPolicy": "Background",
                    "preconditions": { "uid": uid }, "dryRun": dry_run,
                });
                self.send_change(Method::DELETE, path.clone(), JSON, options).await
            }
        };
        let unsupported = || ClusterError::Invalid(format!("{} cannot be changed in this way", kind.plural));
        let sent = sent.map_err(|error| match error {
            ClusterError::Unreachable(why) if !dry_run => ClusterError::Unreachable(format!(
                "{why}. Whether the change was made is not known: read the object before you try it again"
            )),
            error => error,
        });
        let mut object = sent?.ok_or_else(unsupported)?;
        redact::object(&mut object);
        Ok(object)
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
