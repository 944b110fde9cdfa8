//! "My meeting got cancelled", "they moved it to Friday": sentences that end a plan, or give it another day.
//!
//! Which plan is meant is found where plans are kept, so such a sentence brings along what it calls the plan. Words that any
//! plan may go by ("appointment") need not be those that the plan was stated with.

use std::ops::Range;

use std::fmt;

use jiff::ToSpan;
use jiff::civil::Date;
use regex::Captures;

use super::dates::{self, Tense, When};
use super::learn::{Learner, Voice, dated};
use super::rulebook::{RuleBook, SUBJECT, groups_of};
use super::{Kind, Memory, person, talk};

/// How sure it is that what was called off is off.
const CONFIDENCE: f32 = 0.95;

/// The longest preposition between a plan and where it leads: " until ".
const MAX_GAP: usize = 7;

/// What a sentence says of a plan that was made before.
#[derive(Clone, Debug, PartialEq)]
pub struct CalledOff {
    /// Words that the plan has, in lower case.
    pub words: Vec<String>,
    /// Words for plans of its sort, which it may go without.
    pub sorts: Vec<String>,
    /// The day that it was planned for, microseconds since 1970 (UTC), when the sentence says so.
    pub day: Option<i64>,
    /// It takes place, on the day of the memory.
    pub moved: bool,
    /// By how much it was moved, when only the plan itself says from which day.
    pub shift: Option<Shift>,
    /// Whose plan it is does not say: without one that is known there is nothing to remember.
    pub only_known: bool,
}

/// By how much a plan is moved: later, or with negative numbers sooner. Hours do not count, since a plan has a day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Shift {
    months: i32,
    days: i32,
}

impl Shift {
    fn of(book: &RuleBook, groups: &Captures<'_>) -> Option<Shift> {
        let (n, unit) = (groups.name("n")?.as_str().to_lowercase(), groups.name("unit")?.as_str().to_lowercase());
        let n = n.parse().ok().or_else(|| i32::try_from(*book.numbers.get(n.as_str())?).ok())?;
        let n = if groups.name("sooner").is_some() { -n } else { n };
        Some(match book.units.get(&unit).map_or(unit.as_str(), String::as_str) {
            "day" => Shift { months: 0, days: n },
            "week" => Shift { months: 0, days: 7 * n },
            "month" => Shift { months: n, days: 0 },
            _ => Shift { months: 0, days: 0 },
        })
    }

    fn after(self, day: Date) -> Option<Date> {
        day.checked_add(self.months.months().days(self.days)).ok()
    }
}

/// As PostgreSQL reads intervals.
impl fmt::Display for Shift {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} months {} days", self.months, self.days)
    }
}

/// What is remembered of a plan that was moved by so much, with the day that it has now, microseconds since 1970 (UTC).
pub fn moved_to(content: &str, day: i64, language: Option<&str>) -> Option<String> {
    let day = jiff::Timestamp::from_microsecond(day).ok()?.to_zoned(jiff::tz::TimeZone::UTC).date();
    Some(with_day(RuleBook::of(language), content, day))
}

fn with_day(book: &RuleBook, content: &str, day: Date) -> String {
    let content = content.trim_end_matches(['.', '!', ' ']);
    book.wording.moved.replace("{d}", &dates::on_day(book, day)).replace("{v}", content)
}

impl Learner<'_> {
    /// Reads a canonical sentence that calls a plan off or moves it; false for any other. `only_known` and `said_day` are
    /// those of a sentence that does not say whose the plan is.
    pub(super) fn called_off(
        &mut self,
        canonical: &str,
        span: &Range<usize>,
        voice: &Voice,
        only_known: bool,
        said_day: Option<When>,
    ) -> bool {
        let book = self.book;
        let Some(groups) = book.called_off.iter().find_map(|pattern| groups_of(pattern, canonical)) else {
            return false;
        };
        let Some(what) = groups.name("what").map(|what| what.range()) else { return false };
        let to = groups.name("to");
        let moved = to.and_then(|to| self.day_named(to.as_str(), voice, to.start()));
        let shift = Shift::of(book, &groups);
        if moved.is_none() && shift.is_none() && groups.name("off").or(groups.name("later")).is_none() {
            return false;
        }
        // "Cancelled the trip to Rome" gives no other day.
        let follows =
            |to: &regex::Match<'_>| canonical.get(what.end..to.start()).is_some_and(|gap| gap.len() <= MAX_GAP);
        let what = what.start..to.filter(|to| moved.is_none() && follows(to)).map_or(what.end, |to| to.end());
        let mut when = dates::find(book, canonical, self.wall(voice), Tense::Future);
        // "A day earlier" is no date.
        let amount = shift.and(groups.name("n")).map(|n| n.start());
        let before = moved.as_ref().map(|moved| moved.span.start).or(amount);
        when.retain(|when| before.is_none_or(|before| when.span.end <= before));
        let (words, sorts) = words_of(book, canonical, what, &when);
        if words.is_empty() {
            return false;
        }
        let planned = when.first().or(said_day.as_ref()).filter(|when| when.start == when.end);
        let day = planned.map(|when| dates::micros_of(when.start));
        let shifted = shift.and_then(|shift| shift.after(planned?.start));
        let until = moved.as_ref().map(|moved| moved.end).or(shifted).and_then(|end| self.until_end_of(end, voice));
        let event_date = moved.as_ref().map(|moved| moved.start).or(shifted).map(dates::micros_of).or(day);
        let shift = shift.filter(|_| shifted.is_none());
        let moves = moved.is_some() || shifted.is_some() || shift.is_some();
        let calls_off = CalledOff { words, sorts, day, moved: moves, shift, only_known };
        when.extend(moved);
        let text = dated(canonical, &when, false);
        let text = shifted.map_or_else(|| text.clone(), |day| with_day(book, &text, day));
        let text = match self.listener(voice) {
            Some(listener) => talk::named(book, &text, listener),
            None => text,
        };
        self.keep(Memory {
            content: person::render(book, &text, voice.name.as_deref()),
            subject: voice.name.clone(),
            kind: Kind::Event,
            slot: None,
            value: None,
            negated: false,
            aside: false,
            is_static: false,
            confidence: CONFIDENCE,
            importance: 0.6,
            event_date,
            forget_after: until,
            calls_off: Some(calls_off),
            evidence: span.clone(),
            context: voice.context.clone(),
            message: None,
            context_message: None,
        });
        true
    }

    /// Reads "The meeting with Bob is cancelled", "Tomorrow's class is off", which do not say whose plan it is.
    pub(super) fn plan_called_off(&mut self, clause: &str, span: &Range<usize>, voice: &Voice) -> bool {
        let book = self.book;
        let Some(groups) = book.the_plan.iter().find_map(|pattern| groups_of(pattern, clause)) else { return false };
        let day = groups.name("day").and_then(|day| self.day_named(day.as_str(), voice, 0));
        self.called_off(&format!("{SUBJECT}'s {}", &groups["rest"]), span, voice, true, day)
    }

    /// The day that words name by themselves, which begin at a place: "Friday", "next week", "the 31st".
    fn day_named(&self, words: &str, voice: &Voice, at: usize) -> Option<When> {
        let on = self.book.say_date.get("day")?.split(' ').next()?;
        let phrase = format!("{on} {words}");
        let lead = on.len() + 1;
        let found = dates::find(self.book, &phrase, self.wall(voice), Tense::Future).into_iter().next()?;
        let first = found.span.start <= lead;
        // Without the preposition that was put before it, or another one of the written form.
        let say = found.say.map(|say| say.split_once(' ').map_or(say.clone(), |(_, bare)| bare.to_owned()));
        first.then(|| When { span: at..at + found.span.end - lead, say, ..found })
    }
}

/// What words for a plan call it, and those among them that any plan of the sort may go by, as [`CalledOff`] has them.
pub fn plan_words(plan: &str, language: Option<&str>) -> (Vec<String>, Vec<String>) {
    words_of(RuleBook::of(language), plan, 0..plan.len(), &[])
}

/// The words for a plan, and those among them that any plan of the sort may go by; its date is none of them.
fn words_of(book: &RuleBook, text: &str, what: Range<usize>, when: &[When]) -> (Vec<String>, Vec<String>) {
    let in_date = |at: usize| when.iter().any(|when| when.span.contains(&at));
    let mut words: Vec<String> = text[what.clone()]
        .split(|c: char| !c.is_alphanumeric())
        .filter(|word| !word.is_empty() && !in_date(word.as_ptr().addr() - text.as_ptr().addr()))
        .map(str::to_lowercase)
        .filter(|word| word.chars().nth(1).is_some() && !book.plan_stop.contains(word))
        .collect();
    words.dedup();
    let (sorts, named): (Vec<String>, Vec<String>) = words.into_iter().partition(|word| book.plan_sorts.contains(word));
    if named.is_empty() { (sorts, Vec::new()) } else { (named, sorts) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::extract::tests::NOW;
    use crate::extract::{Input, extract};
    use crate::time::format_micros;

    fn read(text: &str, language: &str) -> Vec<Memory> {
        let input = Input { text, input_type: Some("chat"), now: NOW, language: Some(language), ..Input::default() };
        extract(&Input { text: &serde_json::json!([{ "role": "user", "content": text }]).to_string(), ..input })
            .memories
    }

    /// Words, sorts, the day before, the new day, the sentence.
    fn written(memory: &Memory) -> (String, String, String, String, &str) {
        let day = |at: Option<i64>| at.and_then(format_micros).map(|text| text[..10].to_owned()).unwrap_or_default();
        let plan = memory.calls_off.as_ref().unwrap_or_else(|| panic!("nothing is called off: {}", memory.content));
        let moved = if plan.moved { day(memory.event_date) } else { String::new() };
        (plan.words.join(" "), plan.sorts.join(" "), day(plan.day), moved, &memory.content)
    }

    #[test]
    fn plans_are_called_off_and_moved() {
        // Said on Monday, 8 May 2023.
        for (text, words, sorts, day, moved, content) in [
            ("My meeting got cancelled.", "meeting", "", "", "", "User's meeting got cancelled"),
            (
                "My meeting with Bob on Friday was cancelled.",
                "bob",
                "meeting",
                "2023-05-12",
                "",
                "User's meeting with Bob on 12 May 2023 was cancelled",
            ),
            (
                "My dentist appointment was moved to Friday.",
                "dentist",
                "appointment",
                "",
                "2023-05-12",
                "User's dentist appointment was moved to 12 May 2023",
            ),
            (
                "My dentist appointment tomorrow was moved to next Tuesday.",
                "dentist",
                "appointment",
                "2023-05-09",
                "2023-05-09",
                "User's dentist appointment on 9 May 2023 was moved to 9 May 2023",
            ),
            (
                "My flight has been rescheduled from Tuesday to the 31st.",
                "flight",
                "",
                "2023-05-09",
                "2023-05-31",
                "User's flight has been rescheduled from 9 May 2023 to 31 May 2023",
            ),
            ("My exam is postponed.", "exam", "", "", "", "User's exam is postponed"),
            (
                "My exam was postponed to next week because the teacher is ill.",
                "exam",
                "",
                "",
                "2023-05-15",
                "User's exam was postponed to the week of 15 May 2023 because the teacher is ill",
            ),
            ("I had to cancel my trip to Rome.", "rome", "trip", "", "", "User had to cancel their trip to Rome"),
            (
                "I moved my dentist appointment to 12 June 2023.",
                "dentist",
                "appointment",
                "",
                "2023-06-12",
                "User moved their dentist appointment to 12 June 2023",
            ),
            (
                "The dentist cancelled my appointment.",
                "appointment",
                "",
                "",
                "",
                "The dentist cancelled User's appointment",
            ),
            (
                "They moved my interview to Friday.",
                "interview",
                "",
                "",
                "2023-05-12",
                "They moved User's interview to 12 May 2023",
            ),
            (
                "My wedding was postponed until next June.",
                "wedding",
                "",
                "",
                "2023-06-01",
                "User's wedding was postponed until June 2023",
            ),
            (
                "My wedding was postponed until further notice.",
                "wedding",
                "",
                "",
                "",
                "User's wedding was postponed until further notice",
            ),
            ("Our wedding is off.", "wedding", "", "", "", "User's wedding is off"),
            ("The concert was called off.", "concert", "", "", "", "User's concert was called off"),
            (
                "Tomorrow's piano lesson is cancelled.",
                "piano lesson",
                "",
                "2023-05-09",
                "",
                "User's piano lesson is cancelled",
            ),
        ] {
            let memories = read(text, "en");
            assert_eq!(memories.len(), 1, "{text}: {memories:?}");
            let expected = (words.to_owned(), sorts.to_owned(), day.to_owned(), moved.to_owned(), content);
            assert_eq!(written(&memories[0]), expected, "{text}");
        }
    }

    #[test]
    fn plans_are_moved_by_so_much() {
        // The days are known where the sentence says from which.
        for (text, words, day, moved, shift, content) in [
            (
                "My dentist appointment was pushed back a week.",
                "dentist",
                "",
                "",
                "0 months 7 days",
                "User's dentist appointment was pushed back a week",
            ),
            (
                "My exam got pushed back by two days because of the storm.",
                "exam",
                "",
                "",
                "0 months 2 days",
                "User's exam got pushed back by two days because of the storm",
            ),
            (
                "My flight was moved up two days.",
                "flight",
                "",
                "",
                "0 months -2 days",
                "User's flight was moved up two days",
            ),
            (
                "My interview was brought forward by a day.",
                "interview",
                "",
                "",
                "0 months -1 days",
                "User's interview was brought forward by a day",
            ),
            (
                "They pushed my interview back a week.",
                "interview",
                "",
                "",
                "0 months 7 days",
                "They pushed User's interview back a week",
            ),
            (
                "They pushed back my interview by 3 days.",
                "interview",
                "",
                "",
                "0 months 3 days",
                "They pushed back User's interview by 3 days",
            ),
            (
                "I moved my trip to Rome up a month.",
                "rome",
                "",
                "",
                "-1 months 0 days",
                "User moved their trip to Rome up a month",
            ),
            (
                "My wedding was postponed by two months.",
                "wedding",
                "",
                "",
                "2 months 0 days",
                "User's wedding was postponed by two months",
            ),
            (
                "My meeting was moved two days later.",
                "meeting",
                "",
                "",
                "0 months 2 days",
                "User's meeting was moved two days later",
            ),
            (
                "My meeting was moved a day earlier.",
                "meeting",
                "",
                "",
                "0 months -1 days",
                "User's meeting was moved a day earlier",
            ),
            (
                "My meeting was pushed back an hour.",
                "meeting",
                "",
                "",
                "0 months 0 days",
                "User's meeting was pushed back an hour",
            ),
            (
                "My meeting on Friday was pushed back a week.",
                "meeting",
                "2023-05-12",
                "2023-05-19",
                "",
                "User's meeting on 12 May 2023 was pushed back a week, now on 19 May 2023",
            ),
            (
                "Tomorrow's class was pushed back two days.",
                "class",
                "2023-05-09",
                "2023-05-11",
                "",
                "User's class was pushed back two days, now on 11 May 2023",
            ),
        ] {
            let memories = read(text, "en");
            assert_eq!(memories.len(), 1, "{text}: {memories:?}");
            let (found, _, planned, to, said) = written(&memories[0]);
            let plan = memories[0].calls_off.as_ref().unwrap();
            let by = plan.shift.map(|shift| shift.to_string()).unwrap_or_default();
            let to = if by.is_empty() { to } else { String::new() };
            let expected = (words, day, moved, shift, content);
            assert_eq!((found.as_str(), planned.as_str(), to.as_str(), by.as_str(), said), expected, "{text}");
            assert!(plan.moved, "{text}");
        }
        for (text, shift) in [
            ("Mein Zahnarzttermin wurde um eine Woche verschoben.", "0 months 7 days"),
            ("Meine Prüfung wurde um zwei Tage vorverlegt.", "0 months -2 days"),
            ("Ich habe meine Reise nach Rom um einen Monat verschoben.", "1 months 0 days"),
        ] {
            let memories = read(text, "de");
            let plan = memories[0].calls_off.as_ref().unwrap_or_else(|| panic!("{text}: {memories:?}"));
            assert_eq!(plan.shift.map(|shift| shift.to_string()).as_deref(), Some(shift), "{text}");
        }
    }

    #[test]
    fn plans_are_on_another_day() {
        for (text, language, words, day, moved, content) in [
            (
                "My meeting with Bob is no longer on Friday, it's on Monday.",
                "en",
                "bob",
                "2023-05-12",
                "2023-05-15",
                "User's meeting with Bob was moved from 12 May 2023 to 15 May 2023",
            ),
            (
                "My dentist appointment isn't on Friday anymore, it's now on Monday",
                "en",
                "dentist",
                "2023-05-12",
                "2023-05-15",
                "User's dentist appointment was moved from 12 May 2023 to 15 May 2023",
            ),
            (
                "My dentist appointment is no longer on Friday but on the 31st.",
                "en",
                "dentist",
                "2023-05-12",
                "2023-05-31",
                "User's dentist appointment was moved from 12 May 2023 to 31 May 2023",
            ),
            (
                "The meeting with Bob is on Tuesday instead of Friday.",
                "en",
                "bob",
                "2023-05-12",
                "2023-05-09",
                "User's meeting with Bob was moved from 12 May 2023 to 9 May 2023",
            ),
            (
                "My dentist appointment is no longer on Friday.",
                "en",
                "dentist",
                "2023-05-12",
                "",
                "User's dentist appointment is no longer on 12 May 2023",
            ),
            (
                "Mein Treffen mit Anna ist nicht mehr am Freitag, sondern am Montag.",
                "de",
                "anna",
                "2023-05-12",
                "2023-05-15",
                "Users Treffen mit Anna am 12. Mai 2023 wurde auf 15. Mai 2023 verschoben",
            ),
        ] {
            let memories = read(text, language);
            assert_eq!(memories.len(), 1, "{text}: {memories:?}");
            let (found, _, planned, to, said) = written(&memories[0]);
            assert_eq!((found.as_str(), planned.as_str(), to.as_str(), said), (words, day, moved, content), "{text}");
        }
        for text in ["My birthday is no longer on my mind.", "I am no longer on Facebook, it's on my old phone."] {
            assert!(read(text, "en").iter().all(|memory| memory.calls_off.is_none()), "{text}");
        }
    }

    #[test]
    fn what_is_moved_elsewhere_is_no_plan() {
        for text in [
            "I moved my couch to the living room.",
            "My desk was moved to the third floor.",
            "My meeting was moved to Zoom.",
            "My password was changed.",
            "My flight was delayed.",
            "I moved my family to Berlin.",
        ] {
            assert!(read(text, "en").iter().all(|memory| memory.calls_off.is_none()), "{text}");
        }
        // Whether the subject had to do with it, only a plan that is known can say.
        let only_known = |text: &str| read(text, "en")[0].calls_off.as_ref().is_some_and(|plan| plan.only_known);
        assert!(only_known("The concert was called off.") && !only_known("My concert was called off."));
    }

    #[test]
    fn plans_are_called_off_in_german() {
        for (text, words, sorts, day, moved, content) in [
            (
                "Mein Zahnarzttermin wurde abgesagt.",
                "zahnarzttermin",
                "",
                "",
                "",
                "Users Zahnarzttermin wurde abgesagt",
            ),
            ("Mein Treffen mit Anna fällt aus.", "anna", "treffen", "", "", "Users Treffen mit Anna fällt aus"),
            (
                "Meine Prüfung wurde auf Freitag verschoben.",
                "prüfung",
                "",
                "",
                "2023-05-12",
                "Users Prüfung wurde auf 12. Mai 2023 verschoben",
            ),
            (
                "Ich habe meine Reise nach Rom abgesagt.",
                "rom",
                "reise",
                "",
                "",
                "User hat die eigene Reise nach Rom abgesagt",
            ),
        ] {
            let memories = read(text, "de");
            assert_eq!(memories.len(), 1, "{text}: {memories:?}");
            let expected = (words.to_owned(), sorts.to_owned(), day.to_owned(), moved.to_owned(), content);
            assert_eq!(written(&memories[0]), expected, "{text}");
        }
    }
}
