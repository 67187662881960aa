//! Ports for one rig, so that several can run on a machine.
//!
//! They lie below the range that the kernel gives to outgoing connections: a port of a program that is down for a
//! moment must not be taken meanwhile.

use std::net::{Ipv4Addr, SocketAddrV4, TcpListener};

use anyhow::Context;

const FIRST: u16 = 20_000;
const BLOCK: u16 = 40;
const BLOCKS: u16 = 200;

/// A block of ports that no other rig uses.
#[derive(Debug)]
pub(crate) struct Ports {
    /// Listened on for as long as the block is taken.
    _mark: TcpListener,
    next: u16,
    end: u16,
}

impl Ports {
    /// Takes a block.
    ///
    /// # Errors
    /// If all are taken.
    pub(crate) fn take() -> anyhow::Result<Self> {
        (0..BLOCKS)
            .find_map(|block| {
                let first = FIRST + block * BLOCK;
                Some(Self {
                    _mark: listen(first)?,
                    next: first + 1,
                    end: first + BLOCK,
                })
            })
            .context("there is no free block of ports")
    }

    /// A port that nobody listens on.
    ///
    /// # Errors
    /// If the block is used up.
    pub(crate) fn next(&mut self) -> anyhow::Result<u16> {
        while self.next < self.end {
            let port = self.next;
            self.next += 1;
            if listen(port).is_some() {
                return Ok(port);
            }
        }
        anyhow::bail!(
            "too many ports of the block at {} are taken by others",
            self.end - BLOCK
        )
    }
}

fn listen(port: u16) -> Option<TcpListener> {
    TcpListener::bind(SocketAddrV4::new(Ipv4Addr::LOCALHOST, port)).ok()
}
