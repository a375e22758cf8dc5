//! `audit`: list, follow, verify, export. Must not know how the record is kept.

use std::process::ExitCode;

use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

use crate::args::{AuditCommand, AuditFilter, ExportFormat};
use crate::context::Context;
use crate::output::{self, cell};
use crate::text::{csv_cell, visible};

/// Every field of an entry, in the order of an export.
const FIELDS: &[&str] = &[
    "seq",
    "event",
    "at",
    "result",
    "code",
    "reason",
    "agent",
    "credential",
    "service",
    "grant",
    "method",
    "host",
    "path",
    "status",
    "bytes_in",
    "bytes_out",
    "model",
    "tokens_in",
    "tokens_out",
    "tokens_cached",
    "head_ms",
    "total_ms",
    "own_ms",
];
const PAGE: u32 = 1_000;

pub(super) async fn run(cx: &mut Context, command: AuditCommand) -> Result<ExitCode, ApiError> {
    match command {
        AuditCommand::List { filter, limit, before, follow: false } => {
            let mut request = request(&filter);
            request["limit"] = json!(limit);
            request["before"] = json!(before);
            let page = cx.query("audit.list", request).await?;
            let rows: Vec<Value> = page["entries"].as_array().into_iter().flatten().cloned().collect();
            if cx.out.json {
                output::line(&Value::Array(rows).to_string());
            } else {
                for row in rows.iter().rev() {
                    output::line(&sentence(row));
                }
                if let Some(next) = page["next"].as_u64() {
                    output::note(&format!("Older entries: add --before {next}"));
                }
            }
        }
        AuditCommand::List { filter, follow: true, .. } => return follow(cx, &filter).await,
        AuditCommand::Verify => return verify(cx).await,
        AuditCommand::Export { format, filter } => export(cx, format, &filter).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn follow(cx: &mut Context, filter: &AuditFilter) -> Result<ExitCode, ApiError> {
    let out = cx.out;
    let mut entries = cx.take_link().await?.follow(request(filter)).await?;
    while let Some(entry) = entries.next().await? {
        if !output::line(&if out.json { entry.to_string() } else { sentence(&entry) }) {
            break;
        }
    }
    Ok(ExitCode::SUCCESS)
}

async fn verify(cx: &mut Context) -> Result<ExitCode, ApiError> {
    let found = cx.query("audit.verify", Value::Null).await?;
    cx.out.result(&found, || {
        let (records, head) = (&found["records"], found["head"].as_str().unwrap_or_default());
        if found["ok"] == true {
            format!("The record is whole: {records} records, head {head}")
        } else {
            format!("The record is damaged after {records} good records")
        }
    });
    if found["ok"] == true {
        return Ok(ExitCode::SUCCESS);
    }
    let problem = visible(found["problem"].as_str().unwrap_or("it does not verify"));
    let at = found["first_bad"].as_u64().map(|seq| format!("record {seq}: ")).unwrap_or_default();
    Err(ApiError::new(
        Code::Integrity,
        format!("{at}{problem}"),
        "somebody or something changed the record's files; keep them as they are and compare with a backup",
    ))
}

async fn export(cx: &mut Context, format: ExportFormat, filter: &AuditFilter) -> Result<(), ApiError> {
    if matches!(format, ExportFormat::Csv) {
        output::line(&csv_line(FIELDS.iter().map(|field| (*field).to_owned())));
    }
    let mut request = request(filter);
    request["limit"] = json!(PAGE);
    loop {
        let page = cx.query("audit.list", request.clone()).await?;
        for entry in page["entries"].as_array().into_iter().flatten() {
            let text = match format {
                ExportFormat::Jsonl => entry.to_string(),
                ExportFormat::Csv => csv_line(FIELDS.iter().map(|field| match &entry[*field] {
                    Value::Null => String::new(),
                    Value::String(text) => csv_cell(text),
                    other => other.to_string(),
                })),
            };
            if !output::line(&text) {
                return Ok(());
            }
        }
        match page["next"].as_u64() {
            Some(next) => request["before"] = json!(next),
            None => return Ok(()),
        }
    }
}

/// RFC 4180 asks for both characters at the end of a line.
fn csv_line(cells: impl Iterator<Item = String>) -> String {
    format!("{}\r", cells.collect::<Vec<_>>().join(","))
}

fn request(filter: &AuditFilter) -> Value {
    json!({
        "since": filter.since, "agent": filter.agent, "credential": filter.credential, "result": filter.result,
        "event": filter.event, "text": filter.text,
    })
}

/// One entry as one line.
pub(crate) fn sentence(entry: &Value) -> String {
    let text = |field: &str| entry[field].as_str().map(visible).unwrap_or_default();
    let mut words = vec![cell(&entry["at"]), format!("{:8}", text("result"))];
    if entry["result"] == "act" {
        words.push(format!("{} {}", text("code"), text("reason")).trim_end().to_owned());
    } else {
        words.push(text("agent"));
        if entry["credential"].is_string() {
            words.push(format!("with {}", text("credential")));
        }
        words.push(format!("{} {}{}", text("method"), text("host"), text("path")));
        words.extend(entry["status"].as_u64().filter(|status| *status > 0).map(|status| status.to_string()));
        if let (Some(tokens_in), Some(tokens_out)) =
            (entry["tokens_in"].as_u64(), entry["tokens_out"].as_u64())
        {
            words.push(format!("{tokens_in} in, {tokens_out} out"));
        }
        words.push(text("code"));
        words.extend(entry["reason"].is_string().then(|| format!("({})", text("reason"))));
    }
    words.push(text("event"));
    words.retain(|word| !word.trim().is_empty());
    words.join("  ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_reads_as_one_line() {
        let done = json!({"at": "2026-11-21T09:30:00.250Z", "result": "done", "agent": "bot", "credential": "key",
            "method": "GET", "host": "h:1", "path": "/v1", "status": 200, "event": "EVT-a"});
        assert_eq!(
            sentence(&done),
            "2026-11-21 09:30:00Z  done      bot  with key  GET h:1/v1  200  EVT-a",
            "a request"
        );
        let refused = json!({"at": "2026-11-21T09:30:00.250Z", "result": "refused", "method": "GET", "path": "/x",
            "code": "unauthenticated", "reason": "unknown\ntoken", "event": "EVT-b"});
        let line = sentence(&refused);
        assert_eq!(
            line, "2026-11-21 09:30:00Z  refused   GET /x  unauthenticated  (unknown\\ntoken)  EVT-b",
            "a refusal"
        );
        let act = json!({"at": "2026-11-21T09:30:00.250Z", "result": "act", "code": "agent.add", "reason": "bot",
            "agent": "bot", "event": "EVT-c"});
        assert_eq!(sentence(&act), "2026-11-21 09:30:00Z  act       agent.add bot  EVT-c", "an act");
    }
}
