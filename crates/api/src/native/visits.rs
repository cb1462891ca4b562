//! From where somebody comes who is no caller, or not yet.

use crate::kit::{Api, Failure, SigningIn, authenticate, cookies, visit};
use axum::extract::FromRequestParts;
use claviger_app::caller::UserCaller;
use claviger_app::deeds::Visit;
use http::request::Parts;

/// Extracts the circumstances of a request that needs no credential. Requests that pages of other sites send are refused.
#[derive(Debug)]
pub(crate) struct Visiting(pub(crate) Visit);

/// Extracts a person with a session that may wait for its second factor, and the circumstances.
#[derive(Debug)]
pub(crate) struct HalfWay {
    /// The person.
    pub(crate) user: UserCaller,
    /// From where.
    pub(crate) visit: Visit,
}

impl FromRequestParts<Api> for Visiting {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        cookies::check_no_foreign_page(api, (&*parts).into())?;
        Ok(Self(visit(api, parts)))
    }
}

impl FromRequestParts<Api> for HalfWay {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, api: &Api) -> Result<Self, Failure> {
        if cookies::session(&parts.headers)?.is_none() {
            let caller = authenticate(api, parts).await?;
            return Err(api.app.refuse_application(&caller).into());
        }
        let SigningIn(user) = SigningIn::from_request_parts(parts, api).await?;
        Ok(Self { user, visit: visit(api, parts) })
    }
}
