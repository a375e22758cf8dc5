//! The real client with somebody looking over its shoulder. Must not change what passes.

use std::sync::Arc;

use claviger_oauth::http::{Http, HttpError, Method, Request, Response};
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use super::real_http;

/// A request that went out, and the status that came back.
#[derive(Clone, Debug)]
pub(crate) struct Sent {
    pub(crate) is_post: bool,
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) form: Vec<(String, String)>,
    pub(crate) status: Option<u16>,
}

/// Remembers what is sent.
pub(crate) struct Watch {
    inner: Arc<dyn Http>,
    sent: Mutex<Vec<Sent>>,
}

impl Watch {
    pub(crate) fn new() -> Arc<Self> {
        Arc::new(Self { inner: real_http(), sent: Mutex::new(Vec::new()) })
    }

    /// The requests to one URL since the last question.
    pub(crate) fn take(&self, url: &str) -> Vec<Sent> {
        let mut sent = self.sent.lock();
        let (these, others) = std::mem::take(&mut *sent).into_iter().partition(|s| s.url == url);
        *sent = others;
        these
    }
}

impl Http for Watch {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async move {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let form = request.body.as_ref().map(|(_, body)| {
                url::form_urlencoded::parse(body.expose()).into_owned().collect::<Vec<(String, String)>>()
            });
            let mut sent = Sent {
                is_post: request.method == Method::Post,
                url: request.url.as_str().to_owned(),
                headers: request.headers.iter().map(|(n, v)| (*n, text(v.expose()))).collect(),
                form: form.unwrap_or_default(),
                status: None,
            };
            let answer = self.inner.send(request).await;
            sent.status = answer.as_ref().ok().map(|a| a.status);
            self.sent.lock().push(sent);
            answer
        })
    }
}

impl Sent {
    /// Every value of a form field.
    pub(crate) fn fields(&self, name: &str) -> Vec<&str> {
        self.form.iter().filter(|(n, _)| n == name).map(|(_, v)| v.as_str()).collect()
    }

    /// The one value of a form field.
    #[track_caller]
    pub(crate) fn field(&self, name: &str) -> &str {
        let values = self.fields(name);
        assert_eq!(values.len(), 1, "{name} stands {} times in the form", values.len());
        values[0]
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| *n == name).map(|(_, v)| v.as_str())
    }
}
