//! Claviger without a window: the tray's menu, closing, a second start, quitting.

use crate::app::{CLI, Crossing, DESKTOP, crossings, start_undriven};
use claviger_testkit::desktop::{Desktop, Tray, wait_for};
use claviger_testkit::home::finish;
use serde_json::Value;
use std::net::TcpStream;
use std::process::Command;

const PASSWORD: &str = "plain oak river lantern";

#[test]
fn the_tray_locks_pauses_and_quits() {
    let (mut desktop, app) = started();
    let tray = desktop.wait_for_tray();
    wait_for("a menu without a vault", || labels(&tray).contains(&"No vault yet".to_owned()).then_some(()));
    assert!(!tray.offers("Lock now"), "there is nothing to lock yet: {:?}", tray.entries());
    let without_vault = picture(&tray);

    let made = cli(&desktop, &["init", "--password-stdin"], PASSWORD);
    assert_eq!(made["vault"], "unlocked", "no vault was made: {made}");
    wait_for("the lock in the menu", || tray.offers("Lock now").then_some(()));
    assert!(
        labels(&tray)[0].starts_with("Unlocked"),
        "the first line says how it stands: {:?}",
        labels(&tray)
    );
    let unlocked = picture(&tray);
    assert_ne!(unlocked, without_vault, "an unlocked vault has an icon of its own");

    tray.click("Pause all agents");
    wait_for("the way back in the menu", || tray.offers("Resume all agents").then_some(()));
    assert!(labels(&tray)[0].starts_with("Paused"), "the first line says how it stands: {:?}", labels(&tray));
    assert_ne!(picture(&tray), unlocked, "paused agents have an icon of their own");
    tray.click("Resume all agents");
    wait_for("the way there in the menu", || tray.offers("Pause all agents").then_some(()));

    let proxy = proxy(&desktop);
    close_window(&desktop);
    tray.click("Lock now");
    wait_for("a locked vault", || (cli(&desktop, &["status"], "")["vault"] == "locked").then_some(()));
    wait_for("the menu of a locked vault", || (!tray.offers("Lock now")).then_some(()));
    assert_eq!(picture(&tray), without_vault, "a locked vault looks like none");
    desktop.wait_for_notice("The vault is locked");

    tray.click("Quit and stop the proxy");
    let code = wait_for("the app to end", || desktop.exit_code(app));
    assert_eq!(code, 0, "quitting is no failure");
    assert!(TcpStream::connect(proxy).is_err(), "the proxy went on after quitting");
}

#[test]
fn closing_the_window_keeps_tray_and_proxy_and_gives_the_page_back() {
    let (mut desktop, app) = started();
    let made = cli(&desktop, &["init", "--password-stdin"], PASSWORD);
    assert_eq!(made["vault"], "unlocked", "no vault was made: {made}");
    let proxy = proxy(&desktop);
    wait_for("the page's process", || (!web_processes(app).is_empty()).then_some(()));
    let before = memory(app);

    close_window(&desktop);
    let note = desktop.wait_for_notice("keeps running");
    wait_for("the page's process to end", || web_processes(app).is_empty().then_some(()));
    println!("memory with the window {before} MiB, without {} MiB", memory(app));
    assert_eq!(desktop.exit_code(app), None, "the app ended with its window");
    assert_eq!(answer_without_token(proxy), 401, "the proxy ended with the window");

    // A click on the notification brings the window back, and its page talks to the engine.
    let asked = calls(&desktop, "vault.status");
    desktop.click_notice_until(&note, "default", || !desktop.windows("Claviger").is_empty());
    wait_for("the new page's first call", || (calls(&desktop, "vault.status") > asked).then_some(()));

    // So does the tray.
    close_window(&desktop);
    desktop.wait_for_tray().click("Open Claviger");
    wait_for("the window to come back", || (!desktop.windows("Claviger").is_empty()).then_some(()));

    // So does a second start, which ends at once and leaves one app.
    close_window(&desktop);
    let mut second = Command::new(DESKTOP);
    desktop.env(&mut second);
    let second = finish(second, "");
    assert_eq!(second.code, 0, "a second start is no failure: {}", second.stderr);
    wait_for("the window to come back", || (desktop.windows("Claviger").len() == 1).then_some(()));
    assert_eq!(desktop.exit_code(app), None, "the first app ended");
    let said = desktop.notices().iter().filter(|notice| notice.title.contains("keeps running")).count();
    assert_eq!(said, 1, "that it keeps running is said once, not at every closing");
}

#[test]
fn repeated_refusals_are_told_and_lead_to_the_record() {
    let (desktop, _app) = started();
    cli(&desktop, &["init", "--password-stdin"], PASSWORD);
    let (proxy, tray) = (proxy(&desktop), desktop.wait_for_tray());
    wait_for("the menu of an open vault", || tray.offers("Lock now").then_some(()));
    let calm = picture(&tray);
    close_window(&desktop);
    assert!(!labels(&tray)[0].contains("needs a look"), "nothing happened yet: {:?}", labels(&tray));

    let notice = wait_for("a notification about refusals", || {
        assert_eq!(answer_without_token(proxy), 401, "a request without a token went through");
        desktop.notices().into_iter().find(|notice| notice.title.contains("needs a look"))
    });
    assert_eq!(notice.urgency, Some(2), "somebody trying is urgent");
    wait_for("the tray to say so", || labels(&tray)[0].contains("needs a look").then_some(()));
    assert_ne!(picture(&tray), calm, "the icon says nothing");

    let asked = calls(&desktop, "audit.list");
    desktop.click_notice_until(&notice, "default", || !desktop.windows("Claviger").is_empty());
    wait_for("the record to be asked for", || (calls(&desktop, "audit.list") > asked).then_some(()));
    wait_for("the tray to be calm again", || (!labels(&tray)[0].contains("needs a look")).then_some(()));
    assert_eq!(picture(&tray), calm, "the icon stayed");

    // More of the same is not told again at once.
    close_window(&desktop);
    for _ in 0..100 {
        answer_without_token(proxy);
    }
    let told = desktop.notices().iter().filter(|notice| notice.title.contains("needs a look")).count();
    assert_eq!(told, 1, "the same is told again and again");
}

fn started() -> (Desktop, u32) {
    let mut desktop = Desktop::start();
    let app = start_undriven(&mut desktop);
    wait_for("the window", || (!desktop.windows("Claviger").is_empty()).then_some(()));
    let answered =
        |crossing: &Crossing| crossing.way == "out" && crossing.line.contains("\"engine\":\"running\"");
    wait_for("the engine", || crossings(&desktop).iter().any(answered).then_some(()));
    (desktop, app)
}

/// Closes the window as its user would.
fn close_window(desktop: &Desktop) {
    for window in desktop.windows("Claviger") {
        window.close();
    }
    wait_for("the window to go", || desktop.windows("Claviger").is_empty().then_some(()));
}

fn picture(tray: &Tray) -> Vec<u8> {
    wait_for("the tray's icon", || Some(tray.picture()).filter(|picture| !picture.is_empty()))
}

fn cli(desktop: &Desktop, arguments: &[&str], input: &str) -> Value {
    let mut command = Command::new(CLI);
    desktop.env(&mut command).arg("--json").args(arguments);
    let ran = finish(command, input);
    assert_eq!(ran.code, 0, "claviger {arguments:?}: {}", ran.stderr);
    serde_json::from_str(&ran.stdout)
        .unwrap_or_else(|_| panic!("claviger {arguments:?} said {:?}", ran.stdout))
}

fn proxy(desktop: &Desktop) -> std::net::SocketAddr {
    let status = cli(desktop, &["status"], "");
    let base = status["proxy"]["base"].as_str().unwrap_or_else(|| panic!("no proxy: {status}"));
    base.trim_start_matches("http://").parse().expect("an address")
}

fn answer_without_token(proxy: std::net::SocketAddr) -> u16 {
    let request = format!("GET /g/none/x HTTP/1.1\r\nHost: {proxy}\r\nConnection: close\r\n\r\n");
    claviger_testkit::send_raw(proxy, request.as_bytes()).status
}

fn labels(tray: &Tray) -> Vec<String> {
    tray.entries().into_iter().map(|entry| entry.label).collect()
}

fn calls(desktop: &Desktop, name: &str) -> usize {
    crossings(desktop).iter().filter(|crossing| crossing.way == "in" && crossing.name == name).count()
}

/// The processes that draw pages for this app.
pub(crate) fn web_processes(app: u32) -> Vec<u32> {
    family(app)
        .into_iter()
        .filter(|(_, name)| name.starts_with("WebKitWebProc"))
        .map(|(pid, _)| pid)
        .collect()
}

/// Memory of the app and its helpers, each shared page counted once, in MiB.
fn memory(app: u32) -> u64 {
    let kib = |pid: u32| {
        let rollup = std::fs::read_to_string(format!("/proc/{pid}/smaps_rollup")).unwrap_or_default();
        let line = rollup.lines().find(|line| line.starts_with("Pss:")).unwrap_or_default();
        line.split_whitespace().nth(1).and_then(|kib| kib.parse::<u64>().ok()).unwrap_or(0)
    };
    family(app).into_iter().map(|(pid, _)| kib(pid)).sum::<u64>() / 1024
}

/// A process and all below it, with their names.
pub(crate) fn family(root: u32) -> Vec<(u32, String)> {
    let mut all = Vec::new();
    for entry in std::fs::read_dir("/proc").unwrap().flatten() {
        let Ok(pid) = entry.file_name().to_string_lossy().parse::<u32>() else { continue };
        let Ok(stat) = std::fs::read_to_string(format!("/proc/{pid}/stat")) else { continue };
        let Some((head, tail)) = stat.rsplit_once(')') else { continue };
        let name = head.split_once('(').map(|(_, name)| name.to_owned()).unwrap_or_default();
        let mut fields = tail.split_whitespace();
        let (state, parent) =
            (fields.next().unwrap_or("Z"), fields.next().and_then(|p| p.parse::<u32>().ok()));
        if state != "Z" {
            all.push((pid, parent.unwrap_or(0), name));
        }
    }
    let mut family = vec![root];
    let mut at = 0;
    while at < family.len() {
        let parent = family[at];
        family.extend(all.iter().filter(|(_, of, _)| *of == parent).map(|(pid, _, _)| *pid));
        at += 1;
    }
    all.into_iter().filter(|(pid, _, _)| family.contains(pid)).map(|(pid, _, name)| (pid, name)).collect()
}
