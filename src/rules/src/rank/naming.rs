//! Who speaks in a text, and whom a query names.
//!
//! Names are compared as hashes of their folded forms, so that a compact record of a text can keep its speaker in eight
//! bytes. A sentence encoder makes a name the strongest feature of a short question, and nearly every line of a dialogue
//! either begins with a name or addresses one: the question "Where did Ann work?" is nearer to "Hi Ann!" than to "I was a
//! nurse." So a name that the subject's texts know as a speaker is taken out of the words to look for, and the encoder
//! reads the question as the speaker would put it: "Where did I work?".

/// The most words that a speaker's name has.
const NAME_WORDS: usize = 4;
/// The most bytes that a speaker's name has.
const NAME_BYTES: usize = 48;

/// The hashes of a speaker's name and of its first word; zeros for an empty name.
///
/// They are stored with texts, so they never change: FNV-1a over the bytes of the words in lower case, joined by spaces,
/// with 0 (no name) mapped to 1.
pub fn speaker_hashes(name: &str) -> [u32; 2] {
    let mut words = name.split_whitespace().map(bare).filter(|word| !word.is_empty());
    let Some(first) = words.next() else { return [0, 0] };
    let first = fold(OFFSET, first);
    let full = words.fold(first, |hash, word| fold(step(hash, b' '), word));
    [full.max(1), first.max(1)]
}

/// The speaker that a text names before a colon: "Ann Lee: I am back." is spoken by "Ann Lee".
///
/// Only what looks like a name counts: one to four capitalised words at the very beginning, followed by a colon and a
/// space. A heading ("Note: …"), a URL and a time of day do not.
pub fn spoken_by(content: &str) -> Option<&str> {
    let (head, rest) = content.trim_start().split_once(':')?;
    let said = rest.starts_with([' ', '\t', '\n']) && !rest.trim().is_empty();
    if !said || head.len() > NAME_BYTES || head.ends_with(char::is_whitespace) {
        return None;
    }
    let named = |word: &str| {
        let mut chars = word.chars();
        let initial = chars.next().is_some_and(|c| c.is_uppercase() || (c.is_alphabetic() && !c.is_lowercase()));
        initial && chars.all(|c| c.is_alphabetic() || matches!(c, '.' | '\'' | '’' | '-'))
    };
    let mut words = 0;
    for word in head.split(' ') {
        words += 1;
        if words > NAME_WORDS || !named(word) || is_heading(word) {
            return None;
        }
    }
    Some(head)
}

/// Words that stand before a colon without being anybody's name, in order.
const HEADINGS: &[&str] = &[
    "action",
    "actions",
    "address",
    "age",
    "agenda",
    "answer",
    "attention",
    "background",
    "birthday",
    "caution",
    "cc",
    "comment",
    "conclusion",
    "context",
    "date",
    "day",
    "decision",
    "description",
    "detail",
    "details",
    "diet",
    "email",
    "error",
    "example",
    "fact",
    "facts",
    "favorite",
    "favourite",
    "fixme",
    "from",
    "fyi",
    "goal",
    "goals",
    "hint",
    "hobbies",
    "home",
    "id",
    "idea",
    "image",
    "important",
    "info",
    "interests",
    "issue",
    "job",
    "key",
    "language",
    "likes",
    "link",
    "list",
    "location",
    "meeting",
    "memo",
    "name",
    "next",
    "note",
    "notes",
    "occupation",
    "option",
    "pets",
    "phone",
    "plan",
    "preference",
    "preferences",
    "problem",
    "project",
    "question",
    "re",
    "reason",
    "reminder",
    "result",
    "results",
    "role",
    "solution",
    "source",
    "status",
    "step",
    "steps",
    "subject",
    "summary",
    "task",
    "tasks",
    "the",
    "time",
    "tip",
    "title",
    "to",
    "todo",
    "topic",
    "type",
    "update",
    "url",
    "version",
    "warning",
    "when",
    "where",
    "who",
    "why",
    "work",
];

fn is_heading(word: &str) -> bool {
    let folded = word.to_lowercase();
    HEADINGS.binary_search(&folded.as_str()).is_ok()
}

/// Names that are also words of a question, in order: "Will" in "will he come?".
const WORDS: &[&str] = &[
    "angel", "april", "art", "august", "autumn", "bill", "bishop", "bob", "brook", "buck", "carol", "cash", "chance",
    "chase", "cliff", "dale", "dawn", "dean", "don", "drew", "duke", "earl", "eve", "faith", "forest", "frank",
    "grace", "grant", "guy", "harry", "heath", "honey", "hope", "hunter", "iris", "ivy", "jack", "joy", "june", "king",
    "lance", "lily", "major", "mark", "max", "may", "miles", "nick", "olive", "page", "pat", "pearl", "penny",
    "pierce", "prince", "ray", "reed", "rich", "river", "rob", "rose", "ruby", "sandy", "skip", "sky", "star", "stone",
    "story", "sue", "summer", "trip", "van", "victor", "wade", "ward", "will", "winter",
];

/// A query whose known names are told apart from its words.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Named {
    /// The hashes of the names, each once, in the order of the query.
    pub named: Vec<u32>,
    /// The query for the sentence encoder: names in the first person.
    pub spoken: String,
    /// The query for the words: names left out; the whole query if no word would be left.
    pub lexical: String,
}

/// Finds the names of known speakers in a query: full names first, then their first words.
///
/// `known` tells whether a hash belongs to a speaker of the texts that are searched.
pub fn name_words(query: &str, known: impl Fn(u32) -> bool) -> Named {
    let words: Vec<Word<'_>> = Word::all(query);
    let mut found = Named::default();
    let (mut spoken, mut lexical) = (String::with_capacity(query.len()), String::with_capacity(query.len()));
    let (mut at, mut copied, mut left) = (0, 0, false);
    while at < words.len() {
        let longest = (1..=NAME_WORDS.min(words.len() - at)).rev().find_map(|count| {
            let name = &words[at..at + count];
            // Nothing but one space may part the words of one name.
            let joined = name.windows(2).all(|pair| &query[pair[0].end..pair[1].start] == " ");
            let hash =
                name[1..].iter().fold(fold(OFFSET, name[0].text), |hash, word| fold(step(hash, b' '), word.text));
            let meant = count > 1 || name[0].is_meant_as_name(at == 0);
            (joined && meant && known(hash.max(1))).then_some((count, hash.max(1)))
        });
        let Some((count, hash)) = longest else {
            left = true;
            at += 1;
            continue;
        };
        if !found.named.contains(&hash) {
            found.named.push(hash);
        }
        let (from, last) = (words[at].start, words[at + count - 1]);
        let after = if last.possessive { last.end_of_possessive } else { last.end };
        for text in [&mut spoken, &mut lexical] {
            text.push_str(&query[copied..from]);
        }
        spoken.push_str(if last.possessive { "my" } else { "I" });
        copied = after;
        at += count;
    }
    for text in [&mut spoken, &mut lexical] {
        text.push_str(&query[copied..]);
    }
    found.spoken = spoken;
    found.lexical = if left { lexical } else { query.to_owned() };
    found
}

/// A word of a query.
#[derive(Debug, Clone, Copy)]
struct Word<'q> {
    text: &'q str,
    start: usize,
    end: usize,
    possessive: bool,
    end_of_possessive: usize,
}

impl<'q> Word<'q> {
    /// Whether it is written as a name, if it could as well be another word: with a capital, which says nothing at the
    /// beginning, or in the possessive.
    fn is_meant_as_name(&self, begins: bool) -> bool {
        let capital = self.text.starts_with(char::is_uppercase) && !begins;
        capital || self.possessive || WORDS.binary_search(&self.text.to_lowercase().as_str()).is_err()
    }

    fn all(query: &'q str) -> Vec<Word<'q>> {
        let mut words = Vec::new();
        let mut from = 0;
        while let Some(start) = query[from..].find(char::is_alphanumeric).map(|at| from + at) {
            let inside = |c: char| c.is_alphanumeric() || matches!(c, '\'' | '’' | '-' | '.');
            let length = query[start..].find(|c| !inside(c)).unwrap_or(query.len() - start);
            let whole = query[start..start + length].trim_end_matches(['\'', '’', '-', '.']);
            let text = ["'s", "’s", "'S", "’S"].iter().find_map(|suffix| whole.strip_suffix(suffix));
            let end_of_possessive = start + whole.len();
            let possessive = text.is_some();
            let text = text.unwrap_or(whole);
            words.push(Word { text, start, end: start + text.len(), possessive, end_of_possessive });
            from = start + length;
        }
        words
    }
}

const OFFSET: u32 = 0x811c_9dc5;

fn step(hash: u32, byte: u8) -> u32 {
    (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)
}

fn fold(hash: u32, word: &str) -> u32 {
    let mut buffer = [0; 4];
    let lower = word.chars().flat_map(char::to_lowercase);
    lower.fold(hash, |hash, c| c.encode_utf8(&mut buffer).bytes().fold(hash, step))
}

/// A word without what surrounds it.
fn bare(word: &str) -> &str {
    word.trim_matches(|c: char| !c.is_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_stable_and_folded() {
        // Stored with texts: these never change.
        assert_eq!(speaker_hashes("Caroline"), [0x8dc8_cea8; 2]);
        assert_eq!(speaker_hashes("Ann Lee"), [0xddca_3e6a, 0x1529_cc18]);
        assert_eq!(speaker_hashes("  ann   LEE "), speaker_hashes("Ann Lee"));
        assert_eq!(speaker_hashes("Ann Lee")[1], speaker_hashes("Ann")[0]);
        assert_eq!(speaker_hashes("Dr. Müller"), speaker_hashes("dr müller"));
        assert_eq!((speaker_hashes(""), speaker_hashes(" - ")), ([0, 0], [0, 0]));
    }

    #[test]
    fn lists_are_sorted() {
        assert!(HEADINGS.is_sorted() && WORDS.is_sorted());
    }

    #[test]
    fn a_speaker_stands_before_a_colon() {
        for (content, speaker) in [
            ("Caroline: Hey Mel! Good to see you!", Some("Caroline")),
            ("  Ann Lee: I am back.", Some("Ann Lee")),
            ("Jean-Luc O'Neill: Engage.", Some("Jean-Luc O'Neill")),
            ("Mary J. Blige:\nHello", Some("Mary J. Blige")),
            ("李雷: 你好", Some("李雷")),
            ("Note: buy milk", None),
            ("TODO: call Ann", None),
            ("Meeting notes: we decided", None),
            ("https://example.com: a site", None),
            ("Http://example.com", None),
            ("At 10:30 we met", None),
            ("10: the number", None),
            ("caroline: hey", None),
            ("Ann said: hello", None),
            ("Caroline:", None),
            ("Caroline: ", None),
            ("Caroline:hey", None),
            (": hey", None),
            ("One Two Three Four Five: hey", None),
            ("", None),
        ] {
            assert_eq!(spoken_by(content), speaker, "{content}");
        }
    }

    #[test]
    fn known_names_are_taken_out() {
        let known = [speaker_hashes("Ann Lee"), speaker_hashes("Bo"), speaker_hashes("Will")].concat();
        for (query, named, spoken, lexical) in [
            ("Where did Ann work?", vec![1], "Where did I work?", "Where did  work?"),
            ("What is ann's job?", vec![1], "What is my job?", "What is  job?"),
            ("What is Ann’s job?", vec![1], "What is my job?", "What is  job?"),
            ("What did Ann Lee's cat do?", vec![0], "What did my cat do?", "What did  cat do?"),
            ("Did Bo meet Ann, or Bo?", vec![2, 1], "Did I meet I, or I?", "Did  meet , or ?"),
            ("Where did Annie work?", vec![], "Where did Annie work?", "Where did Annie work?"),
            ("Bo", vec![2], "I", "Bo"),
            ("Will Will come?", vec![4], "Will I come?", "Will  come?"),
            ("when will she come", vec![], "when will she come", "when will she come"),
            ("what is will's job", vec![4], "what is my job", "what is  job"),
            ("", vec![], "", ""),
        ] {
            let found = name_words(query, |hash| known.contains(&hash));
            let named: Vec<u32> = named.into_iter().map(|at: usize| known[at]).collect();
            assert_eq!(found, Named { named, spoken: spoken.into(), lexical: lexical.into() }, "{query}");
        }
    }
}
