//! `usage`: the roll-ups. Must not count anything itself.

use std::process::ExitCode;

use claviger_api::schema::ApiError;
use serde_json::json;

use crate::args::UsageArgs;
use crate::context::Context;

pub(super) async fn run(cx: &mut Context, args: UsageArgs) -> Result<ExitCode, ApiError> {
    let by = args.by.map(|by| by.word());
    let rows = cx.query("usage.report", json!({"since": args.since, "by": by})).await?;
    let columns = [
        ("key", by.unwrap_or("all")),
        ("requests", "requests"),
        ("errors", "errors"),
        ("denied", "denied"),
        ("tokens_in", "tokens in"),
        ("tokens_out", "tokens out"),
        ("tokens_cached", "cached"),
        ("bytes_in", "bytes in"),
        ("bytes_out", "bytes out"),
        ("p50_ms", "p50 ms"),
        ("p99_ms", "p99 ms"),
    ]
    .map(|(field, title)| (field, title.to_uppercase()));
    let columns: Vec<(&str, &str)> = columns.iter().map(|(field, title)| (*field, title.as_str())).collect();
    cx.out.table(&rows, &columns, "Nothing was used.");
    Ok(ExitCode::SUCCESS)
}
