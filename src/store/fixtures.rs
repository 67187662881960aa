//! The fixture sets of the contract.
