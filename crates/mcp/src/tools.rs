//! The three tools: their names, what they say of themselves to a model, and what they take.
//!
//! Must not know how a call arrives. What a model reads here is part of the product: plain, and without promises.

use claviger_api::Desk;
use claviger_api::schema::ApiError;
use claviger_api::schema::own::Ask;
use rmcp::model::Tool;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

/// One of the three tools with its arguments.
pub(crate) enum Call {
    ListServices,
    RequestAccess(Ask),
    ExplainDenial(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct AskArguments {
    service: String,
    why: String,
    #[serde(default)]
    methods: Vec<String>,
    #[serde(default)]
    paths: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ExplainArguments {
    event: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct NoArguments {}

/// Why a call is none.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum NoCall {
    /// There is no such tool.
    NoTool,
    /// The arguments do not fit the tool's schema.
    Arguments(&'static str),
}

// === impl Call ===

impl Call {
    /// Reads a call. Arguments that the schema does not name are refused, not ignored.
    pub(crate) fn read(name: &str, arguments: Value) -> Result<Self, NoCall> {
        let arguments = if arguments.is_null() { json!({}) } else { arguments };
        match name {
            "list_services" => {
                NoArguments::deserialize(arguments)
                    .map_err(|_| NoCall::Arguments("it takes no arguments"))?;
                Ok(Self::ListServices)
            }
            "request_access" => {
                let AskArguments { service, why, methods, paths } = AskArguments::deserialize(arguments)
                    .map_err(|_| {
                        NoCall::Arguments("it takes service, why, methods (a list) and paths (a list)")
                    })?;
                Ok(Self::RequestAccess(Ask { service, why, methods, paths }))
            }
            "explain_denial" => ExplainArguments::deserialize(arguments)
                .map(|arguments| Self::ExplainDenial(arguments.event))
                .map_err(|_| NoCall::Arguments("it takes event, the EVT-… id of a refusal")),
            _ => Err(NoCall::NoTool),
        }
    }

    /// Has it answered.
    pub(crate) async fn carry_out(self, desk: &Desk) -> Result<Value, ApiError> {
        match self {
            Self::ListServices => desk.services().await.map(written),
            Self::RequestAccess(ask) => desk.ask(ask).await.map(written),
            Self::ExplainDenial(event) => desk.explain(event).await.map(written),
        }
    }
}

fn written<T: Serialize>(view: T) -> Value {
    // Every view is plain data, so writing it cannot fail.
    serde_json::to_value(view).unwrap_or_default()
}

/// What a client is shown before it calls anything.
pub(crate) const INSTRUCTIONS: &str = "Claviger holds the user's API credentials and puts them on your requests; you never \
    see them. list_services shows which services you may call, at which base URL, with which methods and paths. \
    request_access asks the user for more: the user decides, later, and nothing is granted by asking. When a request was \
    refused by Claviger, its body names an EVT-… id: explain_denial says why and what could be asked for.";

/// The tools, as they are listed.
pub(crate) fn all() -> Vec<Tool> {
    let texts = |what: &str, most: u32| json!({"type": "array", "items": {"type": "string"}, "maxItems": most, "description": what});
    let tool = |name: &str, title: &str, what: &str, properties: Value, required: &[&str], reads: bool| {
        json!({
            "name": name,
            "title": title,
            "description": what,
            "inputSchema": {
                "type": "object", "properties": properties, "required": required, "additionalProperties": false,
            },
            "annotations": {
                "title": title, "readOnlyHint": reads, "destructiveHint": false, "idempotentHint": true,
                "openWorldHint": false,
            },
        })
    };
    let all = [
        tool(
            "list_services",
            "What you may use",
            "Lists the services that you may call through Claviger: base URL, allowed methods and paths, and whether a \
             request would get through now; and what became of your requests for access. No credentials are shown.",
            json!({}),
            &[],
            true,
        ),
        tool(
            "request_access",
            "Ask the user for access",
            "Files a request that the user allows or denies later. It grants nothing by itself and returns no \
             credential. Ask for the least that the task needs, and say why in one or two sentences: the user reads \
             them. Do not repeat a request that was denied.",
            json!({
                "service": {"type": "string", "maxLength": 40, "description": "Name of the service, as in github"},
                "why": {"type": "string", "maxLength": 500, "description": "What for, for the user to read"},
                "methods": texts("Methods, as in GET; leave out for all", 8),
                "paths": texts(
                    "Paths at the service, with * within a segment and ** across, as in /repos/acme/**; leave out for all",
                    16,
                ),
            }),
            &["service", "why"],
            false,
        ),
        tool(
            "explain_denial",
            "Why a request was refused",
            "Says in plain words why Claviger refused one of your own requests, and what could be asked for with \
             request_access.",
            json!({"event": {"type": "string", "maxLength": 64, "description": "The EVT-… id in the refusal's body"}}),
            &["event"],
            true,
        ),
    ];
    // What is written above is a tool; a test lists all three.
    all.into_iter().filter_map(|tool| serde_json::from_value(tool).ok()).collect()
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
    use super::*;

    #[test]
    fn there_are_three_tools_and_none_decides_anything() {
        let names: Vec<String> = all().iter().map(|tool| tool.name.to_string()).collect();
        assert_eq!(names, ["list_services", "request_access", "explain_denial"], "these and no others");
        for name in ["proposal.allow", "allow", "mcp.request_access", "vault.unlock", "", "list_services "] {
            assert_eq!(Call::read(name, json!({})).err(), Some(NoCall::NoTool), "{name:?} is a tool");
        }
    }

    #[test]
    fn what_the_schema_does_not_name_is_refused() {
        for (name, arguments) in [
            ("list_services", json!({"agent": "other"})),
            ("request_access", json!({"service": "github"})),
            ("request_access", json!({"service": "github", "why": "x", "token": "t"})),
            ("request_access", json!({"service": "github", "why": "x", "agent": "other"})),
            ("request_access", json!({"service": "github", "why": "x", "methods": "GET"})),
            ("request_access", json!({"service": ["github"], "why": "x"})),
            ("explain_denial", json!({})),
            ("explain_denial", json!({"event": 1})),
            ("explain_denial", json!([])),
        ] {
            let read = Call::read(name, arguments.clone());
            assert!(matches!(read, Err(NoCall::Arguments(_))), "{name} took {arguments}");
        }
        let read = Call::read("request_access", json!({"service": "s", "why": "w", "paths": ["/a"]}));
        let Ok(Call::RequestAccess(ask)) = read else { panic!("a whole request is refused") };
        assert_eq!((ask.paths, ask.methods.len()), (vec!["/a".to_owned()], 0), "as it was asked");
    }
}
