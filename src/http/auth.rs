//! POST /api/auth/signup and /api/auth/login.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use secrecy::SecretString;
use serde::Deserialize;
use serde::de::DeserializeOwned;
use tracing::{info, warn};

use super::answer::Json;
use super::body;
use super::error::ApiError;
use super::state::AppState;
use crate::auth::{NewAccount, Role, SIGN_UP_ROLES, Verdict, check_login};
use crate::store::users::{self, NewUser};
use crate::tenant::Tenant;

#[derive(Deserialize)]
struct SignupIn {
    #[serde(default)]
    name: String,
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
    #[serde(default)]
    role: String,
}

pub(super) async fn create_account(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<StatusCode, ApiError> {
    if !app.signup_enabled {
        return Err(ApiError::SignupDisabled);
    }
    let signup: SignupIn = read_json(&app, &headers, body).await?;
    let password = SecretString::from(signup.password);
    let account = NewAccount::parse(
        &signup.name,
        &signup.email,
        password,
        &signup.role,
        SIGN_UP_ROLES,
    )?;
    let password_hash = app.passwords.hash(account.password).await?;
    let user = NewUser {
        tenant: Tenant::DEFAULT,
        name: &account.name,
        email: &account.email,
        password_hash: &password_hash,
        role: account.role.name(),
    };
    let user_id = users::insert_user(&app.db, user)
        .await?
        .ok_or(ApiError::EmailTaken)?;
    info!(
        user.id = user_id,
        role = account.role.name(),
        "an account was created"
    );
    Ok(StatusCode::CREATED)
}

#[derive(Deserialize)]
struct LoginIn {
    #[serde(default)]
    email: String,
    #[serde(default)]
    password: String,
}

#[derive(serde::Serialize)]
pub(super) struct LoginOut {
    token: String,
}

pub(super) async fn create_token(
    State(app): State<Arc<AppState>>,
    headers: HeaderMap,
    body: Body,
) -> Result<Json<LoginOut>, ApiError> {
    let login: LoginIn = read_json(&app, &headers, body).await?;
    check_login(&login.email, &login.password)?;
    let user = users::find_user(&app.db, &login.email).await?;
    let password = SecretString::from(login.password);
    let stored = user.as_ref().map(|user| user.password_hash.clone());
    let verdict = app.passwords.verify(password.clone(), stored).await?;
    let user = match (verdict, user) {
        (Verdict::Right | Verdict::RightButOutdated, Some(user)) => user,
        _ => return Err(ApiError::InvalidCredentials),
    };
    let role: Role = user.role.parse().map_err(|_| ApiError::UnrecognizedRole)?;
    let tenant = Tenant::from_operator(user.tenant_id.into()).ok_or(ApiError::UnrecognizedRole)?;
    if verdict == Verdict::RightButOutdated {
        rehash(&app, user.id, &user.password_hash, password).await;
    }
    let token = app
        .tokens
        .sign(user.id, tenant, role)
        .map_err(|error| ApiError::Internal(error.into()))?;
    Ok(Json(StatusCode::OK, LoginOut { token }))
}

/// Replaces a hash of the old kind. The login stands even if that fails; the next one tries again.
async fn rehash(app: &AppState, user_id: i32, old_hash: &str, password: SecretString) {
    let replaced = async {
        let new_hash = app.passwords.hash(password).await?;
        users::update_password_hash(&app.db, user_id, old_hash, &new_hash).await?;
        Ok::<_, ApiError>(())
    };
    if let Err(error) = replaced.await {
        warn!(user.id = user_id, error = %error, "an old password hash could not be replaced");
    }
}

async fn read_json<T: DeserializeOwned>(
    app: &AppState,
    headers: &HeaderMap,
    body: Body,
) -> Result<T, ApiError> {
    let body = body::read(headers, body, &app.limits).await?;
    // serde's text may quote a value, and the value may be a password; its place is enough.
    serde_json::from_slice(&body).map_err(|error| {
        let what = match error.classify() {
            serde_json::error::Category::Data => "a field has the wrong type",
            _ => "not valid JSON",
        };
        ApiError::InvalidBody(format!(
            "{what} at line {} column {}",
            error.line(),
            error.column()
        ))
    })
}
