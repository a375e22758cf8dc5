//! `agent`: add, list, show, renew, revoke, pause, resume, remove. Must not keep a token.

use std::process::ExitCode;

use claviger_api::schema::ApiError;
use serde_json::{Value, json};

use super::{Plan, acted, count, grants};
use crate::args::{AgentCommand, NamedForGood};
use crate::context::Context;
use crate::output;

const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("id", "Id"),
    ("state", "State"),
    ("created", "Created"),
    ("expires", "Token ends"),
    ("last_seen", "Last request"),
];

pub(super) async fn run(cx: &mut Context, command: AgentCommand) -> Result<ExitCode, ApiError> {
    match command {
        AgentCommand::Add { name, ttl } => {
            let added = cx.mutate("agent.add", json!({"name": name, "ttl": ttl})).await?;
            show_token(cx, &added);
        }
        AgentCommand::Renew { name, ttl } => {
            let renewed = cx.mutate("agent.renew", json!({"name": name, "ttl": ttl})).await?;
            show_token(cx, &renewed);
        }
        AgentCommand::List => {
            let rows = cx.query("agent.list", Value::Null).await?;
            let columns = [
                ("name", "NAME"),
                ("state", "STATE"),
                ("expires", "TOKEN ENDS"),
                ("last_seen", "LAST REQUEST"),
            ];
            cx.out.table(&rows, &columns, "No agents yet: add one with `claviger agent add`.");
        }
        AgentCommand::Show(which) => {
            let agent = cx.query("agent.show", json!({"name": which.name})).await?;
            cx.out.fields(&agent, FIELDS);
            if !cx.out.json {
                let columns = [("grant", "GRANT"), ("credential", "CREDENTIAL"), ("base_url", "BASE URL")];
                cx.out.table(
                    &agent["grants"],
                    &columns,
                    "No grants yet: give one with `claviger grant add`.",
                );
            }
        }
        AgentCommand::Pause(which) => pause(cx, which.name, "pause", "paused").await?,
        AgentCommand::Resume(which) => pause(cx, which.name, "resume", "active").await?,
        AgentCommand::Revoke(which) => end(cx, which, "revoke", "revoked").await?,
        AgentCommand::Remove(which) => end(cx, which, "remove", "removed").await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn pause(cx: &mut Context, name: Option<String>, verb: &str, done: &str) -> Result<(), ApiError> {
    match name {
        Some(name) => {
            cx.mutate(&format!("agent.{verb}"), json!({"name": name})).await?;
            acted(cx, "agent", &name, done);
        }
        None => {
            cx.mutate(&format!("agent.{verb}_all"), Value::Null).await?;
            cx.out.result(&json!({"agents": "all", "state": done}), || format!("all agents {done}"));
        }
    }
    Ok(())
}

async fn end(cx: &mut Context, which: NamedForGood, verb: &str, done: &str) -> Result<(), ApiError> {
    let thing = cx.query("agent.show", json!({"name": which.name})).await?;
    let plan = Plan {
        verb,
        noun: "agent",
        thing: &thing,
        name: which.name.clone(),
        consequence: format!(
            "its token ends, open streams are cut; it has {}",
            grants(count(&thing, "grants"))
        ),
    };
    if plan.goes_on(cx, which.confirm)? {
        cx.mutate(&format!("agent.{verb}"), json!({"name": which.name})).await?;
        acted(cx, "agent", &which.name, done);
    }
    Ok(())
}

fn show_token(cx: &Context, issued: &Value) {
    cx.out.result(issued, || format!("Token: {}", issued["token"].as_str().unwrap_or_default()));
    let name = issued["agent"].as_str().unwrap_or_default();
    let until = output::cell(&issued["expires"]);
    output::note(&format!("The token of {name} is good until {until} and is not shown again."));
}
