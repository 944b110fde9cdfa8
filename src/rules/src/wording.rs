//! How a profile field reads as a plain sentence.
//!
//! A profile field is a memory like any other, so it needs a text that a person can read and a search can find.

use serde_json::Value;

/// The sentence that states a field: "User's preferred language is English".
pub fn sentence(label: &str, value: &Value) -> String {
    let verb = if matches!(value, Value::Array(_)) { "are" } else { "is" };
    format!("User's {label} {verb} {}", text_of(value))
}

/// A field's value as text: a list as its items, an answer as yes or no.
pub fn text_of(value: &Value) -> String {
    match value {
        Value::String(text) => text.clone(),
        Value::Bool(true) => "yes".to_owned(),
        Value::Bool(false) => "no".to_owned(),
        Value::Array(items) => items.iter().map(text_of).collect::<Vec<_>>().join(", "),
        other => other.to_string(),
    }
}

/// About how many tokens a language model reads in a text: one for every four letters of a word begun, one for every
/// sign, and one for every letter of a script that writes without spaces.
pub fn estimate_tokens(text: &str) -> usize {
    let mut tokens = 0;
    let mut letters = 0;
    for c in text.chars() {
        if c.is_alphanumeric() && u32::from(c) < 0x2E80 {
            tokens += usize::from(letters % 4 == 0);
            letters += 1;
        } else {
            letters = 0;
            tokens += usize::from(!c.is_whitespace());
        }
    }
    tokens
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_field_reads_as_a_sentence() {
        let cases = [
            ("name", json!("Sarah Chen"), "User's name is Sarah Chen"),
            ("age", json!(41), "User's age is 41"),
            ("newsletter", json!(false), "User's newsletter is no"),
            ("interests", json!(["chess", "Go"]), "User's interests are chess, Go"),
            ("interests", json!([]), "User's interests are "),
        ];
        for (label, value, expected) in cases {
            assert_eq!(sentence(label, &value), expected);
        }
    }

    #[test]
    fn tokens_are_estimated() {
        for (text, expected) in [("", 0), ("  \n", 0), ("tea", 1), ("User likes tea.", 5), ("日本語", 3), ("- a", 2)]
        {
            assert_eq!(estimate_tokens(text), expected, "{text}");
        }
    }
}
