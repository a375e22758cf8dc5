//! `oauth`: targets, discover, prepare, connect, status, reconnect, refresh, disconnect; and `token inspect`.
//! A flow goes on in the engine; this only looks at it. Without a running engine this process is the engine until the
//! flow is over. No token comes here.

use std::process::ExitCode;
use std::time::Duration;

use claviger_api::schema::oauth::{FlowStep, FlowView};
use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

use super::{Plan, acted, count, grants};
use crate::args::{ConnectArgs, DiscoverArgs, NamedForGood, OauthCommand, TokenCommand};
use crate::context::Context;
use crate::output;
use crate::secret_input::{Source, as_json};
use crate::text::visible;

/// How often a flow is looked at.
const LOOK: Duration = Duration::from_millis(150);

const FIELDS: &[(&str, &str)] = &[
    ("credential", "Credential"),
    ("service", "Service"),
    ("issuer", "Server"),
    ("account", "Account"),
    ("state", "State"),
    ("reason", "Because"),
    ("scopes", "Scopes"),
    ("withheld", "Not granted"),
    ("expires", "Token ends"),
    ("refreshed_at", "Renewed"),
    ("next_refresh", "Due again"),
    ("refreshable", "Renews itself"),
    ("flow", "Consent by"),
];

pub(super) async fn run(cx: &mut Context, command: OauthCommand) -> Result<ExitCode, ApiError> {
    match command {
        OauthCommand::Targets => {
            let rows = cx.query("oauth.targets", Value::Null).await?;
            let columns = [
                ("service", "SERVICE"),
                ("issuer", "SERVER"),
                ("flows", "FLOWS"),
                ("registration", "APP"),
                ("console_url", "REGISTER AT"),
            ];
            cx.out.table(&rows, &columns, "No service can be signed in to.");
        }
        OauthCommand::Discover(args) => discover(cx, args).await?,
        OauthCommand::Prepare(which) => {
            let prepared = cx.mutate("oauth.prepare", json!({"name": which.name})).await?;
            let field = |name: &str| prepared[name].as_str().unwrap_or_default().to_owned();
            cx.out.result(&prepared, || field("redirect_uri"));
            output::note(&format!(
                "Where the provider ignores the port of a loopback URI, {} is enough.",
                field("without_port")
            ));
        }
        OauthCommand::Connect(args) => connect(cx, args).await?,
        OauthCommand::Status { name } => status(cx, name).await?,
        OauthCommand::Reconnect { name, no_browser } => {
            let request = json!({"credential": name, "open": !no_browser});
            let flow = cx.mutate("oauth.reconnect", request).await?;
            follow(cx, flow, no_browser).await?;
        }
        OauthCommand::Refresh(which) => {
            cx.mutate("oauth.refresh", json!({"credential": which.name})).await?;
            let rows = cx.query("oauth.status", json!({"credential": which.name})).await?;
            let now = rows.get(0).cloned().unwrap_or_default();
            cx.out.result(&now, || {
                format!("credential {} renewed; its token ends {}", which.name, output::cell(&now["expires"]))
            });
        }
        OauthCommand::Disconnect(which) => disconnect(cx, which).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn discover(cx: &mut Context, args: DiscoverArgs) -> Result<(), ApiError> {
    let request =
        json!({"service": args.service, "issuer": args.issuer, "allow_private": args.allow_private});
    let found = cx.query("oauth.discover", request).await?;
    let names = |scopes: &Value| {
        let names = scopes.as_array().into_iter().flatten().map(|scope| scope["name"].clone());
        Value::Array(names.collect())
    };
    if cx.out.json {
        output::line(&found.to_string());
        return Ok(());
    }
    let mut shown = found.clone();
    shown["scopes"] = names(&found["scopes"]);
    let fields = [
        ("issuer", "Server"),
        ("other_issuers", "Others"),
        ("flows", "Flows"),
        ("registration", "App"),
        ("scopes", "Scopes"),
        ("pushed_requests", "Pushed requests"),
        ("dpop", "Bound tokens"),
        ("supports_revocation", "Takes tokens back"),
    ];
    cx.out.fields(&shown, &fields);
    Ok(())
}

async fn connect(cx: &mut Context, args: ConnectArgs) -> Result<(), ApiError> {
    let secret = cx.secrets.line(&args.client_secret(), "the client secret")?;
    let secret = secret.as_ref().map(as_json).transpose()?;
    let scopes: Vec<&str> = args.scopes.iter().flat_map(|text| text.split_whitespace()).collect();
    let request = json!({
        "name": args.name, "service": args.service, "issuer": args.issuer, "flow": args.flow.word(),
        "scopes": scopes, "client_id": args.client_id, "client_secret": secret,
        "redirect_uri": args.redirect_uri, "open": !args.no_browser,
    });
    let flow = cx.mutate("oauth.begin", request).await?;
    follow(cx, flow, args.no_browser).await
}

/// Looks at a flow until it is over, and says what the user has to do. Ctrl-C cancels it.
async fn follow(cx: &mut Context, flow: Value, no_browser: bool) -> Result<(), ApiError> {
    let mut flow = read(flow)?;
    let mut told = false;
    let interrupt = tokio::signal::ctrl_c();
    tokio::pin!(interrupt);
    let mut was_interrupted = false;
    loop {
        match &flow.step {
            FlowStep::WaitingBrowser { url, .. } if !told => {
                told = true;
                let document = json!({"open": url, "flow": flow.id, "expires": flow.expires_at});
                cx.out.result(&document, || visible(url));
                output::note(match no_browser {
                    true => "Open this URL in your browser and consent there. Waiting for the answer …",
                    false => "Your browser shows this page; consent there. Waiting for the answer …",
                });
            }
            FlowStep::WaitingDevice { user_code, verification_uri, verification_uri_complete, .. }
                if !told =>
            {
                told = true;
                let document = json!({
                    "user_code": user_code, "verification_uri": verification_uri,
                    "verification_uri_complete": verification_uri_complete, "flow": flow.id,
                    "expires": flow.expires_at,
                });
                cx.out.result(&document, || format!("{}  {}", visible(user_code), visible(verification_uri)));
                output::note(&format!(
                    "You started this here at {}. Type the code on that page, and nowhere else. Waiting …",
                    output::cell(&json!(flow.started_at))
                ));
            }
            FlowStep::Connected { credential, account, scopes, withheld, unasked, expires, refreshable } => {
                let document = json!({
                    "credential": credential, "account": account, "scopes": scopes, "withheld": withheld,
                    "unasked": unasked, "expires": expires, "refreshable": refreshable,
                });
                cx.out.result(&document, || connected(&document));
                if !refreshable {
                    output::note("note: the server gave nothing to renew it with; consent anew when it ends");
                }
                return Ok(());
            }
            FlowStep::Failed { code, message, hint } => {
                return Err(ApiError::new(code.code(), message.clone(), hint.clone()));
            }
            FlowStep::Cancelled => {
                return Err(ApiError::new(Code::Refused, "the sign-in was cancelled", "nothing was stored"));
            }
            _ => {}
        }
        tokio::select! {
            _ = &mut interrupt, if !was_interrupted => {
                was_interrupted = true;
                cx.mutate("oauth.cancel", json!({"id": flow.id})).await?;
            }
            () = tokio::time::sleep(LOOK) => {}
        }
        flow = match cx.query("oauth.flow", json!({"id": flow.id})).await {
            Ok(flow) => read(flow)?,
            // Locking forgets flows, so that nothing is known of them afterwards.
            Err(why) if matches!(why.code, Code::VaultLocked | Code::NotFound) => {
                let hint = "unlock it and begin again; nothing was stored";
                return Err(ApiError::new(
                    Code::VaultLocked,
                    "the vault was locked, which ended the sign-in",
                    hint,
                ));
            }
            Err(why) => return Err(why),
        };
    }
}

fn read(flow: Value) -> Result<FlowView, ApiError> {
    serde_json::from_value(flow)
        .map_err(|_| ApiError::new(Code::Unexpected, "the engine's answer cannot be read", "update Claviger"))
}

fn connected(document: &Value) -> String {
    let part = |label: &str, field: &str| {
        let text = output::cell(&document[field]);
        if text == "-" { String::new() } else { format!("; {label} {text}") }
    };
    format!(
        "credential {} connected{}{}{}{}{}",
        output::cell(&document["credential"]),
        part("account", "account"),
        part("scopes", "scopes"),
        part("not granted:", "withheld"),
        part("granted unasked:", "unasked"),
        part("token ends", "expires"),
    )
}

async fn status(cx: &mut Context, name: Option<String>) -> Result<(), ApiError> {
    let rows = cx.query("oauth.status", json!({"credential": name})).await?;
    if name.is_some() {
        cx.out.fields(&rows.get(0).cloned().unwrap_or_default(), FIELDS);
        return Ok(());
    }
    let columns = [
        ("credential", "CREDENTIAL"),
        ("service", "SERVICE"),
        ("account", "ACCOUNT"),
        ("state", "STATE"),
        ("expires", "TOKEN ENDS"),
        ("reason", "BECAUSE"),
    ];
    cx.out.table(&rows, &columns, "No connections yet: make one with `claviger oauth connect`.");
    Ok(())
}

async fn disconnect(cx: &mut Context, which: NamedForGood) -> Result<(), ApiError> {
    let thing = cx.query("credential.show", json!({"name": which.name})).await?;
    let plan = Plan {
        verb: "disconnect",
        noun: "credential",
        thing: &thing,
        name: which.name.clone(),
        consequence: format!(
            "its tokens are given back and destroyed; {} on it",
            grants(count(&thing, "grants"))
        ),
    };
    if !plan.goes_on(cx, which.confirm)? {
        return Ok(());
    }
    let done = cx.mutate("oauth.disconnect", json!({"credential": which.name})).await?;
    if cx.out.json {
        output::line(
            &json!({"credential": which.name, "state": "disconnected", "revocation": done["revocation"]})
                .to_string(),
        );
    } else {
        acted(cx, "credential", &which.name, "disconnected");
    }
    let note = match done["revocation"].as_str().unwrap_or_default() {
        "done" => "The server has taken the tokens back.",
        "not-offered" => {
            "The server takes no tokens back: the last one lives until it ends there. See the provider's page to end it sooner."
        }
        "refused" => {
            "The server would not take the tokens back: end them on the provider's page. `claviger oauth status` says why."
        }
        _ => "The server cannot be asked right now; it is asked again by itself, also after a restart.",
    };
    output::note(note);
    Ok(())
}

pub(super) async fn token(cx: &mut Context, command: TokenCommand) -> Result<ExitCode, ApiError> {
    use std::io::IsTerminal as _;
    let TokenCommand::Inspect { secret } = command;
    let mut source = secret.source();
    // There is nothing else on stdin that this command could want.
    if source.file.is_none() && !std::io::stdin().is_terminal() {
        source = Source { stdin: true, file: None };
    }
    let token = cx.secrets.material(&source)?;
    let found = cx.query("token.inspect", json!({"token": as_json(&token)?})).await?;
    cx.out.result(&found, || inspected(&found));
    if found["kind"] == "jwt" {
        output::note("The signature was not checked: anybody could have written this.");
    }
    Ok(ExitCode::SUCCESS)
}

fn inspected(found: &Value) -> String {
    if found["kind"] != "jwt" {
        return "This is no JSON Web Token; nothing can be read in it.".to_owned();
    }
    let mut lines = Vec::new();
    for part in ["header", "claims"] {
        for claim in found[part].as_array().into_iter().flatten() {
            let text = |field: &str| claim[field].as_str().map(visible).unwrap_or_default();
            let words = text("words");
            let words = if words.is_empty() { words } else { format!("  ({words})") };
            lines.push(format!("{:12}  {}{words}", text("name"), text("value")));
        }
    }
    lines.join("\n")
}
