//! What a new account must be like: one set of rules for the HTTP sign-up and for the operator's `user add`.
//!
//! Pure: whether the e-mail address is taken is the database's word, and hashing is [`Passwords`](super::Passwords)'.

use std::fmt;

use email_address::{EmailAddress, Options};
use secrecy::{ExposeSecret, SecretString};

use super::{PASSWORD_BYTES_MAX, Role};

/// Longest name and longest e-mail address, in characters.
pub const TEXT_CHARS_MAX: usize = 100;

/// Shortest password, in characters.
pub const PASSWORD_CHARS_MIN: usize = 6;

/// The roles that a sign-up may ask for; an operator may give every role.
pub const SIGN_UP_ROLES: &[Role] = &[Role::Writer, Role::Reader];

/// An account that satisfies every rule, its password not hashed yet.
#[derive(Debug, Clone)]
pub struct NewAccount {
    /// The person's name.
    pub name: String,
    /// The address to log in with, exactly as given.
    pub email: String,
    /// The password.
    pub password: SecretString,
    /// What the account is for.
    pub role: Role,
}

/// Why an account can't be made, in words that are safe to send back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidAccount {
    /// The JSON key, and so the command-line option, at fault.
    pub field: &'static str,
    /// What is wrong with it.
    pub fault: AccountFault,
}

/// What is wrong with a field of a new account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccountFault {
    /// The field is absent or empty.
    Missing,
    /// The text has too few characters.
    TooShort {
        /// Fewest characters.
        chars_min: usize,
    },
    /// The text has too many characters.
    TooLong {
        /// Most characters.
        chars_max: usize,
    },
    /// The password has more bytes than its hash could tell apart.
    TooManyBytes {
        /// Most bytes.
        bytes_max: usize,
    },
    /// The text does not look like an e-mail address.
    NotAnEmail,
    /// The text holds the character NUL, which PostgreSQL cannot store.
    Nul,
    /// The role is none of those that may be asked for.
    UnknownRole {
        /// The roles that may be asked for.
        allowed: &'static [Role],
    },
}

impl NewAccount {
    /// Checks the fields in the order of the contract and answers with the first fault; an absent field is an empty
    /// text.
    ///
    /// # Errors
    /// [`InvalidAccount`] with the field at fault.
    pub fn parse(
        name: &str,
        email: &str,
        password: SecretString,
        role: &str,
        allowed: &'static [Role],
    ) -> Result<Self, InvalidAccount> {
        text("name", name)?;
        text("email", email)?;
        if !is_email(email) {
            return Err(in_field("email", AccountFault::NotAnEmail));
        }
        check_password(&password)?;
        if role.is_empty() {
            return Err(in_field("role", AccountFault::Missing));
        }
        let role = role
            .parse()
            .ok()
            .filter(|role| allowed.contains(role))
            .ok_or_else(|| in_field("role", AccountFault::UnknownRole { allowed }))?;
        Ok(Self {
            name: name.to_owned(),
            email: email.to_owned(),
            password,
            role,
        })
    }
}

/// Checks a password alone, as a prompt does before it asks for the repetition.
///
/// # Errors
/// [`InvalidAccount`] with the field `password`.
pub fn check_password(password: &SecretString) -> Result<(), InvalidAccount> {
    let password = password.expose_secret();
    let fault = if password.is_empty() {
        AccountFault::Missing
    } else if password.chars().count() < PASSWORD_CHARS_MIN {
        AccountFault::TooShort {
            chars_min: PASSWORD_CHARS_MIN,
        }
    } else if password.len() > PASSWORD_BYTES_MAX {
        AccountFault::TooManyBytes {
            bytes_max: PASSWORD_BYTES_MAX,
        }
    } else {
        return Ok(());
    };
    Err(in_field("password", fault))
}

/// Checks what a login sends, before the database is asked.
///
/// # Errors
/// [`InvalidAccount`] with the field `email` or `password`.
pub fn check_login(email: &str, password: &str) -> Result<(), InvalidAccount> {
    if email.is_empty() {
        return Err(in_field("email", AccountFault::Missing));
    }
    if !is_email(email) {
        return Err(in_field("email", AccountFault::NotAnEmail));
    }
    if password.is_empty() {
        return Err(in_field("password", AccountFault::Missing));
    }
    Ok(())
}

/// Whether a text looks like an e-mail address at a dotted domain.
pub fn is_email(text: &str) -> bool {
    let options = Options::default()
        .with_required_tld()
        .without_display_text()
        .without_domain_literal();
    EmailAddress::parse_with_options(text, options).is_ok()
}

fn text(field: &'static str, text: &str) -> Result<(), InvalidAccount> {
    let fault = if text.is_empty() {
        AccountFault::Missing
    } else if text.chars().count() > TEXT_CHARS_MAX {
        AccountFault::TooLong {
            chars_max: TEXT_CHARS_MAX,
        }
    } else if text.contains('\0') {
        AccountFault::Nul
    } else {
        return Ok(());
    };
    Err(in_field(field, fault))
}

fn in_field(field: &'static str, fault: AccountFault) -> InvalidAccount {
    InvalidAccount { field, fault }
}

impl InvalidAccount {
    /// Checks what a login must bring: an e-mail address and a password, whatever its length.
    ///
    /// # Errors
    /// [`InvalidAccount`] with the field at fault.
    pub fn check_login(email: &str, password: &str) -> Result<(), Self> {
        if email.is_empty() {
            return Err(in_field("email", AccountFault::Missing));
        }
        if !is_email(email) {
            return Err(in_field("email", AccountFault::NotAnEmail));
        }
        if password.is_empty() {
            return Err(in_field("password", AccountFault::Missing));
        }
        Ok(())
    }

    /// The stable machine-readable name of the fault.
    pub fn code(&self) -> &'static str {
        match self.fault {
            AccountFault::Missing => "missing_field",
            AccountFault::TooShort { .. } => "too_short",
            AccountFault::TooLong { .. } | AccountFault::TooManyBytes { .. } => "too_long",
            AccountFault::NotAnEmail => "invalid_email",
            AccountFault::Nul => "nul_character",
            AccountFault::UnknownRole { .. } => "unknown_role",
        }
    }
}

impl fmt::Display for InvalidAccount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let field = self.field;
        match self.fault {
            AccountFault::Missing => write!(f, "{field} is required"),
            AccountFault::TooShort { chars_min } => {
                write!(f, "{field} must have at least {chars_min} characters")
            }
            AccountFault::TooLong { chars_max } => {
                write!(f, "{field} must have at most {chars_max} characters")
            }
            AccountFault::TooManyBytes { bytes_max } => {
                write!(f, "{field} must have at most {bytes_max} bytes")
            }
            AccountFault::NotAnEmail => write!(f, "{field} must be an e-mail address"),
            AccountFault::Nul => write!(f, "{field} must not hold the character NUL"),
            AccountFault::UnknownRole { allowed } => {
                let names: Vec<&str> = allowed.iter().map(|role| role.name()).collect();
                write!(f, "{field} must be {}", names.join(" or "))
            }
        }
    }
}

impl std::error::Error for InvalidAccount {}

#[cfg(test)]
mod tests {
    use super::*;

    fn account(name: &str, email: &str, password: &str, role: &str) -> Result<NewAccount, String> {
        NewAccount::parse(name, email, password.into(), role, SIGN_UP_ROLES)
            .map_err(|invalid| format!("{}: {}", invalid.field, invalid.code()))
    }

    #[test]
    fn an_account_within_every_bound_is_taken_as_given() {
        let account = account("Ada", "Ada@Example.com", "123456", "reader").unwrap();
        assert_eq!(account.email, "Ada@Example.com");
        assert_eq!(account.role, Role::Reader);
    }

    #[test]
    fn each_field_must_be_there() {
        for (fields, field) in [
            (["", "a@b.cd", "123456", "writer"], "name"),
            (["Ada", "", "123456", "writer"], "email"),
            (["Ada", "a@b.cd", "", "writer"], "password"),
            (["Ada", "a@b.cd", "123456", ""], "role"),
        ] {
            let [name, email, password, role] = fields;
            assert_eq!(
                account(name, email, password, role).unwrap_err(),
                format!("{field}: missing_field")
            );
        }
    }

    #[test]
    fn name_and_email_have_at_most_100_characters() {
        let long = "é".repeat(100);
        assert!(account(&long, "a@b.cd", "123456", "writer").is_ok());
        assert_eq!(
            account(&format!("{long}é"), "a@b.cd", "123456", "writer").unwrap_err(),
            "name: too_long"
        );
        let domain = format!("{}.example.com", "d".repeat(50));
        let email = |chars: usize| format!("{}@{domain}", "l".repeat(chars - domain.len() - 1));
        assert!(account("Ada", &email(100), "123456", "writer").is_ok());
        assert_eq!(
            account("Ada", &email(101), "123456", "writer").unwrap_err(),
            "email: too_long"
        );
    }

    #[test]
    fn a_password_has_at_least_6_characters_and_at_most_72_bytes() {
        assert_eq!(
            account("Ada", "a@b.cd", "ééééé", "writer").unwrap_err(),
            "password: too_short"
        );
        assert!(account("Ada", "a@b.cd", &"é".repeat(36), "writer").is_ok());
        assert_eq!(
            account("Ada", "a@b.cd", &"é".repeat(37), "writer").unwrap_err(),
            "password: too_long"
        );
    }

    #[test]
    fn an_email_needs_an_at_sign_and_a_dotted_domain() {
        for email in [
            "ada",
            "ada@",
            "@example.com",
            "ada@localhost",
            "ada@[127.0.0.1]",
            "Ada <ada@example.com>",
            "ada example@example.com",
        ] {
            assert_eq!(
                account("Ada", email, "123456", "writer").unwrap_err(),
                "email: invalid_email",
                "{email}"
            );
        }
    }

    #[test]
    fn a_nul_is_refused_before_the_database_sees_it() {
        assert_eq!(
            account("A\0", "a@b.cd", "123456", "writer").unwrap_err(),
            "name: nul_character"
        );
    }

    #[test]
    fn a_sign_up_may_not_ask_for_admin_and_an_operator_may_give_it() {
        for role in ["admin", "Writer", "root"] {
            let invalid = NewAccount::parse("Ada", "a@b.cd", "123456".into(), role, SIGN_UP_ROLES)
                .unwrap_err();
            assert_eq!(
                invalid.to_string(),
                "role must be writer or reader",
                "{role}"
            );
        }
        let every = &[Role::Writer, Role::Reader, Role::Admin];
        assert!(NewAccount::parse("Ada", "a@b.cd", "123456".into(), "admin", every).is_ok());
    }
}
