//! What a signature covers: a card's canonical bytes (specification §8.4.1, RFC 8785).
//!
//! The specification signs what 1.0 knows of a card. A published card may hold more (the members that 0.3 readers need),
//! and the SDKs of Python and JavaScript drop every empty member, also required ones. So a card has up to three payloads.

use serde_json::{Map, Value, json};

use super::types::AgentCard;

/// Which part of a card a payload holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coverage {
    /// Every member.
    Whole,
    /// Every member of 1.0, as the specification says it.
    Known,
    /// Every member of 1.0 that is not empty, as the SDKs do it.
    KnownNotEmpty,
}

/// A payload with what it covers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Payload {
    pub(super) coverage: Coverage,
    pub(super) bytes: Vec<u8>,
}

/// The payloads of a card, without repetition. Those of 1.0 are missing where it is no card of 1.0.
pub(super) fn payloads(card: &Value) -> Vec<Payload> {
    let mut whole = card.clone();
    if let Some(members) = whole.as_object_mut() {
        members.remove("signatures");
    }
    let known = known(&whole);
    let not_empty = known.clone().map(|known| without_empty(known).unwrap_or_else(|| json!({})));
    let candidates =
        [(Coverage::Whole, Some(whole)), (Coverage::Known, known), (Coverage::KnownNotEmpty, not_empty)];
    let mut payloads: Vec<Payload> = Vec::new();
    for (coverage, value) in candidates {
        // A card holds no number that JSON could not write, so this does not fail.
        let Some(bytes) = value.and_then(|value| serde_json_canonicalizer::to_vec(&value).ok()) else {
            continue;
        };
        if payloads.iter().all(|payload| payload.bytes != bytes) {
            payloads.push(Payload { coverage, bytes });
        }
    }
    payloads
}

/// The members that 1.0 knows, without those that have their default. A card without interfaces is none of 1.0.
fn known(card: &Value) -> Option<Value> {
    card.get("supportedInterfaces")?;
    let card: AgentCard = serde_json::from_value(without_null(card.clone())).ok()?;
    serde_json::to_value(card).ok()
}

/// ProtoJSON: `null` is absent, except in free content.
fn without_null(value: Value) -> Value {
    match value {
        Value::Object(members) => {
            let present = members.into_iter().filter(|(_, value)| !value.is_null());
            let cleaned = present.map(|(name, value)| match name.as_str() {
                "params" | "header" => (name, value),
                _ => (name, without_null(value)),
            });
            Value::Object(cleaned.collect())
        }
        Value::Array(items) => items.into_iter().map(without_null).collect(),
        other => other,
    }
}

/// Without nulls, empty texts, lists and objects, and what is empty without those.
fn without_empty(value: Value) -> Option<Value> {
    match value {
        Value::Object(members) => {
            let members = members.into_iter();
            let rest: Map<_, _> =
                members.filter_map(|(name, value)| Some((name, without_empty(value)?))).collect();
            (!rest.is_empty()).then_some(Value::Object(rest))
        }
        Value::Array(items) => {
            let rest: Vec<_> = items.into_iter().filter_map(without_empty).collect();
            (!rest.is_empty()).then_some(Value::Array(rest))
        }
        Value::String(text) if text.is_empty() => None,
        Value::Null => None,
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::*;

    fn text_of(card: &Value, coverage: Coverage) -> Option<String> {
        let payload = payloads(card).into_iter().find(|payload| payload.coverage == coverage)?;
        Some(String::from_utf8(payload.bytes).expect("JSON is UTF-8"))
    }

    fn canonical(json: &str) -> String {
        text_of(&serde_json::from_str(json).expect("it is JSON"), Coverage::Whole).expect("there is one")
    }

    /// RFC 8785 §3.2.2 and §3.2.3.
    #[rstest]
    #[case::literals(
        r#"{ "numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
            "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false] }"#,
        r#"{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"string":"€$\u000f\nA'B\"\\\\\"/"}"#
    )]
    #[case::order_of_utf16_units(
        r#"{ "\u20ac": 1, "\r": 2, "\ufb33": 3, "1": 4, "\ud83d\ude00": 5, "\u0080": 6, "\u00f6": 7 }"#,
        "{\"\\r\":2,\"1\":4,\"\u{80}\":6,\"ö\":7,\"€\":1,\"😀\":5,\"\u{fb33}\":3}"
    )]
    #[case::whole_numbers_beyond_a_double(r#"{ "n": 9007199254740993 }"#, r#"{"n":9007199254740992}"#)]
    fn the_canonical_form_is_that_of_rfc_8785(#[case] json: &str, #[case] expected: &str) {
        assert_eq!(canonical(json), expected);
    }

    /// RFC 8785, appendix B.
    #[rstest]
    #[case(0x0000_0000_0000_0000, "0")]
    #[case(0x8000_0000_0000_0000, "0")]
    #[case(0x0000_0000_0000_0001, "5e-324")]
    #[case(0x7fef_ffff_ffff_ffff, "1.7976931348623157e+308")]
    #[case(0x4340_0000_0000_0000, "9007199254740992")]
    #[case(0x4430_0000_0000_0000, "295147905179352830000")]
    #[case(0x44b5_2d02_c7e1_4af5, "9.999999999999997e+22")]
    #[case(0x44b5_2d02_c7e1_4af6, "1e+23")]
    #[case(0x44b5_2d02_c7e1_4af7, "1.0000000000000001e+23")]
    #[case(0x444b_1ae4_d6e2_ef4e, "999999999999999700000")]
    #[case(0x444b_1ae4_d6e2_ef4f, "999999999999999900000")]
    #[case(0x444b_1ae4_d6e2_ef50, "1e+21")]
    #[case(0x3eb0_c6f7_a0b5_ed8c, "9.999999999999997e-7")]
    #[case(0x3eb0_c6f7_a0b5_ed8d, "0.000001")]
    #[case(0x41b3_de43_5555_5553, "333333333.3333332")]
    #[case(0x41b3_de43_5555_5554, "333333333.33333325")]
    #[case(0x41b3_de43_5555_5555, "333333333.3333333")]
    #[case(0x41b3_de43_5555_5556, "333333333.3333334")]
    #[case(0x41b3_de43_5555_5557, "333333333.33333343")]
    #[case(0xbecb_f647_612f_3696, "-0.0000033333333333333333")]
    #[case(0x4314_3ff3_c1cb_0959, "1424953923781206.2")]
    fn numbers_are_written_as_in_rfc_8785(#[case] bits: u64, #[case] expected: &str) {
        let card = json!({ "n": f64::from_bits(bits) });
        assert_eq!(text_of(&card, Coverage::Whole), Some(format!("{{\"n\":{expected}}}")));
    }

    /// The example of the specification, §8.4.1, with the other members that it requires.
    #[test]
    fn defaults_are_dropped_unless_they_are_required_or_were_set() {
        let card = json!({
            "name": "Example Agent", "description": "", "version": "1", "supportedInterfaces": [],
            "capabilities": { "streaming": false, "pushNotifications": false, "extensions": [] },
            "defaultInputModes": [], "defaultOutputModes": ["text/plain"], "skills": [],
            "securityRequirements": [{ "schemes": { "x": { "list": [] } } }], "iconUrl": null,
            "url": "http://unknown.of.1.0", "signatures": [{ "protected": "x", "signature": "y" }],
        });
        assert_eq!(
            text_of(&card, Coverage::Known).as_deref(),
            Some(concat!(
                r#"{"capabilities":{"pushNotifications":false,"streaming":false},"defaultInputModes":[],"#,
                r#""defaultOutputModes":["text/plain"],"description":"","name":"Example Agent","#,
                r#""securityRequirements":[{"schemes":{"x":{}}}],"skills":[],"supportedInterfaces":[],"version":"1"}"#
            ))
        );
        assert_eq!(
            text_of(&card, Coverage::KnownNotEmpty).as_deref(),
            Some(concat!(
                r#"{"capabilities":{"pushNotifications":false,"streaming":false},"#,
                r#""defaultOutputModes":["text/plain"],"name":"Example Agent","version":"1"}"#
            ))
        );
    }

    #[test]
    fn free_content_keeps_its_nulls() {
        let mut card = json!({
            "name": "x", "description": "x", "version": "1", "supportedInterfaces": [], "defaultInputModes": [],
            "defaultOutputModes": [], "skills": [], "capabilities": { "extensions": [{ "uri": "u", "params": { "n": null } }] },
            "nickname": "x",
        });
        assert!(
            text_of(&card, Coverage::Known)
                .expect("a card of 1.0")
                .contains(r#"{"params":{"n":null},"uri":"u"}"#)
        );
        card.as_object_mut().expect("an object").remove("supportedInterfaces");
        assert_eq!(text_of(&card, Coverage::Known), None, "no card of 1.0");
    }
}
