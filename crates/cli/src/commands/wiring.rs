//! `env` and `run`: wiring a program to an agent's granted services by placeholders and base URLs alone.
//! Must not see material; the agent's own token is all that a program is given.

use std::ffi::OsString;
use std::process::ExitCode;

use claviger_api::schema::{ApiError, Code};
use claviger_secret::Secret;
use serde_json::{Value, json};

use crate::args::{EnvArgs, RunArgs, Shell};
use crate::context::Context;
use crate::output;
use crate::secret_input::Source;
use crate::text::visible;

/// What stands in a variable's value where the agent's token goes.
const PLACEHOLDER: &str = "${CLAVIGER_TOKEN}";
const TOKEN: &str = "CLAVIGER_TOKEN";

pub(super) async fn env(cx: &mut Context, args: EnvArgs) -> Result<ExitCode, ApiError> {
    let wiring = cx.query("agent.wiring", json!({"name": args.agent})).await?;
    if cx.out.json {
        output::line(&wiring.to_string());
        return Ok(ExitCode::SUCCESS);
    }
    for (name, value) in variables(&wiring) {
        output::line(&assignment(args.shell, name, value));
    }
    for grant in wiring["by_hand"].as_array().into_iter().flatten() {
        let field = |name: &str| visible(grant[name].as_str().unwrap_or_default());
        output::line(&format!(
            "# {} ({}): base URL {}",
            field("service"),
            field("credential"),
            field("base_url")
        ));
        if !field("hint").is_empty() {
            output::line(&format!("# {}", field("hint")));
        }
    }
    for remark in wiring["notes"].as_array().into_iter().flatten() {
        let field = |name: &str| visible(remark[name].as_str().unwrap_or_default());
        output::line(&format!("# {}: {}", field("service"), field("text")));
    }
    output::note("Set CLAVIGER_TOKEN to the agent's token, which `claviger agent add` or `renew` printed.");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn run(cx: &mut Context, args: RunArgs) -> Result<ExitCode, ApiError> {
    if !cx.link().await?.is_remote() {
        let hint = "start the window or `claviger serve` first";
        return Err(ApiError::new(
            Code::Unavailable,
            "no engine runs, so there is no proxy to call through",
            hint,
        ));
    }
    let wiring = cx.query("agent.wiring", json!({"name": args.agent})).await?;
    let token = token(cx, &args.agent, &args.token()).await?;
    // EXPOSE: handed to the program as its own credential towards Claviger; it is what an agent is meant to hold.
    let token = String::from_utf8_lossy(token.expose()).into_owned();
    let mut child: Vec<(String, OsString)> = vec![(TOKEN.to_owned(), token.clone().into())];
    let mut hidden = Vec::new();
    for (name, value) in variables(&wiring) {
        let value = OsString::from(value.replace(PLACEHOLDER, &token));
        if std::env::var_os(name).is_some_and(|present| present != value) {
            hidden.push(name);
        }
        child.push((name.to_owned(), value));
    }
    // A proxy of the user's must not come between a program and this one.
    for name in ["NO_PROXY", "no_proxy"] {
        let mut list = std::env::var(name).unwrap_or_default();
        for host in ["127.0.0.1", "localhost", "::1"] {
            if !list.split(',').any(|h| h.trim() == host) {
                list.push_str(if list.is_empty() { "" } else { "," });
                list.push_str(host);
            }
        }
        child.push((name.to_owned(), list.into()));
    }
    let Some((program, arguments)) = args.command.split_first() else {
        return Err(ApiError::new(Code::Usage, "there is no command to run", "write it after --"));
    };
    if !hidden.is_empty() {
        output::note(&format!("hid {} from {}", hidden.join(", "), visible(&program.to_string_lossy())));
    }
    let why = claviger_platform::become_program(program, arguments, &child);
    // As shells and other wrappers tell it: 127 not found, 126 not to be run.
    let code = if why.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    output::error(
        &ApiError::new(Code::NotFound, format!("{} cannot be run: {why}", program.to_string_lossy()), ""),
        cx.out.json,
    );
    Ok(ExitCode::from(code))
}

/// The agent's token: as given, or one made for this run, since the agent's own is kept only as a hash.
async fn token(cx: &mut Context, agent: &str, source: &Source) -> Result<Secret, ApiError> {
    if let Some(given) = cx.secrets.line(source, "the agent's token")? {
        return Ok(given);
    }
    if let Some(given) = std::env::var(TOKEN).ok().filter(|text| !text.is_empty()) {
        return Ok(Secret::from(given));
    }
    let mut made = cx.mutate("agent.run_token", json!({"name": agent})).await?;
    match made["token"].take() {
        Value::String(token) => Ok(Secret::from(token)),
        _ => Err(ApiError::new(Code::Unexpected, "the engine made no token", "")),
    }
}

/// The variables whose names are names in every shell.
fn variables(wiring: &Value) -> impl Iterator<Item = (&str, &str)> {
    wiring["variables"].as_array().into_iter().flatten().filter_map(|variable| {
        let name = variable["name"].as_str()?;
        let well_formed = name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
            && name.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_');
        well_formed.then_some((name, variable["value"].as_str()?))
    })
}

/// One assignment in a shell's own words; the value can break out of none of them.
fn assignment(shell: Shell, name: &str, value: &str) -> String {
    let pieces: Vec<&str> = value.split(PLACEHOLDER).collect();
    let joined = |quote: &dyn Fn(&str) -> String, token: &str, plus: &str| {
        let mut parts = Vec::new();
        for (i, piece) in pieces.iter().enumerate() {
            if i > 0 {
                parts.push(token.to_owned());
            }
            if !piece.is_empty() || pieces.len() == 1 {
                parts.push(quote(piece));
            }
        }
        parts.join(plus)
    };
    match shell {
        Shell::Sh => {
            let quote = |text: &str| format!("'{}'", text.replace('\'', r"'\''"));
            format!("export {name}={}", joined(&quote, "\"$CLAVIGER_TOKEN\"", ""))
        }
        Shell::Fish => {
            let quote = |text: &str| format!("'{}'", text.replace('\\', r"\\").replace('\'', r"\'"));
            format!("set -gx {name} {}", joined(&quote, "\"$CLAVIGER_TOKEN\"", ""))
        }
        Shell::Powershell => {
            let quote = |text: &str| format!("'{}'", text.replace('\'', "''"));
            format!("$env:{name} = {}", joined(&quote, "$env:CLAVIGER_TOKEN", " + "))
        }
        Shell::Dotenv => {
            let quote = |text: &str| text.replace('\\', r"\\").replace('"', "\\\"").replace('$', r"\$");
            format!("{name}=\"{}\"", joined(&quote, PLACEHOLDER, ""))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_shell_has_its_own_words() {
        let url = "http://127.0.0.1:1/g/x";
        for (shell, plain, token) in [
            (Shell::Sh, "export A='http://127.0.0.1:1/g/x'", "export A=\"$CLAVIGER_TOKEN\""),
            (Shell::Fish, "set -gx A 'http://127.0.0.1:1/g/x'", "set -gx A \"$CLAVIGER_TOKEN\""),
            (Shell::Powershell, "$env:A = 'http://127.0.0.1:1/g/x'", "$env:A = $env:CLAVIGER_TOKEN"),
            (Shell::Dotenv, "A=\"http://127.0.0.1:1/g/x\"", "A=\"${CLAVIGER_TOKEN}\""),
        ] {
            assert_eq!(assignment(shell, "A", url), plain, "{shell:?}");
            assert_eq!(assignment(shell, "A", PLACEHOLDER), token, "{shell:?}");
        }
    }

    #[test]
    fn no_value_breaks_out() {
        let hostile = "a'; touch /tmp/x; echo \"$(id)\" `id` \\";
        assert_eq!(
            assignment(Shell::Sh, "A", hostile),
            "export A='a'\\''; touch /tmp/x; echo \"$(id)\" `id` \\'",
            "sh: everything stays inside single quotes"
        );
        assert_eq!(
            assignment(Shell::Powershell, "A", "a'b"),
            "$env:A = 'a''b'",
            "PowerShell doubles the quote"
        );
        assert_eq!(
            assignment(Shell::Sh, "A", "x:${CLAVIGER_TOKEN}@h"),
            "export A='x:'\"$CLAVIGER_TOKEN\"'@h'",
            "inside"
        );
    }

    #[test]
    fn a_name_that_is_no_name_is_left_out() {
        let wiring = json!({"variables": [
            {"name": "OK_1", "value": "1"}, {"name": "A;id", "value": "2"}, {"name": "1A", "value": "3"},
        ]});
        assert_eq!(variables(&wiring).collect::<Vec<_>>(), [("OK_1", "1")], "only names");
    }
}
