//! The app under WebDriver: finds things by their `data-testid`, types, clicks, and reads what crossed the bridge.

use claviger_testkit::desktop::{Desktop, wait_for};
use fantoccini::elements::Element;
use fantoccini::error::CmdError;
use fantoccini::{Client, ClientBuilder, Locator};
use serde_json::{Value, json};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use tokio::runtime::Runtime;

/// The app with its window open and a driver at the wheel.
pub(crate) struct App {
    // Dropped in this order: the app ends before its desktop does.
    session: Session,
    pub(crate) desktop: Desktop,
    tap: PathBuf,
}

/// The driver's hold on the app; the app ends with it.
struct Session {
    driver: u32,
    runtime: Runtime,
    client: Client,
}

/// One crossing of the bridge.
#[derive(Debug)]
pub(crate) struct Crossing {
    /// `in` from the page, `out` to it, or `event` to it.
    pub(crate) way: String,
    pub(crate) name: String,
    pub(crate) line: String,
}

/// The app's own binary.
pub(crate) const DESKTOP: &str = env!("CARGO_BIN_EXE_claviger-desktop");
/// The command line.
pub(crate) const CLI: &str = env!("CARGO_BIN_EXE_claviger");

// === impl App ===

impl App {
    /// A first start on a new desktop.
    pub(crate) fn start() -> Self {
        Self::start_on(Desktop::start(), &[])
    }

    /// A start on this desktop, with these variables.
    pub(crate) fn start_on(mut desktop: Desktop, variables: &[(&str, &str)]) -> Self {
        let tap = desktop.folder().join("tap.jsonl");
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let driver = desktop
            .env(Command::new("WebKitWebDriver").arg(format!("--port={port}")))
            .env("TAURI_WEBVIEW_AUTOMATION", "true")
            .env("CLAVIGER_E2E_TAP", &tap)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .expect("WebKitWebDriver is not installed (Debian: webkit2gtk-driver)");
        let driver = desktop.keep(driver);
        wait_for("the driver", || TcpStream::connect(("127.0.0.1", port)).ok());
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let wanted = json!({ "webkitgtk:browserOptions": { "binary": DESKTOP, "args": [] } });
        let client = runtime
            .block_on(
                ClientBuilder::new(hyper_util::client::legacy::connect::HttpConnector::new())
                    .capabilities(serde_json::from_value(wanted).unwrap())
                    .connect(&format!("http://127.0.0.1:{port}")),
            )
            .expect("the app did not come up under the driver");
        Self { session: Session { driver, runtime, client }, desktop, tap }
    }

    /// The driver's process, whose child the app is.
    pub(crate) fn driver(&self) -> u32 {
        self.session.driver
    }

    /// Ends the app and gives its desktop back.
    pub(crate) fn quit(self) -> Desktop {
        let Self { session, mut desktop, .. } = self;
        let driver = session.driver;
        let programs = crate::tray::family(driver);
        drop(session);
        desktop.end(driver);
        // The driver usually takes the app along. One that was slower than the driver's own end is ended here.
        for (process, name) in programs.into_iter().filter(|(_, name)| name.starts_with("claviger")) {
            if std::path::Path::new(&format!("/proc/{process}/exe")).exists() {
                eprintln!("{name} outlived its driver");
                let _ = std::process::Command::new("kill").args(["-KILL", &process.to_string()]).status();
            }
        }
        desktop
    }

    /// Waits for the element with this test id to be shown.
    pub(crate) fn see(&self, id: &str) {
        self.element(id);
    }

    /// Whether an element with this test id is shown now.
    pub(crate) fn shows(&self, id: &str) -> bool {
        self.now(id).is_some()
    }

    /// Clicks the element with this test id, once it can be clicked.
    pub(crate) fn click(&self, id: &str) {
        wait_for(&format!("{id} to be clickable"), || {
            let element = self.now(id)?;
            if !self.session.runtime.block_on(element.is_enabled()).unwrap_or(false) {
                return None;
            }
            self.session.runtime.block_on(element.click()).ok()
        });
    }

    /// Clicks the one among the elements with this test id that says this.
    pub(crate) fn click_among(&self, id: &str, text: &str) {
        let script = "const found = [...document.querySelectorAll(arguments[0])].find((one) =>
                        one.textContent.includes(arguments[1]));
                      found?.click(); return found !== undefined;";
        let arguments = vec![json!(format!("[data-testid=\"{id}\"]")), json!(text)];
        wait_for(&format!("{id} that says {text:?}"), || {
            (self.js(script, arguments.clone()) == true).then_some(())
        });
    }

    /// Types into the field with this test id, replacing what is there.
    pub(crate) fn fill(&self, id: &str, text: &str) {
        let field = self.element(id);
        let selected = json!(format!("[data-testid=\"{id}\"]"));
        self.js(
            "const field = document.querySelector(arguments[0]); field.focus(); field.select();",
            vec![selected],
        );
        self.session
            .runtime
            .block_on(field.send_keys(text))
            .unwrap_or_else(|error| panic!("{id} takes no text: {error}"));
    }

    /// Picks an entry of a field that is searched by typing.
    pub(crate) fn choose(&self, id: &str, value: &str) {
        self.fill(id, value);
        let option = format!("[role=\"option\"][data-value=\"{value}\"]");
        wait_for(&format!("{value} to be offered in {id}"), || {
            let found =
                self.session.runtime.block_on(self.session.client.find(Locator::Css(&option))).ok()?;
            self.session.runtime.block_on(found.click()).ok()
        });
    }

    /// An attribute of the element with this test id.
    pub(crate) fn attribute(&self, id: &str, name: &str) -> String {
        let element = self.element(id);
        let value = self.session.runtime.block_on(element.attr(name)).ok().flatten();
        value.unwrap_or_else(|| panic!("{id} has no {name}"))
    }

    /// What the element with this test id says, once it says something.
    pub(crate) fn text(&self, id: &str) -> String {
        wait_for(&format!("{id} to say something"), || self.text_now(id).filter(|text| !text.is_empty()))
    }

    /// Waits until the element with this test id says what is wanted.
    pub(crate) fn wait_for_text(&self, id: &str, is_wanted: impl Fn(&str) -> bool) -> String {
        let mut last = String::new();
        wait_for(&format!("{id} to say something else"), || {
            last = self.text_now(id)?;
            is_wanted(&last).then(|| last.clone())
        })
    }

    /// Everything the window shows as text.
    pub(crate) fn page(&self) -> String {
        self.js("return document.body.innerText", vec![]).as_str().unwrap_or_default().to_owned()
    }

    /// Waits until the window says this somewhere, be it with a capital at its beginning.
    pub(crate) fn wait_for_page(&self, text: &str) {
        let wanted = text.to_lowercase();
        wait_for(&format!("the window to say {text:?}"), || {
            self.page().to_lowercase().contains(&wanted).then_some(())
        });
    }

    /// Runs a script in the page.
    pub(crate) fn js(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.session
            .runtime
            .block_on(self.session.client.execute(script, arguments))
            .expect("the script failed")
    }

    /// Runs a script that answers through its last argument.
    pub(crate) fn js_async(&self, script: &str, arguments: Vec<Value>) -> Value {
        self.session
            .runtime
            .block_on(self.session.client.execute_async(script, arguments))
            .expect("the script failed")
    }

    /// Calls a command of the bridge as any script in the page could.
    pub(crate) fn invoke(&self, command: &str, arguments: Value) -> Result<Value, Value> {
        let answer = self.js_async(
            "const done = arguments[arguments.length - 1];
             window.__TAURI_INTERNALS__.invoke(arguments[0], arguments[1])
               .then((ok) => done({ ok }), (error) => done({ error: error ?? null }));",
            vec![json!(command), arguments],
        );
        match answer.get("error") {
            Some(error) => Err(error.clone()),
            None => Ok(answer["ok"].clone()),
        }
    }

    /// Calls the contract through the bridge.
    pub(crate) fn call(&self, verb: &str, name: &str, params: Value) -> Result<Value, Value> {
        self.invoke(verb, json!({ "name": name, "params": params }))
    }

    /// A picture of the window.
    pub(crate) fn screenshot(&self) -> Vec<u8> {
        self.session.runtime.block_on(self.session.client.screenshot()).expect("no picture could be taken")
    }

    /// Runs the command line beside the app, with this on its input.
    pub(crate) fn cli(&self, arguments: &[&str], input: &str) -> (bool, String, String) {
        let mut command = Command::new(CLI);
        self.desktop.env(&mut command).args(arguments);
        let ran = claviger_testkit::home::finish(command, input);
        (ran.code == 0, ran.stdout, ran.stderr)
    }

    /// What crossed the bridge so far.
    pub(crate) fn crossings(&self) -> Vec<Crossing> {
        read_tap(&self.tap)
    }

    /// Waits until something crossed that fits.
    pub(crate) fn wait_for_crossing(&self, what: &str, fits: impl Fn(&Crossing) -> bool) {
        wait_for(what, || self.crossings().iter().any(&fits).then_some(()));
    }

    fn element(&self, id: &str) -> Element {
        wait_for(&format!("{id} to be shown; the window says:\n{}", self.page()), || self.now(id))
    }

    fn now(&self, id: &str) -> Option<Element> {
        let selector = format!("[data-testid=\"{id}\"]");
        let found: Result<Vec<Element>, CmdError> =
            self.session.runtime.block_on(self.session.client.find_all(Locator::Css(&selector)));
        found
            .unwrap_or_default()
            .into_iter()
            .find(|element| self.session.runtime.block_on(element.is_displayed()).unwrap_or(false))
    }

    fn text_now(&self, id: &str) -> Option<String> {
        let element = self.now(id)?;
        let value = self
            .session
            .runtime
            .block_on(element.prop("value"))
            .ok()
            .flatten()
            .filter(|value| !value.is_empty());
        value.or_else(|| self.session.runtime.block_on(element.text()).ok())
    }
}

// === impl Session ===

impl Drop for Session {
    fn drop(&mut self) {
        if std::thread::panicking()
            && let Ok(picture) = self.runtime.block_on(self.client.screenshot())
        {
            let path = std::env::temp_dir().join(format!("claviger-failed-{}.png", self.driver));
            if std::fs::write(&path, picture).is_ok() {
                eprintln!("the window as the test failed: {}", path.display());
            }
        }
        // The app may have quit by itself.
        let _ = self.runtime.block_on(self.client.clone().close());
    }
}

/// Starts the app without a driver.
pub(crate) fn start_undriven(desktop: &mut Desktop) -> u32 {
    let tap = desktop.folder().join("tap.jsonl");
    let mut command = Command::new(DESKTOP);
    desktop.env(&mut command).env("CLAVIGER_E2E_TAP", tap).stdin(Stdio::null());
    let child = command.spawn().expect("the app does not start");
    desktop.keep(child)
}

/// What crossed the bridge of an app on this desktop.
pub(crate) fn crossings(desktop: &Desktop) -> Vec<Crossing> {
    read_tap(&desktop.folder().join("tap.jsonl"))
}

fn read_tap(path: &Path) -> Vec<Crossing> {
    let text = std::fs::read_to_string(path).unwrap_or_default();
    // The last line may be half written.
    text.lines()
        .filter_map(|line| serde_json::from_str::<Value>(line).ok().map(|value| (line, value)))
        .map(|(line, value)| Crossing {
            way: value["way"].as_str().unwrap_or_default().to_owned(),
            name: value["name"].as_str().unwrap_or_default().to_owned(),
            line: line.to_owned(),
        })
        .collect()
}
