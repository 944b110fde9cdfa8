//! What a question asks beyond its words: the dates it names and whether it wants a time; and what in a text answers that.
//!
//! English only, like the word lists it works with: in any other language nothing is found, and what is not found adds
//! nothing to any score.

use jiff::civil::{Date, Weekday};
use jiff::{Span, ToSpan};

/// What a question asks beyond its words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cues {
    /// The dates it names.
    pub dates: Vec<When>,
    /// Whether it asks for a time: "when", "how long", "which year".
    pub asks_time: bool,
}

/// A date as a question names it. Days are counted from 1970-01-01.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// The days from the first to the second, both included.
    Days(i32, i32),
    /// A month, or one of its days, of no particular year.
    Yearly {
        /// 1 to 12.
        month: i8,
        /// 1 to 31; `None` for the whole month.
        day: Option<i8>,
    },
}

/// How many days around a named day still count, by half: what happens on a day is told on the days after.
const NEAR: i32 = 7;

impl Cues {
    /// How well a day fits the dates named: 1 on one of them, 0.5 within a week of a named day, else 0.
    pub fn fit(&self, day: i32) -> f32 {
        let fit = |when: &When| match *when {
            When::Days(first, last) if (first..=last).contains(&day) => 1.0,
            When::Days(first, last) if first == last && day.abs_diff(first) <= NEAR.unsigned_abs() => 0.5,
            When::Days(..) => 0.0,
            When::Yearly { month, day: named } => fit_of_year(day, month, named),
        };
        self.dates.iter().map(fit).fold(0.0, f32::max)
    }
}

fn fit_of_year(day: i32, month: i8, named: Option<i8>) -> f32 {
    let Some(date) = date_of(day) else { return 0.0 };
    let Some(named) = named else { return if date.month() == month { 1.0 } else { 0.0 } };
    let near =
        |year: i16| Date::new(year, month, named).is_ok_and(|on| day_of(on).abs_diff(day) <= NEAR.unsigned_abs());
    if (date.month(), date.day()) == (month, named) {
        1.0
    } else if (-1..=1).any(|shift| near(date.year() + shift)) {
        0.5
    } else {
        0.0
    }
}

/// What a text has that a question may want; found once, when the text is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Traits(u8);

impl Traits {
    /// The text ends by asking.
    pub const ASKS: Traits = Traits(1);
    /// The text has an expression of time: "yesterday", "for three years", "in May".
    pub const TIME: Traits = Traits(2);

    /// The traits as they are stored.
    #[inline]
    pub fn bits(self) -> u8 {
        self.0
    }

    /// The traits that were stored; unknown bits are left out.
    #[inline]
    pub fn from_bits(bits: u8) -> Traits {
        Traits(bits & (Traits::ASKS.0 | Traits::TIME.0))
    }

    /// Whether all traits of another are among these.
    #[inline]
    pub fn has(self, other: Traits) -> bool {
        self.0 & other.0 == other.0
    }

    /// These traits and another's.
    pub fn and(self, other: Traits) -> Traits {
        Traits(self.0 | other.0)
    }
}

/// Reads a text for what questions may want of it.
pub fn of_text(content: &str) -> Traits {
    let own = without_images(content);
    let mut traits = Traits::default();
    if own
        .trim_end_matches(|c: char| !c.is_alphanumeric() && !matches!(c, '?' | '？' | '.' | '!'))
        .ends_with(['?', '？'])
    {
        traits = traits.and(Traits::ASKS);
    }
    if words_of(own).iter().any(|word| tells_time(word.text)) {
        traits = traits.and(Traits::TIME);
    }
    traits
}

/// The text before its closing descriptions of images, "[image: a dog]".
fn without_images(content: &str) -> &str {
    let mut rest = content.trim_end();
    while let Some(open) = rest.strip_suffix(']').and_then(|inner| inner.rfind('[')) {
        let inner = rest[open + 1..].to_ascii_lowercase();
        if !["image", "photo", "picture", "img"].iter().any(|word| inner.starts_with(word)) {
            break;
        }
        rest = rest[..open].trim_end();
    }
    rest
}

/// Words that tell a time, in order.
const TIMES: &[&str] = &[
    "afternoon",
    "ago",
    "april",
    "august",
    "autumn",
    "birthday",
    "day",
    "days",
    "december",
    "evening",
    "fall",
    "february",
    "friday",
    "january",
    "july",
    "june",
    "last",
    "march",
    "may",
    "monday",
    "month",
    "months",
    "morning",
    "next",
    "night",
    "november",
    "october",
    "recently",
    "saturday",
    "september",
    "since",
    "spring",
    "summer",
    "sunday",
    "thursday",
    "today",
    "tomorrow",
    "tonight",
    "tuesday",
    "wednesday",
    "week",
    "weekend",
    "weekends",
    "weeks",
    "winter",
    "year",
    "years",
    "yesterday",
];

fn tells_time(word: &str) -> bool {
    let ordinal = ["st", "nd", "rd", "th"].iter().any(|ending| {
        word.strip_suffix(ending).is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()))
    });
    let year = word.len() == 4 && word.bytes().all(|b| b.is_ascii_digit());
    let folded = word.to_ascii_lowercase();
    ordinal || year || TIMES.binary_search(&folded.as_str()).is_ok()
}

/// Reads a question, asked on a day counted from 1970-01-01.
pub fn of_question(query: &str, now_day: i32) -> Cues {
    let words = words_of(query);
    let mut dates = Vec::new();
    let mut at = 0;
    while at < words.len() {
        let read = absolute(&words[at..]).or_else(|| relative(&words, at, now_day));
        if let Some((when, _)) = read {
            dates.push(when);
        }
        at += read.map_or(1, |(_, count)| count);
    }
    Cues { dates, asks_time: asks_time(&words) }
}

fn asks_time(words: &[Word<'_>]) -> bool {
    const UNITS: &[&str] = &["date", "day", "month", "time", "year", "season", "week"];
    let at = |n: usize| words.get(n).map_or("", |word| word.lower.as_str());
    (0..words.len()).any(|n| match (at(n), at(n + 1)) {
        ("when", _) | ("how", "long" | "often" | "recently") => true,
        ("what" | "which", unit) => UNITS.contains(&unit),
        ("how", "many" | "much") => matches!(at(n + 2), "days" | "weeks" | "months" | "years" | "hours" | "time"),
        _ => false,
    })
}

/// A date that stands for itself, and how many words it takes.
fn absolute(words: &[Word<'_>]) -> Option<(When, usize)> {
    let at = |n: usize| words.get(n);
    let year = |n: usize| at(n).and_then(Word::year);
    let first = at(0)?;
    if let Some(y) = first.year() {
        // 2023-05-07, and a year alone.
        let iso = at(1).zip(at(2)).filter(|(m, d)| m.after_hyphen && d.after_hyphen);
        let iso = iso.and_then(|(m, d)| Date::new(y, m.number()?, d.number()?).ok());
        return Some(match iso {
            Some(date) => (one(date), 3),
            None => (span(Date::new(y, 1, 1).ok()?, Date::new(y, 12, 31).ok()?), 1),
        });
    }
    if let Some(day) = first.day_of_month() {
        let of = usize::from(at(1).is_some_and(|word| word.lower == "of"));
        let month = at(1 + of)?.month()?;
        return dated(month, Some(day), year(2 + of), 2 + of + usize::from(year(2 + of).is_some()));
    }
    let month = first.month()?;
    if let Some(day) = at(1).and_then(Word::day_of_month) {
        return dated(month, Some(day), year(2), 2 + usize::from(year(2).is_some()));
    }
    let of = usize::from(at(1).is_some_and(|word| word.lower == "of"));
    if let Some(y) = year(1 + of) {
        return dated(month, None, Some(y), 2 + of);
    }
    // "may" and "march" are also verbs.
    const BEFORE: &[&str] = &["by", "during", "early", "in", "late", "mid", "of", "since", "until"];
    let clear = !matches!(first.lower.as_str(), "may" | "march" | "mar")
        || first.before.as_deref().is_some_and(|before| BEFORE.contains(&before));
    if clear && !matches!(first.before.as_deref(), Some("last" | "next" | "this")) {
        return dated(month, None, None, 1);
    }
    None
}

fn dated(month: i8, day: Option<i8>, year: Option<i16>, count: usize) -> Option<(When, usize)> {
    let when = match (year, day) {
        (Some(y), Some(d)) => one(Date::new(y, month, d).ok()?),
        (Some(y), None) => {
            let first = Date::new(y, month, 1).ok()?;
            span(first, first.last_of_month())
        }
        (None, day) => When::Yearly { month, day },
    };
    Some((when, count))
}

/// A date that depends on the day of the question, and how many words it takes.
fn relative(words: &[Word<'_>], at: usize, now_day: i32) -> Option<(When, usize)> {
    let today = date_of(now_day)?;
    let lower = |n: usize| words.get(at + n).map_or("", |word| word.lower.as_str());
    let days = |shift: i32| today.checked_add(shift.days()).ok().map(one);
    match lower(0) {
        "yesterday" => return Some((days(-1)?, 1)),
        "today" | "tonight" => return Some((days(0)?, 1)),
        "tomorrow" => return Some((days(1)?, 1)),
        _ => {}
    }
    let shift = match lower(0) {
        "last" | "past" | "previous" => -1,
        "this" => 0,
        "next" => 1,
        _ => 0,
    };
    if matches!(lower(0), "last" | "past" | "previous" | "this" | "next") {
        let unit = words.get(at + 1)?;
        if let Some(month) = unit.month() {
            let this = Date::new(today.year(), month, 1).ok()?;
            let turn = match shift {
                -1 if this.month() >= today.month() => -1,
                1 if this.month() <= today.month() => 1,
                _ => 0,
            };
            let first = Date::new(today.year() + turn, month, 1).ok()?;
            return Some((span(first, first.last_of_month()), 2));
        }
        if let Some(weekday) = unit.weekday() {
            let day = if shift == 0 {
                today.tomorrow().ok()?.nth_weekday(-1, weekday)
            } else {
                today.nth_weekday(shift, weekday)
            };
            return Some((one(day.ok()?), 2));
        }
        return Some((around(today, unit.lower.as_str(), shift)?, 2));
    }
    // "three weeks ago": the unit that holds the day.
    let count = i32::from(words[at].count()?);
    let unit = lower(1).strip_suffix('s').unwrap_or(lower(1));
    (lower(2) == "ago").then(|| around(today, unit, -count)).flatten().map(|when| (when, 3))
}

/// The day, week, month or year that lies so many of its kind from today.
fn around(today: Date, unit: &str, shift: i32) -> Option<When> {
    let moved = |span: Result<Span, jiff::Error>| today.checked_add(span.ok()?).ok();
    let shift = i64::from(shift);
    Some(match unit {
        "day" | "night" => one(moved(Span::new().try_days(shift))?),
        "week" | "weekend" => {
            let day = moved(Span::new().try_weeks(shift))?;
            let monday = day.checked_sub(i32::from(day.weekday().to_monday_zero_offset()).days()).ok()?;
            let first = if unit == "week" { monday } else { monday.checked_add(5.days()).ok()? };
            span(first, monday.checked_add(6.days()).ok()?)
        }
        "month" => {
            let day = moved(Span::new().try_months(shift))?;
            span(day.first_of_month(), day.last_of_month())
        }
        "year" => {
            let day = moved(Span::new().try_years(shift))?;
            span(day.first_of_year(), day.last_of_year())
        }
        _ => return None,
    })
}

fn one(day: Date) -> When {
    span(day, day)
}

fn span(first: Date, last: Date) -> When {
    When::Days(day_of(first), day_of(last))
}

const EPOCH: Date = Date::constant(1970, 1, 1);

fn day_of(date: Date) -> i32 {
    EPOCH.until(date).map(|span| span.get_days()).unwrap_or(0)
}

fn date_of(day: i32) -> Option<Date> {
    EPOCH.checked_add(Span::new().try_days(day).ok()?).ok()
}

/// A word with what is needed to read it as part of a date.
#[derive(Debug)]
struct Word<'a> {
    text: &'a str,
    lower: String,
    before: Option<String>,
    after_hyphen: bool,
}

fn words_of(text: &str) -> Vec<Word<'_>> {
    let mut words: Vec<Word<'_>> = Vec::new();
    let mut end = 0;
    for word in text.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()) {
        let start = word.as_ptr().addr() - text.as_ptr().addr();
        let before = words.last().map(|word| word.lower.clone());
        let after_hyphen = before.is_some() && &text[end..start] == "-";
        end = start + word.len();
        words.push(Word { text: word, lower: word.to_lowercase(), before, after_hyphen });
    }
    words
}

impl Word<'_> {
    fn number(&self) -> Option<i8> {
        if self.text.bytes().all(|b| b.is_ascii_digit()) { self.text.parse().ok() } else { None }
    }

    fn year(&self) -> Option<i16> {
        let digits = self.text.len() == 4 && self.text.bytes().all(|b| b.is_ascii_digit());
        self.text.parse().ok().filter(|year| digits && (1900..2100).contains(year))
    }

    fn day_of_month(&self) -> Option<i8> {
        let bare = ["st", "nd", "rd", "th"].iter().find_map(|ending| self.lower.strip_suffix(ending));
        let digits = bare.unwrap_or(&self.lower);
        if digits.len() > 2 || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return None;
        }
        digits.parse().ok().filter(|day| (1..=31).contains(day))
    }

    fn month(&self) -> Option<i8> {
        const NAMES: [&str; 12] = [
            "january",
            "february",
            "march",
            "april",
            "may",
            "june",
            "july",
            "august",
            "september",
            "october",
            "november",
            "december",
        ];
        let word = if self.lower == "sept" { "sep" } else { &self.lower };
        let named = |name: &&str| *name == word || (word.len() == 3 && name.starts_with(word));
        let at = NAMES.iter().position(named)?;
        i8::try_from(at + 1).ok()
    }

    fn weekday(&self) -> Option<Weekday> {
        Some(match self.lower.as_str() {
            "monday" => Weekday::Monday,
            "tuesday" => Weekday::Tuesday,
            "wednesday" => Weekday::Wednesday,
            "thursday" => Weekday::Thursday,
            "friday" => Weekday::Friday,
            "saturday" => Weekday::Saturday,
            "sunday" => Weekday::Sunday,
            _ => return None,
        })
    }

    fn count(&self) -> Option<i16> {
        const COUNTS: [&str; 11] =
            ["one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven"];
        let written = || COUNTS.iter().position(|count| *count == self.lower).and_then(|at| i16::try_from(at + 1).ok());
        let article = || matches!(self.lower.as_str(), "a" | "an").then_some(1);
        self.number().map(i16::from).or_else(written).or_else(article)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn day(text: &str) -> i32 {
        day_of(text.parse().expect("a date"))
    }

    #[test]
    fn times_are_sorted() {
        assert!(TIMES.is_sorted());
    }

    #[test]
    fn dates_are_read_from_questions() {
        let days = |first, last| When::Days(day(first), day(last));
        let yearly = |month, day| When::Yearly { month, day };
        // A Monday.
        let now = day("2023-05-08");
        for (query, when) in [
            ("What happened on 7 May 2023?", days("2023-05-07", "2023-05-07")),
            ("What happened on May 7th, 2023?", days("2023-05-07", "2023-05-07")),
            ("on the 7th of May 2023", days("2023-05-07", "2023-05-07")),
            ("on 2023-05-07", days("2023-05-07", "2023-05-07")),
            ("in February 2024", days("2024-02-01", "2024-02-29")),
            ("in Feb of 2024", days("2024-02-01", "2024-02-29")),
            ("in 2022", days("2022-01-01", "2022-12-31")),
            ("on 15 August", yearly(8, Some(15))),
            ("on Aug 15th", yearly(8, Some(15))),
            ("in July?", yearly(7, None)),
            ("in May?", yearly(5, None)),
            ("yesterday", days("2023-05-07", "2023-05-07")),
            ("today", days("2023-05-08", "2023-05-08")),
            ("last week", days("2023-05-01", "2023-05-07")),
            ("last weekend", days("2023-05-06", "2023-05-07")),
            ("this month", days("2023-05-01", "2023-05-31")),
            ("next year", days("2024-01-01", "2024-12-31")),
            ("last Friday", days("2023-05-05", "2023-05-05")),
            ("next Monday", days("2023-05-15", "2023-05-15")),
            ("last June", days("2022-06-01", "2022-06-30")),
            ("last April", days("2023-04-01", "2023-04-30")),
            ("three days ago", days("2023-05-05", "2023-05-05")),
            ("a month ago", days("2023-04-01", "2023-04-30")),
        ] {
            assert_eq!(of_question(query, now).dates, [when], "{query}");
        }
        for query in ["may I ask?", "They march on", "call 5551234", "last but not least", "", "two dogs"] {
            assert_eq!(of_question(query, now).dates, [], "{query}");
        }
    }

    #[test]
    fn questions_for_a_time_are_told() {
        for query in ["When did she go?", "How long has he lived there?", "In which year was it?", "how many weeks"] {
            assert!(of_question(query, 0).asks_time, "{query}");
        }
        for query in ["Where did she go?", "How many dogs?", "What did she say?", ""] {
            assert!(!of_question(query, 0).asks_time, "{query}");
        }
    }

    #[test]
    fn days_fit_dates() {
        let fit = |query: &str, on: &str| of_question(query, 0).fit(day(on));
        assert_eq!(fit("on 7 May 2023", "2023-05-07"), 1.0);
        assert_eq!(fit("on 7 May 2023", "2023-05-14"), 0.5);
        assert_eq!(fit("on 7 May 2023", "2023-05-15"), 0.0);
        assert_eq!(fit("in May 2023", "2023-05-31"), 1.0);
        assert_eq!(fit("in May 2023", "2023-06-01"), 0.0);
        assert_eq!(fit("in May or on 1 January", "2021-05-09"), 1.0);
        assert_eq!(fit("on 1 January", "2021-01-01"), 1.0);
        assert_eq!(fit("on 1 January", "2020-12-30"), 0.5);
        assert_eq!(fit("on 29 February", "2023-02-27"), 0.0);
        assert_eq!(fit("where?", "2023-05-07"), 0.0);
        assert_eq!(of_question("in May", 0).fit(i32::MIN), 0.0);
    }

    #[test]
    fn texts_are_read_for_what_questions_want() {
        for (content, asks, time) in [
            ("Ann: How are you?", true, false),
            ("I am fine. And you? 😊", true, false),
            ("Isn't it nice? [image: a dog on a beach]", true, false),
            ("I was asked [why?] yesterday", false, true),
            ("Is it? It is.", false, false),
            ("We met on the 3rd", false, true),
            ("Back in 2019 it was", false, true),
            ("I ran for two weeks.", false, true),
            ("I like dogs", false, false),
            ("", false, false),
        ] {
            let traits = of_text(content);
            assert_eq!((traits.has(Traits::ASKS), traits.has(Traits::TIME)), (asks, time), "{content}");
            assert_eq!(Traits::from_bits(traits.bits()), traits);
        }
        assert_eq!(Traits::from_bits(255), Traits::ASKS.and(Traits::TIME));
    }
}
