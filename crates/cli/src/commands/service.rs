//! `service`: list, show, add, remove. Must not know what a service is used for.

use std::process::ExitCode;

use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

use super::{Plan, acted};
use crate::args::{ServiceAdd, ServiceCommand};
use crate::context::Context;

const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("title", "Title"),
    ("id", "Id"),
    ("base_url", "Base URL"),
    ("auth", "Auth"),
    ("allow_private", "Private allowed"),
    ("own_ca", "Own CA"),
    ("metered", "Tokens counted"),
    ("mcp", "MCP server"),
    ("built_in", "Built in"),
    ("console_url", "Keys are made at"),
];

pub(super) async fn run(cx: &mut Context, command: ServiceCommand) -> Result<ExitCode, ApiError> {
    match command {
        ServiceCommand::List => {
            let rows = cx.query("service.list", Value::Null).await?;
            let columns =
                [("name", "NAME"), ("base_url", "BASE URL"), ("auth", "AUTH"), ("built_in", "BUILT IN")];
            cx.out.table(&rows, &columns, "No services.");
        }
        ServiceCommand::Show(which) => {
            let service = cx.query("service.show", json!({"name": which.name})).await?;
            cx.out.fields(&service, FIELDS);
        }
        ServiceCommand::Add(args) => {
            let added = cx.mutate("service.add", request(args)?).await?;
            cx.out.result(&added, || {
                let field = |name: &str| added[name].as_str().unwrap_or_default().to_owned();
                format!("service {} added: {} by {}", field("name"), field("base_url"), field("auth"))
            });
        }
        ServiceCommand::Remove(which) => {
            let thing = cx.query("service.show", json!({"name": which.name})).await?;
            let plan = Plan {
                verb: "remove",
                noun: "service",
                thing: &thing,
                name: which.name.clone(),
                consequence: "its credentials must be gone before".to_owned(),
            };
            if plan.goes_on(cx, which.confirm)? {
                cx.mutate("service.remove", json!({"name": which.name})).await?;
                acted(cx, "service", &which.name, "removed");
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}

fn request(args: ServiceAdd) -> Result<Value, ApiError> {
    let ca_pem = match &args.ca {
        Some(path) => Some(std::fs::read_to_string(path).map_err(|why| {
            let what = format!("the certificates cannot be read from {}: {why}", path.display());
            ApiError::new(Code::Usage, what, "give a PEM file")
        })?),
        None => None,
    };
    // The MCP text knows bearer tokens alone.
    let auth = args.auth.as_deref().unwrap_or("bearer");
    Ok(json!({
        "name": args.name, "base_url": args.base_url, "auth": auth, "allow_private": args.allow_private,
        "ca_pem": ca_pem, "encoded_slash": args.encoded_slash, "usage": args.usage, "mcp": args.mcp,
    }))
}
