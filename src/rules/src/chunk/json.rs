//! JSON as a document: where it may be cut, and what of it is prose.

use std::ops::Range;

use serde_json::Value;

/// Whether a text is an object or array of JSON.
pub fn is_json(text: &str) -> bool {
    text.trim_start().starts_with(['{', '[']) && serde_json::from_str::<serde::de::IgnoredAny>(text).is_ok()
}

/// The elements of an array, or the members of an object, that a range of valid JSON holds; a member is `"key": value` and
/// holds what its value holds. `None` for a plain value, and for an empty container.
pub(super) fn parts(text: &str, range: Range<usize>) -> Option<Vec<Range<usize>>> {
    let bytes = text.as_bytes();
    let start = value_start(bytes, &range);
    let close = match bytes.get(start)? {
        b'{' => b'}',
        b'[' => b']',
        _ => return None,
    };
    let mut found = Vec::new();
    let (mut depth, mut inside, mut escaped) = (0_usize, false, false);
    let mut begin = start + 1;
    for (at, &byte) in bytes.iter().enumerate().take(range.end).skip(start) {
        if inside {
            inside = escaped || byte != b'"';
            escaped = !escaped && byte == b'\\';
            continue;
        }
        match byte {
            b'"' => inside = true,
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth = depth.saturating_sub(1),
            _ => (),
        }
        let ends = byte == close && depth == 0;
        if ends || byte == b',' && depth == 1 {
            found.extend(super::trimmed(text, begin..at));
            begin = at + 1;
        }
        if ends {
            break;
        }
    }
    (!found.is_empty()).then_some(found)
}

/// Where the value begins: behind the key, if there is one.
fn value_start(bytes: &[u8], range: &Range<usize>) -> usize {
    if bytes.get(range.start) != Some(&b'"') {
        return range.start;
    }
    let mut escaped = false;
    let close = (range.start + 1..range.end).find(|&at| {
        let ends = !escaped && bytes[at] == b'"';
        escaped = !escaped && bytes[at] == b'\\';
        ends
    });
    let is_space = |at: &usize| bytes[*at].is_ascii_whitespace();
    let after = |from: usize| (from..range.end).find(|at| !is_space(at)).unwrap_or(range.start);
    let colon = after(close.unwrap_or(range.start) + 1);
    if bytes.get(colon) == Some(&b':') { after(colon + 1) } else { range.start }
}

/// What a document of JSON calls itself.
pub(super) fn title(text: &str) -> Option<String> {
    let Ok(Value::Object(members)) = serde_json::from_str(text) else { return None };
    ["title", "name", "subject", "headline"].iter().find_map(|key| Some(members.get(*key)?.as_str()?.to_owned()))
}

/// The texts in a document of JSON that are more than a word, in their order, up to a length.
pub(super) fn prose(text: &str, most: usize) -> Option<String> {
    let mut out = String::new();
    collect(&serde_json::from_str(text).ok()?, most, &mut out);
    Some(out)
}

fn collect(value: &Value, most: usize, out: &mut String) {
    match value {
        _ if out.len() >= most => (),
        Value::String(text) if text.trim().contains(char::is_whitespace) => {
            out.push_str(text.trim());
            out.push_str("\n\n");
        }
        Value::Array(items) => items.iter().for_each(|item| collect(item, most, out)),
        Value::Object(members) => members.values().for_each(|member| collect(member, most, out)),
        _ => (),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parts_of(text: &str) -> Option<Vec<&str>> {
        Some(parts(text, 0..text.len())?.into_iter().map(|range| &text[range]).collect())
    }

    #[test]
    fn parts_are_elements_and_members() {
        assert_eq!(parts_of(r#"[1, {"a": [2, 3]}, "x, ]y"]"#), Some(vec!["1", r#"{"a": [2, 3]}"#, r#""x, ]y""#]));
        assert_eq!(
            parts_of(r#"{"a": "say \"}\"", "b" : {"c": 1} }"#),
            Some(vec![r#""a": "say \"}\"""#, r#""b" : {"c": 1}"#])
        );
        assert_eq!(parts_of(r#""b\"" : {"c": 1, "d": 2}"#), Some(vec![r#""c": 1"#, r#""d": 2"#]));
        for plain in ["1", r#""a: [1]""#, r#""a": "b""#, "[]", "{}", ""] {
            assert_eq!(parts_of(plain), None, "{plain}");
        }
    }

    #[test]
    fn titles_and_prose() {
        assert_eq!(title(r#"{"id": 1, "name": "Ann Lee"}"#).as_deref(), Some("Ann Lee"));
        assert_eq!(title(r#"[{"name": "Ann Lee"}]"#), None);
        let chat =
            r#"[{"role": "user", "content": "I moved to Oslo."}, {"role": "assistant", "content": "How nice!"}]"#;
        assert_eq!(prose(chat, 1_000).as_deref(), Some("I moved to Oslo.\n\nHow nice!\n\n"));
        assert_eq!(prose(chat, 1).as_deref(), Some("I moved to Oslo.\n\n"));
    }
}
