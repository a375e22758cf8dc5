//! `credential`: kinds, add, list, show, rotate, revoke, freeze, unfreeze, history, remove.
//! Secrets go in here and never come out.

use std::process::ExitCode;

use claviger_api::schema::ApiError;
use serde_json::{Value, json};

use super::{Plan, acted, count, grants};
use crate::args::{CredentialCommand, NamedForGood};
use crate::context::Context;
use crate::output;
use crate::secret_input::as_json;

const FIELDS: &[(&str, &str)] = &[
    ("name", "Name"),
    ("id", "Id"),
    ("service", "Service"),
    ("kind", "Kind"),
    ("fingerprint", "Fingerprint"),
    ("state", "State"),
    ("version", "Version"),
    ("created", "Created"),
    ("rotated", "Rotated"),
    ("last_used", "Last used"),
    ("expires", "Expires"),
    ("age_days", "Age in days"),
    ("grants", "Granted to"),
];

pub(super) async fn run(cx: &mut Context, command: CredentialCommand) -> Result<ExitCode, ApiError> {
    match command {
        CredentialCommand::Kinds => {
            let rows = cx.query("credential.kinds", Value::Null).await?;
            cx.out.table(&rows, &[("kind", "KIND"), ("input", "ON STDIN"), ("about", "ABOUT")], "No kinds.");
        }
        CredentialCommand::Add { name, service, kind, secret, expires } => {
            let secret = cx.secrets.material(&secret.source())?;
            let request = json!({
                "name": name, "service": service, "kind": kind, "secret": as_json(&secret)?, "expires": expires,
            });
            let added = cx.mutate("credential.add", request).await?;
            stored(cx, &added, "added");
        }
        CredentialCommand::Rotate { name, secret, expires } => {
            let secret = cx.secrets.material(&secret.source())?;
            let request = json!({"name": name, "secret": as_json(&secret)?, "expires": expires});
            let rotated = cx.mutate("credential.rotate", request).await?;
            stored(cx, &rotated, "rotated");
        }
        CredentialCommand::List => {
            let rows = cx.query("credential.list", Value::Null).await?;
            let columns = [
                ("name", "NAME"),
                ("service", "SERVICE"),
                ("kind", "KIND"),
                ("state", "STATE"),
                ("fingerprint", "FINGERPRINT"),
                ("age_days", "AGE"),
                ("last_used", "LAST USED"),
                ("grants", "GRANTED TO"),
            ];
            cx.out.table(&rows, &columns, "No credentials yet: add one with `claviger credential add`.");
        }
        CredentialCommand::Show(which) => {
            let credential = cx.query("credential.show", json!({"name": which.name})).await?;
            cx.out.fields(&credential, FIELDS);
        }
        CredentialCommand::History(which) => {
            let rows = cx.query("credential.history", json!({"name": which.name})).await?;
            let columns = [
                ("version", "VERSION"),
                ("stored", "STORED"),
                ("fingerprint", "FINGERPRINT"),
                ("current", "IN FORCE"),
            ];
            cx.out.table(&rows, &columns, "No versions.");
        }
        CredentialCommand::Freeze(which) => {
            cx.mutate("credential.freeze", json!({"name": which.name})).await?;
            acted(cx, "credential", &which.name, "frozen");
        }
        CredentialCommand::Unfreeze(which) => {
            cx.mutate("credential.unfreeze", json!({"name": which.name})).await?;
            acted(cx, "credential", &which.name, "active");
        }
        CredentialCommand::Revoke(which) => end(cx, which, "revoke", "revoked").await?,
        CredentialCommand::Remove(which) => end(cx, which, "remove", "removed").await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn end(cx: &mut Context, which: NamedForGood, verb: &str, done: &str) -> Result<(), ApiError> {
    let thing = cx.query("credential.show", json!({"name": which.name})).await?;
    let plan = Plan {
        verb,
        noun: "credential",
        thing: &thing,
        name: which.name.clone(),
        consequence: format!("its secret is destroyed; {} on it", grants(count(&thing, "grants"))),
    };
    if plan.goes_on(cx, which.confirm)? {
        cx.mutate(&format!("credential.{verb}"), json!({"name": which.name})).await?;
        acted(cx, "credential", &which.name, done);
    }
    Ok(())
}

fn stored(cx: &Context, added: &Value, done: &str) {
    let field = |name: &str| added[name].as_str().unwrap_or_default().to_owned();
    cx.out.result(added, || {
        format!(
            "credential {} {done}: {}, fingerprint {}",
            field("credential"),
            field("kind"),
            field("fingerprint")
        )
    });
    if let Some(other) = added["duplicate_of"].as_str() {
        output::note(&format!("note: credential {other} holds the same secret"));
    }
}
