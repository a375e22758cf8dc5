//! Bodies in passing: counted, metered, cut. Nothing is buffered, and nothing is boxed but once.
//!
//! Must not know where bytes come from or go to.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use claviger_meter::{Meter, Reading};
use claviger_model::{Outcome, RefusalCode};
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::conn::Wire;
use crate::head::FaultKind;
use crate::record::{BodyFault, Flow, Trail};
use crate::upstream::Lease;

/// A request's body on its way up.
pub(crate) enum UpBody {
    /// There is none.
    Empty,
    /// Frames as they come.
    Stream(Box<UpStream>),
}

pub(crate) struct UpStream {
    inner: Incoming,
    flow: Arc<Flow>,
    wire: Arc<Wire>,
    limit: u64,
    sent: u64,
}

/// An answer's body on its way down.
pub(crate) enum ReplyBody {
    /// There is none, or it was given.
    Empty,
    /// Made here, in one piece.
    Full(Bytes),
    /// Frames as they come from the upstream.
    Stream(Box<DownStream>),
}

pub(crate) struct DownStream {
    inner: Incoming,
    trail: Trail,
    meter: Option<Meter>,
    lease: Option<Lease>,
}

/// A body broke off. The reason stands in [`Flow`].
#[derive(Debug, thiserror::Error)]
#[error("the body broke off")]
pub(crate) struct BrokenOff;

// === impl UpBody ===

impl UpBody {
    pub(crate) fn new(inner: Incoming, flow: Arc<Flow>, wire: Arc<Wire>, limit: u64) -> Self {
        if inner.is_end_stream() {
            flow.is_sent.store(true, Ordering::Release);
            return Self::Empty;
        }
        Self::Stream(Box::new(UpStream { inner, flow, wire, limit, sent: 0 }))
    }
}

impl Body for UpBody {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Stream(stream) => stream.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Stream(stream) => stream.inner.size_hint(),
        }
    }
}

// === impl UpStream ===

impl UpStream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        loop {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers could carry what was stripped from the head.
                    let Ok(data) = frame.into_data() else { continue };
                    self.wire.progress();
                    self.sent += data.len() as u64;
                    self.flow.bytes_up.store(self.sent, Ordering::Relaxed);
                    if self.sent > self.limit {
                        self.flow.break_off(BodyFault::TooLarge);
                        return Poll::Ready(Some(Err(BrokenOff)));
                    }
                    if self.inner.is_end_stream() {
                        self.flow.is_sent.store(true, Ordering::Release);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(_)) => {
                    self.flow.break_off(match self.wire.body_fault().map(|fault| fault.kind) {
                        Some(FaultKind::BodyTooLarge) => BodyFault::TooLarge,
                        Some(_) => BodyFault::Malformed,
                        None => BodyFault::Gone,
                    });
                    return Poll::Ready(Some(Err(BrokenOff)));
                }
                None => {
                    self.flow.is_sent.store(true, Ordering::Release);
                    return Poll::Ready(None);
                }
            }
        }
    }
}

// === impl ReplyBody ===

impl ReplyBody {
    pub(crate) const fn full(bytes: Bytes) -> Self {
        Self::Full(bytes)
    }

    /// An upstream's answer. Its end, however it comes, completes the trail.
    pub(crate) fn stream(inner: Incoming, trail: Trail, meter: Option<Meter>, lease: Option<Lease>) -> Self {
        let mut stream = DownStream { inner, trail, meter, lease };
        if stream.inner.is_end_stream() {
            stream.finish(Outcome::Done);
            return Self::Empty;
        }
        Self::Stream(Box::new(stream))
    }
}

impl Body for ReplyBody {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let this = self.get_mut();
        match this {
            Self::Empty => Poll::Ready(None),
            Self::Full(bytes) => {
                let bytes = std::mem::take(bytes);
                *this = Self::Empty;
                Poll::Ready(Some(Ok(Frame::data(bytes))))
            }
            Self::Stream(stream) => stream.poll(cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Full(_) => false,
            Self::Stream(stream) => stream.inner.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Self::Stream(stream) => stream.inner.size_hint(),
        }
    }
}

// === impl DownStream ===

impl DownStream {
    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        loop {
            match ready!(Pin::new(&mut self.inner).poll_frame(cx)) {
                Some(Ok(frame)) => {
                    // Trailers could carry what is stripped from an answer's head.
                    let Ok(data) = frame.into_data() else { continue };
                    self.trail.passed_on(data.len());
                    if let Some(meter) = &mut self.meter {
                        meter.feed(&data);
                    }
                    if self.inner.is_end_stream() {
                        self.finish(Outcome::Done);
                    }
                    return Poll::Ready(Some(Ok(Frame::data(data))));
                }
                Some(Err(error)) => {
                    self.finish(Outcome::Failed(RefusalCode::UpstreamUnreachable));
                    return Poll::Ready(Some(Err(error)));
                }
                None => {
                    self.finish(Outcome::Done);
                    return Poll::Ready(None);
                }
            }
        }
    }

    fn finish(&mut self, outcome: Outcome) {
        let reading = self.meter.take().map_or_else(Reading::default, Meter::finish);
        self.trail.complete(outcome, reading);
        if let Some(lease) = self.lease.take()
            && outcome == Outcome::Done
        {
            lease.give_back();
        }
    }
}

impl Drop for DownStream {
    /// What was read of the usage counts also when the agent leaves early.
    fn drop(&mut self) {
        let outcome = self.trail.outcome_of_end();
        self.finish(outcome);
    }
}
