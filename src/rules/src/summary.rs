//! The short summary of a profile, written from its fields and memories: two or three plain sentences, no model.
//!
//! The first says who it is, the second what they like, the third what they are up to. What a profile does not hold is
//! not spoken of; a profile that holds nothing has no summary.

use std::collections::BTreeMap;

use crate::extract::{Kind, Memory};

/// A field less sure than this does not make the summary.
const MIN_CONFIDENCE: f32 = 0.5;

/// The longest summary, in characters.
const MAX_CHARS: usize = 600;

/// A field of the profile, as the summary needs it.
#[derive(Clone, Copy, Debug)]
pub struct SummaryField<'a> {
    /// Key in the schema.
    pub key: &'a str,
    /// The value as text.
    pub value: &'a str,
    /// 0 to 1.
    pub confidence: f32,
}

/// A memory, as the summary needs it.
#[derive(Clone, Copy, Debug)]
pub struct SummaryMemory<'a> {
    /// The sentence.
    pub content: &'a str,
    /// What sort of memory.
    pub kind: Kind,
    /// A lasting trait.
    pub is_static: bool,
    /// 0 to 1.
    pub importance: f32,
    /// Seen or made, microseconds since 1970: the newer wins between equals.
    pub updated: i64,
}

impl<'a> From<&'a Memory> for SummaryMemory<'a> {
    fn from(memory: &'a Memory) -> Self {
        SummaryMemory {
            content: &memory.content,
            kind: memory.kind,
            is_static: memory.is_static,
            importance: memory.importance,
            updated: memory.event_date.unwrap_or(0),
        }
    }
}

/// Two or three sentences about the subject; `None` when nothing is known.
pub fn profile_summary(fields: &[SummaryField<'_>], memories: &[SummaryMemory<'_>]) -> Option<String> {
    let known: BTreeMap<String, &str> = fields
        .iter()
        .filter(|field| field.confidence >= MIN_CONFIDENCE && !field.value.trim().is_empty())
        .map(|field| (normal(field.key), field.value.trim()))
        .collect();
    let get = |keys: &[&str]| keys.iter().find_map(|key| known.get(*key).copied());
    let name = get(&["name", "fullname", "displayname"]);
    let mut ranked: Vec<&SummaryMemory<'_>> = memories.iter().filter(|m| !m.content.trim().is_empty()).collect();
    // The text decides last, so that the same profile always reads the same.
    ranked.sort_by(|a, b| {
        let by_weight = b.importance.total_cmp(&a.importance).then(b.updated.cmp(&a.updated));
        by_weight.then_with(|| a.content.cmp(b.content))
    });

    let mut sentences = Vec::new();
    let identity = identity(name, &get);
    if let Some(sentence) = identity {
        sentences.push(sentence);
    }
    let facts =
        ranked.iter().filter(|m| m.is_static && m.kind == Kind::Fact && tells_more(m.content, &sentences, name));
    let facts: Vec<&str> = facts.map(|m| m.content).take(if sentences.is_empty() { 2 } else { 1 }).collect();
    sentences.extend(together(&facts, name));
    let likes = ranked.iter().filter(|m| m.kind == Kind::Preference).map(|m| m.content).take(2).collect::<Vec<_>>();
    match get(&["interests", "hobbies", "likes"]) {
        Some(interests) if likes.is_empty() => {
            sentences.push(format!("{} interested in {interests}.", they(name, &sentences)))
        }
        _ => sentences.extend(together(&likes, name)),
    }
    if sentences.len() < 3 {
        let recent = ranked.iter().filter(|m| !m.is_static && matches!(m.kind, Kind::Event | Kind::Context));
        let recent: Vec<&str> = recent.map(|m| m.content).take(1).collect();
        sentences.extend(together(&recent, name));
    }
    let mut out = String::new();
    for sentence in sentences.into_iter().take(3) {
        if out.chars().count() + sentence.chars().count() > MAX_CHARS {
            break;
        }
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(&sentence);
    }
    Some(out).filter(|out| !out.is_empty())
}

/// "Sarah is a designer at Acme who lives in Berlin."
fn identity<'a>(name: Option<&'a str>, get: &dyn Fn(&[&str]) -> Option<&'a str>) -> Option<String> {
    let job = get(&["job", "jobtitle", "occupation", "profession", "title", "role"]);
    let employer = get(&["employer", "company", "workplace", "organization"]);
    let home = get(&["location", "city", "home", "currentcity", "residence"]);
    let language = get(&["language", "preferredlanguage"]);
    let mut parts = Vec::new();
    match (job, employer) {
        (Some(job), Some(employer)) => parts.push(format!("is {} at {employer}", with_article(job))),
        (Some(job), None) => parts.push(format!("is {}", with_article(job))),
        (None, Some(employer)) => parts.push(format!("works at {employer}")),
        (None, None) => {}
    }
    if let Some(home) = home {
        parts.push(format!("lives in {home}"));
    }
    if let Some(language) = language {
        parts.push(format!("prefers {language}"));
    }
    let subject = name.unwrap_or("The user");
    match (parts.len(), name) {
        (0, Some(name)) => Some(format!("This is {name}.")),
        (0, None) => None,
        _ => Some(format!("{subject} {}.", listed(&parts))),
    }
}

/// Whether a memory says more than the sentences before it: the name alone, or what they hold already, does not.
fn tells_more(content: &str, sentences: &[String], name: Option<&str>) -> bool {
    let said = sentences.join(" ").to_lowercase();
    let name = name.unwrap_or_default().to_lowercase();
    let plain = |word: &str| word.trim_matches(|c: char| !c.is_alphanumeric()).to_lowercase();
    let words = content.split_whitespace().map(plain).filter(|w| w.chars().count() > 3 && w != "user" && w != "name's");
    let news = words.filter(|w| !said.contains(w.as_str()) && !name.contains(w.trim_end_matches("'s"))).count();
    news > 0 && !content.contains("'s name is ") && !content.contains("'s email is ")
}

/// Memories in one sentence: their common subject is said once.
fn together(memories: &[&str], name: Option<&str>) -> Option<String> {
    let (first, rest) = memories.split_first()?;
    let mut parts = vec![first.trim_end_matches(['.', '!', ' ']).to_owned()];
    let mut extra = Vec::new();
    for memory in rest {
        let memory = memory.trim_end_matches(['.', '!', ' ']);
        let subject = name.unwrap_or("User");
        let same = first.strip_prefix(subject).is_some_and(|rest| rest.starts_with(' '));
        match memory.strip_prefix(subject).filter(|rest| same && rest.starts_with(' ')) {
            Some(predicate) => parts.push(predicate.trim().to_owned()),
            None => extra.push(format!("{memory}.")),
        }
    }
    let mut out = format!("{}.", listed(&parts));
    for sentence in extra {
        out.push(' ');
        out.push_str(&sentence);
    }
    Some(out)
}

fn they(name: Option<&str>, sentences: &[String]) -> String {
    match (sentences.is_empty(), name) {
        (false, _) => "They are".to_owned(),
        (true, Some(name)) => format!("{name} is"),
        (true, None) => "The user is".to_owned(),
    }
}

fn listed(parts: &[String]) -> String {
    match parts {
        [] => String::new(),
        [one] => one.clone(),
        [head @ .., last] => format!("{} and {last}", head.join(", ")),
    }
}

fn with_article(job: &str) -> String {
    let lower = job.to_lowercase();
    if lower.starts_with("a ") || lower.starts_with("an ") || lower.starts_with("the ") {
        return job.to_owned();
    }
    let vowel = lower.starts_with(['a', 'e', 'i', 'o', 'u']) && !lower.starts_with("uni") && !lower.starts_with("eu");
    format!("{} {job}", if vowel { "an" } else { "a" })
}

fn normal(key: &str) -> String {
    key.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn field<'a>(key: &'a str, value: &'a str) -> SummaryField<'a> {
        SummaryField { key, value, confidence: 0.9 }
    }

    fn memory(content: &str, kind: Kind, is_static: bool, importance: f32) -> SummaryMemory<'_> {
        SummaryMemory { content, kind, is_static, importance, updated: 0 }
    }

    #[test]
    fn a_full_profile_takes_three_sentences() {
        let fields =
            [field("name", "Sarah"), field("job_title", "engineer"), field("company", "Acme"), field("city", "Berlin")];
        let memories = [
            memory("Sarah's name is Sarah", Kind::Fact, true, 0.9),
            memory("Sarah has a dog called Rex", Kind::Fact, true, 0.7),
            memory("Sarah loves hiking", Kind::Preference, true, 0.6),
            memory("Sarah dislikes olives", Kind::Preference, true, 0.5),
            memory("Sarah is going to Rome on 9 May 2023", Kind::Event, false, 0.6),
        ];
        assert_eq!(
            profile_summary(&fields, &memories).as_deref(),
            Some(
                "Sarah is an engineer at Acme and lives in Berlin. Sarah has a dog called Rex. Sarah loves hiking and dislikes olives."
            )
        );
    }

    #[test]
    fn a_sparse_profile_says_what_it_knows() {
        assert_eq!(profile_summary(&[], &[]), None);
        assert_eq!(profile_summary(&[field("name", "Sarah")], &[]).as_deref(), Some("This is Sarah."));
        let unsure = [SummaryField { key: "name", value: "Bob", confidence: 0.2 }];
        assert_eq!(profile_summary(&unsure, &[]), None);
        assert_eq!(profile_summary(&[field("language", "German")], &[]).as_deref(), Some("The user prefers German."));
        assert_eq!(
            profile_summary(&[], &[memory("User went to Rome", Kind::Event, false, 0.5)]).as_deref(),
            Some("User went to Rome.")
        );
        assert_eq!(
            profile_summary(&[field("name", "Ann"), field("interests", "chess, tea")], &[]).as_deref(),
            Some("This is Ann. They are interested in chess, tea.")
        );
    }

    #[test]
    fn the_order_of_the_input_does_not_matter() {
        let a = memory("Ann likes tea", Kind::Preference, true, 0.5);
        let b = memory("Ann likes rain", Kind::Preference, true, 0.5);
        assert_eq!(profile_summary(&[], &[a, b]), profile_summary(&[], &[b, a]));
    }
}
