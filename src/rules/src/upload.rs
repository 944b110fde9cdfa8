//! Files that clients send as `multipart/form-data`: the parts of the form, and the text in the file.

use std::fmt;

/// More parts than any client of these APIs sends.
const MAX_PARTS: usize = 64;

/// A field of the form, or its file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Part<'a> {
    /// The field's name.
    pub name: String,
    /// The file's name; `None` for a plain field.
    pub file: Option<String>,
    /// The media type that the client gives it, in lower case and without parameters.
    pub media_type: Option<String>,
    /// What was sent.
    pub data: &'a [u8],
}

/// Why a form cannot be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UploadError {
    /// The content type is not `multipart/form-data` with a boundary.
    NoBoundary,
    /// The body is not what its content type says.
    Malformed,
    /// The body has more than [`MAX_PARTS`] parts.
    TooManyParts,
}

impl fmt::Display for UploadError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            UploadError::NoBoundary => "the content type must be multipart/form-data with a boundary",
            UploadError::Malformed => "the body is not a complete multipart form",
            UploadError::TooManyParts => "the form has too many parts",
        })
    }
}

impl std::error::Error for UploadError {}

/// The value of a parameter of a header, without its quotes.
fn parameter(header: &str, name: &str) -> Option<String> {
    header.split(';').skip(1).find_map(|pair| {
        let (key, value) = pair.split_once('=')?;
        key.trim().eq_ignore_ascii_case(name).then(|| value.trim().trim_matches('"').to_owned())
    })
}

fn find(bytes: &[u8], wanted: &[u8]) -> Option<usize> {
    bytes.windows(wanted.len()).position(|window| window == wanted)
}

/// The parts of a form.
pub fn parts<'a>(content_type: &str, body: &'a [u8]) -> Result<Vec<Part<'a>>, UploadError> {
    let form = content_type.split(';').next().unwrap_or_default().trim().eq_ignore_ascii_case("multipart/form-data");
    let boundary = parameter(content_type, "boundary").filter(|boundary| form && (1..=70).contains(&boundary.len()));
    let delimiter = format!("\r\n--{}", boundary.ok_or(UploadError::NoBoundary)?).into_bytes();
    // The first delimiter may stand at the very beginning.
    let mut rest = match body.strip_prefix(&delimiter[2..]) {
        Some(rest) => rest,
        None => &body[find(body, &delimiter).ok_or(UploadError::Malformed)? + delimiter.len()..],
    };
    let mut parts = Vec::new();
    while !rest.starts_with(b"--") {
        let start = find(rest, b"\r\n").ok_or(UploadError::Malformed)? + 2;
        // A part without headers begins with the empty line itself.
        let head_end = find(&rest[start - 2..], b"\r\n\r\n").ok_or(UploadError::Malformed)? + start - 2;
        let head = String::from_utf8_lossy(&rest[start.min(head_end)..head_end]).into_owned();
        let data_start = head_end + 4;
        let end = find(&rest[data_start..], &delimiter).ok_or(UploadError::Malformed)? + data_start;
        let header = |name: &str| {
            head.lines().find_map(|line| {
                let (key, value) = line.split_once(':')?;
                key.trim().eq_ignore_ascii_case(name).then(|| value.trim().to_owned())
            })
        };
        let disposition = header("content-disposition").ok_or(UploadError::Malformed)?;
        let media_type =
            header("content-type").map(|value| value.split(';').next().unwrap_or_default().trim().to_lowercase());
        parts.push(Part {
            name: parameter(&disposition, "name").ok_or(UploadError::Malformed)?,
            file: parameter(&disposition, "filename"),
            media_type,
            data: &rest[data_start..end],
        });
        if parts.len() > MAX_PARTS {
            return Err(UploadError::TooManyParts);
        }
        rest = &rest[end + delimiter.len()..];
    }
    Ok(parts)
}

/// The text of a file and what kind of text it is, by its media type or else the end of its name; `None` for a kind that
/// cannot be read, or bytes that are no text.
pub fn text_of(part: &Part<'_>) -> Option<(&'static str, String)> {
    let name = part.file.as_deref().unwrap_or_default().to_lowercase();
    let ending = name.rsplit_once('.').map_or("", |(_, ending)| ending);
    let named = match ending {
        "txt" | "text" | "log" => Some("text"),
        "md" | "markdown" => Some("markdown"),
        "html" | "htm" | "xhtml" => Some("html"),
        "json" | "jsonl" | "ndjson" => Some("json"),
        "csv" | "tsv" => Some("csv"),
        "yaml" | "yml" => Some("text"),
        _ => None,
    };
    let kind = match part.media_type.as_deref() {
        Some("text/markdown" | "text/x-markdown") => Some("markdown"),
        Some("text/html" | "application/xhtml+xml") => Some("html"),
        Some("application/json" | "application/x-ndjson" | "application/jsonl" | "text/json") => Some("json"),
        Some("text/csv" | "text/tab-separated-values") => Some("csv"),
        // Clients that do not know a file's type call it one of these.
        None | Some("" | "text/plain" | "application/octet-stream" | "application/x-yaml" | "application/yaml") => {
            named.or(part.media_type.as_deref().filter(|media| *media == "text/plain").map(|_| "text"))
        }
        Some(_) => None,
    }?;
    let text = std::str::from_utf8(part.data).ok()?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(text);
    if text.contains('\0') {
        return None;
    }
    Some(match kind {
        "html" => ("markdown", plain_html(text)),
        kind => (kind, text.to_owned()),
    })
}

/// Elements that a piece of a web page begins with.
const OPENINGS: [&str; 30] = [
    "html",
    "head",
    "body",
    "main",
    "article",
    "section",
    "header",
    "footer",
    "nav",
    "aside",
    "div",
    "p",
    "h1",
    "h2",
    "h3",
    "h4",
    "h5",
    "h6",
    "ul",
    "ol",
    "dl",
    "table",
    "blockquote",
    "figure",
    "form",
    "span",
    "a",
    "b",
    "strong",
    "em",
];

/// The text of a string that is a web page, or a piece of one from its first mark to its last; `None` for any other text.
/// Markdown may hold marks as well, but goes on behind them.
pub fn page_text(text: &str) -> Option<String> {
    let mut start = text.trim_start_matches('\u{feff}').trim_start();
    while let Some(comment) = start.strip_prefix("<!--") {
        start = comment.split_once("-->")?.1.trim_start();
    }
    let tag = start.strip_prefix('<')?;
    let prefix = |wanted: &str| tag.get(..wanted.len()).is_some_and(|found| found.eq_ignore_ascii_case(wanted));
    let name_end = tag.find(|c: char| !c.is_ascii_alphanumeric())?;
    let name = tag[..name_end].to_ascii_lowercase();
    let opens = OPENINGS.contains(&name.as_str()) && tag[name_end..].starts_with(['>', ' ', '\n', '\r', '\t']);
    let whole = prefix("!doctype html") || opens && name == "html";
    let piece = || opens && start.trim_end().ends_with('>') && closing(tag, &name).is_some();
    (whole || piece()).then(|| plain_html(start))
}

/// The text of a web page: headings, lists and paragraphs as in Markdown, without scripts, styles and marks.
pub fn plain_html(html: &str) -> String {
    const HIDDEN: [&str; 6] = ["script", "style", "head", "noscript", "template", "svg"];
    let mut out = String::with_capacity(html.len() / 2);
    let mut rest = html;
    while let Some(at) = rest.find('<') {
        push_text(&rest[..at], &mut out);
        rest = &rest[at..];
        if let Some(comment) = rest.strip_prefix("<!--") {
            rest = comment.find("-->").map_or("", |end| &comment[end + 3..]);
            continue;
        }
        let tag = &rest[1..];
        if !tag.starts_with(|c: char| c.is_ascii_alphabetic() || c == '/' || c == '!' || c == '?') {
            out.push('<');
            rest = tag;
            continue;
        }
        let end = tag.find('>').unwrap_or(tag.len());
        let closes = tag.starts_with('/');
        let name = tag[usize::from(closes)..end].split(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let name = name.to_ascii_lowercase();
        rest = tag.get(end + 1..).unwrap_or_default();
        if HIDDEN.contains(&name.as_str()) && !closes {
            rest = after_closing(rest, &name);
            continue;
        }
        match name.as_str() {
            "h1" | "h2" | "h3" | "h4" | "h5" | "h6" if !closes => {
                out.push_str("\n\n");
                out.push_str(&"######"[..usize::from(name.as_bytes()[1] - b'0')]);
                out.push(' ');
            }
            "li" if !closes => out.push_str("\n- "),
            "td" | "th" if !closes => out.push_str(" | "),
            "br" | "tr" | "li" => out.push('\n'),
            "p" | "div" | "section" | "article" | "header" | "footer" | "main" | "ul" | "ol" | "table"
            | "blockquote" | "pre" | "h1" | "h2" | "h3" | "h4" | "h5" | "h6" | "hr" | "dl" | "dt" | "dd" => {
                out.push_str("\n\n")
            }
            _ => {}
        }
    }
    push_text(rest, &mut out);
    let mut text = String::with_capacity(out.len());
    let mut blank = 0;
    for line in out.lines().map(str::trim) {
        blank = if line.is_empty() { blank + 1 } else { 0 };
        if blank < 2 && !(line.is_empty() && text.is_empty()) {
            text.push_str(line);
            text.push('\n');
        }
    }
    text.trim_end().to_owned()
}

/// What lies behind the end of an element.
fn after_closing<'a>(html: &'a str, name: &str) -> &'a str {
    closing(html, name).unwrap_or_default()
}

/// What lies behind the tag that closes an element, if there is one.
fn closing<'a>(html: &'a str, name: &str) -> Option<&'a str> {
    let close = format!("</{name}");
    let mut from = 0;
    while let Some(at) = html[from..].find("</") {
        let at = from + at;
        if html.get(at..at + close.len()).is_some_and(|found| found.eq_ignore_ascii_case(&close)) {
            return Some(html[at..].find('>').map_or("", |end| &html[at + end + 1..]));
        }
        from = at + 2;
    }
    None
}

/// Appends text between tags: white space runs together, and the usual entities become their characters.
fn push_text(text: &str, out: &mut String) {
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        if c.is_whitespace() {
            if !out.ends_with([' ', '\n']) {
                out.push(' ');
            }
        } else if let Some((character, length)) = entity(rest) {
            out.push(character);
            rest = &rest[length..];
            continue;
        } else {
            out.push(c);
        }
        rest = &rest[c.len_utf8()..];
    }
}

fn entity(text: &str) -> Option<(char, usize)> {
    let body = text.strip_prefix('&')?;
    let end = body.bytes().take(10).position(|byte| byte == b';')?;
    let character = match &body[..end] {
        "amp" => '&',
        "lt" => '<',
        "gt" => '>',
        "quot" => '"',
        "apos" => '\'',
        "nbsp" => ' ',
        "ndash" => '–',
        "mdash" => '—',
        "hellip" => '…',
        number => {
            let number = number.strip_prefix('#')?;
            let code = match number.strip_prefix(['x', 'X']) {
                Some(hex) => u32::from_str_radix(hex, 16).ok()?,
                None => number.parse().ok()?,
            };
            char::from_u32(code).filter(|c| *c != '\0')?
        }
    };
    Some((character, end + 2))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const TYPE: &str = "multipart/form-data; boundary=\"x-1\"";

    #[test]
    fn a_form_has_its_fields_and_its_file() {
        let body = b"--x-1\r\nContent-Disposition: form-data; name=\"containerTag\"\r\n\r\nann\r\n--x-1\r\ncontent-disposition: form-data; \
            name=\"file\"; filename=\"Notes.md\"\r\nContent-Type: text/markdown; charset=utf-8\r\n\r\n# Ann\r\n- Lives in Rome\r\n\r\n--x-1--\r\n";
        let parts = parts(TYPE, body).expect("a form");
        assert_eq!((parts[0].name.as_str(), parts[0].data), ("containerTag", b"ann".as_slice()));
        assert_eq!(
            (parts[1].file.as_deref(), parts[1].media_type.as_deref()),
            (Some("Notes.md"), Some("text/markdown"))
        );
        assert_eq!(text_of(&parts[1]), Some(("markdown", "# Ann\r\n- Lives in Rome\r\n".to_owned())));
    }

    #[test]
    fn what_is_no_form_is_refused() {
        assert_eq!(parts("application/json", b"{}"), Err(UploadError::NoBoundary));
        assert_eq!(parts("multipart/form-data", b""), Err(UploadError::NoBoundary));
        for body in [
            "",
            "--x-1",
            "--x-1\r\nno header\r\n\r\nx\r\n--x-1--",
            "--x-1\r\nContent-Disposition: form-data; name=a\r\n\r\nx",
        ] {
            assert_eq!(parts(TYPE, body.as_bytes()), Err(UploadError::Malformed), "{body}");
        }
    }

    #[test]
    fn files_are_read_by_their_type_or_their_name() {
        let kind = |file: &str, media_type: &str, data: &'static [u8]| {
            let media_type = Some(media_type.to_owned()).filter(|media| !media.is_empty());
            text_of(&Part { name: "file".into(), file: Some(file.into()), media_type, data }).map(|(kind, _)| kind)
        };
        assert_eq!(kind("a.txt", "text/plain", b"x"), Some("text"));
        assert_eq!(kind("a.md", "application/octet-stream", b"x"), Some("markdown"));
        assert_eq!(kind("a.csv", "", b"x"), Some("csv"));
        assert_eq!(kind("a", "application/json", b"{}"), Some("json"));
        for (file, media, data) in [
            ("a.pdf", "application/pdf", b"%PDF".as_slice()),
            ("a.bin", "application/octet-stream", b"x"),
            ("a.txt", "text/plain", b"\xff\xfe"),
            ("a.txt", "text/plain", b"a\0b"),
        ] {
            assert_eq!(kind(file, media, data), None, "{file}");
        }
    }

    #[test]
    fn a_page_becomes_its_text() {
        let html = "<!doctype html><html><head><title>T</title><style>p{}</style></head><body><!-- no --><h1>Ann</h1>\n<p>Lives in \
            <b>Rome</b> &amp; loves&nbsp;tea.<br>Works &lt;there&gt; &#8211; <SCRIPT>I am bad</SCRIPT >now</p><ul><li>one<li>two</ul></body></html>";
        assert_eq!(plain_html(html), "# Ann\n\nLives in Rome & loves tea.\nWorks <there> – now\n\n- one\n- two");
        assert_eq!(plain_html("1 < 2 & 3"), "1 < 2 & 3");
    }

    #[test]
    fn a_string_is_a_page_when_marks_hold_it_together() {
        for (html, text) in [
            ("<!DOCTYPE html><html><body><p>Lives in Rome</p></body></html>", "Lives in Rome"),
            ("<!doctype html>\nLives in Rome", "Lives in Rome"),
            ("\u{feff} <!-- saved --> <HTML lang=\"it\"><body>Lives in Rome", "Lives in Rome"),
            ("<p>Lives in <b>Rome</b></p>\n<p>Likes tea</p>\n", "Lives in Rome\n\nLikes tea"),
            ("<div class=\"x\">Lives in Rome</div>", "Lives in Rome"),
            ("<html><script>x</script></html>", ""),
        ] {
            assert_eq!(page_text(html).as_deref(), Some(text), "{html}");
        }
        for text in [
            "",
            "Lives in <b>Rome</b>",
            "1 < 2",
            "<p align=\"center\">Logo</p>\n\n# Markdown\n\n- Lives in Rome",
            "<3 you",
            "<p>Lives in Rome>",
            "<Ann> I live in Rome\n<Bob> Me too",
            "<note><to>Ann</to></note>",
            "<!-- never closed",
            "<div",
        ] {
            assert_eq!(page_text(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn nothing_breaks_it(body in proptest::collection::vec(any::<u8>(), 0..200), html in "(?s)[<>/!a-z&;# \\n-]{0,120}") {
            let _ = parts(TYPE, &body);
            let mut framed = b"--x-1\r\n".to_vec();
            framed.extend(&body);
            framed.extend(b"\r\n--x-1--");
            let _ = parts(TYPE, &framed);
            prop_assert!(plain_html(&html).len() <= html.len() * 4 + 8);
            let _ = page_text(&html);
        }
    }
}
