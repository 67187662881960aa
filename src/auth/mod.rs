//! Who may do what: tokens, scopes, roles, passwords. No HTTP.

mod account;
mod claims;
mod password;
mod role;

pub use self::account::{
    AccountFault, InvalidAccount, NewAccount, PASSWORD_CHARS_MIN, SIGN_UP_ROLES, TEXT_CHARS_MAX,
    check_login, check_password, is_email,
};
pub use self::claims::{Caller, Scope, TokenError, Tokens};
pub use self::password::{PASSWORD_BYTES_MAX, PasswordError, Passwords, Verdict};
pub use self::role::Role;
