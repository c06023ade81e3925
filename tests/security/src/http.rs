//! HTTP/1.1 as bytes on a socket, so that a request may be as wrong as an attacker likes.
//!
//! Header values are bytes, a body may come with a length, without, with a wrong one, or in chunks. One connection a
//! request. Knows no TLS: the stack under test is local.

mod wire;

use anyhow::{Context, Result, bail};
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// How long one request may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a body is announced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    /// With its length.
    Length,
    /// In chunks of this size, without a length.
    Chunks(usize),
}

/// A request to be.
#[derive(Clone, Debug)]
pub struct Request {
    method: String,
    url: String,
    headers: Vec<(String, Vec<u8>)>,
    body: Vec<u8>,
    framing: Framing,
}

/// What came back.
#[derive(Clone, Debug, Default)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body, decoded from chunks.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers and body.
    #[must_use]
    pub fn new(method: &str, url: impl Into<String>) -> Self {
        Self {
            method: method.to_owned(),
            url: url.into(),
            headers: Vec::new(),
            body: Vec::new(),
            framing: Framing::Length,
        }
    }

    /// A GET.
    #[must_use]
    pub fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// A POST of JSON.
    #[must_use]
    pub fn post(url: impl Into<String>, body: impl Into<Vec<u8>>) -> Self {
        Self::new("POST", url).header("Content-Type", "application/json").body(body)
    }

    /// Adds a header, keeping others of the same name.
    #[must_use]
    pub fn header(mut self, name: &str, value: impl AsRef<[u8]>) -> Self {
        self.headers.push((name.to_owned(), value.as_ref().to_vec()));
        self
    }

    /// Adds headers.
    #[must_use]
    pub fn headers<'a>(self, headers: impl IntoIterator<Item = (&'a str, &'a str)>) -> Self {
        headers.into_iter().fold(self, |request, (name, value)| request.header(name, value))
    }

    /// Appends to the query.
    #[must_use]
    pub fn query(mut self, query: &str) -> Self {
        if !query.is_empty() {
            self.url.push(if self.url.contains('?') { '&' } else { '?' });
            self.url.push_str(query);
        }
        self
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: impl Into<Vec<u8>>) -> Self {
        self.body = body.into();
        self
    }

    /// Sends the body in chunks.
    #[must_use]
    pub fn chunked(mut self, size: usize) -> Self {
        self.framing = Framing::Chunks(size.max(1));
        self
    }

    /// Sends it and reads the answer.
    ///
    /// # Errors
    /// When there is no connection, or no HTTP comes back.
    pub fn send(&self) -> Result<Answer> {
        let (host, path) = split(&self.url)?;
        let mut stream = TcpStream::connect(host).with_context(|| format!("connect to {host}"))?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        stream.set_nodelay(true)?;

        let head = self.head(host, path);
        // A server may answer and stop reading before the whole body is out: what it said still counts.
        let sent = stream.write_all(&head).and_then(|()| self.write_body(&mut stream));
        match receive(&mut stream, self.method == "HEAD") {
            Ok(Some(answer)) => Ok(answer),
            received => {
                bail!("no answer from {} {}: sent {sent:?}, received {received:?}", self.method, self.url)
            }
        }
    }

    fn head(&self, host: &str, path: &str) -> Vec<u8> {
        let mut head =
            format!("{} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n", self.method).into_bytes();
        for (name, value) in &self.headers {
            head.extend_from_slice(name.as_bytes());
            head.extend_from_slice(b": ");
            head.extend_from_slice(value);
            head.extend_from_slice(b"\r\n");
        }
        let framing = match self.framing {
            Framing::Chunks(_) => "Transfer-Encoding: chunked\r\n".to_owned(),
            Framing::Length if self.body.is_empty() && self.method == "GET" => String::new(),
            Framing::Length => format!("Content-Length: {}\r\n", self.body.len()),
        };
        head.extend_from_slice(framing.as_bytes());
        head.extend_from_slice(b"\r\n");
        head
    }

    fn write_body(&self, stream: &mut TcpStream) -> std::io::Result<()> {
        let Framing::Chunks(size) = self.framing else {
            return stream.write_all(&self.body);
        };
        for chunk in self.body.chunks(size) {
            stream.write_all(format!("{:x}\r\n", chunk.len()).as_bytes())?;
            stream.write_all(chunk)?;
            stream.write_all(b"\r\n")?;
        }
        stream.write_all(b"0\r\n\r\n")
    }
}

impl Answer {
    /// The body as JSON, `null` when it is none.
    #[must_use]
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The beginning of the body, for messages.
    #[must_use]
    pub fn excerpt(&self) -> String {
        String::from_utf8_lossy(&self.body).chars().take(200).collect()
    }
}

/// Reads until an answer is whole: a server may well leave the connection open behind it.
fn receive(stream: &mut TcpStream, bodiless: bool) -> std::io::Result<Option<Answer>> {
    let mut received = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        let length = match stream.read(&mut piece) {
            Ok(length) => length,
            // A connection that is torn down still counts as the end of what was said.
            Err(error) if error.kind() == ErrorKind::ConnectionReset => 0,
            Err(error) => return Err(error),
        };
        received.extend_from_slice(piece.get(..length).unwrap_or_default());
        let answer = wire::parse(&received, length == 0, bodiless);
        if answer.is_some() || length == 0 {
            return Ok(answer);
        }
    }
}

fn split(url: &str) -> Result<(&str, &str)> {
    let rest = url.strip_prefix("http://").with_context(|| format!("only http:// is spoken here: {url}"))?;
    Ok(rest.find('/').map_or((rest, "/"), |slash| rest.split_at(slash)))
}
