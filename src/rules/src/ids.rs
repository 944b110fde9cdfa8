//! Names and keys: who a memory belongs to, what it is called, and which texts are allowed to be such a name.

use std::fmt;

use serde_json::Value;
use uuid::Uuid;

use crate::blank::is_blank;

/// Longest container tag and longest custom id, in characters.
pub const MAX_TAG: usize = 100;
/// Longest external id of a subject, in characters.
pub const MAX_SUBJECT: usize = 255;
/// Longest metadata key, in characters.
pub const MAX_METADATA_KEY: usize = 64;

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits of base 62 that hold 128 bits.
const ID_DIGITS: usize = 22;

/// What an id names; the prefix makes the kinds unmistakable to the clients that mix them up.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum IdKind {
    /// A memory, `mem_…`.
    Memory,
    /// A document, `doc_…`.
    Document,
}

impl IdKind {
    /// The prefix of this kind, with its underscore.
    pub fn prefix(self) -> &'static str {
        match self {
            IdKind::Memory => "mem_",
            IdKind::Document => "doc_",
        }
    }

    /// The kind that an id claims by its prefix; `None` for ids that came from elsewhere.
    pub fn of(id: &str) -> Option<Self> {
        [IdKind::Memory, IdKind::Document].into_iter().find(|kind| id.starts_with(kind.prefix()))
    }
}

/// The key under which everything of one subject is stored: a UUID v5 of the external id in the project's name space.
///
/// It needs no look-up, is the same on every node, and serves as the internal UUID of the profile. The input is taken as
/// it is, so callers check it with [`check_subject`] or [`check_container_tag`] first.
pub fn subject_key(project: Uuid, external_id: &str) -> Uuid {
    Uuid::new_v5(&project, external_id.as_bytes())
}

/// A new id: the prefix and a UUID v7 as 22 digits of base 62, which sort by creation time under the collation "C".
pub fn new_id(kind: IdKind) -> String {
    id_from(kind, Uuid::now_v7())
}

/// The id that a UUID is written as.
pub fn id_from(kind: IdKind, uuid: Uuid) -> String {
    let mut digits = [0u8; ID_DIGITS];
    let mut rest = uuid.as_u128();
    for digit in digits.iter_mut().rev() {
        *digit = BASE62[(rest % 62) as usize];
        rest /= 62;
    }
    let mut id = String::with_capacity(kind.prefix().len() + ID_DIGITS);
    id.push_str(kind.prefix());
    id.extend(digits.iter().map(|digit| char::from(*digit)));
    id
}

/// Why a name or a metadata map was refused.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum InvalidName {
    /// Nothing there, or only white space.
    Empty,
    /// More characters than allowed.
    TooLong {
        /// The limit, in characters.
        limit: usize,
        /// What was given, in characters.
        length: usize,
    },
    /// A character that is not allowed.
    Character {
        /// The character.
        found: char,
        /// Its place, counted in characters from 1.
        position: usize,
        /// What is allowed, in words.
        allowed: &'static str,
    },
}

impl fmt::Display for InvalidName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            InvalidName::Empty => f.write_str("must not be empty"),
            InvalidName::TooLong { limit, length } => {
                write!(f, "must have at most {limit} characters, this one has {length}")
            }
            InvalidName::Character { found, position, allowed } => {
                write!(f, "character {found:?} at position {position} is not allowed, only {allowed}")
            }
        }
    }
}

impl std::error::Error for InvalidName {}

/// Checks a container tag: 1 to 100 of `a-z A-Z 0-9 _ : . -`.
pub fn check_container_tag(tag: &str) -> Result<(), InvalidName> {
    check_name(tag, MAX_TAG, "letters a-z, digits, underscores, colons, dots and hyphens", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '.' | '-')
    })
}

/// Checks a document's custom id: 1 to 100 of `a-z A-Z 0-9 _ : -`.
pub fn check_custom_id(id: &str) -> Result<(), InvalidName> {
    check_name(id, MAX_TAG, "letters a-z, digits, underscores, colons and hyphens", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | ':' | '-')
    })
}

/// Checks a subject's external id and returns it trimmed: 1 to 255 characters, any but control characters.
pub fn check_subject(id: &str) -> Result<&str, InvalidName> {
    // A NUL or a line break at the edge is refused, not trimmed away: it is never what the caller meant.
    let id = id.trim_matches(|c: char| c.is_whitespace() && !c.is_control());
    check_name(id, MAX_SUBJECT, "characters other than control characters", |c| !c.is_control())?;
    if is_blank(id) { Err(InvalidName::Empty) } else { Ok(id) }
}

/// Checks a metadata key: 1 to 64 of `a-z A-Z 0-9 _ . -`.
pub fn check_metadata_key(key: &str) -> Result<(), InvalidName> {
    check_name(key, MAX_METADATA_KEY, "letters a-z, digits, underscores, dots and hyphens", |c| {
        c.is_ascii_alphanumeric() || matches!(c, '_' | '.' | '-')
    })
}

fn check_name(
    text: &str,
    limit: usize,
    allowed: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), InvalidName> {
    if text.is_empty() {
        return Err(InvalidName::Empty);
    }
    // The bad character first: a long text with a stray character is more often mistyped than too long.
    if let Some((index, found)) = text.chars().enumerate().find(|(_, c)| !is_allowed(*c)) {
        return Err(InvalidName::Character { found, position: index + 1, allowed });
    }
    let length = text.chars().count();
    if length > limit {
        return Err(InvalidName::TooLong { limit, length });
    }
    Ok(())
}

/// Why a metadata map was refused, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidMetadata {
    /// The place, such as `metadata.tags[2]`.
    pub path: String,
    /// The reason.
    pub reason: MetadataFault,
}

/// What is wrong at one place of a metadata map.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum MetadataFault {
    /// The whole is not a JSON object.
    NotAnObject,
    /// The key is not allowed.
    Key(InvalidName),
    /// A null, at top level or in an array.
    Null,
    /// An object in an object, or anything but strings in an array.
    Nested,
    /// A string with the character NUL, which PostgreSQL cannot store.
    Nul,
}

impl fmt::Display for InvalidMetadata {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: ", self.path)?;
        match &self.reason {
            MetadataFault::NotAnObject => f.write_str("must be an object"),
            MetadataFault::Key(name) => write!(f, "invalid key: {name}"),
            MetadataFault::Null => f.write_str("must not be null"),
            MetadataFault::Nested => f.write_str("must be a string, a number, a boolean or an array of strings"),
            MetadataFault::Nul => f.write_str("must not contain the character NUL"),
        }
    }
}

impl std::error::Error for InvalidMetadata {}

/// Checks a metadata map: flat, with values string, number, boolean or array of strings, and no null anywhere.
pub fn check_metadata(metadata: &Value) -> Result<(), InvalidMetadata> {
    let Value::Object(map) = metadata else {
        return Err(InvalidMetadata { path: "metadata".into(), reason: MetadataFault::NotAnObject });
    };
    for (key, value) in map {
        let path = || format!("metadata.{}", key.escape_debug());
        let fail = |path: String, reason| Err(InvalidMetadata { path, reason });
        if let Err(name) = check_metadata_key(key) {
            return fail(path(), MetadataFault::Key(name));
        }
        match value {
            Value::Bool(_) | Value::Number(_) => {}
            Value::String(text) if text.contains('\0') => return fail(path(), MetadataFault::Nul),
            Value::String(_) => {}
            Value::Null => return fail(path(), MetadataFault::Null),
            Value::Object(_) => return fail(path(), MetadataFault::Nested),
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let reason = match item {
                        Value::String(text) if text.contains('\0') => MetadataFault::Nul,
                        Value::String(_) => continue,
                        Value::Null => MetadataFault::Null,
                        _ => MetadataFault::Nested,
                    };
                    return fail(format!("{}[{index}]", path()), reason);
                }
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    #[test]
    fn subject_keys_are_stable_and_separate_projects() {
        let project = Uuid::from_u128(1);
        // Pinned: the key is stored in every row, so a change of the formula would orphan all of them.
        assert_eq!(subject_key(project, "user_123").to_string(), "3928e381-14af-5af7-bcd9-241f98008d18");
        assert_eq!(subject_key(project, "user_123").get_version_num(), 5);
        assert_ne!(subject_key(project, "user_123"), subject_key(Uuid::from_u128(2), "user_123"));
        assert_ne!(subject_key(project, "user_123"), subject_key(project, "User_123"));
    }

    #[test]
    fn ids_name_their_kind_and_sort_by_time() {
        let ids: Vec<String> = (0..200).map(|_| new_id(IdKind::Memory)).collect();
        assert!(ids.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(ids.iter().all(|id| id.len() == 26 && IdKind::of(id) == Some(IdKind::Memory)));
        assert_eq!(IdKind::of(&new_id(IdKind::Document)), Some(IdKind::Document));
        assert_eq!(IdKind::of("user_1"), None);
        assert_eq!(id_from(IdKind::Document, Uuid::nil()), "doc_0000000000000000000000");
        assert_eq!(id_from(IdKind::Document, Uuid::max()), "doc_7n42DGM5Tflk9n8mt7Fhc7");
    }

    #[test]
    fn a_bad_tag_is_told_by_character_and_place() {
        assert_eq!(check_container_tag("org:acme.team-1_x"), Ok(()));
        assert_eq!(check_container_tag(""), Err(InvalidName::Empty));
        assert_eq!(
            check_container_tag("user 1").unwrap_err().to_string(),
            "character ' ' at position 5 is not allowed, only letters a-z, digits, underscores, colons, dots and hyphens"
        );
        assert_eq!(check_container_tag(&"a".repeat(100)), Ok(()));
        assert_eq!(check_container_tag(&"a".repeat(101)), Err(InvalidName::TooLong { limit: 100, length: 101 }));
        for tag in ["a/b", "a#b", "a@b", "é", "a\0"] {
            assert!(matches!(check_container_tag(tag), Err(InvalidName::Character { .. })), "{tag:?}");
        }
    }

    #[test]
    fn a_custom_id_has_no_dot() {
        assert_eq!(check_custom_id("note:2024-01_a"), Ok(()));
        assert!(matches!(check_custom_id("a.b"), Err(InvalidName::Character { found: '.', position: 2, .. })));
    }

    #[test]
    fn subjects_are_trimmed_and_may_hold_any_printable_text() {
        assert_eq!(check_subject("  user-123_test.email@domain.com "), Ok("user-123_test.email@domain.com"));
        assert_eq!(check_subject("Zoë/42"), Ok("Zoë/42"));
        assert_eq!(check_subject("   "), Err(InvalidName::Empty));
        assert_eq!(check_subject("\u{200B}"), Err(InvalidName::Empty));
        for id in ["a\0b", "a\nb", "a\n", "\u{85}"] {
            assert!(matches!(check_subject(id), Err(InvalidName::Character { .. })), "{id:?}");
        }
        assert_eq!(check_subject(&"é".repeat(255)).map(str::len), Ok(510));
        assert!(matches!(check_subject(&"é".repeat(256)), Err(InvalidName::TooLong { length: 256, .. })));
    }

    #[test]
    fn metadata_faults_name_their_path() {
        assert_eq!(check_metadata(&json!({"a": "x", "b.c": 1.5, "d-e": true, "f_1": ["x", "y"], "g": []})), Ok(()));
        for (value, message) in [
            (json!([]), "metadata: must be an object"),
            (json!(null), "metadata: must be an object"),
            (json!({"a": null}), "metadata.a: must not be null"),
            (json!({"a": ["x", null]}), "metadata.a[1]: must not be null"),
            (json!({"a": ["x", 2]}), "metadata.a[1]: must be a string, a number, a boolean or an array of strings"),
            (json!({"a": {"b": 1}}), "metadata.a: must be a string, a number, a boolean or an array of strings"),
            (json!({"a": "x\u{0}"}), "metadata.a: must not contain the character NUL"),
            (json!({"": 1}), "metadata.: invalid key: must not be empty"),
            (
                json!({"a b": 1}),
                "metadata.a b: invalid key: character ' ' at position 2 is not allowed, \
                 only letters a-z, digits, underscores, dots and hyphens",
            ),
        ] {
            assert_eq!(check_metadata(&value).unwrap_err().to_string(), message);
        }
    }

    proptest! {
        #[test]
        fn ids_keep_the_order_of_their_uuids(a: u128, b: u128) {
            let (x, y) = (id_from(IdKind::Memory, Uuid::from_u128(a)), id_from(IdKind::Memory, Uuid::from_u128(b)));
            prop_assert_eq!(a.cmp(&b), x.cmp(&y));
        }

        #[test]
        fn tags_accept_exactly_their_alphabet(tag in "[a-zA-Z0-9_:.-]{1,100}", bad in "[^a-zA-Z0-9_:.-]", at in 0usize..100) {
            prop_assert_eq!(check_container_tag(&tag), Ok(()));
            let at = at.min(tag.len());
            let spoiled = format!("{}{bad}{}", &tag[..at], &tag[at..]);
            let found = bad.chars().next().unwrap();
            match check_container_tag(&spoiled) {
                Err(InvalidName::Character { found: told, position, .. }) => {
                    prop_assert_eq!((told, position), (found, at + 1));
                }
                other => prop_assert!(false, "{:?}", other),
            }
        }
    }
}
