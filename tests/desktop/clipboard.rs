//! A secret on the clipboard of a real desktop: it can be pasted for a minute, then no more; what somebody else copies in
//! the meantime stays.

use crate::app::App;
use serde_json::json;
use std::time::Duration;

const SECRET: &str = "agent-token-CanaryCanary0123456789";
const OTHER: &str = "something of my own";
/// As long as a secret stays, and a little more.
const A_MINUTE: Duration = Duration::from_secs(62);
/// Control with the next key, as WebDriver writes it.
const CONTROL: &str = "\u{E009}";
const RELEASE: &str = "\u{E000}";

#[test]
fn a_copied_secret_is_gone_after_a_minute() {
    let app = with_a_field();
    copy(&app);
    assert_eq!(pasted(&app), SECRET, "what was copied cannot be pasted");
    std::thread::sleep(A_MINUTE);
    assert_eq!(pasted(&app), "", "the secret is still on the clipboard");
}

#[test]
fn what_else_was_copied_meanwhile_stays() {
    let app = with_a_field();
    copy(&app);
    app.fill("any-issuer", &format!("{OTHER}{CONTROL}ac{RELEASE}"));
    assert_eq!(pasted(&app), OTHER, "the field's own text was not copied: the check is blind");
    std::thread::sleep(A_MINUTE);
    assert_eq!(pasted(&app), OTHER, "somebody else's text was taken off the clipboard");
}

/// The app with a plain field in sight.
fn with_a_field() -> App {
    let app = App::start();
    app.see("create-password");
    app.call("mutate", "vault.create", json!({ "password": "plain oak river lantern" })).expect("no vault");
    app.click("nav-credentials");
    app.click("sign-in-with");
    app.click("connect-any");
    app.see("any-issuer");
    app
}

fn copy(app: &App) {
    app.invoke("copy", json!({ "text": SECRET })).expect("the window does not copy");
}

/// What comes out when somebody pastes.
fn pasted(app: &App) -> String {
    app.js("document.querySelector('[data-testid=any-issuer]').value = ''", vec![]);
    app.fill("any-issuer", &format!("{CONTROL}v{RELEASE}"));
    // Pasting comes after the key; nothing tells that nothing was pasted.
    std::thread::sleep(Duration::from_millis(600));
    let value = app.js("return document.querySelector('[data-testid=any-issuer]').value", vec![]);
    value.as_str().unwrap_or_default().to_owned()
}
