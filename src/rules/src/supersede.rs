//! Which value of a profile field stands: the one rule that every writer obeys.
//!
//! A manual value beats anything, also an older manual one. Any other value yields to a manual one and otherwise must be
//! at least as certain as what it replaces; of two equally certain values the newer wins, since two plain edits in a row
//! carry the same default confidence and the second must not be refused.

use std::fmt;

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// The confidence of a write that names none.
pub const DEFAULT_CONFIDENCE: f64 = 0.95;
/// The highest confidence that extraction may claim: 1.0 means a person said so.
pub const MAX_CHAT_CONFIDENCE: f64 = 0.99;

/// Where a value came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Source {
    /// Extracted from text.
    Chat,
    /// Set by a person, or by a caller who vouches for it with confidence 1.0.
    Manual,
    /// Set by a program.
    Api,
    /// Concluded from other values; as it came from an import or a derivation.
    Inferred,
}

impl Source {
    const ALL: [Source; 4] = [Source::Chat, Source::Manual, Source::Api, Source::Inferred];
}

impl Source {
    /// The name that is stored and shown.
    pub fn as_str(self) -> &'static str {
        match self {
            Source::Chat => "chat",
            Source::Manual => "manual",
            Source::Api => "api",
            Source::Inferred => "inferred",
        }
    }
}

impl std::str::FromStr for Source {
    type Err = UnknownSource;

    fn from_str(name: &str) -> Result<Self, UnknownSource> {
        Source::ALL.into_iter().find(|s| s.as_str() == name).ok_or(UnknownSource)
    }
}

/// A source that is none of the four.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnknownSource;

impl fmt::Display for UnknownSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("source must be chat, manual, api or inferred")
    }
}

impl std::error::Error for UnknownSource {}

/// The value that stands now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Current {
    /// Where it came from.
    pub source: Source,
    /// How certain it is, 0 to 1.
    pub confidence: f64,
}

/// The value that wants to stand.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct New {
    /// Where it comes from.
    pub source: Source,
    /// How certain it is, 0 to 1.
    pub confidence: f64,
}

/// What becomes of a new value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Decision {
    /// It replaces what stands.
    Accept,
    /// What stands, stays.
    Reject(Reason),
}

/// Why a new value was turned away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reason {
    /// What stands is more certain.
    LowerConfidence,
    /// What stands was set by a person.
    ManualValueExists,
}

impl Reason {
    /// The code of the API's answer.
    pub fn as_str(self) -> &'static str {
        match self {
            Reason::LowerConfidence => "lower_confidence",
            Reason::ManualValueExists => "manual_value_exists",
        }
    }
}

/// Decides whether a new value replaces the current one.
///
/// A stored confidence that is no number (`NaN`) loses to any new value, so that a damaged row can be mended.
pub fn decide(current: Option<Current>, new: New) -> Decision {
    let Some(current) = current else { return Decision::Accept };
    if new.source == Source::Manual {
        Decision::Accept
    } else if current.source == Source::Manual {
        Decision::Reject(Reason::ManualValueExists)
    } else if new.confidence >= current.confidence || current.confidence.is_nan() {
        Decision::Accept
    } else {
        Decision::Reject(Reason::LowerConfidence)
    }
}

/// A confidence that is not a number from 0 to 1.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidConfidence;

impl fmt::Display for InvalidConfidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("confidence must be a number from 0 to 1")
    }
}

impl std::error::Error for InvalidConfidence {}

/// The source and confidence that a write through the API has: 1.0 is a manual edit, absent or null is the default.
///
/// Out of range is refused, never clamped: 1.5 cut to 1.0 would mint a manual edit.
pub fn source_of_patch(confidence: Option<&Value>) -> Result<(Source, f64), InvalidConfidence> {
    let confidence = match confidence {
        None | Some(Value::Null) => return Ok((Source::Api, DEFAULT_CONFIDENCE)),
        Some(Value::Number(number)) => number.as_f64().ok_or(InvalidConfidence)?,
        Some(_) => return Err(InvalidConfidence),
    };
    match confidence {
        1.0 => Ok((Source::Manual, 1.0)),
        c if (0.0..1.0).contains(&c) => Ok((Source::Api, c)),
        _ => Err(InvalidConfidence),
    }
}

/// The confidence that extraction gets: within 0 to 0.99, and 0 for what is no number.
pub fn clamp_chat(confidence: f64) -> f64 {
    if confidence.is_nan() { 0.0 } else { confidence.clamp(0.0, MAX_CHAT_CONFIDENCE) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    use Decision::{Accept, Reject};
    use Reason::{LowerConfidence, ManualValueExists};
    use Source::{Api, Chat, Manual};

    #[test]
    fn the_rule_as_a_table() {
        let rows = [
            (None, (Chat, 0.0), Accept),
            (Some((Chat, 0.9)), (Chat, 0.95), Accept),
            (Some((Chat, 0.9)), (Chat, 0.9), Accept),
            (Some((Chat, 0.9)), (Chat, 0.89), Reject(LowerConfidence)),
            (Some((Chat, 0.85)), (Api, 0.95), Accept),
            (Some((Api, 0.95)), (Api, 0.95), Accept),
            (Some((Api, 0.95)), (Chat, 0.99), Accept),
            (Some((Api, 0.95)), (Chat, 0.5), Reject(LowerConfidence)),
            (Some((Chat, 0.99)), (Manual, 1.0), Accept),
            (Some((Manual, 1.0)), (Manual, 1.0), Accept),
            (Some((Manual, 1.0)), (Manual, 0.2), Accept),
            (Some((Manual, 0.2)), (Api, 0.99), Reject(ManualValueExists)),
            (Some((Manual, 1.0)), (Chat, 0.99), Reject(ManualValueExists)),
            (Some((Api, f64::NAN)), (Chat, 0.1), Accept),
            (Some((Api, 0.5)), (Chat, f64::NAN), Reject(LowerConfidence)),
        ];
        for (current, (source, confidence), expected) in rows {
            let current = current.map(|(source, confidence)| Current { source, confidence });
            let new = New { source, confidence };
            assert_eq!(decide(current, new), expected, "{current:?} {new:?}");
        }
    }

    #[test]
    fn the_documented_page_plays_out() {
        // Read in the order of the document: a time zone at 0.85 from chat, then a PATCH that names no confidence.
        let (source, confidence) = source_of_patch(None).unwrap();
        let standing = Current { source: Chat, confidence: 0.85 };
        assert_eq!(decide(Some(standing), New { source, confidence }), Accept);
        let (source, confidence) = source_of_patch(Some(&json!(1.0))).unwrap();
        assert_eq!((source, confidence), (Manual, 1.0));
    }

    #[test]
    fn confidences_of_a_patch() {
        for (given, expected) in [
            (json!(null), Ok((Api, 0.95))),
            (json!(1), Ok((Manual, 1.0))),
            (json!(1.0), Ok((Manual, 1.0))),
            (json!(0), Ok((Api, 0.0))),
            (json!(0.5), Ok((Api, 0.5))),
            (json!(1.5), Err(InvalidConfidence)),
            (json!(-0.1), Err(InvalidConfidence)),
            (json!(1.0000001), Err(InvalidConfidence)),
            (json!("1.0"), Err(InvalidConfidence)),
            (json!(true), Err(InvalidConfidence)),
            (json!([1]), Err(InvalidConfidence)),
        ] {
            assert_eq!(source_of_patch(Some(&given)), expected, "{given}");
        }
    }

    #[test]
    fn sources_have_one_name_everywhere() {
        for source in Source::ALL {
            assert_eq!(source.as_str().parse(), Ok(source));
            assert_eq!(serde_json::to_value(source).unwrap(), json!(source.as_str()));
        }
        assert_eq!("Manual".parse::<Source>(), Err(UnknownSource));
    }

    fn source() -> impl Strategy<Value = Source> {
        proptest::sample::select(&Source::ALL[..])
    }

    proptest! {
        #[test]
        fn a_manual_edit_always_stands(cur in proptest::option::of((source(), 0.0..=1.0)), c in 0.0..=1.0) {
            let current = cur.map(|(source, confidence)| Current { source, confidence });
            prop_assert_eq!(decide(current, New { source: Manual, confidence: c }), Accept);
        }

        #[test]
        fn extraction_never_displaces_a_manual_value(cur in 0.0..=1.0, claimed: f64) {
            let new = New { source: Chat, confidence: clamp_chat(claimed) };
            let current = Current { source: Manual, confidence: cur };
            prop_assert_eq!(decide(Some(current), new), Reject(ManualValueExists));
        }

        #[test]
        fn more_certain_is_never_worse(s in source(), n in source(), c in 0.0..=1.0, a in 0.0..=1.0, b in 0.0..=1.0) {
            let current = Some(Current { source: s, confidence: c });
            let (low, high) = if a <= b { (a, b) } else { (b, a) };
            if decide(current, New { source: n, confidence: low }) == Accept {
                prop_assert_eq!(decide(current, New { source: n, confidence: high }), Accept);
            }
        }

        #[test]
        fn the_same_write_twice_is_accepted_twice(s in source(), c in 0.0..=1.0) {
            // What a retried request or a replayed job does; only a chat or api value under a manual one is refused.
            let new = New { source: s, confidence: c };
            prop_assert_eq!(decide(Some(Current { source: s, confidence: c }), new), Accept);
        }

        #[test]
        fn a_patch_confidence_is_in_range(c: f64) {
            if let Ok((source, confidence)) = source_of_patch(Some(&json!(c))) {
                prop_assert!((0.0..=1.0).contains(&confidence));
                prop_assert_eq!(source == Manual, confidence == 1.0);
            }
        }

        #[test]
        fn chat_is_never_certain(c: f64) {
            prop_assert!((0.0..=MAX_CHAT_CONFIDENCE).contains(&clamp_chat(c)));
        }
    }
}
