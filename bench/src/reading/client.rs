//! One reader of one server, request by request.

use std::time::Instant;

use anyhow::ensure;

use crate::http::Connection;

/// A reader with an open connection.
pub(super) struct Reader {
    connection: Connection,
    token: String,
}

impl Reader {
    pub(super) async fn open(port: u16, token: &str) -> anyhow::Result<Self> {
        Ok(Self {
            connection: Connection::open(port).await?,
            token: token.to_owned(),
        })
    }

    /// GETs a path; milliseconds until the whole answer is there.
    pub(super) async fn get(&mut self, path: &str) -> anyhow::Result<f64> {
        let request = format!(
            "GET {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\r\n",
            self.token
        );
        self.timed(path, &request).await
    }

    /// POSTs JSON; milliseconds until the whole answer is there.
    pub(super) async fn post(&mut self, path: &str, body: &str) -> anyhow::Result<f64> {
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {}\r\n\
             Content-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}",
            self.token,
            body.len()
        );
        self.timed(path, &request).await
    }

    async fn timed(&mut self, path: &str, request: &str) -> anyhow::Result<f64> {
        let began = Instant::now();
        let (status, body) = self.connection.exchange(request.as_bytes()).await?;
        let took = began.elapsed();
        ensure!(
            status == 200,
            "{path} answered {status}: {}",
            String::from_utf8_lossy(body)
        );
        Ok(took.as_secs_f64() * 1_000.0)
    }
}
