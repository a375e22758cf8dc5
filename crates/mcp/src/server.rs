//! The MCP side of one agent's desk: what a client asks of a server, answered by the tools.
//!
//! Must not know transports.

use claviger_api::Desk;
use claviger_api::schema::ApiError;
use rmcp::model::{
    CallToolRequestParams, CallToolResponse, CallToolResult, ContentBlock, ErrorCode, Implementation,
    ListToolsResult, PaginatedRequestParams, ServerCapabilities, ServerConfig, Tool,
};
use rmcp::service::RequestContext;
use rmcp::{ErrorData, RoleServer, ServerHandler};
use serde_json::{Value, json};

use crate::tools::{self, Call, NoCall};

/// Serves one agent.
#[derive(Clone, Debug)]
pub(crate) struct Server {
    desk: Desk,
}

// === impl Server ===

impl Server {
    pub(crate) fn new(desk: Desk) -> Self {
        Self { desk }
    }
}

impl ServerHandler for Server {
    fn get_info(&self) -> ServerConfig {
        ServerConfig::new(ServerCapabilities::builder().enable_tools().build())
            .with_server_info(Implementation::new("claviger", env!("CARGO_PKG_VERSION")))
            .with_instructions(tools::INSTRUCTIONS)
    }

    fn get_tool(&self, name: &str) -> Option<Tool> {
        tools::all().into_iter().find(|tool| tool.name == name)
    }

    async fn list_tools(
        &self,
        _request: Option<PaginatedRequestParams>,
        _context: RequestContext<RoleServer>,
    ) -> Result<ListToolsResult, ErrorData> {
        Ok(ListToolsResult::with_all_items(tools::all()))
    }

    async fn call_tool(
        &self,
        request: CallToolRequestParams,
        _context: RequestContext<RoleServer>,
    ) -> Result<CallToolResponse, ErrorData> {
        let arguments = request.arguments.map_or(Value::Null, Value::Object);
        let call = match Call::read(&request.name, arguments) {
            Ok(call) => call,
            Err(NoCall::NoTool) => {
                return Err(ErrorData::new(ErrorCode::INVALID_PARAMS, "there is no such tool", None));
            }
            Err(NoCall::Arguments(why)) => return Ok(failed("usage", why, "").into()),
        };
        Ok(match call.carry_out(&self.desk).await {
            Ok(answer) => CallToolResult::structured(answer).into(),
            Err(ApiError { code, message, hint }) => {
                let code = serde_json::to_value(code).unwrap_or_default();
                failed(code.as_str().unwrap_or("unexpected"), &message, &hint).into()
            }
        })
    }
}

/// An error that the model reads: what happened and what to do.
fn failed(code: &str, message: &str, hint: &str) -> CallToolResult {
    let told = json!({"error": {"code": code, "message": message, "hint": hint}});
    CallToolResult::error(vec![ContentBlock::text(told.to_string())])
}
