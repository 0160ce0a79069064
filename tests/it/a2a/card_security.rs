//! Who may call, as the card says it, in the words of each dialect.

use std::collections::BTreeMap;

use drydock::agent_card::{Form, Issuer, PublishedCard, Security};
use serde_json::{Value, json};

use crate::support::card_at;

fn issuer() -> Issuer {
    Issuer {
        issuer: "https://idp.example.com/pool/".to_owned(),
        token_url: Some("https://login.example.com/oauth2/token".to_owned()),
        metadata_url: Some("https://idp.example.com/.well-known/oauth-authorization-server".to_owned()),
    }
}

fn card(issuers: Vec<Issuer>) -> PublishedCard {
    let security = Security {
        issuers,
        scopes: BTreeMap::from([("drydock/invoke".to_owned(), "Ask the agent".to_owned())]),
        required_scopes: vec!["drydock/invoke".to_owned()],
    };
    card_at("https://a.example", |publication| publication.security = Some(security))
}

#[test]
fn a_1_0_reader_learns_where_tokens_come_from_and_which_scopes_they_need() {
    let card = card(vec![issuer()]).public(Form::V1);
    let expected = json!({
        "oauth2": { "oauth2SecurityScheme": {
            "description": "A machine token of https://idp.example.com/pool/",
            "flows": { "clientCredentials": {
                "tokenUrl": "https://login.example.com/oauth2/token", "scopes": { "drydock/invoke": "Ask the agent" },
            } },
            "oauth2MetadataUrl": "https://idp.example.com/.well-known/oauth-authorization-server",
        } },
        "oidc": { "openIdConnectSecurityScheme": {
            "description": "A token of https://idp.example.com/pool/",
            "openIdConnectUrl": "https://idp.example.com/pool/.well-known/openid-configuration",
        } },
    });
    assert_eq!(card["securitySchemes"], expected);
    let either = json!([
        { "schemes": { "oauth2": { "list": ["drydock/invoke"] } } },
        { "schemes": { "oidc": { "list": ["drydock/invoke"] } } },
    ]);
    assert_eq!(card["securityRequirements"], either);
    assert_eq!(card.get("security"), None, "security is no member of 1.0");
}

#[test]
fn a_0_3_reader_learns_the_same() {
    let card = card(vec![issuer()]).public(Form::V03);
    let expected = json!({
        "oauth2": {
            "type": "oauth2",
            "description": "A machine token of https://idp.example.com/pool/",
            "flows": { "clientCredentials": {
                "tokenUrl": "https://login.example.com/oauth2/token", "scopes": { "drydock/invoke": "Ask the agent" },
            } },
            "oauth2MetadataUrl": "https://idp.example.com/.well-known/oauth-authorization-server",
        },
        "oidc": {
            "type": "openIdConnect",
            "description": "A token of https://idp.example.com/pool/",
            "openIdConnectUrl": "https://idp.example.com/pool/.well-known/openid-configuration",
        },
    });
    assert_eq!(card["securitySchemes"], expected);
    assert_eq!(card["security"], json!([{ "oauth2": ["drydock/invoke"] }, { "oidc": ["drydock/invoke"] }]));
    assert_eq!(card.get("securityRequirements"), None, "securityRequirements is no member of 0.3");
}

/// True where everything in `part` is in `whole`.
fn holds(whole: &Value, part: &Value) -> bool {
    match (whole, part) {
        (Value::Object(whole), Value::Object(part)) => {
            part.iter().all(|(name, value)| whole.get(name).is_some_and(|whole| holds(whole, value)))
        }
        (Value::Array(whole), Value::Array(part)) => {
            whole.len() == part.len() && whole.iter().zip(part).all(|(whole, part)| holds(whole, part))
        }
        (whole, part) => whole == part,
    }
}

#[test]
fn who_does_not_say_which_version_it_reads_finds_both() {
    let card = card(vec![issuer(), Issuer { issuer: "https://b.example".to_owned(), ..Issuer::default() }]);
    let merged = card.public(Form::Merged);
    assert!(holds(&merged, &card.public(Form::V1)));
    assert!(holds(&merged, &card.public(Form::V03)));
}

#[test]
fn a_flow_is_only_declared_where_its_token_endpoint_is_known() {
    let card = card(vec![Issuer { token_url: None, ..issuer() }]).public(Form::V1);
    let names: Vec<&String> = card["securitySchemes"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["oidc"]);
}

#[test]
fn several_issuers_are_several_ways_in() {
    let card = card(vec![issuer(), issuer()]).public(Form::V03);
    let names: Vec<&String> = card["securitySchemes"].as_object().unwrap().keys().collect();
    assert_eq!(names, ["oauth2", "oauth2_2", "oidc", "oidc_2"]);
    assert_eq!(card["security"].as_array().unwrap().len(), 4);
}

#[test]
fn tokens_of_unknown_origin_are_bearer_tokens() {
    let card = card(Vec::new());
    let v1 = card.public(Form::V1);
    assert_eq!(
        v1["securitySchemes"],
        json!({ "bearer": { "httpAuthSecurityScheme": { "scheme": "Bearer" } } })
    );
    let v03 = card.public(Form::V03);
    assert_eq!(v03["securitySchemes"], json!({ "bearer": { "type": "http", "scheme": "Bearer" } }));
}

#[test]
fn where_everyone_may_call_there_is_no_scheme() {
    let card = card_at("https://a.example", |_| {});
    for form in [Form::V1, Form::V03, Form::Merged] {
        let card = card.public(form);
        for member in ["securitySchemes", "securityRequirements", "security"] {
            assert_eq!(card.get(member), None, "{member}");
        }
    }
}
