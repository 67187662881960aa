//! Roles: what an account may do, by the name that is stored with it.

use std::str::FromStr;

use super::Scope;

/// What an account is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Role {
    /// Posts events.
    Writer,
    /// Reads reports.
    Reader,
    /// Does both and keeps the catalogue; only an operator makes one.
    Admin,
}

/// The name is no role's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("unrecognized role")]
pub struct UnrecognizedRole;

impl Role {
    /// The name as stored.
    pub fn name(self) -> &'static str {
        match self {
            Self::Writer => "writer",
            Self::Reader => "reader",
            Self::Admin => "admin",
        }
    }

    /// The scopes that a token of this role carries.
    pub fn scopes(self) -> &'static [Scope] {
        match self {
            Self::Writer => &[Scope::Write],
            Self::Reader => &[Scope::Read],
            Self::Admin => &[Scope::Read, Scope::Write, Scope::Admin],
        }
    }
}

impl FromStr for Role {
    type Err = UnrecognizedRole;

    fn from_str(name: &str) -> Result<Self, Self::Err> {
        [Self::Writer, Self::Reader, Self::Admin]
            .into_iter()
            .find(|role| role.name() == name)
            .ok_or(UnrecognizedRole)
    }
}
