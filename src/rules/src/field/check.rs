//! The forms of e-mail addresses, URLs and telephone numbers.
//!
//! Deliberately plain: what people and models write must pass, what is evidently something else must not. Whether an
//! address exists is not a question of its form.

/// An address `local@domain`, with its domain in lower case; quoted local parts and address literals are not taken.
pub(super) fn email(text: &str) -> Option<String> {
    let (local, domain) = text.rsplit_once('@')?;
    let local_ok = !local.is_empty()
        && local.chars().count() <= 64
        && local.split('.').all(|atom| !atom.is_empty() && atom.chars().all(is_atom_char));
    let labels: Vec<&str> = domain.split('.').collect();
    let top_is_name = labels.last().is_some_and(|top| top.chars().any(char::is_alphabetic));
    if local_ok && labels.len() >= 2 && top_is_name && labels.iter().all(|label| is_label(label)) {
        Some(format!("{local}@{}", domain.to_lowercase()))
    } else {
        None
    }
}

/// An `http` or `https` URL with a host, with its scheme and host in lower case.
pub(super) fn url(text: &str) -> Option<String> {
    let (scheme, rest) = text.split_once("://")?;
    let scheme = scheme.to_ascii_lowercase();
    if !matches!(scheme.as_str(), "http" | "https") || rest.chars().any(|c| c.is_whitespace() || "<>\"".contains(c)) {
        return None;
    }
    let (authority, tail) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let (user, server) = match authority.rsplit_once('@') {
        Some((user, server)) => (format!("{user}@"), server),
        None => (String::new(), authority),
    };
    let (host, port) = match server.strip_prefix('[') {
        Some(literal) => {
            let (address, port) = literal.split_once(']')?;
            address.parse::<std::net::Ipv6Addr>().ok()?;
            (format!("[{address}]"), port)
        }
        None => {
            let (host, port) = server.split_at(server.find(':').unwrap_or(server.len()));
            let host = host.strip_suffix('.').unwrap_or(host);
            if !host.split('.').all(is_label) {
                return None;
            }
            (host.to_lowercase(), port)
        }
    };
    let port_ok = match port.strip_prefix(':') {
        None => port.is_empty(),
        Some(digits) => digits.bytes().all(|b| b.is_ascii_digit()) && digits.parse::<u16>().is_ok(),
    };
    port_ok.then(|| format!("{scheme}://{user}{host}{port}{tail}"))
}

/// A telephone number of 7 to 15 digits, as `+` and digits; letters and extensions are not taken.
pub(super) fn phone(text: &str) -> Option<String> {
    let (plus, rest) = match text.strip_prefix('+') {
        Some(rest) => ("+", rest),
        None => ("", text),
    };
    if !rest.chars().all(|c| c.is_ascii_digit() || matches!(c, ' ' | '\u{a0}' | '-' | '.' | '(' | ')' | '/')) {
        return None;
    }
    let digits: String = rest.chars().filter(char::is_ascii_digit).collect();
    // No country code starts with zero, so "+0…" is a mistake and not a number of any country.
    let reachable = plus.is_empty() || !digits.starts_with('0');
    ((7..=15).contains(&digits.len()) && reachable).then(|| format!("{plus}{digits}"))
}

fn is_atom_char(c: char) -> bool {
    c.is_alphanumeric() || "!#$%&'*+/=?^_`{|}~-".contains(c)
}

fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= 63
        && !label.starts_with('-')
        && !label.ends_with('-')
        && label.chars().all(|c| c.is_alphanumeric() || c == '-' || c == '_')
}
