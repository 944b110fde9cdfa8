//! The summary of a profile by a language model: what it is asked, and what of its answer is believed.
//!
//! A model likes to round off what it is told. Whether a sentence follows from others no program can say, but names and
//! numbers are what an invention is made of, and those can be looked for: a summary with a name or a number that no
//! statement has is not believed, nor one in another script or of another form than was asked for. The built-in summary
//! stands in for it.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::BadAnswer;
use super::answer::completion;
use super::request::{chat, fill, object};

/// What the model is told before the statements.
const PROMPT: &str = include_str!("prompts/summary.md");

/// The longest summary, in characters. The prompt asks for fewer: a model does not count well.
const MAX_CHARS: usize = 800;

/// The share of capital letters among words inside sentences from which on they say nothing of a name, as in German.
const CAPITALS: f64 = 0.25;

/// What a summary is made from.
#[derive(Clone, Copy, Debug)]
pub struct Profile<'a> {
    /// The name of the model.
    pub model: &'a str,
    /// What is known, a sentence each.
    pub facts: &'a [String],
    /// What the person is called.
    pub name: Option<&'a str>,
    /// The present, in microseconds since 1970.
    pub now: i64,
}

/// What is believed of an answer.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Summary {
    /// The summary; empty where the model has nothing to say.
    pub text: String,
    /// Tokens of the request and of the answer, where the endpoint counts them.
    pub tokens: (u64, u64),
}

/// The body of a request to a chat-completions endpoint.
pub fn request(profile: &Profile<'_>) -> Value {
    let subject = match name(profile) {
        Some(name) => format!("The person is called {name}."),
        None => "Nobody has told us the person's name: call them \"The user\".".to_owned(),
    };
    let date = crate::time::format_micros(profile.now).unwrap_or_default();
    let values = [("{{subject}}", subject.as_str()), ("{{date}}", date.split('T').next().unwrap_or_default())];
    let facts: String = profile.facts.iter().map(|fact| format!("- {}\n", one_line(fact))).collect();
    let schema = object(&[("summary", json!({"type": "string"}))]);
    chat(profile.model, &fill(PROMPT, &values), &facts, "summary", schema)
}

fn name<'a>(profile: &Profile<'a>) -> Option<&'a str> {
    profile.name.map(str::trim).filter(|name| !name.is_empty())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Reads the body that an endpoint answered with.
pub fn read(body: &[u8], profile: &Profile<'_>) -> Result<Summary, BadAnswer> {
    let completion = completion(body)?;
    let text = completion.said["summary"].as_str().ok_or(BadAnswer::WrongShape("it has no summary"))?;
    let text = one_line(text);
    check(&text, profile).map_err(BadAnswer::Unbelievable)?;
    Ok(Summary { text, tokens: completion.tokens })
}

/// Whether a summary may be shown, as far as a program can tell; what is wrong with it otherwise.
fn check(text: &str, profile: &Profile<'_>) -> Result<(), &'static str> {
    if text.chars().count() > MAX_CHARS {
        return Err("it is too long");
    }
    if text.chars().any(char::is_control)
        || text.contains("://")
        || text.contains("**")
        || text.starts_with(['-', '#', '*'])
    {
        return Err("it is no plain text");
    }
    let mut source = profile.facts.join("\n");
    if let Some(name) = name(profile) {
        source = format!("{source}\n{name}");
    }
    if is_latin(text) != is_latin(&source) && !text.is_empty() {
        return Err("it is in another script");
    }
    let known: HashSet<String> = words(&source).map(|word| word.text.to_lowercase()).collect();
    let stated = |word: &str| {
        let word = word.to_lowercase();
        let bare = word.strip_suffix("'s").or_else(|| word.strip_suffix("’s")).unwrap_or(&word);
        known.contains(&word) || known.contains(bare) || known.iter().any(|known| is_form_of(bare, known))
    };
    let capitals_say_nothing = capitals(&source) >= CAPITALS;
    for word in words(text) {
        if word.text.chars().any(char::is_numeric) && !stated(word.text) {
            return Err("it has a number that nothing states");
        }
        if is_name(&word) && !capitals_say_nothing && !stated(word.text) {
            return Err("it has a name that nothing states");
        }
    }
    Ok(())
}

/// Whether two words of some length differ in their ending only: "Berlin" and "Berliner".
fn is_form_of(word: &str, known: &str) -> bool {
    let common = word.chars().zip(known.chars()).take_while(|(a, b)| a == b).count();
    let longest = word.chars().count().max(known.chars().count());
    !word.contains(char::is_numeric) && common >= 4 && longest - common <= 3
}

struct Word<'a> {
    text: &'a str,
    begins_sentence: bool,
}

/// The words of a text, apostrophes inside included.
fn words(text: &str) -> impl Iterator<Item = Word<'_>> {
    let mut end = 0;
    let mut first = true;
    text.split(|c: char| !c.is_alphanumeric() && !matches!(c, '\'' | '’'))
        .map(|word| word.trim_matches(['\'', '’']))
        .filter(|word| !word.is_empty())
        .map(move |word| {
            let start = word.as_ptr().addr() - text.as_ptr().addr();
            let before = &text[end..start];
            let begins_sentence = first || before.contains(['.', '!', '?', ':', ';', '\n', '。', '"', '“']);
            (first, end) = (false, start + word.len());
            Word { text: word, begins_sentence }
        })
}

/// Whether a word inside a sentence is written like a name.
fn is_name(word: &Word<'_>) -> bool {
    let short = word.text.split(['\'', '’']).next().unwrap_or_default();
    !word.begins_sentence && word.text.starts_with(char::is_uppercase) && short != "I"
}

/// The share of the words inside sentences that are written like names.
fn capitals(text: &str) -> f64 {
    let (mut all, mut capital) = (0.0_f64, 0.0);
    for word in words(text).filter(|word| !word.begins_sentence && word.text.starts_with(char::is_alphabetic)) {
        all += 1.0;
        capital += f64::from(u8::from(is_name(&word)));
    }
    // Of a few words nothing can be said.
    if all < 40.0 { 0.0 } else { capital / all }
}

/// Whether most letters of a text are Latin ones.
fn is_latin(text: &str) -> bool {
    let letters = || text.chars().filter(|c| c.is_alphabetic());
    let latin = letters().filter(|c| u32::from(*c) < 0x250).count();
    latin * 2 >= letters().count()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn facts() -> Vec<String> {
        ["Grace Hopper works as an engineer at Acme", "Grace lives in Berlin since 2019", "Grace loves rock climbing"]
            .map(str::to_owned)
            .to_vec()
    }

    fn profile(facts: &[String]) -> Profile<'_> {
        // 2026-03-02.
        Profile { model: "some-model", facts, name: Some("Grace Hopper"), now: 1_772_409_600_000_000 }
    }

    fn believed(text: &str) -> Result<(), &'static str> {
        let facts = facts();
        check(text, &profile(&facts))
    }

    #[test]
    fn the_request_has_the_statements_and_a_strict_schema() {
        let facts = facts();
        let request = request(&profile(&facts));
        let system = request["messages"][0]["content"].as_str().unwrap();
        assert!(system.contains("called Grace Hopper. Today is 2026-03-02."), "{system}");
        assert!(!system.contains("{{"), "{system}");
        assert!(request["messages"][1]["content"].as_str().unwrap().contains("- Grace loves rock climbing\n"));
        let format = &request["response_format"]["json_schema"];
        assert_eq!((format["name"].as_str(), format["strict"].as_bool()), (Some("summary"), Some(true)));
        assert_eq!(format["schema"]["required"], json!(["summary"]));
    }

    #[test]
    fn what_the_statements_say_is_believed() {
        for text in [
            "Grace Hopper is an engineer at Acme who has lived in Berlin since 2019. She loves climbing.",
            "Grace's home is Berlin. She climbs.",
            "A Berliner and engineer at Acme.",
            "",
        ] {
            assert_eq!(believed(text), Ok(()), "{text}");
        }
    }

    #[test]
    fn what_they_do_not_say_is_not() {
        let cases = [
            ("Grace is an engineer at Google in Berlin.", "it has a name that nothing states"),
            ("Grace has lived in Berlin since 2018.", "it has a number that nothing states"),
            ("Grace is 41 and lives in Berlin.", "it has a number that nothing states"),
            ("See https://example.com about Grace.", "it is no plain text"),
            ("- Grace lives in Berlin", "it is no plain text"),
            ("Грейс живёт в Берлине.", "it is in another script"),
        ];
        for (text, cause) in cases {
            assert_eq!(believed(text), Err(cause), "{text}");
        }
        assert_eq!(believed(&"Grace climbs. ".repeat(70)), Err("it is too long"));
    }

    #[test]
    fn where_nouns_are_capitals_they_are_no_names() {
        let facts: Vec<String> = (0..9)
            .map(|n| format!("Anna kauft {n} Äpfel und eine Birne auf dem Markt in der Stadt neben der Kirche"))
            .collect();
        let profile = Profile { name: Some("Anna"), ..profile(&facts) };
        assert_eq!(check("Anna kauft gern Obst auf dem Markt.", &profile), Ok(()));
        assert_eq!(check("Anna kauft 99 Äpfel.", &profile), Err("it has a number that nothing states"));
    }

    #[test]
    fn answers_are_read() {
        let facts = facts();
        let body = |said: &str| {
            json!({
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": said}}],
                "usage": {"prompt_tokens": 90, "completion_tokens": 8},
            })
            .to_string()
            .into_bytes()
        };
        let read = |said: &str| read(&body(said), &profile(&facts));
        let good = read(r#"{"summary": "Grace lives\n in Berlin."}"#).unwrap();
        assert_eq!((good.text.as_str(), good.tokens), ("Grace lives in Berlin.", (90, 8)));
        assert_eq!(read(r#"{"answer": 42}"#), Err(BadAnswer::WrongShape("it has no summary")));
        assert_eq!(read("Sure!"), Err(BadAnswer::NotJson));
        let invented = read(r#"{"summary": "Grace lives in Rome."}"#);
        assert_eq!(invented, Err(BadAnswer::Unbelievable("it has a name that nothing states")));
    }
}
