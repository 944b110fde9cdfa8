//! The patterns for dates, as the language files state them.

use std::sync::OnceLock;

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
    source: String,
    compiled: OnceLock<Regex>,
}

impl DateRule {
    /// The compiled pattern.
    pub(in crate::extract) fn pattern(&self) -> &Regex {
        self.compiled.get_or_init(|| compile(&self.source))
    }
}

/// Reads "weekday -1" and the like, and its pattern.
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
    let part = words.next().map(str::to_owned);
    DateRule { op, offset, part, source: pattern.to_owned(), compiled: OnceLock::new() }
}
