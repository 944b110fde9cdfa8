//! Texts in which nothing is to be seen.

/// Whether a text is empty: it has nothing but white space, control characters and characters that show nothing, such as the
/// zero-width space.
pub fn is_blank(text: &str) -> bool {
    text.chars().all(|c| c.is_whitespace() || c.is_control() || is_invisible(c))
}

/// Unicode's default-ignorable characters, assigned or not, and the empty Braille pattern.
fn is_invisible(c: char) -> bool {
    matches!(u32::from(c),
        0xAD | 0x34F | 0x61C | 0x115F..=0x1160 | 0x17B4..=0x17B5 | 0x180B..=0x180F | 0x200B..=0x200F | 0x202A..=0x202E
        | 0x2060..=0x206F | 0x2800 | 0x3164 | 0xFE00..=0xFE0F | 0xFEFF | 0xFFA0 | 0xFFF0..=0xFFF8 | 0x1BCA0..=0x1BCA3
        | 0x1D173..=0x1D17A | 0xE0000..=0xE0FFF)
}

#[cfg(test)]
mod tests {
    use super::is_blank;

    #[test]
    fn what_cannot_be_seen_is_blank() {
        for text in
            ["", " \t\r\n", "\u{200B}", "\u{FEFF}\u{200D} \u{2060}", "\u{AD}", "\u{3000}\u{3164}", "\u{2800}", "\u{1}"]
        {
            assert!(is_blank(text), "{text:?}");
        }
    }

    #[test]
    fn what_can_be_seen_is_not() {
        for text in
            ["a", "\u{200B}a", ".", "\u{1F44D}\u{FE0F}", "\u{1F468}\u{200D}\u{1F469}", "\u{301}", "\u{AC00}", "क्‍ष"]
        {
            assert!(!is_blank(text), "{text:?}");
        }
    }
}
