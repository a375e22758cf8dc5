//! Streamable HTTP: each request stands for itself. There are no sessions, so there is nothing to fill up or to steal.
//!
//! Must not know tokens or sockets: the proxy has read the request whole and said whose it is.

use std::sync::Arc;

use bytes::Bytes;
use claviger_api::{Desk, OwnAnswer};
use http::{Request, Response, StatusCode};
use http_body_util::{BodyExt, Full, Limited};
use rmcp::transport::streamable_http_server::session::never::NeverSessionManager;
use rmcp::transport::streamable_http_server::{StreamableHttpServerConfig, StreamableHttpService};

use crate::server::Server;

/// No answer of the three tools is longer.
const LONGEST: usize = 4 * 1024 * 1024;

/// Answers one request of the agent whose desk this is.
pub fn answer(desk: Desk, request: Request<Bytes>) -> OwnAnswer {
    Box::pin(async move {
        // Host and Origin were judged by the proxy, more strictly and before the token was looked at.
        let config = StreamableHttpServerConfig::default()
            .with_legacy_session_mode(false)
            .with_json_response(true)
            .disable_allowed_hosts()
            .with_sse_keep_alive(None)
            .with_sse_retry(None);
        let service = StreamableHttpService::new(
            move || Ok(Server::new(desk.clone())),
            Arc::new(NeverSessionManager::default()),
            config,
        );
        let (head, body) = service.handle(request.map(Full::new)).await.into_parts();
        match Limited::new(body, LONGEST).collect().await {
            Ok(body) => Response::from_parts(head, body.to_bytes()),
            Err(why) => {
                tracing::error!(%why, "an answer to an agent was not whole");
                let mut failed = Response::new(Bytes::new());
                *failed.status_mut() = StatusCode::INTERNAL_SERVER_ERROR;
                failed
            }
        }
    })
}
