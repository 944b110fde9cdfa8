//! The grammar of a language as tables: how a sentence of the speaker becomes one about them.
//!
//! For languages in which the speaker is named by a word of their own ("ich"), the verb of the first person differs from
//! that of the third by its ending or by a list, and nouns do not change with the person. The speaker's pronoun becomes
//! the subject's mark; the verb that goes with it stands behind it, before it when something else opens the sentence, or
//! at the end of a subordinate clause. Possessives become the mark's at the beginning and what the tables say behind it.

use std::collections::{HashMap, HashSet};

use regex::Regex;

use super::person::{Names, Token, joined, tokens};
use super::rulebook::{SUBJECT, Sections, compile};

/// The tables of a language.
pub(super) struct Grammar {
    /// The speaker as a subject; with others; as an object.
    subject: HashSet<String>,
    group: HashSet<String>,
    object: HashSet<String>,
    /// What the object becomes when the speaker is the subject as well.
    reflexive: String,
    /// The speaker and others.
    others: String,
    /// What is the speaker's: the words, and what they become behind the subject.
    own: HashMap<String, String>,
    /// Verbs of the first person whose third follows no rule.
    irregular: HashMap<String, String>,
    /// Verbs of the first person.
    verbs: HashSet<String>,
    /// Ends of verbs in the first person, and of the same in the third.
    endings: Vec<(Regex, String)>,
    /// Words that look like such verbs.
    not_verbs: HashSet<String>,
    /// Words behind which the verb stands at the end.
    subordinators: HashSet<String>,
    coordinators: HashSet<String>,
    /// Pronouns and possessives for the subject, where a text speaks of them in the third person.
    third: HashSet<String>,
    theirs: HashSet<String>,
}

impl Grammar {
    /// The grammar of a language file, when it has one.
    pub(super) fn parse(sections: &Sections<'_>) -> Option<Grammar> {
        let subject = sections.words("subject");
        if subject.is_empty() {
            return None;
        }
        let one = |name: &str| sections.lines(name).next().unwrap_or_default().to_owned();
        let irregular: HashMap<String, String> = sections
            .lines("irregular")
            .filter_map(|line| line.split_once(' '))
            .map(|(first, third)| (first.to_owned(), third.to_owned()))
            .collect();
        let mut verbs = sections.words("firstverbs");
        verbs.extend(irregular.keys().cloned());
        Some(Grammar {
            subject,
            group: sections.words("group"),
            object: sections.words("object"),
            reflexive: one("reflexive"),
            others: one("others"),
            own: sections
                .pairs("own")
                .into_iter()
                .map(|(word, own)| (word, own.replace("{S}", &SUBJECT.to_string())))
                .collect(),
            irregular,
            verbs,
            endings: sections
                .lines("endings")
                .filter_map(|line| line.split_once(" = "))
                .map(|(pattern, ending)| (compile(pattern), ending.to_owned()))
                .collect(),
            not_verbs: sections.words("notverbs"),
            subordinators: sections.words("subordinators"),
            coordinators: sections.words("coordinators"),
            third: sections.words("third"),
            theirs: sections.words("theirs"),
        })
    }

    /// The canonical sentence of one that the subject says of themself; `None` when it does not speak of the speaker.
    pub(super) fn first_person(&self, clause: &str) -> Option<String> {
        let (mut list, tail) = tokens(clause);
        let says = |set: &HashSet<String>, list: &[Token]| list.iter().position(|token| set.contains(&token.lower));
        let subject = says(&self.subject, &list);
        let group = says(&self.group, &list);
        let any = list.iter().any(|token| {
            [&self.subject, &self.group, &self.object].iter().any(|set| set.contains(&token.lower))
                || self.own.contains_key(&token.lower)
        });
        if !any {
            return None;
        }
        if let Some(at) = subject {
            self.agree(&mut list, at);
        }
        let (one, many) = (SUBJECT.to_string(), format!("{SUBJECT} {}", self.others));
        for (at, token) in list.iter_mut().enumerate() {
            let behind = [subject, group].iter().flatten().any(|subject| *subject < at);
            token.word = if self.subject.contains(&token.lower) {
                one.clone()
            } else if self.group.contains(&token.lower) {
                many.clone()
            } else if self.object.contains(&token.lower) {
                if subject.or(group).is_some() { self.reflexive.clone() } else { one.clone() }
            } else if let Some(own) = self.own.get(&token.lower) {
                if behind { own.clone() } else { format!("{SUBJECT}'s") }
            } else {
                continue;
            };
        }
        Some(super::rulebook::capitalized(joined(&list, &tail).trim()))
    }

    /// Puts the verbs that go with a subject into the third person.
    fn agree(&self, list: &mut [Token], subject: usize) {
        let is_verb = |token: &Token| self.is_first_person(token);
        let before = subject.checked_sub(1).filter(|&at| list[subject].gap.trim().is_empty() && is_verb(&list[at]));
        let clause_end =
            (subject + 1..list.len()).find(|&at| list[at].gap.contains([',', ';', ':'])).unwrap_or(list.len());
        let below = list[..subject].iter().rev().take(2).any(|token| self.subordinators.contains(&token.lower));
        let next = (subject + 1 < clause_end).then_some(subject + 1).filter(|&at| is_verb(&list[at]));
        let last = clause_end.checked_sub(1).filter(|&at| at > subject && is_verb(&list[at]));
        let Some(verb) = before.or(if below { last.or(next) } else { next.or(last) }) else { return };
        self.third_person(&mut list[verb]);
        // "Ich trinke und rauche nicht": the verb behind "und" has the same subject.
        for at in subject.max(verb) + 1..list.len() {
            if self.subject.contains(&list[at].lower) {
                break;
            }
            let joins = self.coordinators.contains(&list[at - 1].lower) && list[at].gap.trim().is_empty();
            if joins && self.verbs.contains(&list[at].lower) && list[at].word == list[at].lower {
                self.third_person(&mut list[at]);
            }
        }
    }

    /// Whether a word is a verb in the first person: in a language that writes nouns with a capital, any other word that
    /// ends like one.
    fn is_first_person(&self, token: &Token) -> bool {
        let known = self.verbs.contains(&token.lower);
        let like = || self.endings.iter().any(|(pattern, _)| pattern.is_match(&token.lower));
        known || token.word == token.lower && !self.not_verbs.contains(&token.lower) && like()
    }

    fn third_person(&self, token: &mut Token) {
        let third = self.irregular.get(&token.lower).cloned().or_else(|| {
            let (pattern, ending) = self.endings.iter().find(|(pattern, _)| pattern.is_match(&token.lower))?;
            Some(pattern.replace(&token.lower, ending.as_str()).into_owned())
        });
        if let Some(third) = third {
            token.word = third;
        }
    }

    /// The canonical sentence of one about the named subject; see [`super::person::third_person_of`].
    pub(super) fn third_person_of(&self, clause: &str, names: &Names, known: bool) -> Option<String> {
        let (mut list, tail) = tokens(clause);
        // "Annas Hund": the possessive is part of the word.
        if let Some(first) = list.first_mut()
            && let Some(stem) = first.lower.strip_suffix("'s").or_else(|| first.lower.strip_suffix('s'))
            && !names.is(&first.lower)
            && names.is(stem)
        {
            first.word = format!("{SUBJECT}'s");
            return Some(joined(&list, &tail).trim().to_owned());
        }
        if let Some((words, _)) = names.leading(&list) {
            let rest = list.split_off(words);
            list[0].word = SUBJECT.to_string();
            list.truncate(1);
            list.extend(rest);
        } else {
            let first = list.first_mut().filter(|_| known)?;
            first.word = match first.lower.as_str() {
                word if self.third.contains(word) => SUBJECT.to_string(),
                word if self.theirs.contains(word) => format!("{SUBJECT}'s"),
                _ => return None,
            };
        }
        Some(joined(&list, &tail).trim().to_owned())
    }
}
