//! Tokens: signing, verifying, and remembering what was verified.
//!
//! HS256 only and `exp` required: accepting whatever algorithm a token names is how forged tokens get in.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header, Validation, decode, encode};
use quick_cache::sync::Cache;
use secrecy::{ExposeSecret, SecretString};
use serde::Serialize;
use serde_json::Value;

use super::Role;
use crate::metrics;
use crate::tenant::Tenant;

/// How long a token is good for.
const LIFETIME: Duration = Duration::from_secs(24 * 3600);

/// Longest token looked at, in bytes; ours have under 300.
const TOKEN_BYTES_MAX: usize = 4096;

/// What a token allows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// Reports.
    Read,
    /// Events.
    Write,
    /// The catalogue.
    Admin,
}

impl Scope {
    /// The name in the token.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "READ",
            Self::Write => "WRITE",
            Self::Admin => "ADMIN",
        }
    }

    fn of_name(name: &str) -> Option<Self> {
        [Self::Read, Self::Write, Self::Admin]
            .into_iter()
            .find(|scope| scope.name() == name)
    }
}

/// Whoever sent a verified token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The account's number.
    pub user_id: i64,
    /// The tenant whose rows the caller may touch.
    pub tenant: Tenant,
    scopes: BTreeSet<Scope>,
    /// Whether the token names any scope, known or not.
    names_scopes: bool,
    expires_at: u64,
}

impl Caller {
    /// Checks for a scope.
    ///
    /// # Errors
    /// [`TokenError::NoScopes`] or [`TokenError::InsufficientScope`].
    pub fn require(&self, scope: Scope) -> Result<(), TokenError> {
        if !self.names_scopes {
            return Err(TokenError::NoScopes);
        }
        if self.scopes.contains(&scope) {
            Ok(())
        } else {
            Err(TokenError::InsufficientScope)
        }
    }
}

/// Why a token does not do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// The signature is wrong, the token has expired, or it is no token.
    #[error("invalid token")]
    Invalid,
    /// The token is signed, but its claims are not ours.
    #[error("invalid token claims")]
    Claims,
    /// The token names no scope.
    #[error("no scopes present")]
    NoScopes,
    /// The token lacks the scope that is needed.
    #[error("insufficient scope")]
    InsufficientScope,
}

#[derive(Serialize)]
struct ClaimsOut {
    user_id: i32,
    scopes: Vec<&'static str>,
    sub: String,
    exp: u64,
    tenant_id: i32,
}

/// Signs and verifies tokens; cheap to clone.
#[derive(Clone)]
pub struct Tokens {
    encoding: EncodingKey,
    decoding: DecodingKey,
    validation: Validation,
    verified: Arc<Cache<Box<str>, Caller>>,
}

impl std::fmt::Debug for Tokens {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Tokens")
            .field("verified", &self.verified.len())
            .finish_non_exhaustive()
    }
}

impl Tokens {
    /// Signs with the bytes of `secret`, and remembers up to `cached_max` verified tokens.
    pub fn new(secret: &SecretString, cached_max: usize) -> Self {
        let key = secret.expose_secret().as_bytes();
        let mut validation = Validation::new(Algorithm::HS256);
        validation.set_required_spec_claims(&["exp"]);
        validation.validate_aud = false;
        validation.leeway = 0;
        Self {
            encoding: EncodingKey::from_secret(key),
            decoding: DecodingKey::from_secret(key),
            validation,
            verified: Arc::new(Cache::new(cached_max.max(1))),
        }
    }

    /// Signs a token for an account, good for 24 hours.
    ///
    /// # Errors
    /// If signing fails.
    pub fn sign(
        &self,
        user_id: i32,
        tenant: Tenant,
        role: Role,
    ) -> Result<String, jsonwebtoken::errors::Error> {
        let claims = ClaimsOut {
            user_id,
            scopes: role.scopes().iter().map(|scope| scope.name()).collect(),
            sub: user_id.to_string(),
            exp: now() + LIFETIME.as_secs(),
            tenant_id: tenant.id(),
        };
        encode(&Header::new(Algorithm::HS256), &claims, &self.encoding)
    }

    /// Verifies a token; one that was verified before costs a look-up until it expires.
    ///
    /// # Errors
    /// [`TokenError::Invalid`] or [`TokenError::Claims`].
    pub fn verify(&self, token: &str) -> Result<Caller, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Invalid);
        }
        if let Some(caller) = self.verified.get(token) {
            metrics::token_checked(true);
            if caller.expires_at > now() {
                return Ok(caller);
            }
            self.verified.remove(token);
            return Err(TokenError::Invalid);
        }
        metrics::token_checked(false);
        let claims = decode::<Value>(token, &self.decoding, &self.validation)
            .map_err(|_| TokenError::Invalid)?
            .claims;
        let caller = read_claims(&claims).ok_or(TokenError::Claims)?;
        self.verified.insert(token.into(), caller.clone());
        Ok(caller)
    }
}

fn read_claims(claims: &Value) -> Option<Caller> {
    let user_id = integer(claims.get("user_id")?)?;
    let tenant = match claims.get("tenant_id") {
        None | Some(Value::Null) => Tenant::from_claim(None),
        Some(value) => Tenant::from_claim(Some(integer(value)?)),
    }?;
    let names = match claims.get("scopes") {
        None | Some(Value::Null) => Vec::new(),
        Some(Value::Array(names)) => names
            .iter()
            .map(Value::as_str)
            .collect::<Option<Vec<_>>>()?,
        Some(_) => return None,
    };
    let scopes = names
        .iter()
        .filter_map(|name| Scope::of_name(name))
        .collect();
    // Validation has seen that it is a number in the future.
    let expires_at = claims
        .get("exp")
        .and_then(|exp| exp.as_u64().or_else(|| exp.as_f64().map(|exp| exp as u64)))?;
    Some(Caller {
        user_id,
        tenant,
        scopes,
        names_scopes: !names.is_empty(),
        expires_at,
    })
}

/// Other issuers write whole numbers as `7.0`, as JavaScript and Go do.
fn integer(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| {
        value
            .as_f64()
            .filter(|number| number.fract() == 0.0 && number.abs() < 9e15)
            .map(|number| number as i64)
    })
}

fn now() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const SECRET: &str = "an-hmac-key-for-the-tests-only-0123456789";

    fn tokens() -> Tokens {
        Tokens::new(&SecretString::from(SECRET), 10)
    }

    fn signed(claims: &Value, algorithm: Algorithm, secret: &str) -> String {
        encode(
            &Header::new(algorithm),
            claims,
            &EncodingKey::from_secret(secret.as_bytes()),
        )
        .unwrap()
    }

    fn claims() -> Value {
        json!({"user_id": 7, "scopes": ["WRITE"], "sub": "7", "exp": now() + 60})
    }

    fn verify(claims: &Value) -> Result<Caller, TokenError> {
        tokens().verify(&signed(claims, Algorithm::HS256, SECRET))
    }

    #[test]
    fn a_signed_token_proves_user_tenant_and_scope() {
        let tokens = tokens();
        let tenant = Tenant::from_operator(3).unwrap();
        let token = tokens.sign(7, tenant, Role::Writer).unwrap();
        for _ in 0..2 {
            let caller = tokens.verify(&token).unwrap();
            assert_eq!((caller.user_id, caller.tenant), (7, tenant));
            assert_eq!(caller.require(Scope::Write), Ok(()));
            assert_eq!(
                caller.require(Scope::Read),
                Err(TokenError::InsufficientScope)
            );
        }
    }

    #[test]
    fn the_claims_are_those_of_the_contract() {
        let token = tokens().sign(7, Tenant::DEFAULT, Role::Reader).unwrap();
        let claims = decode::<Value>(
            &token,
            &DecodingKey::from_secret(SECRET.as_bytes()),
            &Validation::new(Algorithm::HS256),
        )
        .unwrap()
        .claims;
        let exp = claims["exp"].as_u64().unwrap();
        assert!((now() + 86_395..=now() + 86_400).contains(&exp));
        let expected =
            json!({"user_id": 7, "scopes": ["READ"], "sub": "7", "exp": exp, "tenant_id": 1});
        assert_eq!(claims, expected);
    }

    #[test]
    fn a_token_without_tenant_belongs_to_tenant_one() {
        assert_eq!(verify(&claims()).unwrap().tenant, Tenant::DEFAULT);
    }

    #[test]
    fn another_key_another_algorithm_no_expiry_and_an_old_token_are_refused() {
        let mut endless = claims();
        endless.as_object_mut().unwrap().remove("exp");
        let mut old = claims();
        old["exp"] = json!(now() - 1);
        for token in [
            signed(
                &claims(),
                Algorithm::HS256,
                "another-key-another-key-another-key",
            ),
            signed(&claims(), Algorithm::HS512, SECRET),
            signed(&endless, Algorithm::HS256, SECRET),
            signed(&old, Algorithm::HS256, SECRET),
            "a.b.c".to_owned(),
            String::new(),
            "x".repeat(100_000),
        ] {
            assert_eq!(
                tokens().verify(&token),
                Err(TokenError::Invalid),
                "{token:.80}"
            );
        }
    }

    #[test]
    fn a_cached_token_is_not_good_past_its_expiry() {
        let tokens = tokens();
        let token = signed(&claims(), Algorithm::HS256, SECRET);
        let mut caller = tokens.verify(&token).unwrap();
        caller.expires_at = now();
        tokens.verified.insert(token.as_str().into(), caller);
        assert_eq!(tokens.verify(&token), Err(TokenError::Invalid));
    }

    #[test]
    fn claims_of_another_shape_are_refused() {
        for (name, value) in [
            ("user_id", json!("7")),
            ("user_id", json!(7.5)),
            ("user_id", json!(null)),
            ("scopes", json!("WRITE")),
            ("scopes", json!([1])),
            ("tenant_id", json!(0)),
            ("tenant_id", json!("1")),
        ] {
            let mut claims = claims();
            claims[name] = value.clone();
            assert_eq!(verify(&claims), Err(TokenError::Claims), "{name}: {value}");
        }
    }

    #[test]
    fn absent_and_empty_scopes_are_told_apart_from_others() {
        for (scopes, error) in [
            (json!(null), TokenError::NoScopes),
            (json!([]), TokenError::NoScopes),
            (json!(["OTHER"]), TokenError::InsufficientScope),
        ] {
            let mut claims = claims();
            claims["scopes"] = scopes;
            assert_eq!(verify(&claims).unwrap().require(Scope::Write), Err(error));
        }
    }
}
