//! Parameters and words that several resources share.

use claviger_domain::Result;
use claviger_domain::page::PageRequest;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Which page of a list is wanted.
#[derive(Debug, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct PageQuery {
    /// Items on a page.
    #[param(minimum = 1, maximum = 1000, default = 50)]
    limit: Option<i64>,
    /// `next_cursor` of the page before.
    cursor: Option<String>,
}

impl PageQuery {
    /// The page asked for.
    pub(crate) fn parse(&self) -> Result<PageRequest> {
        PageRequest::parse(self.limit, self.cursor.as_deref())
    }
}

/// A page of a list.
#[derive(ToSchema, Serialize)]
pub(crate) struct PageOf<T> {
    /// The items.
    pub(crate) items: Vec<T>,
    /// To be passed as `cursor` for the next page; `null` on the last one.
    #[schema(required = true)]
    pub(crate) next_cursor: Option<String>,
}
