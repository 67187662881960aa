//! A client that costs next to nothing: one connection, one request at a time, requests and answers as bytes.

use anyhow::{Context, ensure};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::stream::{EVENT_BYTES, Stream};

/// A request that is written anew in place before each use; its length never changes.
pub(crate) struct EventRequest {
    bytes: Vec<u8>,
    body: usize,
    events: usize,
}

impl EventRequest {
    /// One event to the single endpoint, or several as an array to the batch endpoint.
    pub(crate) fn new(token: &str, events: usize) -> Self {
        let (path, length) = match events {
            1 => ("/api/events", EVENT_BYTES),
            _ => ("/api/events/batch", events * (EVENT_BYTES + 1) + 1),
        };
        let mut bytes = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {token}\r\n\
             Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n"
        )
        .into_bytes();
        let body = bytes.len();
        bytes.resize(body + length, b',');
        if events > 1 {
            bytes[body] = b'[';
            bytes[body + length - 1] = b']';
        }
        Self {
            bytes,
            body,
            events,
        }
    }

    /// Fills in the stream's next events.
    pub(crate) fn fill(&mut self, stream: &mut Stream) -> &[u8] {
        let body = &mut self.bytes[self.body..];
        if self.events == 1 {
            stream.write_json(body);
        } else {
            for place in body[1..].chunks_exact_mut(EVENT_BYTES + 1) {
                stream.write_json(&mut place[..EVENT_BYTES]);
            }
        }
        &self.bytes
    }
}

/// A connection that stays open.
pub(crate) struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

impl Connection {
    pub(crate) async fn open(port: u16) -> anyhow::Result<Self> {
        let stream = TcpStream::connect(("127.0.0.1", port)).await?;
        stream.set_nodelay(true)?;
        Ok(Self {
            stream,
            answer: Vec::with_capacity(16 * 1024),
        })
    }

    /// Sends a request and returns status and body of its answer.
    pub(crate) async fn exchange(&mut self, request: &[u8]) -> anyhow::Result<(u16, &[u8])> {
        self.stream.write_all(request).await?;
        self.answer.clear();
        let mut whole = None;
        let (status, body) = loop {
            let read = self.stream.read_buf(&mut self.answer).await?;
            ensure!(read > 0, "the server closed the connection");
            if whole.is_none() {
                whole = read_head(&self.answer)?;
            }
            if let Some((status, body, length)) = whole
                && self.answer.len() >= body + length
            {
                break (status, body);
            }
        };
        Ok((status, &self.answer[body..]))
    }
}

/// Status, where the body begins and its length, once the head is complete.
fn read_head(answer: &[u8]) -> anyhow::Result<Option<(u16, usize, usize)>> {
    let Some(end) = answer.windows(4).position(|four| four == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&answer[..end])?;
    let status = head.get(9..12).context("no status line")?.parse()?;
    let length = head
        .lines()
        .find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("content-length")
                .then(|| value.trim().parse())
        })
        .context("the answer does not say its length")??;
    Ok(Some((status, end + 4, length)))
}

/// GETs a path once; status and body.
pub(crate) async fn get(port: u16, path: &str) -> anyhow::Result<(u16, String)> {
    let mut connection = Connection::open(port).await?;
    let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let (status, body) = connection.exchange(request.as_bytes()).await?;
    Ok((status, String::from_utf8_lossy(body).into_owned()))
}
