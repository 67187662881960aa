//! The toolkit against a real broker, at `KAFKA_BROKERS` (localhost:9092 by default).
//!
//! Each test has topics and groups of its own and removes them. librdkafka's mock broker is used only where a broker
//! must fail on command.

#![expect(
    clippy::unwrap_used,
    reason = "a test that can't go on should stop where it is"
)]

mod harness;

mod configuration;
mod consuming;
mod dead_letters;
mod inspecting;
mod measuring;
mod outages;
mod producing;
mod rebalancing;
mod redriving;
mod topics;
