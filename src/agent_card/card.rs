//! Loading and checking a card (specification §4.4).

use std::path::Path;

use serde_json::Value;

/// The built-in card.
const BUILT_IN: &str = include_str!("../../agent-card.json");

/// Why a card cannot be served.
#[derive(Debug, thiserror::Error)]
pub enum CardError {
    /// The file cannot be read.
    #[error("the agent card {path} cannot be read: {source}")]
    Unreadable {
        /// Which file.
        path: String,
        /// Why.
        #[source]
        source: std::io::Error,
    },
    /// Not JSON.
    #[error("the agent card is not valid JSON: {0}")]
    NotJson(#[from] serde_json::Error),
    /// A member is missing, of the wrong type, or claims what is not there.
    #[error("the agent card is wrong: {member} {problem}")]
    Wrong {
        /// JSON path of the member.
        member: String,
        /// What is wrong with it.
        problem: &'static str,
    },
}

/// The card of this file, or the built-in one; checked.
pub fn load(path: Option<&Path>) -> Result<Value, CardError> {
    let text = match path {
        None => BUILT_IN.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| CardError::Unreadable { path: path.display().to_string(), source })?,
    };
    let card: Value = serde_json::from_str(&text)?;
    check(&card)?;
    Ok(card)
}

fn check(card: &Value) -> Result<(), CardError> {
    let wrong = |member: &str, problem| CardError::Wrong { member: member.to_owned(), problem };
    for member in ["name", "description", "version"] {
        text(card, member)?;
    }
    for member in ["defaultInputModes", "defaultOutputModes"] {
        texts(card, member)?;
    }
    if card["capabilities"]["extendedAgentCard"] == true {
        return Err(wrong("capabilities.extendedAgentCard", "claims what this server does not offer"));
    }
    let skills = card["skills"].as_array().filter(|skills| !skills.is_empty());
    for (index, skill) in
        skills.ok_or_else(|| wrong("skills", "must list at least one skill"))?.iter().enumerate()
    {
        let in_skill = |error| match error {
            CardError::Wrong { member, problem } => {
                CardError::Wrong { member: format!("skills[{index}].{member}"), problem }
            }
            error @ (CardError::Unreadable { .. } | CardError::NotJson(_)) => error,
        };
        for member in ["id", "name", "description"] {
            text(skill, member).map_err(in_skill)?;
        }
        texts(skill, "tags").map_err(in_skill)?;
    }
    Ok(())
}

fn text(object: &Value, member: &str) -> Result<(), CardError> {
    let present = object[member].as_str().is_some_and(|text| !text.trim().is_empty());
    let wrong =
        || CardError::Wrong { member: member.to_owned(), problem: "must be a text that is not empty" };
    present.then_some(()).ok_or_else(wrong)
}

fn texts(object: &Value, member: &str) -> Result<(), CardError> {
    let present = object[member]
        .as_array()
        .is_some_and(|items| !items.is_empty() && items.iter().all(Value::is_string));
    let wrong = || CardError::Wrong { member: member.to_owned(), problem: "must list at least one text" };
    present.then_some(()).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use rstest::rstest;
    use serde_json::json;

    use super::*;

    #[test]
    fn the_built_in_card_is_right() {
        assert_eq!(load(None).expect("it loads")["name"], "K8s_Diagnostics_Agent");
    }

    #[rstest]
    #[case::no_name("/name", Value::Null, "name")]
    #[case::no_skills("/skills", json!([]), "skills")]
    #[case::no_tags("/skills/0/tags", json!([]), "skills[0].tags")]
    #[case::a_claim("/capabilities/extendedAgentCard", json!(true), "capabilities.extendedAgentCard")]
    fn a_wrong_member_is_named(#[case] pointer: &str, #[case] value: Value, #[case] named: &str) {
        let mut card = load(None).expect("it loads");
        *card.pointer_mut(pointer).expect("the member is there") = value;
        let error = check(&card).expect_err("the card is wrong").to_string();
        assert!(error.contains(&format!(" {named} ")), "{error}");
    }
}
