//! Who may do what: tokens, scopes, roles, passwords. No HTTP.

mod claims;
mod password;
mod role;

pub use self::claims::{Caller, Scope, TokenError, Tokens};
pub use self::password::{PASSWORD_BYTES_MAX, PasswordError, Passwords, Verdict};
pub use self::role::Role;
