//! The patterns for dates, as the language files state them.

use std::sync::OnceLock;

use jiff::civil::Weekday;
use regex::Regex;

use crate::extract::rulebook::compile;

/// How a date pattern is computed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::extract) enum DateOp {
    Day,
    Part,
    Week,
    Weekend,
    Month,
    Year,
    Weekday,
    Ago,
    /// So many minutes from now.
    Minutes,
    /// A day of a month that is not named.
    MonthDay,
    /// A day of every year.
    Holiday,
    /// The beginning, middle or end of a week, month or year.
    Edge,
    /// A week, weekend or weekday of a month, counted.
    Nth,
    Date,
}

/// A pattern for a date. Compiled when a date is found that may be one of its own.
pub(in crate::extract) struct DateRule {
    pub(in crate::extract) op: DateOp,
    pub(in crate::extract) offset: i32,
    pub(in crate::extract) part: Option<String>,
    /// The countries that it holds in; everywhere, if there are none.
    countries: Vec<String>,
    source: String,
    compiled: OnceLock<Regex>,
}

/// Stands for the last of a weekday in a month.
pub(in crate::extract) const LAST: i8 = 9;

/// A weekday by the first letters of its English name.
pub(in crate::extract) fn weekday(name: &str) -> Option<Weekday> {
    let names = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let at = names.iter().position(|known| *known == name)?;
    Weekday::from_monday_zero_offset(i8::try_from(at).ok()?).ok()
}

impl DateRule {
    /// The countries that it is bound to.
    #[cfg(test)]
    pub(in crate::extract) fn countries(&self) -> impl Iterator<Item = &str> {
        self.countries.iter().map(String::as_str)
    }

    /// Whether the rule holds where something is said.
    pub(in crate::extract) fn holds_in(&self, country: Option<&str>) -> bool {
        self.countries.is_empty() || country.is_some_and(|country| self.countries.iter().any(|known| known == country))
    }

    /// The compiled pattern.
    pub(in crate::extract) fn pattern(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(&self.source))
    }
}

/// Reads "weekday -1", "holiday 1104 thu @us" and the like, and its pattern.
pub(in crate::extract) fn date_rule(head: &str, pattern: &str) -> DateRule {
    let mut words = head.split_whitespace();
    let op = match words.next() {
        Some("day") => DateOp::Day,
        Some("part") => DateOp::Part,
        Some("week") => DateOp::Week,
        Some("weekend") => DateOp::Weekend,
        Some("month") => DateOp::Month,
        Some("year") => DateOp::Year,
        Some("weekday") => DateOp::Weekday,
        Some("ago") => DateOp::Ago,
        Some("minutes") => DateOp::Minutes,
        Some("monthday") => DateOp::MonthDay,
        Some("holiday") => DateOp::Holiday,
        Some("edge") => DateOp::Edge,
        Some("nth") => DateOp::Nth,
        Some("date") => DateOp::Date,
        _ => panic!("unknown computation of a date: {head}"),
    };
    let offset = words.next().and_then(|word| word.parse().ok()).expect("a date rule needs an offset");
    let (mut part, mut countries) = (None, Vec::new());
    for word in words {
        match word.strip_prefix('@') {
            Some(names) => countries.extend(names.split(',').map(str::to_owned)),
            None => part = Some(word.to_owned()),
        }
    }
    DateRule { op, offset, part, countries, source: pattern.to_owned(), compiled: OnceLock::new() }
}
