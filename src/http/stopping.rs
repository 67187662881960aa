//! How the server takes its leave: in which order, and within which time.
//!
//! A request is never cut off where that can be avoided. The moment a stop is asked for, `/readyz` says 503 and every
//! answer closes its connection, so that clients and balancers turn to another server by themselves. New connections are
//! refused at once, or after a pause that a balancer may need to notice ([`Leave::drain`]). Only then are connections
//! closed on which nothing is under way: one that is closed sooner may have a request on its way to it. What is still
//! waiting shortly before the time is over is refused, not dropped.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use axum::extract::{Request, State};
use axum::http::Version;
use axum::middleware::Next;
use axum::response::Response;
use axum::serve::Listener;
use tokio::net::{TcpListener, TcpStream};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::warn;

use super::middleware::close_after;
use crate::config::HttpConfig;

/// How long a connection without a request is kept after new ones are refused: a client that is at work sends its next
/// request in that time and is told of the end in the answer.
const LINGER: Duration = Duration::from_millis(300);

/// Most time kept back for refusing what could not be finished.
const REFUSING_MAX: Duration = Duration::from_secs(1);

/// How much time a stop may take.
#[derive(Debug, Clone, Copy)]
pub struct Leave {
    /// How long new connections are still taken.
    pub drain: Duration,
    /// From the signal to the end, the drain included.
    pub within: Duration,
}

impl From<&HttpConfig> for Leave {
    fn from(config: &HttpConfig) -> Self {
        Self {
            drain: Duration::from_millis(config.shutdown_drain_ms),
            within: Duration::from_millis(config.shutdown_timeout_ms),
        }
    }
}

/// The same as points in time.
#[derive(Debug, Clone, Copy)]
pub(super) struct Schedule {
    pub(super) refuse_connections: Instant,
    pub(super) close_idle: Instant,
    pub(super) refuse_requests: Instant,
    pub(super) end: Instant,
}

impl Leave {
    pub(super) fn schedule(self, began: Instant) -> Schedule {
        let refuse_requests = began
            + self
                .within
                .saturating_sub(REFUSING_MAX.min(self.within / 4));
        let refuse_connections = (began + self.drain).min(refuse_requests);
        Schedule {
            refuse_connections,
            close_idle: (refuse_connections + LINGER).min(refuse_requests),
            refuse_requests,
            end: began + self.within,
        }
    }
}

/// A listener that can be closed while its connections go on.
#[derive(Debug)]
pub(super) struct ClosingListener {
    open: Option<TcpListener>,
    address: SocketAddr,
    /// Connections that had been made and not yet taken when it was closed.
    late: VecDeque<(TcpStream, SocketAddr)>,
    close: CancellationToken,
}

impl ClosingListener {
    pub(super) fn new(open: TcpListener, close: CancellationToken) -> std::io::Result<Self> {
        Ok(Self {
            address: open.local_addr()?,
            open: Some(open),
            late: VecDeque::new(),
            close,
        })
    }

    /// Closes it. To its client a connection that waits to be taken is open and may carry a request already; the system
    /// would reset it.
    fn close(&mut self) {
        let Some(open) = self.open.take() else { return };
        let taken = open.into_std().and_then(|open| {
            loop {
                match open.accept() {
                    Ok((connection, address)) => {
                        connection.set_nonblocking(true)?;
                        self.late
                            .push_back((TcpStream::from_std(connection)?, address));
                    }
                    Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => return Ok(()),
                    Err(error) => return Err(error),
                }
            }
        });
        if let Err(error) = taken {
            warn!(error = %error, "connections that were just made are reset");
        }
    }
}

impl Listener for ClosingListener {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        loop {
            if let Some(late) = self.late.pop_front() {
                return late;
            }
            let Some(open) = &mut self.open else {
                return std::future::pending().await;
            };
            tokio::select! {
                accepted = Listener::accept(open) => return accepted,
                () = self.close.cancelled() => self.close(),
            }
        }
    }

    fn local_addr(&self) -> std::io::Result<SocketAddr> {
        Ok(self.address)
    }
}

/// Closes the connection with the answer once a stop has been asked for.
pub(super) async fn announce(
    State(stopping): State<CancellationToken>,
    request: Request,
    next: Next,
) -> Response {
    // HTTP/2 has a message of its own for it, and knows no such header.
    let has_header = request.version() <= Version::HTTP_11;
    let mut response = next.run(request).await;
    if has_header && stopping.is_cancelled() {
        close_after(&mut response);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn times(drain_ms: u64, within_ms: u64) -> [u128; 4] {
        let began = Instant::now();
        let schedule = Leave {
            drain: Duration::from_millis(drain_ms),
            within: Duration::from_millis(within_ms),
        }
        .schedule(began);
        [
            schedule.refuse_connections,
            schedule.close_idle,
            schedule.refuse_requests,
            schedule.end,
        ]
        .map(|at| (at - began).as_millis())
    }

    #[test]
    fn everything_has_its_time_and_nothing_is_later_than_the_end() {
        assert_eq!(times(0, 20_000), [0, 300, 19_000, 20_000]);
        assert_eq!(times(5_000, 20_000), [5_000, 5_300, 19_000, 20_000]);
        assert_eq!(times(60_000, 2_000), [1_500, 1_500, 1_500, 2_000]);
        assert_eq!(times(0, 0), [0, 0, 0, 0]);
    }
}
