//! What BERT's normaliser does to characters: the classes it distinguishes and the rewriting of one character.

use crate::format::TokenizerFlags;
use unicode_general_category::{GeneralCategory as Category, get_general_category};
use unicode_normalization::char::decompose_canonical;

/// What a normalised character means for the division of a text into words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Ends a word and vanishes.
    Space,
    /// A word of its own.
    Punctuation,
    /// Part of a word.
    Word,
}

/// The class of a character that has been normalised.
pub fn classify(c: char) -> Class {
    if c.is_ascii() {
        return match c {
            ' ' | '\t'..='\r' => Class::Space,
            _ if c.is_ascii_punctuation() => Class::Punctuation,
            _ => Class::Word,
        };
    }
    if c.is_whitespace() {
        return Class::Space;
    }
    match get_general_category(c) {
        Category::ConnectorPunctuation
        | Category::DashPunctuation
        | Category::OpenPunctuation
        | Category::ClosePunctuation
        | Category::InitialPunctuation
        | Category::FinalPunctuation
        | Category::OtherPunctuation => Class::Punctuation,
        _ => Class::Word,
    }
}

/// Whether the normaliser drops `c` before anything else.
fn is_dropped(c: char) -> bool {
    match c {
        '\t' | '\n' | '\r' => false,
        '\u{fffd}' => true,
        _ => matches!(get_general_category(c), Category::Control | Category::Format | Category::PrivateUse),
    }
}

/// Whether `c` is one of the ideographs that BERT separates; kana and hangul are not, nor, by an old slip that the fast
/// tokenizer is trained and published with, the first 256 of extension E.
pub fn is_chinese(c: char) -> bool {
    matches!(c,
        '\u{4e00}'..='\u{9fff}' | '\u{3400}'..='\u{4dbf}' | '\u{20000}'..='\u{2a6df}' | '\u{2a700}'..='\u{2b73f}'
        | '\u{2b740}'..='\u{2b81f}' | '\u{2b920}'..='\u{2ceaf}' | '\u{f900}'..='\u{faff}' | '\u{2f800}'..='\u{2fa1f}')
}

/// Passes on what becomes of `c`: nothing, itself, or several characters.
pub fn normalize(c: char, flags: TokenizerFlags, mut emit: impl FnMut(char)) {
    if c.is_ascii() && !c.is_ascii_control() {
        return emit(if flags.lowercase { c.to_ascii_lowercase() } else { c });
    }
    if flags.clean_text {
        if is_dropped(c) {
            return;
        }
        if c.is_whitespace() {
            return emit(' ');
        }
    }
    let lower = |c: char, emit: &mut dyn FnMut(char)| {
        if flags.lowercase { c.to_lowercase().for_each(emit) } else { emit(c) }
    };
    if flags.strip_accents {
        decompose_canonical(c, |part| {
            if get_general_category(part) != Category::NonspacingMark {
                lower(part, &mut emit);
            }
        });
    } else {
        lower(c, &mut emit);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FLAGS: TokenizerFlags =
        TokenizerFlags { clean_text: true, split_chinese: true, strip_accents: true, lowercase: true };

    fn normalized(text: &str, flags: TokenizerFlags) -> String {
        let mut out = String::new();
        text.chars().for_each(|c| normalize(c, flags, |c| out.push(c)));
        out
    }

    #[test]
    fn folds_case_and_accents() {
        assert_eq!(normalized("ÀÉÎ Ångström İ ß ẞ Σ", FLAGS), "aei angstrom i ß ß σ");
        assert_eq!(normalized("한", FLAGS).chars().count(), 3);
        let cased = TokenizerFlags { lowercase: false, strip_accents: false, ..FLAGS };
        assert_eq!(normalized("ÀÉÎ", cased), "ÀÉÎ");
    }

    #[test]
    fn cleans_control_characters_if_told_to() {
        assert_eq!(normalized("a\u{0}b\u{7}\tc\u{200b}\u{fffd}\u{e000}\u{3000}d\u{378}", FLAGS), "ab c d\u{378}");
        let raw = TokenizerFlags { clean_text: false, ..FLAGS };
        assert_eq!(normalized("a\u{0}\u{200b}", raw), "a\u{0}\u{200b}");
    }

    #[test]
    fn classes() {
        assert!("\t \u{a0}\u{2028}".chars().all(|c| classify(c) == Class::Space));
        assert!("!$+`~«—。؟".chars().all(|c| classify(c) == Class::Punctuation));
        assert!("a1é€→中".chars().all(|c| classify(c) == Class::Word));
        assert!("中㐀豈".chars().all(is_chinese) && !"あ한a".chars().any(is_chinese));
    }
}
