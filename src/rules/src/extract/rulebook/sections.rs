//! The form of a language file: sections of lines, with macros.

use std::collections::{HashMap, HashSet};

use super::{Meaning, head_of, normal_key};

/// The sections of a language file.
pub(in crate::extract) struct Sections<'a>(HashMap<&'a str, Vec<&'a str>>);

impl<'a> Sections<'a> {
    pub(super) fn parse(text: &'a str) -> Self {
        let mut sections: HashMap<&str, Vec<&str>> = HashMap::new();
        let mut current = "";
        for line in text.lines() {
            if line.is_empty() || line.starts_with('#') {
                continue;
            }
            match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) if name.bytes().all(|b| b.is_ascii_lowercase()) => current = name,
                _ => sections.entry(current).or_default().push(line),
            }
        }
        Sections(sections)
    }

    /// Lines of the form "names = value", by each of the names.
    pub(in crate::extract) fn pairs(&self, name: &str) -> HashMap<String, String> {
        let lines = self.lines(name).filter_map(|line| line.split_once(" = "));
        lines
            .flat_map(|(names, value)| names.split(", ").map(move |name| (name.to_owned(), value.to_owned())))
            .collect()
    }

    pub(in crate::extract) fn lines(&self, name: &str) -> impl Iterator<Item = &'a str> {
        self.0.get(name).cloned().unwrap_or_default().into_iter()
    }

    pub(in crate::extract) fn words(&self, name: &str) -> HashSet<String> {
        self.lines(name).flat_map(str::split_whitespace).map(str::to_owned).collect()
    }

    /// The macros of the file, and those made of its word lists.
    pub(super) fn macros(&self) -> Vec<(String, String)> {
        let names = |section: &str| -> String {
            let mut names: Vec<&str> = self
                .lines(section)
                .filter_map(|l| l.rsplit_once(' '))
                .flat_map(|(names, _)| names.split(' '))
                .collect();
            names.sort_by_key(|name| std::cmp::Reverse(name.len()));
            names.join("|")
        };
        let mut numbers: Vec<&str> = self.lines("numbers").filter_map(|l| Some(l.rsplit_once(' ')?.0)).collect();
        numbers.sort_by_key(|name| std::cmp::Reverse(name.len()));
        let words = |section: &str| self.lines(section).flat_map(str::split_whitespace).collect::<Vec<_>>().join("|");
        let mut macros = vec![
            ("MONTH".to_owned(), format!("(?:{})", names("months"))),
            ("WD".to_owned(), format!("(?:{})", names("weekdays"))),
            ("NUM".to_owned(), format!("(?:{})", numbers.join("|"))),
            ("LANGUAGE".to_owned(), format!("(?:{})", words("languages"))),
            (
                "PAST".to_owned(),
                self.lines("regularpast")
                    .chain(self.lines("past").flat_map(str::split_whitespace))
                    .collect::<Vec<_>>()
                    .join("|"),
            ),
            ("FIRST".to_owned(), format!("(?:{})", self.first_persons().join("|"))),
        ];
        for line in self.lines("macros") {
            let (name, pattern) = line.split_once(" = ").expect("a macro and its pattern");
            let pattern = expand(pattern, &macros);
            macros.push((name.to_owned(), pattern));
        }
        macros
    }

    /// The verbs of the file in the first person.
    fn first_persons(&self) -> Vec<&'a str> {
        let irregular = self.lines("irregular").filter_map(|line| line.split_whitespace().next());
        irregular.chain(self.lines("firstverbs").flat_map(str::split_whitespace)).collect()
    }

    pub(super) fn keys(&self) -> (Vec<Meaning>, HashMap<String, usize>) {
        let (mut keys, mut index) = (Vec::new(), HashMap::new());
        for line in self.lines("keys") {
            let mut parts = line.split(" :: ");
            let (head, aliases, say) = (parts.next(), parts.next(), parts.next());
            let (_, mut meaning) = head_of(head.unwrap_or_default());
            meaning.say = Some(say.expect("a key needs its sentence").to_owned());
            for alias in aliases.unwrap_or_default().split(',') {
                index.entry(normal_key(alias)).or_insert(keys.len());
            }
            keys.push(meaning);
        }
        (keys, index)
    }
}

/// Replaces `{MACRO}`, and `{MACRO:words}` by the macro with its `{x}` replaced; a repetition such as `{0,4}` is left alone.
pub(super) fn expand(pattern: &str, macros: &[(String, String)]) -> String {
    let mut out = pattern.to_owned();
    for (name, value) in macros.iter().rev() {
        if !out.contains(name.as_str()) {
            continue;
        }
        out = out.replace(&format!("{{{name}}}"), value);
        let open = format!("{{{name}:");
        while let Some(at) = out.find(&open) {
            let end = at + out[at..].find('}').expect("the end of a macro's words");
            let filled = value.replace("{x}", &out[at + open.len()..end]);
            out.replace_range(at..=end, &filled);
        }
    }
    out
}
