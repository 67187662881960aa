//! The stored figures: what a refresh leaves, and what happens while it runs.

mod background;
mod exactness;
mod world;
