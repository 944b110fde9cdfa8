//! Which former names of somebody are still names for them.

/// Letters that two forms of a first name share at least: "Kate" and "Katherine".
const SHARED_LETTERS: usize = 3;

/// The names by which somebody is known, of all that they ever had, the present one first: a former one counts that has the
/// same first name, or another form of it. Any other may have been an error, and be the name of somebody else.
pub fn known_as(names: Vec<String>) -> Vec<String> {
    let Some(present) = names.first().and_then(|name| first_of(name)) else { return Vec::new() };
    let mut known: Vec<String> = Vec::with_capacity(names.len());
    for name in names {
        let fits = first_of(&name).is_some_and(|first| shared(&first, &present) || known.is_empty());
        if fits && !known.contains(&name) {
            known.push(name);
        }
    }
    known
}

fn first_of(name: &str) -> Option<String> {
    name.split_whitespace().next().map(str::to_lowercase)
}

fn shared(a: &str, b: &str) -> bool {
    a == b || a.chars().zip(b.chars()).take_while(|(a, b)| a == b).count() >= SHARED_LETTERS
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn forms_of_one_name_are_known() {
        let known = |names: &[&str]| known_as(names.iter().map(|name| (*name).to_owned()).collect());
        assert_eq!(
            known(&["Kate Hill", "Katherine Hill", "Kate", "Kate Miller"]),
            ["Kate Hill", "Katherine Hill", "Kate", "Kate Miller"]
        );
        assert_eq!(known(&["Ann", "Bob", "Ann", "Anna"]), ["Ann", "Anna"]);
        assert_eq!(known(&["Bo", "Bob"]), ["Bo"]);
        assert_eq!(known(&["李雷", "李明"]), ["李雷"]);
        assert!(known(&[]).is_empty() && known(&[" "]).is_empty());
    }
}
