//! A stretch of network that can fail: a TCP proxy between two programs.
//!
//! It owns what happens to bytes and connections on their way. It knows nothing of what they mean, nor of when which
//! fault is due.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Between two tries to listen again on a port that was given up for a while.
const REBIND_PAUSE: Duration = Duration::from_millis(20);
const CHUNK_BYTES: usize = 16 * 1024;

/// Which way bytes go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    /// From whoever connects.
    Up,
    /// To whoever connects.
    Down,
}

/// What the network is like.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Condition {
    /// As it should be.
    Clear,
    /// Every piece of data is late by this.
    Slow(Duration),
    /// Nothing gets through, and nobody is told.
    BlackHole,
    /// Nothing gets through in this direction, and nobody is told.
    HalfOpen(Direction),
    /// Connections come about and are reset after this time.
    Resets(Duration),
    /// Nobody listens; what was connected is reset.
    Cut,
}

impl Condition {
    fn holds(self, direction: Direction) -> bool {
        match self {
            Self::BlackHole => true,
            Self::HalfOpen(held) => held == direction,
            _ => false,
        }
    }
}

/// What becomes of the connections that lived through a fault, once it is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Aftermath {
    /// What was held back arrives, as if it had been sent again and again.
    Resume,
    /// They stay as they are and carry nothing any more, as behind a router that has forgotten them.
    Dead,
    /// They are reset.
    Reset,
}

#[derive(Debug, Clone, Copy)]
struct State {
    condition: Condition,
    /// Connections with a smaller number carry nothing any more.
    dead_below: u64,
    /// Connections with a smaller number are reset.
    reset_below: u64,
}

/// A listening proxy; closed with this value.
#[derive(Debug)]
pub(crate) struct Proxy {
    state: watch::Sender<State>,
    next: Arc<AtomicU64>,
    listening: JoinHandle<()>,
}

impl Proxy {
    /// Listens on one local port and connects to another.
    ///
    /// # Errors
    /// If the port cannot be listened on.
    pub(crate) async fn open(port: u16, to: u16) -> io::Result<Self> {
        let state = watch::Sender::new(State {
            condition: Condition::Clear,
            dead_below: 0,
            reset_below: 0,
        });
        let next = Arc::new(AtomicU64::new(0));
        let listener = TcpListener::bind(("127.0.0.1", port)).await?;
        let listening = tokio::spawn(listen(
            listener,
            port,
            to,
            state.subscribe(),
            Arc::clone(&next),
        ));
        Ok(Self {
            state,
            next,
            listening,
        })
    }

    /// From now on the network is like this.
    pub(crate) fn set(&self, condition: Condition) {
        let next = self.next.load(Ordering::Relaxed);
        self.state.send_modify(|state| {
            state.condition = condition;
            if condition == Condition::Cut {
                state.reset_below = next;
            }
        });
    }

    /// The network is clear again.
    pub(crate) fn heal(&self, aftermath: Aftermath) {
        let next = self.next.load(Ordering::Relaxed);
        self.state.send_modify(|state| {
            state.condition = Condition::Clear;
            match aftermath {
                Aftermath::Resume => {}
                Aftermath::Dead => state.dead_below = next,
                Aftermath::Reset => state.reset_below = next,
            }
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

async fn listen(
    listener: TcpListener,
    port: u16,
    to: u16,
    mut state: watch::Receiver<State>,
    next: Arc<AtomicU64>,
) {
    let mut connections = JoinSet::new();
    let mut listener = Some(listener);
    loop {
        let cut = state.borrow_and_update().condition == Condition::Cut;
        match &listener {
            _ if cut => {
                listener = None;
                if state.changed().await.is_err() {
                    return;
                }
            }
            None => match TcpListener::bind(("127.0.0.1", port)).await {
                Ok(bound) => listener = Some(bound),
                Err(_) => tokio::time::sleep(REBIND_PAUSE).await,
            },
            Some(bound) => tokio::select! {
                accepted = bound.accept() => if let Ok((client, _)) = accepted {
                    let number = next.fetch_add(1, Ordering::Relaxed);
                    let link = Link { number, state: state.clone() };
                    connections.spawn(link.carry(client, to));
                },
                changed = state.changed() => if changed.is_err() { return },
                Some(_) = connections.join_next() => {}
            },
        }
    }
}

/// One connection's view of the network.
#[derive(Clone)]
struct Link {
    number: u64,
    state: watch::Receiver<State>,
}

impl Link {
    async fn carry(mut self, client: TcpStream, to: u16) {
        let reset_before = self.clone().until_reset();
        let connected = tokio::select! {
            connected = self.connect(to) => connected,
            () = reset_before => None,
        };
        let Some(server) = connected else {
            reset(&client);
            return;
        };
        let _ = (client.set_nodelay(true), server.set_nodelay(true));
        let (mut client_reads, mut client_writes) = client.into_split();
        let (mut server_reads, mut server_writes) = server.into_split();
        let (up, down) = (self.clone(), self.clone());
        let carried = async {
            tokio::join!(
                up.pump(Direction::Up, &mut client_reads, &mut server_writes),
                down.pump(Direction::Down, &mut server_reads, &mut client_writes),
            )
        };
        tokio::select! {
            _ = carried => {}
            () = self.until_reset() => {
                reset(client_reads.as_ref());
                reset(server_reads.as_ref());
            }
        }
    }

    async fn connect(&mut self, to: u16) -> Option<TcpStream> {
        self.until_open(Direction::Up).await;
        TcpStream::connect(("127.0.0.1", to)).await.ok()
    }

    /// Waits until data may go this way; for ever when the connection is forgotten.
    async fn until_open(&mut self, direction: Direction) {
        let number = self.number;
        let open = |state: &State| state.dead_below <= number && !state.condition.holds(direction);
        if self.state.wait_for(open).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    async fn until_reset(mut self) {
        let number = self.number;
        let due = |state: &State| {
            state.reset_below > number || matches!(state.condition, Condition::Resets(_))
        };
        let due = self.state.wait_for(due).await.map(|state| *state);
        match due {
            Ok(State { reset_below, .. }) if reset_below > number => {}
            Ok(State {
                condition: Condition::Resets(after),
                ..
            }) => tokio::time::sleep(after).await,
            _ => std::future::pending().await,
        }
    }

    async fn pump(
        mut self,
        direction: Direction,
        from: &mut OwnedReadHalf,
        to: &mut OwnedWriteHalf,
    ) {
        let mut chunk = vec![0; CHUNK_BYTES];
        loop {
            self.until_open(direction).await;
            let read = from.read(&mut chunk).await.unwrap_or(0);
            // The network may have changed while there was nothing to carry.
            self.until_open(direction).await;
            let condition = self.state.borrow().condition;
            if let Condition::Slow(latency) = condition {
                tokio::time::sleep(latency).await;
            }
            if read == 0 {
                let _ = to.shutdown().await;
                return;
            }
            if to.write_all(&chunk[..read]).await.is_err() {
                return;
            }
        }
    }
}

/// The peer is to see a reset and no orderly end, once the stream is dropped.
fn reset(stream: &TcpStream) {
    let _ = stream.set_zero_linger();
}
