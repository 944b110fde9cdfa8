//! The HTTP client of whoever runs the job queue.
//!
//! A request is made on a thread of its own, which knows nothing of Postgres: no signal reaches it, and it calls nothing
//! of the server's. The main thread waits for it in short steps, and between them sees to interrupts, so that a server
//! that never answers holds up neither a shutdown nor a cancel. Whoever is interrupted leaves the thread behind, which
//! ends with its own time limit at the latest.
//!
//! No transaction may be open while one waits: whoever calls sees to that.

use std::cell::RefCell;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use pgrx::pg_sys;
use ureq::Agent;
use ureq::config::Config;
use ureq::http::Uri;
use ureq::tls::{Certificate, RootCerts, TlsConfig};
use ureq::unversioned::resolver::{DefaultResolver, ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{DefaultConnector, NextTimeout};

use super::aside::undisturbed;
use crate::gucs;

/// Bytes of an answer's body; beyond it the answer is refused, since it has to fit into memory.
pub const MAX_BODY: u64 = 8 << 20;

/// What the thread may need beyond the time limit, to say that it has passed.
pub const GRACE: Duration = Duration::from_secs(2);

/// An answer, whatever its status.
#[derive(Debug, PartialEq, Eq)]
pub struct Reply {
    /// The HTTP status.
    pub status: u16,
    /// How long the server asks to be left alone, by its header `Retry-After`.
    pub retry_after: Option<Duration>,
    /// The body.
    pub body: Vec<u8>,
}

/// Why there is no answer. Neither the URL nor a header is ever part of the text: both may hold secrets.
#[derive(Debug, PartialEq, Eq)]
pub enum HttpError {
    /// The URL is not one of http or https with a host.
    Url,
    /// A header has a name or value that HTTP does not allow.
    Header,
    /// The host's name has no address.
    HostNotFound,
    /// The answer was not there in time.
    Timeout,
    /// The answer is larger than what is read.
    TooLarge,
    /// The connection could not be made, or broke; with what the system says of it.
    Connection(io::ErrorKind),
    /// The server's certificate was not accepted, or TLS failed otherwise; with what TLS says of it.
    Tls(String),
    /// What came is not HTTP.
    Protocol,
    /// The host has an address that may not be called.
    PrivateAddress,
    /// The certificates that an administrator wants trusted cannot be read.
    Authorities,
}

impl std::fmt::Display for HttpError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            HttpError::Url => write!(f, "the URL is not one of http or https"),
            HttpError::Header => write!(f, "a header has a value that HTTP does not allow"),
            HttpError::HostNotFound => write!(f, "the host was not found"),
            HttpError::Timeout => write!(f, "no answer in time"),
            HttpError::TooLarge => write!(f, "the answer is larger than {} MB", MAX_BODY >> 20),
            HttpError::Connection(kind) => write!(f, "the connection failed: {kind}"),
            HttpError::Tls(cause) => write!(f, "no secure connection: {cause}"),
            HttpError::Protocol => write!(f, "the answer is not HTTP"),
            HttpError::PrivateAddress => {
                write!(f, "the address is one of this machine, of a private network, or reserved")
            }
            HttpError::Authorities => {
                write!(f, "the file of memory_profile.ca_file holds no certificate that can be read")
            }
        }
    }
}

impl std::error::Error for HttpError {}

/// Who may be called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Destinations {
    /// Anybody: an administrator has chosen the URL.
    Any,
    /// The public internet: a user has.
    Public,
}

/// Sends a request; `done` is called with the answer on the thread that has it. Every status is an answer, and a redirection
/// is not followed.
pub fn start(
    url: &str,
    headers: &[(&str, &str)],
    body: &[u8],
    timeout: Duration,
    destinations: Destinations,
    done: impl FnOnce(Result<Reply, HttpError>) + Send + 'static,
) -> Result<(), HttpError> {
    let request = request(url, headers, body)?;
    let agent = agent(destinations, gucs::ca_file()).map_err(|cause| {
        pgrx::log!("memory_profile: cannot use the file of memory_profile.ca_file: {cause}");
        HttpError::Authorities
    })?;
    let thread = undisturbed("http", move || done(exchange(&agent, request, timeout)));
    thread.map(drop).map_err(|cause| HttpError::Connection(cause.kind()))
}

/// Whether a background worker was told to end. A session that is told so is ended by the check for interrupts.
pub fn is_shutting_down() -> bool {
    #[allow(unsafe_code)]
    // SAFETY: a plain read of a flag of this process, which only its signal handlers write.
    unsafe {
        (&raw const pg_sys::ShutdownRequestPending).read_volatile() != 0
    }
}

type Request = ureq::http::Request<Vec<u8>>;

fn request(url: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Request, HttpError> {
    let url: Uri = url.parse().map_err(|_| HttpError::Url)?;
    if !matches!(url.scheme_str(), Some("http" | "https")) || url.host().is_none_or(str::is_empty) {
        return Err(HttpError::Url);
    }
    let request = ureq::http::Request::post(url);
    let request = headers.iter().fold(request, |request, (name, value)| request.header(*name, *value));
    request.body(body.to_vec()).map_err(|_| HttpError::Header)
}

/// Whose certificates are trusted, besides the system's: the file, and when it was last changed.
#[derive(PartialEq)]
struct Authorities {
    file: Option<PathBuf>,
    changed: Option<SystemTime>,
}

/// One agent of each kind, which keeps connections open. A connection that is kept open is one that was allowed.
struct Agents {
    authorities: Authorities,
    any: Agent,
    public: Agent,
}

thread_local! {
    /// They live until other certificates are to be trusted: reading those of the system takes its time.
    static AGENTS: RefCell<Option<Agents>> = const { RefCell::new(None) };
}

fn agent(destinations: Destinations, ca_file: Option<PathBuf>) -> Result<Agent, String> {
    let changed = ca_file.as_deref().and_then(|file| file.metadata().ok()?.modified().ok());
    let authorities = Authorities { file: ca_file, changed };
    let agents = match AGENTS.take().filter(|agents| agents.authorities == authorities) {
        Some(agents) => agents,
        None => {
            let config = config(root_certificates(authorities.file.as_deref())?);
            let public = Agent::with_parts(config.clone(), DefaultConnector::default(), PublicResolver::default());
            Agents { authorities, any: config.into(), public }
        }
    };
    let agent = match destinations {
        Destinations::Any => agents.any.clone(),
        Destinations::Public => agents.public.clone(),
    };
    AGENTS.set(Some(agents));
    Ok(agent)
}

fn config(root_certificates: RootCerts) -> Config {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        // The environment of the server decides nothing about where its data goes.
        .proxy(None)
        .user_agent(concat!("memory_profile/", env!("CARGO_PKG_VERSION")))
        .tls_config(TlsConfig::builder().root_certs(root_certificates).build())
        .build()
}

/// Finds public addresses only. What it finds is what is connected to, so that a name which leads elsewhere the next time
/// it is asked gains nothing.
#[derive(Debug, Default)]
struct PublicResolver(DefaultResolver);

impl Resolver for PublicResolver {
    fn resolve(&self, uri: &Uri, config: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, ureq::Error> {
        let found = self.0.resolve(uri, config, timeout)?;
        if found.iter().all(|address| rules::address::is_public(address.ip())) {
            Ok(found)
        } else {
            Err(ureq::Error::Other(HttpError::PrivateAddress.into()))
        }
    }
}

/// The certificates that the system trusts, an administrator's own among them, or Mozilla's where the system has none, and
/// those of a file.
fn root_certificates(ca_file: Option<&Path>) -> Result<RootCerts, String> {
    let mut found = rustls_native_certs::load_native_certs().certs;
    if let Some(file) = ca_file {
        let own = rustls_native_certs::load_certs_from_paths(Some(file), None);
        if own.certs.is_empty() {
            let cause = own.errors.first().map_or("it has no certificates".to_owned(), ToString::to_string);
            return Err(format!("{}: {cause}", file.display()));
        }
        found.extend(own.certs);
    }
    let certificates: Vec<_> = found.iter().map(|found| Certificate::from_der(found).to_owned()).collect();
    Ok(if certificates.is_empty() { RootCerts::WebPki } else { RootCerts::new_with_certs(&certificates) })
}

fn exchange(agent: &Agent, request: Request, timeout: Duration) -> Result<Reply, HttpError> {
    let request = agent.configure_request(request).timeout_global(Some(timeout)).build();
    let mut response = agent.run(request).map_err(cause)?;
    let retry_after = response.headers().get("retry-after").and_then(|value| pause(value.to_str().ok()?));
    let body = response.body_mut().with_config().limit(MAX_BODY).read_to_vec().map_err(cause)?;
    Ok(Reply { status: response.status().as_u16(), retry_after, body })
}

/// The header `Retry-After`: a number of seconds or a point in time.
fn pause(header: &str) -> Option<Duration> {
    let header = header.trim();
    if let Ok(seconds) = header.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let moment = rules::time::parse_http_date(header)?;
    Some(moment.duration_since(SystemTime::now()).unwrap_or_default())
}

fn cause(error: ureq::Error) -> HttpError {
    match error {
        ureq::Error::BadUri(_) => HttpError::Url,
        ureq::Error::Http(_) => HttpError::Header,
        ureq::Error::HostNotFound => HttpError::HostNotFound,
        ureq::Error::Timeout(_) => HttpError::Timeout,
        ureq::Error::BodyExceedsLimit(_) => HttpError::TooLarge,
        ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::TimedOut => HttpError::Timeout,
        // What TLS finds wrong with what it reads.
        ureq::Error::Io(cause) if cause.kind() == io::ErrorKind::InvalidData => HttpError::Tls(cause.to_string()),
        ureq::Error::Io(cause) => HttpError::Connection(cause.kind()),
        ureq::Error::Rustls(cause) => HttpError::Tls(cause.to_string()),
        ureq::Error::Tls(cause) => HttpError::Tls(cause.to_owned()),
        ureq::Error::Other(cause) if cause.is::<HttpError>() => HttpError::PrivateAddress,
        ureq::Error::ConnectionFailed => HttpError::Connection(io::ErrorKind::NotConnected),
        _ => HttpError::Protocol,
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::net::TcpListener;
    use std::thread;
    use std::time::Instant;

    use super::*;

    /// A server that reads one request, answers with these bytes and hangs up; gives its URL and what it read.
    fn serve(answer: Vec<u8>, delay: Duration) -> (String, thread::JoinHandle<String>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/v1/x", listener.local_addr().unwrap());
        let server = thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut read = Vec::new();
            let mut buffer = [0; 4096];
            while !String::from_utf8_lossy(&read).ends_with("\r\n\r\n{}") {
                let count = stream.read(&mut buffer).unwrap();
                assert!(count > 0, "the request ended early");
                read.extend_from_slice(&buffer[..count]);
            }
            thread::sleep(delay);
            // Who hangs up first is not waited for.
            let _ = stream.write_all(&answer);
            String::from_utf8(read).unwrap()
        });
        (url, server)
    }

    fn exchange(request: Request, timeout: Duration, destinations: Destinations) -> Result<Reply, HttpError> {
        super::exchange(&agent(destinations, None).unwrap(), request, timeout)
    }

    fn send(answer: impl Into<Vec<u8>>, delay: Duration) -> (Result<Reply, HttpError>, String) {
        let (url, server) = serve(answer.into(), delay);
        let request = request(&url, &[("authorization", "Bearer secret"), ("x-a", "b")], b"{}").unwrap();
        let reply = exchange(request, Duration::from_millis(400), Destinations::Any);
        (reply, server.join().unwrap().to_lowercase())
    }

    fn reply(answer: &str) -> Result<Reply, HttpError> {
        send(answer, Duration::ZERO).0
    }

    #[test]
    fn sends_what_it_is_given() {
        let (reply, request) = send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi", Duration::ZERO);
        assert_eq!(reply, Ok(Reply { status: 200, retry_after: None, body: b"hi".to_vec() }));
        assert!(request.starts_with("post /v1/x http/1.1\r\n"), "{request}");
        for header in ["authorization: bearer secret", "x-a: b", "content-length: 2", "user-agent: memory_profile/"] {
            assert!(request.contains(&format!("\r\n{header}")), "{header} in {request}");
        }
    }

    #[test]
    fn every_status_is_an_answer() {
        for status in [301, 404, 429, 500] {
            let answer = format!("HTTP/1.1 {status} X\r\nlocation: http://127.0.0.1:1/\r\ncontent-length: 0\r\n\r\n");
            assert_eq!(reply(&answer).map(|reply| reply.status), Ok(status));
        }
    }

    #[test]
    fn reads_how_long_to_wait() {
        let answer = "HTTP/1.1 429 X\r\nretry-after: 7\r\ncontent-length: 0\r\n\r\n";
        assert_eq!(reply(answer).unwrap().retry_after, Some(Duration::from_secs(7)));
        assert_eq!(pause(" 0 "), Some(Duration::ZERO));
        assert_eq!(pause("Sun, 06 Nov 1994 08:49:37 GMT"), Some(Duration::ZERO));
        assert!(pause("Fri, 06 Nov 2116 08:49:37 GMT").unwrap() > Duration::from_secs(86_400));
        assert_eq!(pause("soon"), None);
        assert_eq!(pause("-1"), None);
    }

    #[test]
    fn an_answer_that_comes_late_is_none() {
        let begin = Instant::now();
        let (reply, _) = send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", Duration::from_millis(800));
        assert_eq!(reply, Err(HttpError::Timeout));
        assert!(begin.elapsed() >= Duration::from_millis(400));
    }

    #[test]
    fn a_broken_answer_is_none() {
        assert_eq!(reply("SSH-2.0-OpenSSH\r\n\r\n"), Err(HttpError::Protocol));
        let cut = reply("HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf");
        assert!(matches!(cut, Err(HttpError::Connection(_))), "{cut:?}");
        assert!(matches!(reply(""), Err(HttpError::Connection(_))));
    }

    #[test]
    fn an_answer_has_a_largest_size() {
        let body = vec![b' '; MAX_BODY as usize + 1];
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
        assert_eq!(send([head.into_bytes(), body].concat(), Duration::ZERO).0, Err(HttpError::TooLarge));
    }

    #[test]
    fn nobody_there() {
        let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let reply =
            exchange(request(&format!("http://{free}"), &[], b"").unwrap(), Duration::from_secs(2), Destinations::Any);
        assert_eq!(reply, Err(HttpError::Connection(io::ErrorKind::ConnectionRefused)));
    }

    #[test]
    fn some_may_call_the_public_only() {
        for host in ["127.0.0.1:1", "[::1]:1", "localhost:1", "169.254.169.254", "10.0.0.1", "[::ffff:127.0.0.1]:1"] {
            let request = request(&format!("http://{host}/"), &[], b"").unwrap();
            let reply = exchange(request, Duration::from_secs(2), Destinations::Public);
            assert_eq!(reply, Err(HttpError::PrivateAddress), "{host}");
        }
    }

    #[test]
    fn only_http() {
        for url in ["", "file:///etc/passwd", "ftp://host/x", "host/path", "http://", "https:///x", "http://a b/"] {
            assert_eq!(request(url, &[], b"").err(), Some(HttpError::Url), "{url}");
        }
        assert_eq!(request("http://host", &[("a", "b\r\nc: d")], b"").err(), Some(HttpError::Header));
    }
}
