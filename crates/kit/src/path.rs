//! Ids in paths. One that cannot be read is answered as one that does not exist.

use crate::Failure;
use axum::extract::FromRequestParts;
use claviger_domain::Error;
use http::request::Parts;
use serde::de::DeserializeOwned;

/// Extracts the variable parts of a path.
#[derive(Clone, Copy, Debug)]
pub struct Path<T>(pub T);

/// There is nothing at that path.
pub(crate) fn no_route() -> Error {
    Error::NotFound("resource")
}

#[expect(clippy::disallowed_types, reason = "wrapped here, with our own rejection")]
impl<T: DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Failure> {
        match axum::extract::Path::from_request_parts(parts, state).await {
            Ok(axum::extract::Path(found)) => Ok(Self(found)),
            Err(_) => Err(Failure(no_route())),
        }
    }
}
