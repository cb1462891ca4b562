//! Bodies on their way through: a request's is bounded in size and pace, an answer's tells when its request is over.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use axum::BoxError;
use axum::body::Body as AxumBody;
use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt as _, Limited};
use hyper::body::Incoming;
use tokio::runtime::Handle;
use tokio::time::{Instant, Sleep, timeout};

use super::pulse::Pulse;
use super::service::Turn;

/// The pace that a request body must keep: so many bytes in each window.
#[derive(Clone, Copy)]
pub(crate) struct Pace {
    pub(crate) window: Duration,
    pub(crate) bytes: u64,
}

/// How much of a body that nobody reads is taken on a connection with several streams, and for how long.
const SWALLOWED: usize = 65_536;
const SWALLOWS_FOR: Duration = Duration::from_secs(2);

/// A request body that fails with `http_body_util::LengthLimitError` when it grows over its limit and with
/// `io::ErrorKind::TimedOut` when it comes too slowly. A body that is already here costs no timer.
pub(crate) struct RequestBody {
    /// There until it is dropped.
    inner: Option<Limited<Incoming>>,
    pulse: Arc<Pulse>,
    pace: Pace,
    wait: Option<(Pin<Box<Sleep>>, u64)>,
}

impl RequestBody {
    pub(crate) fn new(inner: Incoming, limit: usize, pace: Pace, pulse: Arc<Pulse>) -> Self {
        Self { inner: Some(Limited::new(inner, limit)), pulse, pace, wait: None }
    }

    /// Counts what came and judges a window that is over.
    fn is_too_slow(&mut self, cx: &mut Context<'_>, came: u64) -> bool {
        let Some((sleep, moved)) = &mut self.wait else { return false };
        *moved = moved.saturating_add(came);
        while sleep.as_mut().poll(cx).is_ready() {
            if *moved < self.pace.bytes {
                return true;
            }
            *moved = 0;
            sleep.as_mut().reset(Instant::now() + self.pace.window);
        }
        false
    }
}

impl Body for RequestBody {
    type Data = Bytes;
    type Error = BoxError;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BoxError>>> {
        let Some(inner) = &mut self.inner else { return Poll::Ready(None) };
        let polled = Pin::new(inner).poll_frame(cx);
        let came = match &polled {
            Poll::Ready(Some(Ok(frame))) => frame.data_ref().map_or(0, |data| data.len() as u64),
            Poll::Ready(_) => return polled,
            Poll::Pending => {
                if self.wait.is_none() {
                    self.wait = Some((Box::pin(tokio::time::sleep(self.pace.window)), 0));
                }
                0
            }
        };
        if !self.is_end_stream() && self.is_too_slow(cx, came) {
            let slow = io::Error::new(io::ErrorKind::TimedOut, "the request body came too slowly");
            return Poll::Ready(Some(Err(slow.into())));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        self.inner.as_ref().is_none_or(Body::is_end_stream)
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.as_ref().map_or_else(SizeHint::default, Body::size_hint)
    }
}

impl Drop for RequestBody {
    fn drop(&mut self) {
        let Some(inner) = self.inner.take().filter(|inner| !inner.is_end_stream()) else { return };
        self.pulse.abandoned();
        if self.pulse.is_multiplexed()
            && let Ok(runtime) = Handle::try_current()
        {
            // Letting it go resets the stream, and some clients that are about to send a body then take the answer for none.
            runtime.spawn(timeout(SWALLOWS_FOR, swallow(inner)));
        }
    }
}

/// Takes what is still sent of a body that nobody wants, to a bound.
async fn swallow(mut body: Limited<Incoming>) {
    let mut left = SWALLOWED;
    while let Some(Ok(frame)) = body.frame().await {
        match left.checked_sub(frame.data_ref().map_or(0, Bytes::len)) {
            Some(rest) => left = rest,
            None => return,
        }
    }
}

/// An answer's body; dropping it ends the request's turn.
pub(crate) struct ResponseBody {
    inner: AxumBody,
    turn: Turn,
}

impl ResponseBody {
    pub(crate) fn new(inner: AxumBody, turn: Turn) -> Self {
        turn.answering();
        Self { inner, turn }
    }
}

impl Body for ResponseBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        self.turn.answering();
        Pin::new(&mut self.inner).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
