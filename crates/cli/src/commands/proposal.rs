//! `proposal` and `mcp`: what agents ask for, the human's answers, and the door through which agents ask.
//! Must not decide anything.

use std::process::ExitCode;

use claviger_api::Desk;
use claviger_api::schema::{ApiError, Code};
use claviger_secret::Secret;
use serde_json::{Value, json};

use super::grant;
use crate::args::{McpArgs, ProposalCommand};
use crate::context::Context;
use crate::text::visible;

/// Where `claviger run` puts the agent's token.
const TOKEN: &str = "CLAVIGER_TOKEN";

const FIELDS: &[(&str, &str)] = &[
    ("proposal", "Id"),
    ("agent", "Agent"),
    ("service", "Service"),
    ("why", "Why"),
    ("methods", "Methods"),
    ("paths", "Paths"),
    ("state", "State"),
    ("would", "If allowed"),
    ("credentials", "Credentials"),
    ("created", "Asked"),
    ("answered", "Answered"),
    ("grant", "Grant"),
];

pub(super) async fn run(cx: &mut Context, command: ProposalCommand) -> Result<ExitCode, ApiError> {
    match command {
        ProposalCommand::List => {
            let rows = cx.query("proposal.list", Value::Null).await?;
            let columns = [
                ("proposal", "PROPOSAL"),
                ("state", "STATE"),
                ("agent", "AGENT"),
                ("service", "SERVICE"),
                ("methods", "METHODS"),
                ("paths", "PATHS"),
                ("why", "WHY"),
            ];
            cx.out.table(&rows, &columns, "No agent has asked for anything.");
        }
        ProposalCommand::Show(which) => {
            let proposal = cx.query("proposal.show", json!({"name": which.name})).await?;
            cx.out.fields(&proposal, FIELDS);
        }
        ProposalCommand::Allow { proposal, credential, terms } => {
            let request = json!({
                "proposal": proposal, "credential": credential, "methods": terms.methods, "paths": terms.paths,
                "rate": terms.rate, "hours": terms.hours, "expires": terms.expires,
            });
            let given = cx.decide("proposal.allow", request).await?;
            grant::told(cx, &given);
        }
        ProposalCommand::Deny { proposal } => {
            let denied = cx.decide("proposal.deny", json!({"proposal": proposal})).await?;
            cx.out.result(&denied, || {
                format!("denied: {}", visible(denied["agent"].as_str().unwrap_or_default()))
            });
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Serves one agent on stdin and stdout until stdin ends. The vault is never opened here: only a running engine answers.
pub(super) async fn mcp(cx: &mut Context, args: McpArgs) -> Result<ExitCode, ApiError> {
    let given = cx.secrets.line(&args.token(), "the agent's token")?;
    let from_environment = || std::env::var(TOKEN).ok().filter(|text| !text.is_empty()).map(Secret::from);
    let token = given.or_else(from_environment).ok_or_else(|| {
        ApiError::new(
            Code::Usage,
            "the agent's token is needed: it says who asks",
            "set CLAVIGER_TOKEN, or give it with --agent-token-file or --agent-token-stdin",
        )
    })?;
    claviger_mcp::serve_stdio(Desk::by_token(&cx.dirs, token)).await?;
    Ok(ExitCode::SUCCESS)
}
