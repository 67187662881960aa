//! Pages of a list, as the contract's section 7.2 wants them.

use serde::Serialize;
use sqlx::postgres::PgRow;
use sqlx::{FromRow, Row};

/// Which page is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Counted from 1.
    pub page: i64,
    /// Rows in a page.
    pub page_size: i64,
}

impl Page {
    /// Rows in a page when the caller does not say.
    pub const SIZE_DEFAULT: i64 = 50;
    /// Most rows in a page.
    pub const SIZE_MAX: i64 = 1_000;

    /// Rows before the page; a page too far out for any list is as good as the last possible one.
    pub fn offset(self) -> i64 {
        (self.page - 1).saturating_mul(self.page_size)
    }
}

/// Where a page stands in its list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct Pagination {
    page: i64,
    page_size: i64,
    total_count: i64,
    total_pages: i64,
    has_more: bool,
    has_previous: bool,
}

impl Pagination {
    /// The envelope of `page` in a list of `total_count` rows; there is always at least one page.
    pub fn of(page: Page, total_count: i64) -> Self {
        let total_pages = ((total_count + page.page_size - 1) / page.page_size).max(1);
        Self {
            page: page.page,
            page_size: page.page_size,
            total_count,
            total_pages,
            has_more: page.page < total_pages,
            has_previous: page.page > 1,
        }
    }
}

/// A row of a page's query: the length of the whole list as `total`, and what is listed where `is_listed`.
///
/// Such a query has one row at least, so that a page past the end knows the length of the list, too.
pub(super) struct Listed<T> {
    total: i64,
    item: Option<T>,
}

impl<T> Listed<T> {
    /// The length of the list, and what is on the page.
    pub(super) fn collect(rows: Vec<Self>) -> (i64, Vec<T>) {
        let total = rows.first().map_or(0, |row| row.total);
        (total, rows.into_iter().filter_map(|row| row.item).collect())
    }
}

impl<'r, T: FromRow<'r, PgRow>> FromRow<'r, PgRow> for Listed<T> {
    fn from_row(row: &'r PgRow) -> Result<Self, sqlx::Error> {
        let is_listed: bool = row.try_get("is_listed")?;
        Ok(Self {
            total: row.try_get("total")?,
            item: is_listed.then(|| T::from_row(row)).transpose()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_empty_list_has_one_page() {
        let pagination = Pagination::of(
            Page {
                page: 1,
                page_size: 50,
            },
            0,
        );
        assert_eq!(
            (
                pagination.total_pages,
                pagination.has_more,
                pagination.has_previous
            ),
            (1, false, false)
        );
    }

    #[test]
    fn pages_are_counted_up() {
        let pagination = Pagination::of(
            Page {
                page: 2,
                page_size: 10,
            },
            21,
        );
        assert_eq!(
            (
                pagination.total_pages,
                pagination.has_more,
                pagination.has_previous
            ),
            (3, true, true)
        );
    }

    #[test]
    fn a_page_beyond_counting_overflows_nothing() {
        assert_eq!(
            Page {
                page: i64::MAX,
                page_size: 1_000
            }
            .offset(),
            i64::MAX
        );
    }
}
