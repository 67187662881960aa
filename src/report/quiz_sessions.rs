//! Where and when a quiz was played.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::paging::Page;
use super::params::{InvalidParam, QueryParams};
use super::session_list::{SessionList, SessionsOf};
use crate::tenant::Tenant;

/// Contract 8.17.
#[derive(Debug, Serialize)]
pub struct QuizSessions {
    quiz_id: Uuid,
    #[serde(flatten)]
    list: SessionList,
}

/// The quiz and the page.
#[derive(Debug)]
pub struct Params {
    quiz_id: Uuid,
    page: Page,
}

impl Report for QuizSessions {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            quiz_id: query.id("quiz_id")?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let of = SessionsOf::Quiz(params.quiz_id);
        Ok(Self {
            quiz_id: params.quiz_id,
            list: SessionList::load(db, tenant, of, params.page).await?,
        })
    }
}
