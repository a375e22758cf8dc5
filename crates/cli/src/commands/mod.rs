//! What each command does: one file per noun, each only translating between words and calls of the contract.
//! Must not know how a call is carried out.

mod agent;
mod audit;
mod credential;
mod grant;
mod oauth;
mod pages;
mod proposal;
mod service;
mod settings;
mod usage;
mod vault;
mod wiring;

pub(crate) use audit::sentence;

use std::process::ExitCode;

use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

use crate::args::{Command, Confirm};
use crate::context::Context;
use crate::output;

/// What can be listed.
const NOUNS: [&str; 5] = ["service", "credential", "agent", "grant", "proposal"];

/// Carries out one command.
pub(crate) async fn run(cx: &mut Context, command: Command) -> Result<ExitCode, ApiError> {
    // These need neither vault nor engine, or look after both themselves.
    match command {
        Command::Completions { shell } => return pages::completions(shell),
        Command::Man { out } => return pages::man(out.as_deref()),
        Command::Demo => return crate::demo::run(cx.out).await,
        Command::DemoAgent => return crate::demo::agent(),
        Command::Serve(args) => return vault::serve(cx, args).await,
        Command::Mcp(args) => return proposal::mcp(cx, args).await,
        Command::Run(args) => return wiring::run(cx, args).await.map_err(with_hint),
        _ => {}
    }
    let done = match command {
        Command::Init(args) => vault::init(cx, args).await,
        Command::Status => vault::status(cx).await,
        Command::Unlock(args) => vault::unlock(cx, args).await,
        Command::Lock => vault::lock(cx).await,
        Command::Password(command) => vault::password(cx, command).await,
        Command::Recovery(command) => vault::recovery(cx, command).await,
        Command::Service(command) => service::run(cx, command).await,
        Command::Credential(command) => credential::run(cx, command).await,
        Command::Oauth(command) => oauth::run(cx, command).await,
        Command::Token(command) => oauth::token(cx, command).await,
        Command::Agent(command) => agent::run(cx, command).await,
        Command::Grant(command) => grant::run(cx, command).await,
        Command::Proposal(command) => proposal::run(cx, command).await,
        Command::Policy(command) => grant::policy(cx, command).await,
        Command::Env(args) => wiring::env(cx, args).await,
        Command::Usage(args) => usage::run(cx, args).await,
        Command::Audit(command) => audit::run(cx, command).await,
        Command::Settings(command) => settings::run(cx, command).await,
        Command::Completions { .. }
        | Command::Man { .. }
        | Command::Demo
        | Command::DemoAgent
        | Command::Serve(_)
        | Command::Mcp(_)
        | Command::Run(_) => Ok(ExitCode::SUCCESS),
    };
    // A failure to close matters when all else went well; otherwise the first failure is the one to tell.
    let closed = cx.close().await;
    let code = done.map_err(with_hint)?;
    closed?;
    Ok(code)
}

/// What to do about a name that is none: look at those that are.
fn with_hint(mut why: ApiError) -> ApiError {
    let noun = why.message.strip_prefix("no ").and_then(|rest| rest.split(' ').next()).unwrap_or_default();
    if why.code == Code::NotFound && why.hint.is_empty() && NOUNS.contains(&noun) {
        why.hint = format!("`claviger {noun} list` shows those that there are");
    }
    why
}

/// What a destructive command is about to do, in words and for `--dry-run`.
struct Plan<'a> {
    /// As in `remove`.
    verb: &'a str,
    /// As in `credential`.
    noun: &'a str,
    /// The thing as it stands, from `NOUN.show`.
    thing: &'a Value,
    /// Its name or id.
    name: String,
    /// What follows from it, in one sentence.
    consequence: String,
}

// === impl Plan ===

impl Plan<'_> {
    /// Whether to go on: not on a dry run, and only after a yes where there is somebody to ask.
    fn goes_on(&self, cx: &Context, confirm: Confirm) -> Result<bool, ApiError> {
        let Self { verb, noun, thing, name, consequence } = self;
        if confirm.dry_run {
            let document = json!({"dry_run": true, "would": verb, (*noun): name, "now": thing});
            cx.out.result(&document, || format!("would {verb} {noun} {name}: {consequence}"));
            return Ok(false);
        }
        if confirm.needs_no_answer() {
            return Ok(true);
        }
        output::note(&format!("This will {verb} {noun} {name}: {consequence}\nGo on? [y/N] "));
        let mut answer = String::new();
        let read = std::io::stdin().read_line(&mut answer);
        if read.is_ok() && matches!(answer.trim(), "y" | "Y" | "yes") {
            return Ok(true);
        }
        Err(ApiError::new(
            Code::Refused,
            "not confirmed, nothing was changed",
            "pass --yes to skip the question",
        ))
    }
}

/// The result of an act that has no other: the thing's name and what was done.
fn acted(cx: &Context, noun: &str, name: &str, done: &str) {
    cx.out.result(&json!({noun: name, "state": done}), || format!("{noun} {name} {done}"));
}

/// How many things stand in a list of a view.
fn count(thing: &Value, field: &str) -> usize {
    thing[field].as_array().map_or(0, Vec::len)
}

/// "no grants", "1 grant", "3 grants".
fn grants(n: usize) -> String {
    match n {
        0 => "no grants".to_owned(),
        1 => "1 grant".to_owned(),
        n => format!("{n} grants"),
    }
}
