//! Passwords: hashed with argon2id; bcrypt hashes of the original verify and are replaced at login.
//!
//! Hashing is made to be slow, so it runs off the runtime's threads, and only a few at a time: a flood of logins
//! waits or is refused and leaves the processors to the events.

use std::sync::Arc;
use std::time::Duration;

use argon2::Argon2;
use argon2::password_hash::{PasswordHasher, PasswordVerifier, phc::PasswordHash};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Longest password, in bytes: bcrypt reads no further, and the contract keeps its limit.
pub const PASSWORD_BYTES_MAX: usize = 72;

/// Most time to wait for one's turn.
const TURN_TIMEOUT: Duration = Duration::from_secs(5);

/// What a password proved.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// It is not the account's.
    Wrong,
    /// It is the account's.
    Right,
    /// It is the account's, and the stored hash is of the old kind.
    RightButOutdated,
}

/// Why a password was not looked at.
#[derive(Debug, thiserror::Error)]
pub enum PasswordError {
    /// Too many others are being looked at.
    #[error("too many logins at once")]
    Busy,
    /// The stored hash cannot be read, or hashing failed.
    #[error("password hashing failed: {0}")]
    Broken(String),
}

/// Hashes and verifies passwords; cheap to clone.
#[derive(Debug, Clone)]
pub struct Passwords {
    turns: Arc<Semaphore>,
    /// Verified against for an unknown account, so that the time taken does not tell which accounts exist.
    decoy: Arc<str>,
}

impl Passwords {
    /// Prepares the decoy hash; takes as long as one login.
    ///
    /// # Errors
    /// If hashing fails.
    pub fn new() -> Result<Self, PasswordError> {
        let turns = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
        let decoy = hash_now("no account has this password")?.into();
        Ok(Self {
            turns: Arc::new(Semaphore::new(turns)),
            decoy,
        })
    }

    /// Hashes a new password with argon2id.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] if it is not this one's turn within 5 seconds.
    pub async fn hash(&self, password: SecretString) -> Result<String, PasswordError> {
        self.in_turn(move || hash_now(password.expose_secret()))
            .await
    }

    /// Verifies a password against a stored hash, or against the decoy where there is no account.
    ///
    /// # Errors
    /// [`PasswordError::Busy`] if it is not this one's turn within 5 seconds, [`PasswordError::Broken`] if the stored
    /// hash is of no known kind.
    pub async fn verify(
        &self,
        password: SecretString,
        stored: Option<String>,
    ) -> Result<Verdict, PasswordError> {
        let decoy = Arc::clone(&self.decoy);
        self.in_turn(move || match stored {
            Some(stored) => verify_now(password.expose_secret(), &stored),
            None => verify_now(password.expose_secret(), &decoy).map(|_| Verdict::Wrong),
        })
        .await
    }

    async fn in_turn<T: Send + 'static>(
        &self,
        work: impl FnOnce() -> Result<T, PasswordError> + Send + 'static,
    ) -> Result<T, PasswordError> {
        let turn = timeout(TURN_TIMEOUT, Arc::clone(&self.turns).acquire_owned())
            .await
            .map_err(|_| PasswordError::Busy)?
            .map_err(|_| PasswordError::Busy)?;
        tokio::task::spawn_blocking(move || {
            let _turn = turn;
            work()
        })
        .await
        .map_err(|error| PasswordError::Broken(error.to_string()))?
    }
}

fn hash_now(password: &str) -> Result<String, PasswordError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| PasswordError::Broken(error.to_string()))
}

fn verify_now(password: &str, stored: &str) -> Result<Verdict, PasswordError> {
    if stored.starts_with("$2") {
        let right = bcrypt::verify(password, stored)
            .map_err(|error| PasswordError::Broken(error.to_string()))?;
        return Ok(if right {
            Verdict::RightButOutdated
        } else {
            Verdict::Wrong
        });
    }
    let stored =
        PasswordHash::new(stored).map_err(|error| PasswordError::Broken(error.to_string()))?;
    match Argon2::default().verify_password(password.as_bytes(), &stored) {
        Ok(()) => Ok(Verdict::Right),
        Err(argon2::password_hash::Error::PasswordInvalid) => Ok(Verdict::Wrong),
        Err(error) => Err(PasswordError::Broken(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_new_password_is_hashed_with_argon2id_and_verifies() {
        let passwords = Passwords::new().unwrap();
        let hash = passwords.hash("correct horse".into()).await.unwrap();
        assert!(hash.starts_with("$argon2id$"), "{hash}");
        assert_eq!(
            passwords
                .verify("correct horse".into(), Some(hash.clone()))
                .await
                .unwrap(),
            Verdict::Right
        );
        assert_eq!(
            passwords
                .verify("wrong horse".into(), Some(hash))
                .await
                .unwrap(),
            Verdict::Wrong
        );
        assert_eq!(
            passwords.verify("any".into(), None).await.unwrap(),
            Verdict::Wrong
        );
    }

    #[tokio::test]
    async fn the_fixtures_bcrypt_hashes_verify_and_count_as_outdated() {
        let passwords = Passwords::new().unwrap();
        for (password, hash) in [
            (
                "test123",
                "$2a$10$g29Vxi1hiRXmj8GrsUYrVOnBuo/AcdQkL1KD7QjlwuRYMhC9DKZRS",
            ),
            (
                "password",
                "$2a$10$92IXUNpkjO0rOQ5byMi.Ye4oKoEa3Ro9llC/.og/at2.uheWG/igi",
            ),
        ] {
            let verdict = passwords
                .verify(password.into(), Some(hash.to_owned()))
                .await
                .unwrap();
            assert_eq!(verdict, Verdict::RightButOutdated, "{password}");
            let verdict = passwords
                .verify("nope".into(), Some(hash.to_owned()))
                .await
                .unwrap();
            assert_eq!(verdict, Verdict::Wrong);
        }
    }

    #[tokio::test]
    async fn a_hash_of_no_known_kind_is_an_error_and_not_a_wrong_password() {
        let passwords = Passwords::new().unwrap();
        assert!(matches!(
            passwords.verify("x".into(), Some("plain".into())).await,
            Err(PasswordError::Broken(_))
        ));
    }
}
