//! Ports on which a test's services may listen, and come and go.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::net::TcpSocket;

/// A port that is kept: whoever knows its number may listen there, and stop, and listen again, and in between nobody is
/// given it, neither as a free port nor for a connection. That is what a socket does that is bound and does not listen.
#[derive(Debug, Clone)]
pub(crate) struct Port {
    address: SocketAddr,
    _kept: Arc<TcpSocket>,
}

impl Port {
    pub(crate) fn take() -> Self {
        let socket = TcpSocket::new_v4().expect("the system has sockets");
        // With this on both sides a listener may join, as all servers that can be restarted have it.
        socket.set_reuseaddr(true).expect("a socket can be reused");
        let any = "127.0.0.1:0".parse().expect("it is an address");
        socket.bind(any).expect("a port is free");
        Self {
            address: socket.local_addr().expect("the socket has an address"),
            _kept: Arc::new(socket),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) fn number(&self) -> u16 {
        self.address.port()
    }
}
