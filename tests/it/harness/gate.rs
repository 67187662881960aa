//! The address of a service that is away, and comes and goes as a test wants it.

use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use reqwest::Url;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use super::port::Port;
use super::wait::PATIENCE;

/// What a client finds at the address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Way {
    /// Connections are refused.
    Closed,
    /// Connections are accepted, and nothing answers on them.
    Silent,
    /// Connections lead to the service itself.
    Open(String),
    /// So do they here, and each answer takes so long.
    Slow(String, Duration),
}

/// An address in front of a service.
pub(crate) struct Gate {
    port: Port,
    way: watch::Sender<Way>,
}

impl Gate {
    /// Nobody listens here.
    pub(crate) fn closed() -> Self {
        let port = Port::take();
        let (way, ways) = watch::channel(Way::Closed);
        tokio::spawn(keep(port.clone(), ways));
        Self { port, way }
    }

    /// Somebody listens here and never answers.
    pub(crate) fn silent() -> Self {
        let gate = Self::closed();
        gate.way.send_replace(Way::Silent);
        gate
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.port.address()
    }

    /// The URL of the same database, by way of the gate.
    pub(crate) fn before(&self, database_url: &str) -> String {
        let mut url: Url = database_url.parse().expect("it is a URL");
        url.set_ip_host(self.address().ip())
            .and_then(|()| url.set_port(Some(self.address().port())))
            .expect("a database's URL has a host and a port");
        url.into()
    }

    /// Connections lead to the database of this URL from now on.
    pub(crate) fn open_to(&self, database_url: &str) {
        self.way.send_replace(Way::Open(target(database_url)));
    }

    /// As [`Self::open_to`], and what the database says is held back for so long each time.
    pub(crate) fn open_slowly_to(&self, database_url: &str, delay: Duration) {
        self.way
            .send_replace(Way::Slow(target(database_url), delay));
    }

    /// Connections are cut, and refused from now on.
    pub(crate) fn close(&self) {
        self.way.send_replace(Way::Closed);
    }
}

/// The host and port of a database.
fn target(database_url: &str) -> String {
    let url: Url = database_url.parse().expect("it is a URL");
    let host = url.host_str().expect("the URL names a host");
    format!("{host}:{}", url.port().unwrap_or(5432))
}

/// Ends with the gate.
async fn keep(port: Port, mut ways: watch::Receiver<Way>) {
    loop {
        let way = ways.borrow_and_update().clone();
        let cut = CancellationToken::new();
        let _cut_at_change = cut.clone().drop_guard();
        let changed = tokio::select! {
            changed = ways.changed() => changed,
            () = serve(&port, way, cut) => unreachable!("it serves for ever"),
        };
        if changed.is_err() {
            return;
        }
    }
}

async fn serve(port: &Port, way: Way, cut: CancellationToken) {
    if way == Way::Closed {
        return std::future::pending().await;
    }
    let listener = listen(port.address()).await;
    let mut held = Vec::new();
    loop {
        let Ok((mut client, _)) = listener.accept().await else {
            continue;
        };
        match &way {
            Way::Open(target) => {
                let (target, cut) = (target.clone(), cut.clone());
                tokio::spawn(async move {
                    let forwarding = async {
                        let mut service = TcpStream::connect(target).await?;
                        copy_bidirectional(&mut client, &mut service).await
                    };
                    cut.run_until_cancelled(forwarding).await
                });
            }
            Way::Slow(target, delay) => {
                let (target, delay, cut) = (target.clone(), *delay, cut.clone());
                tokio::spawn(async move {
                    cut.run_until_cancelled(carry_slowly(client, target, delay))
                        .await
                });
            }
            Way::Silent | Way::Closed => held.push(client),
        }
    }
}

async fn carry_slowly(client: TcpStream, target: String, delay: Duration) -> io::Result<()> {
    let (mut from_client, mut to_client) = client.into_split();
    let (mut from_service, mut to_service) = TcpStream::connect(target).await?.into_split();
    let asked = async { copy(&mut from_client, &mut to_service).await.map(drop) };
    let answered = async {
        let mut answer = vec![0; 64 * 1024];
        loop {
            let bytes = from_service.read(&mut answer).await?;
            if bytes == 0 {
                return Ok(());
            }
            tokio::time::sleep(delay).await;
            to_client.write_all(&answer[..bytes]).await?;
        }
    };
    // Whichever side ends first takes the other one with it.
    tokio::select! {
        ended = asked => ended,
        ended = answered => ended,
    }
}

/// The port is kept, but the last listener lives on for a moment in a program that another test is just starting: until it
/// runs, it has a copy of everything that is open here.
async fn listen(address: SocketAddr) -> TcpListener {
    let began = Instant::now();
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(error) => assert!(began.elapsed() < PATIENCE, "{address}: {error}"),
        }
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}
