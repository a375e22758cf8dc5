//! Stdio: one client, the program that started this process, until it closes stdin.
//!
//! Must not know where the desk is.

use claviger_api::Desk;
use claviger_api::schema::{ApiError, Code};
use rmcp::ServiceExt;
use rmcp::transport::stdio;

use crate::server::Server;

/// Serves the agent whose desk this is on stdin and stdout, until stdin ends.
pub async fn serve_stdio(desk: Desk) -> Result<(), ApiError> {
    let broken = |why: String| {
        ApiError::new(Code::Unexpected, format!("the MCP client was not understood: {why}"), "")
    };
    let running = Server::new(desk).serve(stdio()).await.map_err(|why| broken(why.to_string()))?;
    running.waiting().await.map_err(|why| broken(why.to_string()))?;
    Ok(())
}
