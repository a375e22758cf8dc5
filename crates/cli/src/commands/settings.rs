//! `settings`: show and set. Must not know what a setting does.

use std::process::ExitCode;

use claviger_api::schema::ApiError;
use serde_json::{Value, json};

use crate::args::SettingsCommand;
use crate::context::Context;

const FIELDS: &[(&str, &str)] = &[
    ("port", "Port"),
    ("record", "Record"),
    ("lock_after_minutes", "Lock after minutes"),
    ("notifications", "Notifications"),
];

pub(super) async fn run(cx: &mut Context, command: SettingsCommand) -> Result<ExitCode, ApiError> {
    let mut settings = cx.query("settings.show", Value::Null).await?;
    if let SettingsCommand::Set(set) = command {
        if let Some(port) = set.port {
            settings["port"] = json!(port);
        }
        if let Some(record) = set.record {
            settings["record"] = json!(record.word());
        }
        if let Some(minutes) = set.lock_after_minutes {
            settings["lock_after_minutes"] = json!(minutes);
        }
        if let Some(on) = set.notifications {
            settings["notifications"] = json!(on);
        }
        settings = cx.mutate("settings.set", settings).await?;
    }
    cx.out.fields(&settings, FIELDS);
    Ok(ExitCode::SUCCESS)
}
