//! `grant` and `policy`: give, list, show, change, remove, explain. Must not decide anything.

use std::process::ExitCode;

use claviger_api::schema::ApiError;
use serde_json::{Value, json};

use super::{Plan, acted};
use crate::args::{GrantCommand, PolicyCommand};
use crate::context::Context;
use crate::text::visible;

const FIELDS: &[(&str, &str)] = &[
    ("grant", "Id"),
    ("sentence", "In words"),
    ("agent", "Agent"),
    ("credential", "Credential"),
    ("service", "Service"),
    ("base_url", "Base URL"),
    ("methods", "Methods"),
    ("paths", "Paths"),
    ("rate", "Rate"),
    ("hours", "Hours (UTC)"),
    ("created", "Created"),
    ("expires", "Expires"),
];

pub(super) async fn run(cx: &mut Context, command: GrantCommand) -> Result<ExitCode, ApiError> {
    match command {
        GrantCommand::Add { agent, credential, rules } => {
            let request = json!({
                "agent": agent, "credential": credential, "methods": rules.methods, "paths": rules.paths,
                "rate": rules.rate, "hours": rules.hours, "expires": rules.expires,
            });
            let grant = cx.mutate("grant.add", request).await?;
            told(cx, &grant);
        }
        GrantCommand::Set { grant, rules } => {
            // An empty value clears: `--method ""` means all methods again.
            let cleared =
                |list: Option<Vec<String>>| list.map(|l| l.into_iter().filter(|i| !i.is_empty()).collect());
            let (methods, paths): (Option<Vec<String>>, Option<Vec<String>>) =
                (cleared(rules.methods), cleared(rules.paths));
            let request = json!({
                "grant": grant, "methods": methods, "paths": paths,
                "rate": rules.rate, "hours": rules.hours, "expires": rules.expires,
            });
            let grant = cx.mutate("grant.set", request).await?;
            told(cx, &grant);
        }
        GrantCommand::List => {
            let rows = cx.query("grant.list", Value::Null).await?;
            let columns = [("grant", "GRANT"), ("sentence", "IN WORDS"), ("base_url", "BASE URL")];
            cx.out.table(&rows, &columns, "No grants yet: give one with `claviger grant add`.");
        }
        GrantCommand::Show(which) => {
            let grant = cx.query("grant.show", json!({"name": which.name})).await?;
            cx.out.fields(&grant, FIELDS);
        }
        GrantCommand::Remove(which) => {
            let thing = cx.query("grant.show", json!({"name": which.name})).await?;
            let plan = Plan {
                verb: "remove",
                noun: "grant",
                thing: &thing,
                name: which.name.clone(),
                consequence: format!("no longer holds: {}", thing["sentence"].as_str().unwrap_or_default()),
            };
            if plan.goes_on(cx, which.confirm)? {
                cx.mutate("grant.remove", json!({"name": which.name})).await?;
                acted(cx, "grant", &which.name, "removed");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn policy(cx: &mut Context, command: PolicyCommand) -> Result<ExitCode, ApiError> {
    let PolicyCommand::Explain { agent, method, url } = command;
    let why = cx.query("policy.explain", json!({"agent": agent, "method": method, "url": url})).await?;
    cx.out.result(&why, || {
        let rule = visible(why["rule"].as_str().unwrap_or_default());
        let by = why["grant"].as_str().map(|grant| format!("\nby grant {grant}")).unwrap_or_default();
        match why["code"].as_str() {
            None => format!("allowed: {rule}{by}"),
            Some(code) => format!("refused ({code}): {rule}{by}"),
        }
    });
    Ok(ExitCode::SUCCESS)
}

pub(super) fn told(cx: &Context, grant: &Value) {
    cx.out.result(grant, || {
        let field = |name: &str| grant[name].as_str().unwrap_or_default().to_owned();
        format!("{}\nBase URL: {}", visible(&field("sentence")), field("base_url"))
    });
}
