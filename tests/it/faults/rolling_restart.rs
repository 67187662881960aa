//! Two servers behind a balancer, restarted one after the other under load: no request fails.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use super::{assert_none_is_missing, stored};
use crate::harness::client::Client;
use crate::harness::load::{Load, Sent, acknowledged, assert_no_request_failed};
use crate::harness::program::{Launch, Program};
use crate::harness::topic::Running;
use crate::harness::{PATIENCE, TestDb, Topics};

/// Takes turns between its servers, and takes the next one where a connection is refused. It looks at no request, so
/// that it can repeat none.
struct Balancer {
    address: SocketAddr,
    _connections: JoinSet<()>,
}

impl Balancer {
    async fn over(servers: [&Program; 2]) -> Self {
        let ports = servers.map(Program::port);
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut connections = JoinSet::new();
        connections.spawn(async move {
            let turn = Arc::new(AtomicUsize::new(0));
            let mut connections = JoinSet::new();
            loop {
                let (client, _) = listener.accept().await.unwrap();
                let turn = Arc::clone(&turn);
                connections.spawn(async move { forward(client, ports, &turn).await });
            }
        });
        Self {
            address,
            _connections: connections,
        }
    }

    fn client(&self) -> Client {
        Client::new(format!("http://{}", self.address))
    }
}

async fn forward(mut client: TcpStream, ports: [u16; 2], turn: &AtomicUsize) {
    let first = turn.fetch_add(1, Ordering::Relaxed);
    for next in first..first + ports.len() {
        let port = ports[next % ports.len()];
        if let Ok(mut server) = TcpStream::connect(("127.0.0.1", port)).await {
            // However it ends, the client sees the end.
            let _ = copy_bidirectional(&mut client, &mut server).await;
            return;
        }
    }
}

/// Restarts both servers under load and returns what the clients got.
async fn restart(launch: impl Fn() -> Launch, mode: &str) -> Vec<Sent> {
    let mut servers = [launch().start().await, launch().start().await];
    let balancer = Balancer::over([&servers[0], &servers[1]]).await;
    let load = Load::start(&balancer.client(), 12);
    load.more(100, PATIENCE, |sent| sent.is(mode)).await;
    for server in &mut servers {
        server.signal("TERM");
        assert!(
            server.ended(PATIENCE).await.success(),
            "{:#?}",
            server.log()
        );
        load.more(50, PATIENCE, |sent| sent.is(mode)).await;
        *server = launch().at_port_of(server).start().await;
        load.more(50, PATIENCE, |sent| sent.is(mode)).await;
    }
    load.stop().await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_two_servers_in_direct_mode_are_restarted_in_turn() {
    let db = TestDb::new().await;
    let sent = restart(|| Launch::server(&db.url()), "direct").await;
    assert_no_request_failed(&sent);
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_two_servers_in_kafka_mode_are_restarted_in_turn() {
    let (db, topics) = (TestDb::new().await, Topics::new().await);
    let consumer = Running::start(&topics, &db.url());
    let launch = || {
        Launch::server(&db.url())
            .on(&topics)
            .with("KAFKA_ENABLED", "true")
            .with("KAFKA_PRODUCE_DEADLINE_MS", "10000")
    };
    let sent = restart(launch, "kafka").await;
    assert_no_request_failed(&sent);
    topics.drained(PATIENCE).await;
    assert_none_is_missing(&acknowledged(&sent), &stored(&db).await);
    consumer.stop().await;
}
