//! The window's bridge: three commands, one per verb, all into the contract's dispatch.
//!
//! Must not know any call by name. What goes out to the page is what the contract's views hold, which is never material.

use crate::link::Link;
use claviger_api::schema::{ApiError, Verb};
use serde_json::Value;
use std::sync::Arc;
use tauri::State;

/// A call that reads.
#[tauri::command]
pub(crate) async fn query(
    link: State<'_, Arc<Link>>,
    name: String,
    params: Value,
) -> Result<Value, ApiError> {
    call(&link, Verb::Query, &name, params).await
}

/// A call that changes something.
#[tauri::command]
pub(crate) async fn mutate(
    link: State<'_, Arc<Link>>,
    name: String,
    params: Value,
) -> Result<Value, ApiError> {
    call(&link, Verb::Mutate, &name, params).await
}

/// An answer to a question that an agent's request raised.
#[tauri::command]
pub(crate) async fn decide(
    link: State<'_, Arc<Link>>,
    name: String,
    params: Value,
) -> Result<Value, ApiError> {
    call(&link, Verb::Decide, &name, params).await
}

async fn call(link: &Link, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
    #[cfg(feature = "e2e")]
    tap::record("in", name, &params);
    let answer = link.call(verb, name, params).await;
    #[cfg(feature = "e2e")]
    match &answer {
        Ok(value) => tap::record("out", name, value),
        Err(error) => tap::record("out", name, &serde_json::json!({ "error": error })),
    }
    answer
}

/// Writes what crosses the bridge to a file, so that a test can search it. Not part of any build that is shipped.
#[cfg(feature = "e2e")]
pub(crate) mod tap {
    use serde_json::{Value, json};
    use std::io::Write;

    /// One line per crossing, to the file that `CLAVIGER_E2E_TAP` names.
    pub(crate) fn record(way: &str, name: &str, value: &Value) {
        let Some(path) = std::env::var_os("CLAVIGER_E2E_TAP") else { return };
        let mut line = json!({ "way": way, "name": name, "value": value }).to_string();
        line.push('\n');
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            tracing::error!("the tap could not be written: {error}");
        }
    }
}
