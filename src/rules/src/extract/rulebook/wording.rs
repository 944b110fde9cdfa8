//! How a language puts what is remembered outside the sentences of a text.

use super::{SUBJECT, Sections};

/// How what is remembered outside the sentences of a text is put.
pub(in crate::extract) struct Wording {
    /// The unnamed subject.
    pub(in crate::extract) user: String,
    /// The end of a name in the possessive, and that behind certain letters.
    possessive: String,
    possessive_behind: Option<(String, String)>,
    /// A key that nobody knows with its value, and with several.
    pub(in crate::extract) pair: String,
    pub(in crate::extract) pairs: String,
    /// What was recorded of the subject.
    pub(in crate::extract) activity: String,
    /// What the subject said, of what, and to whom.
    pub(in crate::extract) said: String,
    pub(in crate::extract) said_of: String,
    pub(in crate::extract) said_to: String,
    /// What the subject answered to a question, in a language that can tell what answers one.
    pub(in crate::extract) answered: Option<String>,
    /// A plan that was moved by so much, with its new day.
    pub(in crate::extract) moved: String,
    /// The word that joins the last two of a list.
    pub(in crate::extract) and: String,
}

impl Wording {
    pub(super) fn parse(sections: &Sections<'_>) -> Wording {
        let said = sections.pairs("wording");
        let of = |name: &str, default: &str| said.get(name).map_or(default, String::as_str).to_owned();
        Wording {
            user: of("user", "User"),
            possessive: of("possessive", "'s"),
            possessive_behind: said.get("behind").map(|letters| (letters.clone(), of("possessive behind", "'"))),
            pair: of("pair", "{S}'s {k} is {v}"),
            pairs: of("pairs", "{S}'s {k}: {v}"),
            activity: of("activity", "{S}'s activity: {v}"),
            said: of("said", "{S} said: {v}"),
            said_to: of("said to", "{S} said to {o}: {v}"),
            answered: said.get("answered").cloned(),
            moved: of("moved", "{v}, now {d}"),
            said_of: of("said of", "{S} said of {t}: {v}"),
            and: format!(" {} ", of("and", "and")),
        }
    }

    /// Puts the name, or the word for who has none, in place of the subject's mark.
    pub(in crate::extract) fn with_name(&self, canonical: &str, name: Option<&str>) -> String {
        let name = name.unwrap_or(&self.user);
        let behind = self.possessive_behind.as_ref().filter(|(letters, _)| name.ends_with(|c| letters.contains(c)));
        let ending = behind.map_or(&self.possessive, |(_, ending)| ending);
        canonical.replace(&format!("{SUBJECT}'s"), &format!("{name}{ending}")).replace(SUBJECT, name)
    }
}
