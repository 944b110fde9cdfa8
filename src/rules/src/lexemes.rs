//! The words of a text as PostgreSQL's text search sees them, read from the text form of a `tsvector`: `'lexeme':1,2 'other'`.

/// Each lexeme with how often it occurs; one without positions occurs once. A quote and a backslash within one are doubled.
pub fn read(vector: &str) -> Vec<(String, u32)> {
    let mut lexemes = Vec::new();
    let mut rest = vector;
    while let Some((_, quoted)) = rest.split_once('\'') {
        let mut lexeme = String::new();
        let mut chars = quoted.chars();
        while let Some(char) = chars.next() {
            if matches!(char, '\'' | '\\') && !chars.as_str().starts_with(char) {
                break;
            } else if matches!(char, '\'' | '\\') {
                chars.next();
            }
            lexeme.push(char);
        }
        let (positions, others) = chars.as_str().split_once(' ').unwrap_or((chars.as_str(), ""));
        lexemes.push((lexeme, 1 + positions.matches(',').count() as u32));
        rest = others;
    }
    lexemes
}

#[cfg(test)]
mod tests {
    use super::read;

    fn owned(lexemes: &[(&str, u32)]) -> Vec<(String, u32)> {
        lexemes.iter().map(|&(lexeme, count)| (lexeme.to_owned(), count)).collect()
    }

    #[test]
    fn counts_the_positions_of_each_lexeme() {
        assert_eq!(read("'cat':3 'fat':2,11A 'rat':12,13B,14"), owned(&[("cat", 1), ("fat", 2), ("rat", 3)]));
        assert_eq!(read("'cat' 'fat'"), owned(&[("cat", 1), ("fat", 1)]));
        assert_eq!(read(""), owned(&[]));
    }

    #[test]
    fn undoes_what_is_doubled() {
        let written = r"'''':4 'a''b':1 'c\\d':2,3 'e f, g:1':5";
        assert_eq!(read(written), owned(&[("'", 1), ("a'b", 1), (r"c\d", 2), ("e f, g:1", 1)]));
        assert_eq!(read("'größe':1,2 '东京':3"), owned(&[("größe", 2), ("东京", 1)]));
    }
}
