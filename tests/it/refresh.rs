//! The stored figures: what a refresh leaves, and what happens while it runs.

mod altered;
mod background;
mod exactness;
mod interleaving;
mod storm;
pub(crate) mod world;
