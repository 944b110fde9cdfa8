//! Decimal numbers as PostgreSQL's `numeric` has them: exact, compared by value.

use std::cmp::Ordering;
use std::fmt;

use serde_json::Number;

/// Most digits on either side of the point of a number that is written as a string.
const MAX_DIGITS: usize = 64;
/// Most digits of its exponent; with these bounds a cast to `numeric` cannot overflow.
const MAX_EXPONENT_DIGITS: usize = 3;

/// An exact decimal number: `0.digits × 10^exponent`.
///
/// The digits neither start nor end with a zero, and zero has none and no sign, so that equal numbers are equal values.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decimal {
    negative: bool,
    digits: String,
    exponent: i64,
}

impl Decimal {
    /// What [`Decimal::parse`] accepts, for the side that is written in SQL.
    pub(super) const PATTERN: &'static str =
        "^[+-]?([0-9]{1,64}([.][0-9]{0,64})?|[.][0-9]{1,64})([eE][+-]?[0-9]{1,3})?$";

    /// Reads a number that came as a string; `None` if it is no number or has too many digits.
    pub fn parse(text: &str) -> Option<Self> {
        Self::read(text, MAX_DIGITS, MAX_EXPONENT_DIGITS)
    }

    /// Reads a JSON number, whose text JSON itself keeps in form.
    pub(super) fn of_number(number: &Number) -> Option<Self> {
        Self::read(&number.to_string(), usize::MAX, usize::MAX)
    }

    /// Reads a text that is a number's plain form, to the letter.
    pub(super) fn read_plain(text: &str) -> Option<Self> {
        Self::read(text, usize::MAX, MAX_EXPONENT_DIGITS).filter(|number| number.to_string() == text)
    }

    fn read(text: &str, max_digits: usize, max_exponent_digits: usize) -> Option<Self> {
        let (negative, unsigned) = split_sign(text);
        let (mantissa, exponent) = match unsigned.split_once(['e', 'E']) {
            None => (unsigned, 0),
            Some((mantissa, exponent)) => {
                let (negative, digits) = split_sign(exponent);
                if digits.is_empty() || !is_digits(digits, max_exponent_digits) {
                    return None;
                }
                let exponent: i64 = digits.parse().ok()?;
                (mantissa, if negative { -exponent } else { exponent })
            }
        };
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        if whole.is_empty() && fraction.is_empty() {
            return None;
        }
        if !is_digits(whole, max_digits) || !is_digits(fraction, max_digits) {
            return None;
        }
        let all = format!("{whole}{fraction}");
        let significant = all.trim_start_matches('0');
        let leading_zeros = all.len() - significant.len();
        let digits = significant.trim_end_matches('0').to_owned();
        if digits.is_empty() {
            return Some(Decimal { negative: false, digits, exponent: 0 });
        }
        let exponent = exponent.checked_add(whole.len() as i64)?.checked_sub(leading_zeros as i64)?;
        Some(Decimal { negative, digits, exponent })
    }
}

fn split_sign(text: &str) -> (bool, &str) {
    match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    }
}

fn is_digits(text: &str, max: usize) -> bool {
    text.len() <= max && text.bytes().all(|byte| byte.is_ascii_digit())
}

/// The plain form without exponent and needless zeros, as `trim_scale` and a cast to text write it.
impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.digits.is_empty() {
            return f.write_str("0");
        }
        if self.negative {
            f.write_str("-")?;
        }
        let length = self.digits.len() as i64;
        if self.exponent <= 0 {
            write!(f, "0.{}{}", "0".repeat(self.exponent.unsigned_abs() as usize), self.digits)
        } else if self.exponent >= length {
            write!(f, "{}{}", self.digits, "0".repeat((self.exponent - length) as usize))
        } else {
            let (whole, fraction) = self.digits.split_at(self.exponent as usize);
            write!(f, "{whole}.{fraction}")
        }
    }
}

impl Ord for Decimal {
    fn cmp(&self, other: &Self) -> Ordering {
        let sign = |d: &Decimal| match (d.digits.is_empty(), d.negative) {
            (true, _) => 0,
            (false, true) => -1,
            (false, false) => 1,
        };
        sign(self).cmp(&sign(other)).then_with(|| {
            // Without leading zeros the exponent is the magnitude, and digits of one magnitude compare as text.
            let magnitude = self.exponent.cmp(&other.exponent).then_with(|| self.digits.cmp(&other.digits));
            if self.negative { magnitude.reverse() } else { magnitude }
        })
    }
}

impl PartialOrd for Decimal {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
