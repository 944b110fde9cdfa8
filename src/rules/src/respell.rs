//! Words that nobody used, read as those that they were probably meant to be.
//!
//! A vocabulary is known by the hashes of its words alone, so a word cannot be compared with all of it. But the words at
//! one slip from it are few, some hundreds: they are all tried.

/// Words shorter than this are left alone: everything is at one slip from everything.
const SHORTEST: usize = 4;

/// Letters that may have been left out or mistaken, by script.
const ALPHABETS: [&str; 3] =
    ["abcdefghijklmnopqrstuvwxyz", "абвгдежзийклмнопрстуфхцчшщъыьэюяё", "αβγδεζηθικλμνξοπρστυφχψως"];

/// The word that an unknown one stands for: one that is known and differs by two letters exchanged, one too many, one
/// mistaken or one missing, in this order. `None` if the word is known itself, short, or like no other.
pub fn nearest(word: &str, known: impl Fn(&str) -> bool) -> Option<String> {
    let letters: Vec<char> = word.chars().collect();
    if letters.len() < SHORTEST || !letters.iter().all(|letter| letter.is_alphabetic()) || known(word) {
        return None;
    }
    let alphabet = ALPHABETS.iter().find(|alphabet| alphabet.contains(letters[0])).unwrap_or(&"");
    let places = 0..letters.len();
    let spelling = |change: &dyn Fn(&mut Vec<char>)| {
        let mut letters = letters.clone();
        change(&mut letters);
        Some(letters.into_iter().collect::<String>()).filter(|word| known(word))
    };
    let exchanged = || places.clone().skip(1).find_map(|at| spelling(&|letters| letters.swap(at - 1, at)));
    let too_many = || {
        places.clone().find_map(|at| {
            spelling(&|letters| {
                letters.remove(at);
            })
        })
    };
    let mistaken =
        || places.clone().find_map(|at| alphabet.chars().find_map(|letter| spelling(&|letters| letters[at] = letter)));
    let missing = || {
        (0..=letters.len())
            .find_map(|at| alphabet.chars().find_map(|letter| spelling(&|letters| letters.insert(at, letter))))
    };
    exchanged().or_else(too_many).or_else(mistaken).or_else(missing)
}

#[cfg(test)]
mod tests {
    use super::nearest;

    fn meant(word: &str) -> Option<String> {
        nearest(word, |word| ["restaurant", "guitar", "allerg", "собак", "sushi", "cat"].contains(&word))
    }

    #[test]
    fn one_slip_is_forgiven() {
        for (word, expected) in [
            ("restuarant", "restaurant"),
            ("guittar", "guitar"),
            ("gitar", "guitar"),
            ("alkerg", "allerg"),
            ("сабак", "собак"),
            ("ushi", "sushi"),
        ] {
            assert_eq!(meant(word).as_deref(), Some(expected), "{word}");
        }
    }

    #[test]
    fn what_is_known_short_or_strange_stays() {
        for word in ["guitar", "cut", "keyboard", "gitr", "", "12345", "שלום", "a\u{301}bcd"] {
            assert_eq!(meant(word), None, "{word}");
        }
    }
}
