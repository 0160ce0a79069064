//! The card as data: the file, read strictly and checked (specification §4.4).

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::types::{AgentCard, AgentSkill};

/// The built-in card.
const BUILT_IN: &str = include_str!("../../agent-card.json");

/// Members that follow from the configuration.
const CONFIGURED: [&str; 4] =
    ["supportedInterfaces", "securitySchemes", "securityRequirements", "signatures"];

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
    /// Signed, but without a URL to stand by.
    #[error("a signed card has to name where the agent is reached: say --public-url")]
    NoUrlToSign,
    /// A member is missing, unknown, of the wrong type, or claims what is not there.
    #[error("the agent card is wrong: {member} {problem}")]
    Wrong {
        /// JSON path of the member.
        member: String,
        /// What is wrong with it.
        problem: String,
    },
}

/// A card without what the configuration adds.
///
/// Besides the members of A2A a file has two of our own, which are not published: `scopes` of a skill (a caller needs
/// them besides those that every call needs), and `extended`, with a `description` and `skills` that only
/// authenticated callers see, of those skills each caller the ones whose scopes it holds.
#[derive(Debug, Clone, PartialEq)]
pub struct CardSource {
    pub(super) card: AgentCard,
    /// Scopes of the skills of `card`, by id.
    pub(super) scopes: BTreeMap<String, Vec<String>>,
    pub(super) extended: ExtendedSource,
}

/// What only authenticated callers see.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct ExtendedSource {
    /// Instead of the public description.
    pub(super) description: Option<String>,
    /// Besides the public skills, each with the scopes that a caller needs to see it.
    pub(super) skills: Vec<(AgentSkill, Vec<String>)>,
}

/// The card of this file, or the built-in one; checked.
///
/// # Errors
/// It cannot be read, or is wrong.
pub fn load(path: Option<&Path>) -> Result<CardSource, CardError> {
    let text = match path {
        None => BUILT_IN.to_owned(),
        Some(path) => std::fs::read_to_string(path)
            .map_err(|source| CardError::Unreadable { path: path.display().to_string(), source })?,
    };
    CardSource::read(serde_json::from_str(&text)?)
}

impl CardSource {
    /// Reads and checks a card.
    ///
    /// # Errors
    /// [`CardError::Wrong`] names the member.
    pub fn read(mut file: Value) -> Result<Self, CardError> {
        let Some(members) = file.as_object_mut() else {
            return Err(wrong("the file", "must be a JSON object"));
        };
        if let Some(name) = CONFIGURED.iter().find(|name| members.contains_key(**name)) {
            return Err(wrong(name, "is made from the configuration: leave it out"));
        }
        members.insert("supportedInterfaces".to_owned(), json!([]));
        members.entry("capabilities").or_insert_with(|| json!({}));
        let extended = members.remove("extended");
        let scopes = take_scopes(file.get_mut("skills"), "skills")?;
        let card: AgentCard = strict("", file)?;
        check(&card)?;
        let scopes = card.skills.iter().map(|skill| skill.id.clone()).zip(scopes).collect();
        let extended = extended.map(read_extended).transpose()?.unwrap_or_default();
        check_skill_ids(card.skills.iter().chain(extended.skills.iter().map(|(skill, _)| skill)))?;
        Ok(Self { card, scopes, extended })
    }
}

fn read_extended(mut extended: Value) -> Result<ExtendedSource, CardError> {
    let Some(members) = extended.as_object() else {
        return Err(wrong("extended", "must be a JSON object"));
    };
    if let Some(name) = members.keys().find(|name| !["description", "skills"].contains(&name.as_str())) {
        return Err(wrong(&format!("extended.{name}"), "is unknown: extended has description and skills"));
    }
    let description: Option<String> = strict("extended.description", extended["description"].take())?;
    if let Some(description) = &description {
        text("extended.description", description)?;
    }
    let scopes = take_scopes(extended.get_mut("skills"), "extended.skills")?;
    let skills: Option<Vec<AgentSkill>> = strict("extended.skills", extended["skills"].take())?;
    let skills = skills.unwrap_or_default();
    for (index, skill) in skills.iter().enumerate() {
        check_skill(&format!("extended.skills[{index}]."), skill)?;
    }
    Ok(ExtendedSource { description, skills: skills.into_iter().zip(scopes).collect() })
}

/// Takes our member `scopes` out of each skill.
fn take_scopes(skills: Option<&mut Value>, path: &str) -> Result<Vec<Vec<String>>, CardError> {
    let skills = skills.and_then(Value::as_array_mut).into_iter().flatten().enumerate();
    let scopes = skills.map(|(index, skill)| {
        let scopes = skill.as_object_mut().and_then(|skill| skill.remove("scopes"));
        let path = format!("{path}[{index}].scopes");
        scopes.map_or_else(|| Ok(Vec::new()), |scopes| strict(&path, scopes))
    });
    scopes.collect()
}

/// Deserializes what may be there and nothing else; the error names the member below `path`.
fn strict<T: DeserializeOwned>(path: &str, value: Value) -> Result<T, CardError> {
    let mut unknown = None;
    let mut track = serde_path_to_error::Track::new();
    let deserializer = serde_path_to_error::Deserializer::new(value, &mut track);
    let read = serde_ignored::deserialize(deserializer, |ignored| {
        unknown.get_or_insert_with(|| member_path(&ignored));
    });
    let read = read.map_err(|error| wrong(&below(path, &track.path().to_string()), error.to_string()))?;
    match unknown {
        Some(member) => Err(wrong(&below(path, &member), "is no member of an agent card of A2A 1.0")),
        None => Ok(read),
    }
}

/// A path below another one: `skills` and `[0].tags` are `skills[0].tags`.
fn below(path: &str, member: &str) -> String {
    let member = member.trim_matches('.');
    let dot = if path.is_empty() || member.is_empty() || member.starts_with('[') { "" } else { "." };
    let joined = format!("{path}{dot}{member}");
    if joined.is_empty() { "the file".to_owned() } else { joined }
}

/// A path as the errors write it: `.skills[0].tags`.
fn member_path(path: &serde_ignored::Path<'_>) -> String {
    use serde_ignored::Path;
    match path {
        Path::Root => String::new(),
        Path::Seq { parent, index } => format!("{}[{index}]", member_path(parent)),
        Path::Map { parent, key } => format!("{}.{key}", member_path(parent)),
        Path::Some { parent } | Path::NewtypeStruct { parent } | Path::NewtypeVariant { parent } => {
            member_path(parent)
        }
    }
}

fn check(card: &AgentCard) -> Result<(), CardError> {
    text("name", &card.name)?;
    text("description", &card.description)?;
    text("version", &card.version)?;
    media_types("defaultInputModes", &card.default_input_modes)?;
    media_types("defaultOutputModes", &card.default_output_modes)?;
    let provider = card.provider.as_ref();
    if let Some(provider) = provider {
        text("provider.organization", &provider.organization)?;
    }
    let links = [
        ("provider.url", provider.map(|provider| &provider.url)),
        ("documentationUrl", card.documentation_url.as_ref()),
        ("iconUrl", card.icon_url.as_ref()),
    ];
    for (member, url) in links {
        url.map_or(Ok(()), |url| link(member, url))?;
    }
    if card.capabilities.streaming == Some(false) {
        return Err(wrong("capabilities.streaming", "is false, but this server streams: leave it out"));
    }
    check_extensions(card)?;
    if card.skills.is_empty() {
        return Err(wrong("skills", "must list at least one skill"));
    }
    for (index, skill) in card.skills.iter().enumerate() {
        check_skill(&format!("skills[{index}]."), skill)?;
    }
    Ok(())
}

fn check_extensions(card: &AgentCard) -> Result<(), CardError> {
    let mut uris = BTreeSet::new();
    for (index, extension) in card.capabilities.extensions.iter().enumerate() {
        let member = format!("capabilities.extensions[{index}].uri");
        text(&member, &extension.uri)?;
        if extension.uri.contains([',', ' ']) {
            return Err(wrong(&member, "must be a URI: it travels in a header, between commas"));
        }
        if !uris.insert(&extension.uri) {
            return Err(wrong(&member, "is there twice"));
        }
    }
    Ok(())
}

fn check_skill(path: &str, skill: &AgentSkill) -> Result<(), CardError> {
    text(&format!("{path}id"), &skill.id)?;
    text(&format!("{path}name"), &skill.name)?;
    text(&format!("{path}description"), &skill.description)?;
    texts(&format!("{path}tags"), &skill.tags)?;
    for (member, modes) in [("inputModes", &skill.input_modes), ("outputModes", &skill.output_modes)] {
        if !modes.is_empty() {
            media_types(&format!("{path}{member}"), modes)?;
        }
    }
    match skill.security_requirements.is_empty() {
        true => Ok(()),
        false => Err(wrong(
            &format!("{path}securityRequirements"),
            "is made from the configuration: say which `scopes` the skill needs",
        )),
    }
}

fn check_skill_ids<'a>(skills: impl Iterator<Item = &'a AgentSkill>) -> Result<(), CardError> {
    let mut ids = BTreeSet::new();
    for skill in skills {
        if !ids.insert(&skill.id) {
            return Err(wrong("skills", format!("has the id {} twice", skill.id)));
        }
    }
    Ok(())
}

fn text(member: &str, text: &str) -> Result<(), CardError> {
    match text.trim().is_empty() {
        true => Err(wrong(member, "must be a text that is not empty")),
        false => Ok(()),
    }
}

fn texts(member: &str, texts: &[String]) -> Result<(), CardError> {
    match texts.is_empty() || texts.iter().any(|text| text.trim().is_empty()) {
        true => Err(wrong(member, "must list at least one text, and none that is empty")),
        false => Ok(()),
    }
}

fn media_types(member: &str, modes: &[String]) -> Result<(), CardError> {
    texts(member, modes)?;
    match modes.iter().find(|mode| !mode.contains('/')) {
        Some(mode) => Err(wrong(member, format!("names {mode}, which is no media type"))),
        None => Ok(()),
    }
}

fn link(member: &str, url: &str) -> Result<(), CardError> {
    match reqwest::Url::parse(url) {
        Ok(parsed) if matches!(parsed.scheme(), "http" | "https") => Ok(()),
        Ok(_) | Err(_) => Err(wrong(member, "must be an http or https URL")),
    }
}

pub(super) fn wrong(member: &str, problem: impl Into<String>) -> CardError {
    CardError::Wrong { member: member.to_owned(), problem: problem.into() }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn built_in() -> Value {
        serde_json::from_str(BUILT_IN).expect("it is JSON")
    }

    #[test]
    fn the_built_in_card_is_right() {
        assert_eq!(load(None).expect("it loads").card.name, "K8s_Diagnostics_Agent");
    }

    #[rstest]
    #[case::no_name("/name", Value::Null, "name")]
    #[case::a_blank_name("/name", json!(" "), "name")]
    #[case::version_is_a_number("/version", json!(1), "version")]
    #[case::no_skills("/skills", json!([]), "skills")]
    #[case::skills_are_no_list("/skills", json!({}), "skills")]
    #[case::no_tags("/skills/0/tags", json!([]), "skills[0].tags")]
    #[case::a_tag_is_a_number("/skills/0/tags", json!(["x", 1]), "skills[0].tags[1]")]
    #[case::no_media_type("/defaultOutputModes", json!(["text"]), "defaultOutputModes")]
    #[case::no_link("/documentationUrl", json!("javascript:alert(1)"), "documentationUrl")]
    #[case::a_claim("/capabilities/streaming", json!(false), "capabilities.streaming")]
    #[case::an_extension_without_uri("/capabilities/extensions", json!([{ "required": true }]), "capabilities.extensions[0].uri")]
    #[case::unknown("/nickname", json!("x"), "nickname")]
    #[case::unknown_of_0_3("/url", json!("http://x/"), "url")]
    #[case::unknown_inside("/skills/0/security", json!([]), "skills[0].security")]
    #[case::unknown_capability("/capabilities/stateTransitionHistory", json!(true), "capabilities.stateTransitionHistory")]
    #[case::configured("/supportedInterfaces", json!([]), "supportedInterfaces")]
    #[case::configured_in_a_skill("/skills/0/securityRequirements", json!([{ "schemes": {} }]), "skills[0].securityRequirements")]
    #[case::scopes_are_no_list("/skills/0/scopes", json!("read"), "skills[0].scopes")]
    #[case::unknown_in_extended("/extended", json!({ "skill": [] }), "extended.skill")]
    #[case::no_object_in_extended("/extended", json!([]), "extended")]
    #[case::extended_description("/extended", json!({ "description": 1 }), "extended.description")]
    #[case::unknown_in_an_extended_skill("/extended", json!({ "skills": [{ "id": "x", "price": 1 }] }), "extended.skills[0].price")]
    #[case::an_extended_skill("/extended", json!({ "skills": [{ "id": "x" }] }), "extended.skills[0].name")]
    fn a_wrong_member_is_named(#[case] pointer: &str, #[case] value: Value, #[case] named: &str) {
        let mut card = built_in();
        let (parent, member) = pointer.rsplit_once('/').expect("a pointer");
        card.pointer_mut(parent).expect("the parent is there")[member] = value;
        let error = CardSource::read(card).expect_err("the card is wrong").to_string();
        assert!(error.contains(&format!(" {named} ")), "{error}");
    }

    #[rstest]
    #[case::no_object(json!([]))]
    #[case::a_text(json!("card"))]
    fn a_card_is_an_object(#[case] card: Value) {
        let error = CardSource::read(card).expect_err("it is none").to_string();
        assert!(error.contains("must be a JSON object"), "{error}");
    }

    #[test]
    fn two_skills_do_not_share_an_id() {
        let mut card = built_in();
        let skill = card["skills"][0].clone();
        card["extended"] = json!({ "skills": [skill] });
        let error = CardSource::read(card).expect_err("the card is wrong").to_string();
        assert!(error.contains("eks_diagnostics twice"), "{error}");
    }
}
