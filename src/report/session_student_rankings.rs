//! The students who answered in a session, the best first.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::paging::Page;
use super::params::{InvalidParam, QueryParams};
use super::student_ranking::{RankingOf, StudentRanking};
use crate::tenant::Tenant;

/// Contract 8.18b.
#[derive(Debug, Serialize)]
pub struct SessionStudentRankings {
    session_id: Uuid,
    #[serde(flatten)]
    list: StudentRanking,
}

/// The session and the page.
#[derive(Debug)]
pub struct Params {
    session_id: Uuid,
    page: Page,
}

impl Report for SessionStudentRankings {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            session_id: query.id("session_id")?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let of = RankingOf::Session(params.session_id);
        Ok(Self {
            session_id: params.session_id,
            list: StudentRanking::load(db, tenant, of, params.page).await?,
        })
    }
}
