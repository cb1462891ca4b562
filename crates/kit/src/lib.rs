//! What every face shares: who calls from where, what a body or a query says, and how a refusal reaches the wire.
//!
//! Nothing here knows a dialect. A face says how a refusal looks ([`Face`]), wraps its routes with [`framed`], and its
//! handlers take the extractors of this crate and answer `Result<Response, Failure>`.

mod advice;
mod body;
mod caller;
mod client;
pub mod cookies;
mod credential;
mod face;
mod fields;
mod form;
mod instance_hosts;
mod json;
mod loose_form;
mod memo;
mod multipart;
mod once;
mod origin;
mod path;
mod precondition;
mod query;
mod questions;
mod rate_headers;

pub use advice::advise;
pub use body::read_json;
pub use body::{BODY_MAX, Body, Post};
pub use caller::{Authenticated, SigningIn, authenticate};
pub use caller::{Presentation, circumstances, visit, with_request};
pub use client::{Client, authenticate_client, without_credential};
pub use client::{authenticate_assertion, exchanged, stranger};
pub use credential::{Unreadable, auth_token, proof as presented_proof};
pub use face::{Asked, Face, Failure, answer_failure, fallback, framed, method_fallback, status, within};
pub use fields::{Fields, given, not_null};
pub use form::Form;
pub use instance_hosts::InstanceHosts;
pub use json::fit;
pub use loose_form::LooseForm;
pub use memo::Memo;
pub use path::Path;
pub use precondition::{Precondition, etag};
pub use query::{Query, pairs};
pub use questions::{Question, Questions};
pub use rate_headers::{RateHeaders, RateText};

use claviger_app::App;
use claviger_domain::network::Network;
use http::request::Parts;
use http::{HeaderMap, Method, Uri};
use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;

/// What every handler works with.
#[derive(Clone)]
pub struct Api {
    /// The verbs.
    pub app: Arc<App>,
    /// Peers whose forwarding headers are believed.
    pub trusted_proxies: Arc<[Network]>,
    /// Where instances have hosts of their own.
    pub instance_hosts: InstanceHosts,
    /// What proxies ask over and over.
    pub questions: Arc<Questions>,
    /// The certificates (PEM) that clients have to be told to trust, where ours is not signed by an authority they know.
    pub authority: Option<Arc<str>>,
}

impl Api {
    /// Handlers that call these verbs and believe the forwarding headers of these peers.
    pub fn new(app: Arc<App>, trusted_proxies: Arc<[Network]>) -> Self {
        let (instance_hosts, questions) = (InstanceHosts::default(), Arc::default());
        Self { app, trusted_proxies, instance_hosts, questions, authority: None }
    }

    /// The same, where instances have hosts of their own.
    #[must_use]
    pub fn with_instance_hosts(self, instance_hosts: InstanceHosts) -> Self {
        Self { instance_hosts, ..self }
    }

    /// The same, where clients have to be told to trust these certificates (PEM).
    #[must_use]
    pub fn with_authority(self, authority: Option<Arc<str>>) -> Self {
        Self { authority, ..self }
    }
}

/// The address of the socket's other end, as the edge saw it (an IPv4-mapped IPv6 address is given as IPv4).
#[derive(Clone, Copy, Debug)]
pub struct Peer(pub SocketAddr);

/// The head of a request, for what is answered without a way through a router.
#[derive(Clone, Copy, Debug)]
pub struct Head<'a> {
    /// Method.
    pub method: &'a Method,
    /// Target.
    pub uri: &'a Uri,
    /// Headers.
    pub headers: &'a HeaderMap,
    /// The socket's other end.
    pub peer: Option<Peer>,
    /// The request's id.
    pub id: RequestId,
}

impl<'a> From<&'a Parts> for Head<'a> {
    fn from(parts: &'a Parts) -> Self {
        let (peer, id) = (parts.extensions.get().copied(), parts.extensions.get().copied().unwrap_or_default());
        Self { method: &parts.method, uri: &parts.uri, headers: &parts.headers, peer, id }
    }
}

/// The id of one request: a number on the hot path, text only when a log line or an error body needs it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub struct RequestId(pub u128);

impl fmt::Display for RequestId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}
