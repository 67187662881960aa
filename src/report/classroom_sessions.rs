//! What a classroom has played.

use serde::Serialize;
use sqlx::PgPool;
use time::OffsetDateTime;
use uuid::Uuid;

use super::Report;
use super::paging::Page;
use super::params::{InvalidParam, QueryParams};
use super::session_list::{SessionList, SessionsOf};
use crate::tenant::Tenant;

/// Contract 8.16.
#[derive(Debug, Serialize)]
pub struct ClassroomSessions {
    classroom_id: Uuid,
    #[serde(flatten)]
    list: SessionList,
}

/// The classroom and the page.
#[derive(Debug)]
pub struct Params {
    classroom_id: Uuid,
    page: Page,
}

impl Report for ClassroomSessions {
    type Params = Params;

    fn params(query: &QueryParams) -> Result<Params, InvalidParam> {
        Ok(Params {
            classroom_id: query.id("classroom_id")?,
            page: query.page(),
        })
    }

    async fn load(
        db: &PgPool,
        tenant: Tenant,
        params: &Params,
        _: OffsetDateTime,
    ) -> Result<Self, sqlx::Error> {
        let of = SessionsOf::Classroom(params.classroom_id);
        Ok(Self {
            classroom_id: params.classroom_id,
            list: SessionList::load(db, tenant, of, params.page).await?,
        })
    }
}
