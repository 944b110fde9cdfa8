//! What sentences owe to those before them: "She is a doctor" is about the sister of the sentence before, "It stands for
//! love" about the necklace.
//!
//! A person is named in place of the pronoun, so that the sentence is read like any other. A thing is named in front of
//! what was said of it. Both are remembered for two sentences and no longer: what lies farther back is easily taken for
//! something else.

use std::ops::Range;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use super::dates::{self, Tense, Wall, When};
use super::rulebook::{RuleBook, SUBJECT, capitalized, groups_of};
use super::{complete, gate, person, sentence};

/// For how many further sentences a pronoun may point back.
const REACH: usize = 2;

/// The longest question that is repeated with its answer.
const MAX_QUESTION: usize = 160;

/// Something spoken of, in the words of the speaker, and how many sentences ago.
#[derive(Clone, Debug)]
struct Mention {
    words: String,
    age: usize,
    /// The turn, when it was one before this.
    turn: Option<Range<usize>>,
}

/// What the turn before ended by asking.
#[derive(Clone, Debug)]
pub(super) struct Asked {
    /// The question, with its mark.
    pub(super) words: String,
    /// How much it says.
    pub(super) weight: usize,
    /// The turn that asks.
    pub(super) turn: Range<usize>,
    by: Option<String>,
}

/// What a turn has spoken of so far.
#[derive(Clone, Debug, Default)]
pub(super) struct Talk {
    she: Option<Mention>,
    he: Option<Mention>,
    they: Option<Mention>,
    thing: Option<Mention>,
    /// The thing is what was asked about, and nothing was said since.
    asked: bool,
    /// The question before this turn, and how many sentences ago; nothing has answered it yet.
    question: Option<(Asked, usize)>,
    /// The question of somebody who is no subject, right before the turn: the assistant's.
    interview: Option<Asked>,
    /// When it was, said ahead of what happened: "Last week was wild".
    when: Option<(When, usize)>,
}

impl Talk {
    /// Goes on to the next sentence.
    pub(super) fn next(&mut self) {
        self.asked = false;
        self.interview = None;
        self.question = self.question.take().map(|(asked, age)| (asked, age + 1)).filter(|(_, age)| *age <= REACH);
        self.when = self.when.take().map(|(when, age)| (when, age + 1)).filter(|(_, age)| *age < REACH);
        for mention in [&mut self.she, &mut self.he, &mut self.they, &mut self.thing] {
            if let Some(known) = mention {
                known.age += 1;
                if known.age > REACH {
                    *mention = None;
                }
            }
        }
    }

    /// Begins a turn: what its speaker spoke of in the turn before is their own again.
    pub(super) fn take_up(&mut self, speaker: Option<&str>) {
        // Nobody answers themself.
        self.question = self.question.take().filter(|(asked, _)| asked.by.as_deref() != speaker);
        let own = format!("{}'s ", speaker.unwrap_or("User"));
        for mention in [&mut self.she, &mut self.he, &mut self.they].into_iter().flatten() {
            if let Some(rest) = mention.words.strip_prefix(&own) {
                mention.words = format!("my {rest}");
            }
        }
    }

    /// Ends a turn: what it spoke of is named as the next speaker would name it.
    pub(super) fn hand_over(&mut self, book: &RuleBook, speaker: Option<&str>, turn: &str, span: &Range<usize>) {
        self.when = None;
        self.interview = None;
        for mention in [&mut self.she, &mut self.he, &mut self.they].into_iter().flatten() {
            if let Some(rest) = mention.words.strip_prefix("my ") {
                mention.words = format!("{}'s {rest}", speaker.unwrap_or("User"));
            }
            mention.age = 1;
            mention.turn.get_or_insert_with(|| span.clone());
        }
        let question = complete::without_note(turn).strip_suffix('?').and_then(|turn| {
            let question = sentence::cleaned(turn.rsplit(['.', '!', '?', '\n']).next().unwrap_or_default());
            (question.len() <= sentence::MAX_SENTENCE).then_some(question)
        });
        self.question = question.as_deref().filter(|question| question.len() <= MAX_QUESTION).map(|question| {
            let words = &question[gate::trimmed(book, question)];
            let asked = Asked {
                words: format!("{}?", capitalized(words)),
                weight: weight(book, words),
                turn: span.clone(),
                by: speaker.map(str::to_owned),
            };
            (asked, 0)
        });
        // "How is your dog?" is answered about the dog.
        let asked = question.and_then(|question| {
            let groups = book.asked.iter().find_map(|pattern| pattern.captures_iter(&question).last())?;
            let what = groups.name("a")?.as_str().to_owned();
            let article = if groups["d"].eq_ignore_ascii_case("your") { "my" } else { "the" };
            is_thing(book, &what).then(|| format!("{article} {what}"))
        });
        self.asked = asked.is_some();
        self.thing = asked.map(|words| Mention { words, age: 1, turn: Some(span.clone()) });
    }

    /// What the turn before ended by asking.
    pub(super) fn asked_before(&self) -> Option<Asked> {
        self.question.as_ref().map(|(asked, _)| asked.clone())
    }

    /// The question that a clause answers which says too little by itself; one clause answers it.
    pub(super) fn answered(&mut self) -> Option<Asked> {
        self.question.take().map(|(asked, _)| asked)
    }

    /// The turn before was that of somebody who teaches nothing, and may have asked for something.
    pub(super) fn interviewed(&mut self) {
        self.interview = self.question.as_ref().map(|(asked, _)| asked.clone());
    }

    /// What was asked in such a turn, if nothing was said since.
    pub(super) fn interview(&self) -> Option<&Asked> {
        self.interview.as_ref()
    }

    /// How much the question says that waits for its answer.
    pub(super) fn asks(&self) -> usize {
        self.question.as_ref().map_or(0, |(asked, _)| asked.weight)
    }

    /// Whether what is said now may be an answer.
    pub(super) fn answers(&self) -> bool {
        self.asked
    }

    /// Notes the date of a clause that says nothing else.
    pub(super) fn dateline(&mut self, book: &RuleBook, clause: &str, now: Wall) {
        if book.dateline.found_in(clause) {
            let when = dates::find(book, clause, now, Tense::Past).into_iter().next();
            self.when = when.filter(|when| when.start <= now.date()).map(|when| (when, 0)).or(self.when.take());
        }
    }

    /// The date of what a sentence tells, when only one before it said so.
    pub(super) fn carried(&self, canonical: &str) -> Option<When> {
        let (when, _) = self.when.as_ref()?;
        let end = canonical.trim_end_matches(['.', '!', ' ']).len();
        let say = format!(" {}", when.say.as_ref()?);
        Some(When { span: end..end, say: Some(say), ..when.clone() })
    }

    /// Notes whom and what a clause of the speaker mentions.
    pub(super) fn hear(&mut self, book: &RuleBook, clause: &str) {
        for pattern in &book.antecedent {
            for groups in pattern.captures_iter(clause) {
                self.person(book, &groups);
            }
        }
        let thing = book.thing.iter().find_map(|pattern| {
            let groups = groups_of(pattern, clause)?;
            let what = groups.name("a")?.as_str();
            is_thing(book, what).then(|| format!("{} {what}", definite(groups.name("d").map_or("the", |m| m.as_str()))))
        });
        if let Some(words) = thing {
            self.thing = Some(Mention { words, age: 0, turn: None });
        }
    }

    fn person(&mut self, book: &RuleBook, groups: &Captures<'_>) {
        let (Some(what), Some(noun)) = (groups.name("a"), groups.name("n")) else { return };
        let name = groups.name("name").map_or(String::new(), |m| format!(" {}", m.as_str().trim_end_matches('.')));
        let mention = Some(Mention { words: format!("my {}{name}", what.as_str().trim()), age: 0, turn: None });
        let noun = noun.as_str().to_lowercase();
        let (she, he, they) = (book.she.contains(&noun), book.he.contains(&noun), book.they.contains(&noun));
        if they {
            self.they = mention;
        } else {
            // Of a friend or a dog it is not said which; a sister is no "he".
            if !he {
                self.she.clone_from(&mention);
            }
            if !she {
                self.he = mention;
            }
        }
    }

    /// The clause with the person in place of a leading pronoun, and the turn that speaks of them if it was one before.
    pub(super) fn resolved(&mut self, clause: &str) -> Option<(String, Option<Range<usize>>)> {
        static PRONOUN: LazyLock<Regex> = LazyLock::new(|| {
            let pattern =
                r"^(?i)(?P<p>she|he|they|her|his|their)(?P<c>'s|'re|'ve|'ll|'d)? (?P<rest>(?P<next>[\w']+).*)$";
            Regex::new(pattern).expect("a valid pattern")
        });
        let groups = groups_of(&PRONOUN, clause)?;
        let (pronoun, rest) = (groups["p"].to_lowercase(), &groups["rest"]);
        let slot = match pronoun.as_str() {
            "she" | "her" => &mut self.she,
            "he" | "his" => &mut self.he,
            _ => &mut self.they,
        };
        let mention = slot.as_mut()?;
        mention.age = 0;
        let owned = matches!(pronoun.as_str(), "her" | "his" | "their");
        let next = groups["next"].to_lowercase();
        let verb = match groups.name("c").map(|m| m.as_str().to_lowercase()).as_deref() {
            Some("'s") if matches!(next.as_str(), "been" | "got" | "had" | "always") => " has",
            Some("'s") => " is",
            Some("'re") => " are",
            Some("'ve") => " have",
            Some("'ll") => " will",
            Some("'d") => " would",
            _ if owned => "'s",
            _ => "",
        };
        let rest = if owned { rest.replacen("name's ", "name is ", 1) } else { rest.to_owned() };
        Some((format!("{}{verb} {rest}", mention.words), mention.turn.clone()))
    }

    /// The thing that "it" or "this" in a clause may mean, as a canonical phrase, and the turn that speaks of it if it was
    /// one before.
    pub(super) fn thing(&self, book: &RuleBook, clause: &str) -> Option<(String, Option<Range<usize>>)> {
        let Mention { words, turn, .. } = self.thing.as_ref()?;
        if book.many.found_in(clause) && !book.plural.found_in(words) {
            return None;
        }
        let canonical = person::first_person(book, words).map(|text| {
            text.strip_prefix(&format!("{SUBJECT}'s ")).map_or_else(|| text.clone(), |rest| format!("their {rest}"))
        });
        Some((canonical.unwrap_or_else(|| words.clone()), turn.clone()))
    }
}

/// Whether words after an article name a thing that can be spoken of again.
fn is_thing(book: &RuleBook, words: &str) -> bool {
    let words = words.to_lowercase();
    let noun = words.split(' ').next_back().unwrap_or_default();
    !book.thin.contains(noun) && !words.ends_with('-') && !words.split(' ').any(|word| book.not_things.contains(word))
}

/// The article under which something is spoken of again.
fn definite(article: &str) -> &str {
    match article.to_lowercase().as_str() {
        "my" | "our" => "my",
        "this" => "this",
        "these" => "these",
        _ => "the",
    }
}

/// A sentence with the listener's name where it clearly speaks of them: "met your sister", "played with you".
pub(super) fn named(book: &RuleBook, canonical: &str, listener: &str) -> String {
    let text = book.of_listener.replace_all(canonical, format!("{listener}'s").as_str());
    book.to_listener.replace_all(&text, |groups: &Captures<'_>| format!("{} {listener}", &groups[1])).into_owned()
}

/// How much a text says: its names, things and deeds without praise and particles. A name inside it counts twice.
pub(super) fn weight(book: &RuleBook, text: &str) -> usize {
    weigh(text, |word| book.thin.contains(word))
}

/// The same without what only encourages or tells a feeling: how much there is to remember in it.
pub(super) fn substance(book: &RuleBook, text: &str) -> usize {
    weigh(text, |word| book.thin.contains(word) || book.hollow.contains(word.strip_suffix("'s").unwrap_or(word)))
}

fn weigh(text: &str, says_nothing: impl Fn(&str) -> bool) -> usize {
    let words = text.split(|c: char| !c.is_alphanumeric() && c != '\'' && c != '-' && c != SUBJECT);
    let words = words.map(|word| word.trim_matches(['\'', '-'])).filter(|word| !word.is_empty()).enumerate();
    let weights = words.map(|(at, word)| {
        let name = at > 0 && word.starts_with(char::is_uppercase);
        let says = word.chars().nth(1).is_some() || word.starts_with(|c: char| c.is_ascii_digit());
        let says = says && !word.contains(SUBJECT) && !says_nothing(&word.to_lowercase());
        usize::from(says) * if name { 2 } else { 1 }
    });
    weights.sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn resolved(talk: &mut Talk, clause: &str) -> Option<String> {
        talk.resolved(clause).map(|(text, _)| text)
    }

    #[test]
    fn pronouns_point_back_two_sentences_and_no_farther() {
        let book = RuleBook::english();
        let mut talk = Talk::default();
        talk.hear(book, "My sister Anna lives in Rome");
        assert_eq!(resolved(&mut talk, "She's a doctor").as_deref(), Some("my sister Anna is a doctor"));
        assert_eq!(talk.resolved("He is a doctor"), None);
        talk.hear(book, "I adopted a puppy named Coco");
        assert_eq!(resolved(&mut talk, "Her name's Coco").as_deref(), Some("my puppy Coco's name is Coco"));
        assert_eq!(resolved(&mut talk, "He barks").as_deref(), Some("my puppy Coco barks"));
        for _ in 0..=REACH {
            talk.next();
        }
        assert_eq!(talk.resolved("She barks"), None);
    }

    #[test]
    fn things_are_named_as_known() {
        let book = RuleBook::english();
        let mut talk = Talk::default();
        for (clause, thing) in [
            ("I went to an art workshop yesterday", "the art workshop"),
            ("I painted my old boat", "their old boat"),
            ("This necklace is special to me", "this necklace"),
        ] {
            talk.hear(book, clause);
            assert_eq!(talk.thing(book, "They are old"), None);
            assert_eq!(talk.thing(book, "It is old"), Some((thing.to_owned(), None)));
        }
    }

    #[test]
    fn praise_weighs_nothing() {
        let book = RuleBook::english();
        assert_eq!(weight(book, "That sounds so great, wow!"), 0);
        assert_eq!(weight(book, "The donations even bought a brand new fire truck"), 5);
    }

    #[test]
    fn encouragement_has_no_substance() {
        let book = RuleBook::english();
        let praise = "Your courage and determination inspire everybody who believes in their dreams";
        assert!(weight(book, praise) >= 4);
        assert_eq!(substance(book, praise), 1);
        assert_eq!(substance(book, "Ann's courage bought the village a fire truck"), 5);
    }
}
