//! One request: name it, check its head, hand it to the router, survive its panic, count it.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::ops::ControlFlow;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::Body as AxumBody;
use axum::response::Response;
use claviger_api::kit::{Head, Peer, RequestId};
use futures_util::FutureExt as _;
use http::{Method, Request, StatusCode, Uri, Version};
use http_body::Body as _;
use hyper::body::Incoming;
use tower::Service as _;

use super::Express;
use super::body::{Pace, RequestBody, ResponseBody};
use super::limits::Limits;
use super::pulse::Pulse;
use super::refusal::Refusal;
use crate::metrics::Counters;

/// What all connections of a listener share.
pub(crate) struct House {
    pub(crate) router: Router,
    pub(crate) express: Option<Express>,
    pub(crate) limits: Limits,
    pub(crate) counters: Arc<Counters>,
    pub(crate) access_log: bool,
    pub(crate) timed: bool,
}

/// One connection's way in.
pub(crate) struct Door {
    house: Arc<House>,
    pulse: Arc<Pulse>,
    peer: SocketAddr,
    first_id: u128,
    requests: AtomicU64,
}

impl Door {
    /// `first_id` leaves its low 40 bits to the requests of this connection.
    pub(crate) fn new(house: Arc<House>, pulse: Arc<Pulse>, peer: SocketAddr, first_id: u128) -> Arc<Self> {
        Arc::new(Self { house, pulse, peer, first_id, requests: AtomicU64::new(0) })
    }

    /// Answers one request.
    pub(crate) async fn answer(
        self: Arc<Self>,
        mut request: Request<Incoming>,
    ) -> Result<Response<ResponseBody>, Infallible> {
        let turn = Turn::begin(self);
        let door = &turn.door;
        let house = &door.house;
        let started = (house.timed || house.access_log).then(Instant::now);
        let id = RequestId(door.first_id | u128::from(door.requests.fetch_add(1, Relaxed)));
        let version = request.version();
        let line = house.access_log.then(|| (request.method().clone(), request.uri().clone()));

        let answer = match Refusal::of(&request, &house.limits) {
            Some(refusal) => refusal.answer(id, version),
            None => match door.express(&request, id, version) {
                Some(answer) => answer,
                None => {
                    let extensions = request.extensions_mut();
                    extensions.insert(Peer(door.peer));
                    extensions.insert(id);
                    // Boxed, so that what goes by express does not carry its room about.
                    Box::pin(door.route(request, id, version)).await
                }
            },
        };

        let took = started.map(|started| started.elapsed());
        house.counters.answered(answer.status(), took);
        if let Some((method, uri)) = line {
            door.log(&method, &uri, answer.status(), took.unwrap_or_default(), id);
        }
        let (parts, body) = answer.into_parts();
        Ok(Response::from_parts(parts, ResponseBody::new(body, turn)))
    }

    fn express(&self, request: &Request<Incoming>, id: RequestId, version: Version) -> Option<Response> {
        let express = &self.house.express.as_ref().filter(|_| request.body().is_end_stream())?.at_once;
        let (method, uri, headers) = (request.method(), request.uri(), request.headers());
        let head = Head { method, uri, headers, peer: Some(Peer(self.peer)), id };
        std::panic::catch_unwind(AssertUnwindSafe(|| express(head))).unwrap_or_else(|_| Some(self.survive(id, version)))
    }

    async fn route(&self, request: Request<Incoming>, id: RequestId, version: Version) -> Response {
        let request = request.map(|body| self.receive(body));
        let handled = async {
            let request = match &self.house.express {
                Some(express) => match (express.whole)(request) {
                    ControlFlow::Break(answering) => return answering.await,
                    ControlFlow::Continue(request) => request,
                },
                None => request,
            };
            match self.house.router.clone().call(request).await {
                Ok(answer) => answer,
                Err(never) => match never {},
            }
        };
        AssertUnwindSafe(handled).catch_unwind().await.unwrap_or_else(|_| self.survive(id, version))
    }

    /// Answers in the place of a handler that panicked.
    fn survive(&self, id: RequestId, version: Version) -> Response {
        // The panic hook has logged where and why.
        tracing::error!(request_id = %id, "a handler panicked; its request was answered with 500");
        self.house.counters.panicked();
        Refusal::Internal.answer(id, version)
    }

    /// An absent body costs nothing: most requests have none.
    fn receive(&self, body: Incoming) -> AxumBody {
        if body.is_end_stream() {
            return AxumBody::empty();
        }
        let limits = &self.house.limits;
        let pace = Pace { window: limits.timers.window, bytes: limits.timers.window_bytes() };
        AxumBody::new(RequestBody::new(body, limits.body_bytes, pace, Arc::clone(&self.pulse)))
    }

    /// The query is left out: clients put secrets there.
    fn log(&self, method: &Method, uri: &Uri, status: StatusCode, took: Duration, id: RequestId) {
        tracing::info!(
            target: "claviger::access",
            method = method.as_str(),
            path = uri.path(),
            status = status.as_u16(),
            duration_us = u64::try_from(took.as_micros()).unwrap_or(u64::MAX),
            peer = %self.peer,
            request_id = %id,
            "request"
        );
    }
}

/// A request in flight: its connection is busy until this is dropped.
pub(crate) struct Turn {
    door: Arc<Door>,
}

impl Turn {
    fn begin(door: Arc<Door>) -> Self {
        door.pulse.begin();
        Self { door }
    }

    pub(crate) fn answering(&self) {
        self.door.pulse.answering();
    }
}

impl Drop for Turn {
    fn drop(&mut self) {
        self.door.pulse.finish();
    }
}
