//! Webhooks by the scheme of Standard Webhooks: where one may be sent, and how it is signed.

use std::fmt;
use std::net::IpAddr;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;

/// The longest URL.
const MAX_URL: usize = 2_000;

/// What a secret begins with.
const SECRET_PREFIX: &str = "whsec_";

/// Why something is not accepted for a webhook.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The URL is longer than what is kept.
    TooLong,
    /// It is neither http nor https.
    Scheme,
    /// It has a character that must be percent-encoded.
    Character(char),
    /// It has a user name or password.
    Credentials,
    /// It has no host, or one that is none.
    Host,
    /// Its port is not a number from 1 to 65535.
    Port,
    /// The secret is not of the form that it must have.
    Secret,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::TooLong => write!(f, "the URL has more than {MAX_URL} characters"),
            Refusal::Scheme => write!(f, "the URL must begin with https:// or http://"),
            Refusal::Character(c) => write!(f, "the URL has the character {c:?}, which must be percent-encoded"),
            Refusal::Credentials => write!(f, "the URL must not hold a user name or password"),
            Refusal::Host => write!(f, "the URL has no valid host"),
            Refusal::Port => write!(f, "the port must be a number from 1 to 65535"),
            Refusal::Secret => write!(f, "the secret must be {SECRET_PREFIX} and 24 to 64 bytes in base64"),
        }
    }
}

/// Who a URL leads to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// A name, in lower case.
    Name(String),
    /// An address.
    Address(IpAddr),
}

/// Reads a URL that events may be sent to, and gives its host.
pub fn host(url: &str) -> Result<Host, Refusal> {
    if url.len() > MAX_URL {
        return Err(Refusal::TooLong);
    }
    let scheme = ["https://", "http://"].into_iter().find(|scheme| url.starts_with(scheme)).ok_or(Refusal::Scheme)?;
    if let Some(c) =
        url.chars().find(|c| !c.is_ascii_graphic() || matches!(c, '"' | '<' | '>' | '\\' | '^' | '`' | '{' | '|' | '}'))
    {
        return Err(Refusal::Character(c));
    }
    let rest = &url[scheme.len()..];
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    if authority.contains('@') {
        return Err(Refusal::Credentials);
    }
    let (host, port) = match authority.strip_prefix('[').and_then(|rest| rest.split_once(']')) {
        Some((inside, port)) => (Host::Address(inside.parse().map(IpAddr::V6).map_err(|_| Refusal::Host)?), port),
        None => {
            let at = authority.find(':').unwrap_or(authority.len());
            (named(&authority[..at])?, &authority[at..])
        }
    };
    match port.strip_prefix(':') {
        None if port.is_empty() => Ok(host),
        Some(digits) if digits.parse::<u16>().is_ok_and(|port| port > 0) => Ok(host),
        _ => Err(Refusal::Port),
    }
}

/// A name of letters, digits, hyphens and dots; one that ends in a number is an IPv4 address or nothing, since system
/// libraries read many forms of them.
fn named(name: &str) -> Result<Host, Refusal> {
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '_');
    let last = name.trim_end_matches('.').rsplit('.').next().unwrap_or_default();
    if let Ok(address) = name.parse() {
        Ok(Host::Address(IpAddr::V4(address)))
    } else if last.is_empty() || !name.chars().all(allowed) || last.starts_with(|c: char| c.is_ascii_digit()) {
        Err(Refusal::Host)
    } else {
        Ok(Host::Name(name.trim_end_matches('.').to_ascii_lowercase()))
    }
}

/// Reads a signing secret.
pub fn key(secret: &str) -> Result<Vec<u8>, Refusal> {
    let key = secret.strip_prefix(SECRET_PREFIX).and_then(|text| STANDARD.decode(text).ok());
    key.filter(|key| (24..=64).contains(&key.len())).ok_or(Refusal::Secret)
}

/// The header `webhook-signature` of a message: HMAC-SHA256 over its id, the time of sending and its body.
pub fn signature(secret: &str, id: &str, timestamp: i64, body: &str) -> Result<String, Refusal> {
    let mut mac = Hmac::<Sha256>::new_from_slice(&key(secret)?).map_err(|_| Refusal::Secret)?;
    mac.update(format!("{id}.{timestamp}.{body}").as_bytes());
    Ok(format!("v1,{}", STANDARD.encode(mac.finalize().into_bytes())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signs_as_the_standard_does() {
        // The example of the specification's own libraries.
        let secret = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
        let signed = signature(secret, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1_614_265_330, r#"{"test": 2432232314}"#);
        assert_eq!(signed.as_deref(), Ok("v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="));
    }

    #[test]
    fn secrets_have_a_form() {
        for bad in ["", "whsec_", "whsec_c2hvcnQ=", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", "whsec_*"] {
            assert_eq!(key(bad), Err(Refusal::Secret), "{bad}");
        }
        assert_eq!(key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").map(|key| key.len()), Ok(24));
    }

    #[test]
    fn urls_lead_to_a_host() {
        let name = |name: &str| Ok(Host::Name(name.to_owned()));
        assert_eq!(host("https://Example.com/hook?a=b"), name("example.com"));
        assert_eq!(host("http://a-b.example.com:8080"), name("a-b.example.com"));
        assert_eq!(host("http://127.0.0.1:1/"), Ok(Host::Address(IpAddr::from([127, 0, 0, 1]))));
        assert_eq!(host("http://[::1]:80/"), Ok(Host::Address("::1".parse().unwrap())));
        for (url, refusal) in [
            ("", Refusal::Scheme),
            ("ftp://example.com", Refusal::Scheme),
            ("https://", Refusal::Host),
            ("https:///x", Refusal::Host),
            ("https://me:secret@example.com", Refusal::Credentials),
            ("https://example.com:0", Refusal::Port),
            ("https://example.com:99999", Refusal::Port),
            ("https://[::1]x", Refusal::Port),
            ("https://[nonsense]/", Refusal::Host),
            ("https://127.1/", Refusal::Host),
            ("https://2130706433/", Refusal::Host),
            ("https://0x7f.0.0.1/", Refusal::Host),
            ("https://exa mple.com", Refusal::Character(' ')),
            ("https://exämple.com", Refusal::Character('ä')),
            ("https://example.com\\@evil.com", Refusal::Character('\\')),
        ] {
            assert_eq!(host(url), Err(refusal), "{url}");
        }
        assert_eq!(host(&format!("https://example.com/{}", "x".repeat(2_000))), Err(Refusal::TooLong));
    }
}
