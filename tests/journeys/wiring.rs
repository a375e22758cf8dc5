//! `env` and `run`: a program is wired by placeholders alone.

use claviger_testkit::home::finish;
use claviger_testkit::{Engine, FakeProvider, Home};

use super::{BIN, Base};

/// A service of the catalogue, so that its variables are known. Nothing is sent to it here.
fn wired() -> (Home, Engine, String, String) {
    let home = Home::with_vault(BIN);
    let engine = home.serve();
    home.json(&["credential", "add", "key", "--service", "openai", "--secret-stdin"], super::KEY);
    let token = home.json(&["agent", "add", "bot"], "")["token"].as_str().unwrap().to_owned();
    let base = home.json(&["grant", "add", "bot", "key"], "")["base_url"].as_str().unwrap().to_owned();
    (home, engine, token, base)
}

#[test]
fn env_prints_placeholders_that_a_shell_understands() {
    let (home, _engine, token, base) = wired();
    let printed = home.run(&["env", "bot"], "");
    assert_eq!(printed.code, 0, "{printed:?}");
    assert!(!printed.stdout.contains(&token), "a token was printed");
    let script = format!(
        "CLAVIGER_TOKEN=T\n{}\nprintf '%s %s' \"$OPENAI_BASE_URL\" \"$OPENAI_API_KEY\"",
        printed.stdout
    );
    let mut sh = std::process::Command::new("sh");
    sh.arg("-c").arg(script);
    let told = finish(sh, "");
    assert!(told.stdout.starts_with(&base), "{told:?}");
    assert!(told.stdout.ends_with(" T"), "the token stands where the key goes: {told:?}");
    for (shell, form) in
        [("fish", "set -gx "), ("powershell", "$env:"), ("dotenv", "OPENAI_API_KEY=\"${CLAVIGER_TOKEN}\"")]
    {
        let printed = home.run(&["env", "bot", "--shell", shell], "");
        assert!(printed.stdout.contains(form), "{shell}: {}", printed.stdout);
    }
}

#[test]
fn run_gives_a_program_its_wiring_and_returns_its_exit_code() {
    let (home, _engine, token, base) = wired();
    let mut command = home.command(&[
        "run",
        "bot",
        "--",
        "sh",
        "-c",
        "printf '%s %s' \"$OPENAI_BASE_URL\" \"$OPENAI_API_KEY\"; exit 7",
    ]);
    command.env("CLAVIGER_TOKEN", &token).env("OPENAI_API_KEY", "sk-the-users-own-real-key");
    let ran = finish(command, "");
    assert_eq!(ran.code, 7, "{ran:?}");
    assert!(ran.stdout.starts_with(&base) && ran.stdout.ends_with(&token), "{ran:?}");
    assert!(
        ran.stderr.contains("hid OPENAI_API_KEY from sh"),
        "the real key is hidden, and it is said: {ran:?}"
    );
    assert!(!ran.stderr.contains("sk-the-users"), "but not shown: {ran:?}");
}

#[test]
fn run_without_a_token_makes_a_short_lived_one_that_works() {
    let upstream = FakeProvider::plain();
    let home = Home::with_vault(BIN);
    let _engine = home.serve();
    let (token, base) = home.wire("local", &upstream.url(), "bearer", "", super::KEY);
    let ran = home.run(&["run", "local-agent", "--", "sh", "-c", "printf %s \"$CLAVIGER_TOKEN\""], "");
    assert_eq!(ran.code, 0, "{ran:?}");
    assert_ne!(ran.stdout, token, "the agent's own token is stored only hashed");
    let base = Base::of(&base);
    for token in [ran.stdout.as_str(), token.as_str()] {
        let reply = base.send("GET", "/v1/models", token, "");
        assert_eq!(reply.status, 200, "both tokens are accepted: {}", reply.text());
    }
    home.json(&["agent", "revoke", "local-agent"], "");
    for token in [ran.stdout.as_str(), token.as_str()] {
        assert_eq!(base.send("GET", "/v1/models", token, "").status, 401, "and both end together");
    }
    assert_eq!(home.run(&["run", "nobody", "--", "true"], "").code, 4, "an unknown agent");
    let missing =
        home.run(&["run", "local-agent", "--token-stdin", "--", "/no/such/program"], &format!("{token}\n"));
    assert_eq!(missing.code, 127, "as shells tell it: {missing:?}");
}

#[test]
fn run_needs_an_engine() {
    let home = Home::with_vault(BIN);
    let ran = home.run(&["--json", "run", "bot", "--", "true"], "");
    assert_eq!((ran.code, ran.error()["code"].as_str()), (7, Some("unavailable")), "{ran:?}");
}

#[test]
fn a_program_that_is_run_has_the_users_own_mask_and_limits() {
    let (home, _engine, token, _) = wired();
    let mut plain = std::process::Command::new("sh");
    plain.args(["-c", "umask; ulimit -c"]);
    let own = finish(plain, "");
    let mut command =
        home.command(&["run", "bot", "--", "sh", "-c", "umask; ulimit -Sc; printf %s \"$LD_LIBRARY_PATH\""]);
    command.env("CLAVIGER_TOKEN", &token).env("LD_LIBRARY_PATH", "/opt/of/the/user");
    let ran = finish(command, "");
    assert_eq!(
        ran.stdout.lines().next(),
        own.stdout.lines().next(),
        "the file mode mask is the user's: {ran:?}"
    );
    assert!(ran.stdout.ends_with("/opt/of/the/user"), "so is the linker's path: {ran:?}");
}
