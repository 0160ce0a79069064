//! A card in the forms that clients read.

use serde_json::{Map, Value, json};

use super::security::{requirements_v03, scheme_v03};
use super::types::AgentCard;

/// Which form of a card is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// For `A2A-Version: 1.0`: nothing but 1.0.
    V1,
    /// For `A2A-Version: 0.3`: nothing but 0.3.
    V03,
    /// For readers that do not say: 1.0 with the members by which a 0.3 reader finds its way.
    Merged,
}

impl Form {
    /// All of them.
    pub(super) const ALL: [Self; 3] = [Self::V1, Self::V03, Self::Merged];

    /// The card in this form, without signatures.
    pub(super) fn write(self, card: &AgentCard) -> Value {
        let v1 = json!(card);
        match self {
            Self::V1 => v1,
            Self::V03 => v03(card, v1),
            Self::Merged => merged(v1, Self::V03.write(card)),
        }
    }
}

/// What 0.3 has instead of a member of 1.0 (its specification, §5.5).
fn v03(card: &AgentCard, mut form: Value) -> Value {
    let Some(members) = form.as_object_mut() else { return form };
    for member in ["supportedInterfaces", "securitySchemes", "securityRequirements"] {
        members.remove(member);
    }
    let interfaces = card.supported_interfaces.iter().filter(|interface| interface.protocol_version == "0.3");
    let interfaces: Vec<Value> = interfaces
        .map(|interface| json!({ "url": interface.url, "transport": interface.protocol_binding }))
        .collect();
    form["protocolVersion"] = json!("0.3.0");
    form["url"] = interfaces[0]["url"].clone();
    form["preferredTransport"] = interfaces[0]["transport"].clone();
    form["additionalInterfaces"] = json!(interfaces);
    form["supportsAuthenticatedExtendedCard"] = json!(card.capabilities.extended_agent_card == Some(true));
    if let Some(capabilities) = form["capabilities"].as_object_mut() {
        capabilities.remove("extendedAgentCard");
    }
    if !card.security_schemes.is_empty() {
        let schemes = card.security_schemes.iter();
        form["securitySchemes"] =
            schemes.map(|(name, scheme)| (name.clone(), scheme_v03(scheme))).collect::<Map<_, _>>().into();
        form["security"] = requirements_v03(&card.security_requirements);
    }
    for (index, skill) in card.skills.iter().enumerate() {
        if !skill.security_requirements.is_empty()
            && let Some(form) = form["skills"][index].as_object_mut()
        {
            form.remove("securityRequirements");
            form.insert("security".to_owned(), requirements_v03(&skill.security_requirements));
        }
    }
    form
}

/// Both: what only one of them has, and where both have an object, both inside it.
fn merged(v1: Value, v03: Value) -> Value {
    match (v1, v03) {
        (Value::Object(mut both), Value::Object(v03)) => {
            for (name, value) in v03 {
                let value = match both.remove(&name) {
                    Some(other) => merged(other, value),
                    None => value,
                };
                both.insert(name, value);
            }
            Value::Object(both)
        }
        (Value::Array(v1), Value::Array(v03)) if v1.len() == v03.len() => {
            v1.into_iter().zip(v03).map(|(v1, v03)| merged(v1, v03)).collect()
        }
        (v1, _) => v1,
    }
}
