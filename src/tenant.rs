//! The tenant that every stored row and every query belongs to.
//!
//! A [`Tenant`] is a proof, not a number: only a verified token, a decoded topic envelope and an operator's
//! command can make one, and no store or report function can be called without it.

use std::fmt;

/// A school, or a whole deployment; rows of two tenants never meet, even under the same ids.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tenant(i32);

impl Tenant {
    /// The tenant of tokens, envelopes, sign-ups and fixtures that name none.
    pub const DEFAULT: Self = Self(1);

    /// The tenant that a verified token carries; `None` for a number that no tenant can have.
    pub fn from_claim(claim: Option<i64>) -> Option<Self> {
        claim.map_or(Some(Self::DEFAULT), Self::positive)
    }

    /// The tenant that a topic envelope carries; `None` for a number that no tenant can have.
    pub fn from_envelope(field: Option<i64>) -> Option<Self> {
        field.map_or(Some(Self::DEFAULT), Self::positive)
    }

    /// The tenant that an operator named on the command line; `None` for a number that no tenant can have.
    pub fn from_operator(id: i64) -> Option<Self> {
        Self::positive(id)
    }

    /// The number that stands in the `tenant_id` columns.
    pub fn id(self) -> i32 {
        self.0
    }

    fn positive(id: i64) -> Option<Self> {
        i32::try_from(id).ok().filter(|id| *id > 0).map(Self)
    }
}

impl fmt::Display for Tenant {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_absent_claim_means_tenant_one() {
        assert_eq!(Tenant::from_claim(None), Some(Tenant::DEFAULT));
        assert_eq!(Tenant::from_envelope(None), Some(Tenant::DEFAULT));
    }

    #[test]
    fn a_number_that_no_tenant_can_have_is_refused() {
        for id in [0, -1, i64::from(i32::MAX) + 1, i64::MIN] {
            assert_eq!(Tenant::from_claim(Some(id)), None, "{id}");
        }
    }
}
