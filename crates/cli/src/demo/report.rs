//! What the demo shows, and the checks that decide how it ends. Must not send or store anything.

use serde_json::{Value, json};

use super::upstream::{TOKENS_IN, TOKENS_OUT};
use crate::output::{self, Output};
use crate::text::visible;

pub(super) struct Report {
    pub(super) secret: String,
    pub(super) token: String,
    /// What the agent's side told: what it held, then one object per request.
    pub(super) told: Vec<Value>,
    /// What the upstream saw.
    pub(super) seen: Vec<String>,
    pub(super) usage: Value,
    pub(super) audit: Value,
    pub(super) verified: Value,
}

// === impl Report ===

impl Report {
    /// Shows both sides, and whether everything that was promised held.
    pub(super) fn show(&self, out: Output) -> bool {
        let checks = self.checks();
        let holds = checks.iter().all(|(_, held)| *held);
        if out.json {
            let checks: Vec<Value> =
                checks.iter().map(|(what, held)| json!({"check": what, "ok": held})).collect();
            let document = json!({
                "ok": holds, "checks": checks, "agent": self.told, "upstream": self.seen, "usage": self.usage,
                "audit": self.audit["entries"],
            });
            output::line(&document.to_string());
            return holds;
        }
        let mut upstream = self.seen.iter();
        for exchange in self.exchanges() {
            let field = |name: &str| exchange[name].as_str().unwrap_or_default();
            output::line(&format!("━━ {} ━━", field("title")));
            output::line("the agent sent");
            self.quote(field("sent"));
            if refused(exchange) {
                output::line("the upstream saw\n    nothing");
            } else if let Some(seen) = upstream.next() {
                output::line("the upstream saw");
                self.quote(seen);
            }
            output::line("the agent received");
            self.quote(field("received"));
            output::line("");
        }
        output::line("━━ usage ━━");
        let columns = [
            ("key", "AGENT"),
            ("requests", "REQUESTS"),
            ("denied", "DENIED"),
            ("tokens_in", "TOKENS IN"),
            ("tokens_out", "TOKENS OUT"),
            ("tokens_cached", "CACHED"),
        ];
        out.table(&self.usage, &columns, "none");
        output::line("\n━━ record ━━");
        for entry in self.audit["entries"].as_array().into_iter().flatten().rev() {
            output::line(&crate::commands::sentence(entry));
        }
        output::line("\n━━ what held ━━");
        for (what, held) in &checks {
            output::line(&format!("{} {what}", if *held { "ok    " } else { "FAILED" }));
        }
        holds
    }

    fn exchanges(&self) -> impl Iterator<Item = &Value> {
        self.told.iter().filter(|line| line["sent"].is_string())
    }

    fn checks(&self) -> Vec<(&'static str, bool)> {
        let agent_side: String = self.told.iter().map(strings).collect();
        let everywhere_once = |seen: &String| seen.matches(&self.secret).count() == 1;
        let total = |field: &str| {
            self.usage.as_array().into_iter().flatten().filter_map(|row| row[field].as_u64()).sum::<u64>()
        };
        let statuses: Vec<u16> = self.exchanges().map(status).collect();
        vec![
            ("the agent's side never held, sent or received the secret", !carries(&agent_side, &self.secret)),
            ("the agent held its own token", agent_side.contains(&self.token) && !self.token.is_empty()),
            ("three requests succeeded, two were refused", statuses == [200, 200, 200, 403, 401]),
            ("the upstream saw exactly the three that were allowed", self.seen.len() == 3),
            ("the upstream saw the secret exactly once on each", self.seen.iter().all(everywhere_once)),
            (
                "the upstream never saw the agent's token",
                !self.seen.iter().any(|seen| carries(seen, &self.token)),
            ),
            (
                "usage shows the upstream's own token counts",
                (total("tokens_in"), total("tokens_out")) == (2 * TOKENS_IN, 2 * TOKENS_OUT),
            ),
            ("the record is whole", self.verified["ok"] == true),
        ]
    }

    /// Indented, with the long token cut short.
    fn quote(&self, text: &str) {
        let short = format!("{}…({} characters)", self.token.get(..10).unwrap_or_default(), self.token.len());
        for line in text.replace(&self.token, &short).lines() {
            output::line(&format!("    {}", visible(line.trim_end_matches('\r'))));
        }
    }
}

fn refused(exchange: &Value) -> bool {
    status(exchange) >= 400
}

fn status(exchange: &Value) -> u16 {
    let received = exchange["received"].as_str().unwrap_or_default();
    received.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap_or(0)
}

/// Every string in a JSON value, joined.
fn strings(value: &Value) -> String {
    match value {
        Value::String(text) => format!("{text}\n"),
        Value::Array(items) => items.iter().map(strings).collect(),
        Value::Object(fields) => fields.values().map(strings).collect(),
        _ => String::new(),
    }
}

/// Whether the text carries this, as it is or in hex.
fn carries(text: &str, secret: &str) -> bool {
    let hex: String = secret.bytes().map(|b| format!("{b:02x}")).collect();
    secret.is_empty() || text.contains(secret) || text.to_ascii_lowercase().contains(&hex)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report() -> Report {
        let exchange = |status: u16| json!({"title": "t", "sent": "GET / Bearer tok-1234567890", "received": format!("HTTP/1.1 {status} X\r\n\r\n")});
        let mut told = vec![json!({"held": ["OPENAI_API_KEY=tok-1234567890"]})];
        told.extend([200, 200, 200, 403, 401].map(exchange));
        Report {
            secret: "sk-demo-secret".to_owned(),
            token: "tok-1234567890".to_owned(),
            told,
            seen: vec!["GET /\nauthorization: Bearer sk-demo-secret\n".to_owned(); 3],
            usage: json!([{"key": "a", "tokens_in": 2 * TOKENS_IN, "tokens_out": 2 * TOKENS_OUT}]),
            audit: json!({"entries": []}),
            verified: json!({"ok": true}),
        }
    }

    fn failed(report: &Report) -> Vec<&'static str> {
        report.checks().into_iter().filter(|(_, held)| !held).map(|(what, _)| what).collect()
    }

    #[test]
    fn each_broken_promise_fails_the_demo() {
        assert_eq!(failed(&report()), Vec::<&str>::new(), "all is well");
        let mut leaked = report();
        leaked.told[2]["received"] = json!("HTTP/1.1 200 OK\r\n\r\nkey: sk-demo-secret");
        assert_eq!(failed(&leaked).len(), 1, "the secret came back to the agent");
        let mut hex = report();
        hex.told[0]["held"] = json!(["X=736b2d64656d6f2d736563726574", "tok-1234567890"]);
        assert_eq!(failed(&hex).len(), 1, "the agent held it in hex");
        let mut passed_on = report();
        passed_on.seen[1].push_str("x: tok-1234567890");
        assert_eq!(failed(&passed_on).len(), 1, "the token reached the upstream");
        let mut missing = report();
        missing.seen[0] = "GET /\n".to_owned();
        assert_eq!(failed(&missing).len(), 1, "the secret was not put on a request");
        let mut damaged = report();
        damaged.verified = json!({"ok": false});
        assert_eq!(failed(&damaged).len(), 1, "the record is damaged");
    }
}
