//! Who calls on behalf of which organisation. An API key belongs to one organisation; any other, whether it exists or not,
//! is not found.

use crate::kit::{Api, Authenticated, Failure};
use axum::extract::{FromRequestParts, RawPathParams};
use claviger_app::caller::Caller;
use claviger_domain::Error;
use http::request::Parts;

/// Extracts the verified caller of a path whose `{org}` is the caller's own organisation.
#[derive(Debug)]
pub(super) struct OrgCaller(pub Caller);

impl FromRequestParts<Api> for OrgCaller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        let Authenticated(caller) = Authenticated::from_request_parts(parts, api).await?;
        let not_found = || Failure(Error::NotFound("organization"));
        let params = RawPathParams::from_request_parts(parts, api).await.map_err(|_| not_found())?;
        let org_key = params.iter().find(|(name, _)| *name == "org").map(|(_, value)| value).ok_or_else(not_found)?;
        // Within reach is not enough: records and jobs are those of the key's own organisation.
        if api.app.find_org(&caller, org_key)?.id != caller.tenant().id {
            return Err(not_found());
        }
        Ok(Self(caller))
    }
}
