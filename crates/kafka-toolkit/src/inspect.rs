//! placeholder
/// x
pub struct Inspector;
