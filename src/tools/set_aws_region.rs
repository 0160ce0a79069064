//! `set_aws_region`: the region of the calls that follow.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::aws::check_region;

use super::{Annotations, CallContext, Tool, ToolError, ToolOutcome};

pub(super) struct SetAwsRegion;

#[derive(Deserialize, JsonSchema)]
pub(super) struct Input {
    /// AWS region such as `eu-west-1`
    region: String,
}

impl Tool for SetAwsRegion {
    const NAME: &'static str = "set_aws_region";
    const TITLE: &'static str = "Choose the AWS region";
    const DESCRIPTION: &'static str = "Chooses the AWS region of all calls that follow in this session; other sessions keep theirs. The argument region \
         of a single call goes before it.";
    const ANNOTATIONS: Annotations = Annotations::COMPUTES;
    type Input = Input;
    type Output = Value;
    type Context = CallContext;

    async fn run(&self, input: Input, cx: &CallContext) -> Result<ToolOutcome, ToolError> {
        let region = input.region.trim();
        check_region(region)?;
        let remembered = cx.session.set_region(region);
        let text = match remembered {
            true => format!("The AWS region of this session is {region} from now on.\n"),
            false => format!(
                "Nothing is remembered here from call to call: pass region {region:?} with each call instead.\n"
            ),
        };
        Ok(ToolOutcome::new(json!({ "region": region, "remembered": remembered }), text))
    }
}

#[cfg(test)]
mod tests {
    use super::super::Session;
    use super::*;

    async fn choose(session: &Session, region: &str) -> Result<ToolOutcome, ToolError> {
        let input = Input { region: region.to_owned() };
        SetAwsRegion.run(input, &CallContext::new(session.clone(), 10_000)).await
    }

    #[tokio::test]
    async fn the_region_holds_for_the_session() {
        let session = Session::new("alice", false);
        assert_eq!(choose(&session, "eu-west-1").await.unwrap().structured["remembered"], true);
        assert!(choose(&session, "not a region").await.is_err());
        assert_eq!(session.region().as_deref(), Some("eu-west-1"));
    }

    #[tokio::test]
    async fn who_is_not_remembered_is_told_so() {
        let outcome = choose(&Session::stateless("anonymous", false), "eu-west-1").await.unwrap();
        assert_eq!(outcome.structured["remembered"], false);
        assert!(outcome.text.contains("with each call"), "{}", outcome.text);
    }
}
