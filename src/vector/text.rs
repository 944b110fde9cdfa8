//! The text form: `[1,2.5,-3e-2]`, with spaces allowed between the parts.
//!
//! Numbers are read as `strtof` reads them, so every text that pgvector writes or its users write is understood, with
//! one exception: hexadecimal numbers, which the C library happens to take, are refused. Rust's own number parser does
//! the conversion; it rounds correctly in one step and is several times faster than `strtof`.

use super::MAX_DIMENSIONS;
use super::element::Element;
use super::fault::Fault;

/// Reads the text form of a vector.
pub fn parse<E: Element>(text: &[u8]) -> Result<Vec<E>, Fault> {
    Parser { text, position: 0 }.vector()
}

struct Parser<'t> {
    text: &'t [u8],
    position: usize,
}

impl Parser<'_> {
    fn vector<E: Element>(mut self) -> Result<Vec<E>, Fault> {
        self.skip_space();
        if !self.take(b'[') {
            return Err(self.syntax::<E>(Some("Vector contents must start with \"[\".")));
        }
        self.skip_space();
        if self.peek() == Some(b']') {
            return Err(Fault::NoDimensions { kind: E::KIND });
        }

        let mut elements = Vec::with_capacity(self.elements_at_most());
        loop {
            if elements.len() == MAX_DIMENSIONS {
                return Err(Fault::TooManyDimensions { kind: E::KIND });
            }
            self.skip_space();
            elements.push(self.element::<E>()?);
            self.skip_space();
            if self.take(b']') {
                break;
            }
            if !self.take(b',') {
                return Err(self.syntax::<E>(None));
            }
        }

        self.skip_space();
        if self.position != self.text.len() {
            return Err(self.syntax::<E>(Some("Junk after closing right brace.")));
        }
        Ok(elements)
    }

    fn element<E: Element>(&mut self) -> Result<E, Fault> {
        let start = self.position;
        self.take_sign();
        let digits = self.position;
        self.skip_decimal();
        if self.position == digits {
            return Err(self.no_number::<E>());
        }

        let number = str::from_utf8(&self.text[start..self.position]).unwrap_or_default();
        let Ok(value) = number.parse::<f32>() else {
            return Err(self.syntax::<E>(None));
        };
        let element = E::round(value);
        if element.widen().is_infinite() {
            return Err(Fault::OutOfRange { kind: E::KIND, number: number.to_owned() });
        }
        Ok(element)
    }

    /// What stands where a number should.
    fn no_number<E: Element>(&self) -> Fault {
        let rest = &self.text[self.position..];
        let begins = |word: &[u8]| rest.get(..word.len()).is_some_and(|head| head.eq_ignore_ascii_case(word));
        if begins(b"nan") {
            Fault::NotANumber { kind: E::KIND }
        } else if begins(b"inf") {
            Fault::Infinite { kind: E::KIND }
        } else {
            self.syntax::<E>(None)
        }
    }

    /// Moves over the longest decimal number; over nothing, or a lone point, if there is none.
    fn skip_decimal(&mut self) {
        self.skip_digits();
        if self.take(b'.') {
            self.skip_digits();
        }

        let mantissa_end = self.position;
        if self.take(b'e') || self.take(b'E') {
            self.take_sign();
            let exponent = self.position;
            self.skip_digits();
            if self.position == exponent {
                self.position = mantissa_end;
            }
        }
    }

    fn skip_digits(&mut self) {
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.position += 1;
        }
    }

    fn skip_space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r' | 0x0b | 0x0c)) {
            self.position += 1;
        }
    }

    fn take_sign(&mut self) {
        if matches!(self.peek(), Some(b'+' | b'-')) {
            self.position += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        if found {
            self.position += 1;
        }
        found
    }

    fn peek(&self) -> Option<u8> {
        self.text.get(self.position).copied()
    }

    /// How many elements the text can have, so that the vector grows no more than once.
    fn elements_at_most(&self) -> usize {
        let separators = self.text.iter().filter(|&&byte| byte == b',').count();
        (separators + 1).min(MAX_DIMENSIONS)
    }

    fn syntax<E: Element>(&self, detail: Option<&'static str>) -> Fault {
        Fault::Syntax { kind: E::KIND, text: String::from_utf8_lossy(self.text).into_owned(), detail }
    }
}

#[cfg(test)]
mod tests {
    use half::f16;
    use proptest::prelude::*;

    use super::*;
    use crate::vector::cases;

    fn floats(text: &str) -> Result<Vec<f32>, Fault> {
        parse(text.as_bytes())
    }

    fn halves(text: &str) -> Result<Vec<f32>, Fault> {
        Ok(parse::<f16>(text.as_bytes())?.into_iter().map(f16::to_f32).collect())
    }

    #[test]
    fn numbers_in_every_spelling_are_read() {
        assert_eq!(floats("[1,-2.5,+3]"), Ok(vec![1.0, -2.5, 3.0]));
        assert_eq!(floats("[1.,.5,-.25e1,1E3,1e-3]"), Ok(vec![1.0, 0.5, -2.5, 1000.0, 0.001]));
        assert_eq!(floats(" [\t1 ,\n2\r,\x0b3\x0c ] "), Ok(vec![1.0, 2.0, 3.0]));
    }

    #[test]
    fn too_small_numbers_become_zero() {
        let zeros = floats("[1e-46,-1e-46]").expect("in range");
        assert_eq!(zeros, [0.0, 0.0]);
        assert!(zeros[1].is_sign_negative());
        assert_eq!(floats("[1e-45]"), Ok(vec![f32::from_bits(1)]));
        assert_eq!(halves("[2e-8,6e-8]"), Ok(vec![0.0, 2.0_f32.powi(-24)]));
    }

    #[test]
    fn too_great_numbers_are_out_of_range() {
        let fault = |kind, number: &str| Fault::OutOfRange { kind, number: number.to_owned() };
        assert_eq!(floats("[4e38]"), Err(fault("vector", "4e38")));
        assert_eq!(floats("[1,-1e99999999999999999999]"), Err(fault("vector", "-1e99999999999999999999")));
        assert_eq!(halves("[65519]"), Ok(vec![65504.0]));
        assert_eq!(halves("[65520]"), Err(fault("halfvec", "65520")));
    }

    #[test]
    fn names_of_no_number_are_refused() {
        for text in ["[NaN]", "[nan,1]", "[-NAN]", "[nan(0)]"] {
            assert_eq!(floats(text), Err(Fault::NotANumber { kind: "vector" }), "{text}");
        }
        for text in ["[inf]", "[-Infinity]", "[+INF,1]", "[infinite]"] {
            assert_eq!(floats(text), Err(Fault::Infinite { kind: "vector" }), "{text}");
        }
    }

    #[test]
    fn anything_else_is_a_syntax_error() {
        for text in [
            "[",
            "[ ",
            "[,",
            "[,]",
            "[1,]",
            "[1",
            "[1,2",
            "[1a]",
            "[1,,3]",
            "[1, ,3]",
            "[1 2]",
            "[.]",
            "[-]",
            "[+-1]",
            "[1e]",
            "[1e+]",
            "[0x10]",
            "[hello]",
            "[1;2]",
            "[na]",
            "[\u{661}]",
            "[1\u{a0},2]",
        ] {
            let expected = Fault::Syntax { kind: "vector", text: text.to_owned(), detail: None };
            assert_eq!(floats(text), Err(expected), "{text}");
        }
    }

    #[test]
    fn a_syntax_error_tells_about_the_brackets() {
        let detail = |text| match floats(text) {
            Err(Fault::Syntax { detail, .. }) => detail,
            other => panic!("{text}: {other:?}"),
        };
        for text in ["", " ", "1,2", "{1,2}", "(1)", "null"] {
            assert_eq!(detail(text), Some("Vector contents must start with \"[\"."), "{text}");
        }
        for text in ["[1]9", "[1]]", "[1] [2]"] {
            assert_eq!(detail(text), Some("Junk after closing right brace."), "{text}");
        }
    }

    #[test]
    fn dimensions_have_bounds() {
        assert_eq!(floats("[]"), Err(Fault::NoDimensions { kind: "vector" }));
        assert_eq!(floats("[ ] 9"), Err(Fault::NoDimensions { kind: "vector" }));
        let most = format!("[{}1]", "0,".repeat(MAX_DIMENSIONS - 1));
        assert_eq!(floats(&most).map(|elements| elements.len()), Ok(MAX_DIMENSIONS));
        let more = format!("[{}1]", "0,".repeat(MAX_DIMENSIONS));
        assert_eq!(floats(&more), Err(Fault::TooManyDimensions { kind: "vector" }));
    }

    #[test]
    fn bytes_that_are_not_unicode_are_reported_and_do_no_harm() {
        let fault = parse::<f32>(b"[1,\xff]").expect_err("no number");
        assert_eq!(fault.to_string(), "invalid input syntax for type vector: \"[1,\u{fffd}]\"");
    }

    proptest! {
        #![proptest_config(cases(4096))]

        #[test]
        fn what_is_written_is_read_back(bits in prop::collection::vec(any::<u32>(), 1..40)) {
            let elements: Vec<f32> = bits.into_iter().map(f32::from_bits).filter(|x| x.is_finite()).collect();
            prop_assume!(!elements.is_empty());
            let text = format!("{elements:?}");
            prop_assert_eq!(floats(&text), Ok(elements));
        }

        #[test]
        fn halves_are_rounded_once_from_single_precision(value in any::<f32>()) {
            prop_assume!(value.is_finite());
            let text = format!("[{value:e}]");
            let rounded = f16::from_f32(value);
            if rounded.is_finite() {
                prop_assert_eq!(halves(&text), Ok(vec![rounded.to_f32()]));
            } else {
                prop_assert!(matches!(halves(&text), Err(Fault::OutOfRange { .. })), "{}", text);
            }
        }

        #[test]
        fn no_bytes_crash_the_parser(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            if let Ok(elements) = parse::<f32>(&bytes) {
                prop_assert!(elements.iter().all(|element| element.is_finite()));
            }
        }

        #[test]
        fn no_text_that_looks_like_a_vector_crashes_the_parser(text in "[ \\[\\],.+\\-0-9eEinfaINFA\t]{0,80}") {
            if let Ok(elements) = parse::<f16>(text.as_bytes()) {
                prop_assert!(!elements.is_empty() && elements.iter().all(|element| element.is_finite()));
            }
        }

        #[test]
        fn a_damaged_vector_is_an_error_or_another_vector(
            elements in prop::collection::vec(-1e3_f32..1e3, 1..20), at in any::<prop::sample::Index>(), byte in any::<u8>(),
        ) {
            let mut text = format!("{elements:?}").into_bytes();
            let at = at.index(text.len());
            text[at] = byte;
            if let Ok(elements) = parse::<f32>(&text) {
                prop_assert!((1..=MAX_DIMENSIONS).contains(&elements.len()));
            }
        }
    }
}
