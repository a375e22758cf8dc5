//! The vault and the engine as a whole: init, status, unlock, lock, serve, password, recovery key.
//! Must not know how a vault is opened.

use std::process::ExitCode;

use claviger_api::schema::{ApiError, Code};
use serde_json::{Value, json};

use crate::args::{InitArgs, PasswordCommand, RecoveryCommand, ServeArgs, UnlockArgs};
use crate::context::Context;
use crate::output;
use crate::secret_input::{Source, as_json, passphrase};

pub(super) async fn init(cx: &mut Context, args: InitArgs) -> Result<ExitCode, ApiError> {
    // Before asking for a password: an existing vault is never made anew.
    let status = cx.query("vault.status", Value::Null).await?;
    if status["vault"] != "absent" {
        return Err(ApiError::new(
            Code::Conflict,
            "a vault exists already",
            "unlock it, or give another directory with --home",
        ));
    }
    let password = cx.secrets.first_password()?;
    let request = json!({"password": as_json(&password)?, "no_keychain": args.no_keychain});
    let made = cx.mutate("vault.create", request).await?;
    show_recovery_key(cx, &made, "The vault is made.");
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn status(cx: &mut Context) -> Result<ExitCode, ApiError> {
    let mut status = cx.query("vault.status", Value::Null).await?;
    if !cx.link().await?.is_remote() {
        status["engine"] = json!("stopped");
    }
    let flat = json!({
        "vault": status["vault"], "engine": status["engine"], "base": status["proxy"]["base"],
        "keychain": keychain_words(&status["keychain"]),
        "paused": if status["paused"] == true { json!("all agents are paused") } else { Value::Null },
        "version": status["version"],
    });
    if cx.out.json {
        output::line(&status.to_string());
    } else {
        let fields = [
            ("vault", "Vault"),
            ("engine", "Engine"),
            ("base", "Proxy"),
            ("keychain", "Keychain"),
            ("paused", "Agents"),
            ("version", "Version"),
        ];
        cx.out.fields(&flat, &fields);
    }
    warn(&status);
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn unlock(cx: &mut Context, args: UnlockArgs) -> Result<ExitCode, ApiError> {
    let status = cx.query("vault.status", Value::Null).await?;
    if status["vault"] == "absent" {
        return Err(absent());
    }
    let key_source = Source { stdin: args.recovery_key_stdin, file: args.recovery_key_file.clone() };
    let recovery_key = cx.secrets.line(&key_source, "the recovery key")?;
    let by_recovery = recovery_key.is_some();
    let mut request = match recovery_key {
        Some(key) => {
            let new = cx.secrets.new_password(&args.new_password.source())?;
            json!({"recovery_key": as_json(&key)?, "new_password": as_json(&new)?})
        }
        None if args.new_password.new_password_stdin || args.new_password.new_password_file.is_some() => {
            return Err(ApiError::new(
                Code::Usage,
                "a new password goes together with the recovery key",
                "to replace a password you know, use `claviger password change`",
            ));
        }
        None => {
            let password = cx.secrets.vault_password()?;
            json!({"password": as_json(&password)?})
        }
    };
    request["accept_older"] = json!(args.accept_older);
    let mut opened = cx.mutate("vault.unlock", request).await?;
    let remote = cx.link().await?.is_remote();
    if !remote {
        // This process ends now, and the vault is locked again with it: say what is, not what was for a moment.
        opened["vault"] = json!("locked");
    }
    if by_recovery {
        show_recovery_key(cx, &opened, "The new password is set.");
    } else {
        cx.out.result(&opened, || format!("The vault is {}.", opened["vault"].as_str().unwrap_or_default()));
    }
    if !remote {
        let what = if by_recovery { "No engine runs" } else { "The password is right, but no engine runs" };
        output::note(&format!(
            "{what}, so the vault does not stay open: start the window or `claviger serve`."
        ));
    }
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn lock(cx: &mut Context) -> Result<ExitCode, ApiError> {
    let status = cx.query("vault.status", Value::Null).await?;
    if status["vault"] == "absent" {
        return Err(absent());
    }
    let locked = cx.mutate("vault.lock", Value::Null).await?;
    cx.out.result(&locked, || "The vault is locked.".to_owned());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn serve(cx: &mut Context, args: ServeArgs) -> Result<ExitCode, ApiError> {
    let password = cx.secrets.given_password().map(passphrase);
    let locked = password.is_none();
    crate::link::serve(&cx.dirs, args.port, password, args.parent_pid, |ready| {
        let line = json!({"ready": true, "proxy": ready.proxy, "forward": ready.forward, "pid": ready.pid});
        output::line(&line.to_string());
        if locked {
            output::note("The vault is locked: open it with `claviger unlock`.");
        }
    })
    .await?;
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn password(cx: &mut Context, command: PasswordCommand) -> Result<ExitCode, ApiError> {
    let PasswordCommand::Change { new_password } = command;
    if cx.query("vault.status", Value::Null).await?["vault"] == "absent" {
        return Err(absent());
    }
    let password = cx.secrets.vault_password()?;
    let new = cx.secrets.new_password(&new_password.source())?;
    open_if_ours(cx, &password).await?;
    let request = json!({"password": as_json(&password)?, "new_password": as_json(&new)?});
    let changed = cx.mutate("vault.change_password", request).await?;
    let changed = as_it_stays(cx, changed).await?;
    cx.out.result(&changed, || "The password is changed.".to_owned());
    Ok(ExitCode::SUCCESS)
}

pub(super) async fn recovery(cx: &mut Context, command: RecoveryCommand) -> Result<ExitCode, ApiError> {
    let RecoveryCommand::Renew = command;
    if cx.query("vault.status", Value::Null).await?["vault"] == "absent" {
        return Err(absent());
    }
    let password = cx.secrets.vault_password()?;
    open_if_ours(cx, &password).await?;
    let renewed = cx.mutate("vault.renew_recovery", json!({"password": as_json(&password)?})).await?;
    let renewed = as_it_stays(cx, renewed).await?;
    show_recovery_key(cx, &renewed, "The old recovery key no longer works.");
    Ok(ExitCode::SUCCESS)
}

/// Opens the vault here when no engine runs: these calls need it open and the password a second time.
async fn open_if_ours(cx: &mut Context, password: &claviger_secret::Secret) -> Result<(), ApiError> {
    if !cx.link().await?.is_remote() {
        cx.mutate("vault.unlock", json!({"password": as_json(password)?})).await?;
    }
    Ok(())
}

/// The answer with the vault's state as it is once this process has ended.
async fn as_it_stays(cx: &mut Context, mut answer: Value) -> Result<Value, ApiError> {
    if !cx.link().await?.is_remote() {
        answer["vault"] = json!("locked");
    }
    Ok(answer)
}

fn show_recovery_key(cx: &Context, made: &Value, done: &str) {
    cx.out.result(made, || format!("Recovery key: {}", made["recovery_key"].as_str().unwrap_or_default()));
    output::note(&format!(
        "{done} Write the recovery key down and keep it away from this machine: it opens the vault without the \
         password, and it is not shown again."
    ));
    if made["keychain"] == "unavailable" {
        output::note("No keychain answers on this machine: the vault is protected by its password alone.");
    }
}

fn keychain_words(state: &Value) -> &'static str {
    match state.as_str().unwrap_or_default() {
        "used" => "used beside the password",
        "not_used" => "not used; the password alone opens the vault",
        "locked" => "locked; this vault needs it",
        "missing" => "this vault's entry is missing",
        _ => "none answers on this machine",
    }
}

fn warn(status: &Value) {
    for warning in status["warnings"].as_array().into_iter().flatten() {
        output::note(&format!("warning: {}", warning.as_str().unwrap_or_default()));
    }
}

fn absent() -> ApiError {
    ApiError::new(
        Code::VaultAbsent,
        "there is no vault here yet",
        "make one with `claviger init`, or in the window",
    )
}
