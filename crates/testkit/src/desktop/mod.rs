//! A private desktop for one test: X server, session bus, unlocked keychain, and recording doubles for notifications
//! and the tray.
//!
//! Nothing of the desktop that the test itself runs in is used or touched. Must not know Claviger.

mod notifications;
mod secrets;
mod tray;
mod windows;

pub use notifications::Notice;
pub use secrets::KeychainItem;
pub use tray::{MenuEntry, Tray};
pub use windows::Window;

use parking_lot::Mutex;
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};
use zbus::blocking::connection::Builder;
use zbus::blocking::{Connection, Proxy};

/// How long anything on the desktop may take before the test fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// A session bus that starts nothing by itself: what a test left out must stay out.
const BUS: &str = r#"<!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
 "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
<busconfig>
  <type>session</type>
  <listen>unix:tmpdir=/tmp</listen>
  <auth>EXTERNAL</auth>
  <policy context="default">
    <allow send_destination="*" eavesdrop="true"/>
    <allow eavesdrop="true"/>
    <allow own="*"/>
  </policy>
</busconfig>
"#;

/// A desktop of its own. Everything in it ends when it is dropped.
pub struct Desktop {
    folder: tempfile::TempDir,
    display: String,
    bus: String,
    connection: Connection,
    notices: Arc<Mutex<Vec<Notice>>>,
    items: Arc<Mutex<Vec<tray::Item>>>,
    children: Vec<Child>,
}

/// What a desktop is made of; all of it by default.
#[derive(Clone, Copy, Debug)]
pub struct Parts {
    /// A tray host.
    pub tray: bool,
    /// A notification daemon.
    pub notifications: bool,
    /// An unlocked keychain.
    pub keychain: bool,
    /// Width and height of the screen.
    pub screen: (u16, u16),
}

/// Asks `condition` until it answers, and fails the test when it does not in time.
pub fn wait_for<T>(what: &str, condition: impl FnMut() -> Option<T>) -> T {
    wait_at_most(PATIENCE, what, condition)
}

/// [`wait_for`] with a patience of its own.
pub fn wait_at_most<T>(patience: Duration, what: &str, mut condition: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(answer) = condition() {
            return answer;
        }
        assert!(began.elapsed() < patience, "waited {patience:?} in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

// === impl Parts ===

impl Default for Parts {
    fn default() -> Self {
        Self { tray: true, notifications: true, keychain: true, screen: (1440, 900) }
    }
}

// === impl Desktop ===

impl Desktop {
    /// A whole desktop.
    pub fn start() -> Self {
        Self::with(Parts::default())
    }

    /// A desktop of these parts.
    pub fn with(parts: Parts) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for name in ["home", "run", "data", "config", "cache"] {
            let path = folder.path().join(name);
            std::fs::create_dir(&path).unwrap();
            // Programs refuse a runtime folder that others can read.
            std::fs::set_permissions(&path, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        }
        let (width, height) = parts.screen;
        // Without `-noreset` the server starts over, and turns programs away, whenever its last client leaves.
        let (x, display) = started(
            Command::new("Xvfb")
                .args(["-displayfd", "1", "-noreset", "-nolisten", "tcp", "-screen", "0"])
                .arg(format!("{width}x{height}x24")),
        );
        let config = folder.path().join("bus.conf");
        std::fs::write(&config, BUS).unwrap();
        let (daemon, bus) = started(
            Command::new("dbus-daemon")
                .args(["--nofork", "--print-address=1", "--config-file"])
                .arg(&config)
                .env("XDG_RUNTIME_DIR", folder.path().join("run"))
                .env("XDG_DATA_HOME", folder.path().join("data"))
                .env("HOME", folder.path().join("home")),
        );
        let notices = Arc::default();
        let items = Arc::default();
        let mut builder = Builder::address(bus.as_str()).unwrap();
        if parts.notifications {
            builder = builder
                .serve_at(notifications::PATH, notifications::Daemon::recording(&notices))
                .unwrap()
                .name(notifications::NAME)
                .unwrap();
        }
        if parts.tray {
            builder = builder
                .serve_at(tray::WATCHER_PATH, tray::Watcher::recording(&items))
                .unwrap()
                .name(tray::WATCHER_NAME)
                .unwrap();
        }
        let connection = builder.build().expect("the private session bus does not answer");
        let mut desktop = Self {
            folder,
            display: format!(":{display}"),
            bus,
            connection,
            notices,
            items,
            children: vec![x, daemon],
        };
        if parts.keychain {
            desktop.start_keychain();
        }
        desktop
    }

    /// Sets the environment in which a program sees this desktop and no other.
    pub fn env<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        for name in ["WAYLAND_DISPLAY", "XAUTHORITY", "CLAVIGER_HOME", "SESSION_MANAGER"] {
            command.env_remove(name);
        }
        command.envs(self.variables())
    }

    /// The same as names and values.
    pub fn variables(&self) -> BTreeMap<&'static str, String> {
        let path = |name: &str| self.folder.path().join(name).to_string_lossy().into_owned();
        BTreeMap::from([
            ("DISPLAY", self.display.clone()),
            ("DBUS_SESSION_BUS_ADDRESS", self.bus.clone()),
            ("HOME", path("home")),
            ("XDG_RUNTIME_DIR", path("run")),
            ("XDG_DATA_HOME", path("data")),
            ("XDG_CONFIG_HOME", path("config")),
            ("XDG_CACHE_HOME", path("cache")),
            ("GDK_BACKEND", "x11".to_owned()),
            // No accessibility bus, no graphics card.
            ("NO_AT_BRIDGE", "1".to_owned()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".to_owned()),
            ("MESA_SHADER_CACHE_DISABLE", "true".to_owned()),
        ])
    }

    /// The folder that holds everything programs of this desktop write.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The home folder of this desktop's user.
    pub fn home(&self) -> PathBuf {
        self.folder.path().join("home")
    }

    /// Ends this program together with the desktop.
    pub fn keep(&mut self, child: Child) -> u32 {
        let id = child.id();
        self.children.push(child);
        id
    }

    /// The exit code of a program that ends with this desktop; `None` while it runs, -1 if a signal ended it.
    pub fn exit_code(&mut self, id: u32) -> Option<i32> {
        let child = self.children.iter_mut().find(|child| child.id() == id).expect("no such program");
        child.try_wait().unwrap().map(|status| status.code().unwrap_or(-1))
    }

    /// Kills a program before the desktop ends.
    pub fn end(&mut self, id: u32) {
        let at = self.children.iter().position(|child| child.id() == id).expect("no such program");
        let mut child = self.children.remove(at);
        child.kill().and_then(|()| child.wait()).expect("a program of this desktop cannot be ended");
    }

    /// Waits until a notification with this text was shown.
    pub fn wait_for_notice(&self, text: &str) -> Notice {
        wait_for(&format!("a notification that says {text:?}"), || {
            self.notices()
                .into_iter()
                .find(|notice| notice.title.contains(text) || notice.body.contains(text))
        })
    }

    /// Every notification so far.
    pub fn notices(&self) -> Vec<Notice> {
        self.notices.lock().clone()
    }

    /// Clicks a notification, as the daemon would report it.
    pub fn click_notice(&self, notice: &Notice, action: &str) {
        notifications::click(&self.connection, notice.id, action);
    }

    /// Clicks a notification until it had an effect: a program may listen only after it was told the number.
    pub fn click_notice_until(&self, notice: &Notice, action: &str, had_effect: impl Fn() -> bool) {
        wait_for("a click on the notification to have an effect", || {
            if had_effect() {
                return Some(());
            }
            self.click_notice(notice, action);
            // One click must be enough once it is heard.
            let clicked = Instant::now();
            while clicked.elapsed() < Duration::from_secs(2) {
                if had_effect() {
                    return Some(());
                }
                std::thread::sleep(Duration::from_millis(20));
            }
            None
        });
    }

    /// Waits for a program's tray icon; the latest if there are several.
    pub fn wait_for_tray(&self) -> Tray {
        let item = wait_for("a tray icon", || self.items.lock().last().cloned());
        Tray::of(&self.connection, item)
    }

    /// What the keychain holds: labels and attributes, never the secret.
    pub fn keychain_items(&self) -> Vec<KeychainItem> {
        secrets::items(&self.connection)
    }

    /// The windows with this title that are on the screen.
    pub fn windows(&self, title: &str) -> Vec<Window> {
        windows::titled(&self.display, title)
    }

    /// Whether some program owns this name on the session bus.
    pub fn has_owner(&self, name: &str) -> bool {
        let bus = Proxy::new(
            &self.connection,
            "org.freedesktop.DBus",
            "/org/freedesktop/DBus",
            "org.freedesktop.DBus",
        );
        bus.and_then(|bus| bus.call("NameHasOwner", &name)).unwrap_or(false)
    }

    fn start_keychain(&mut self) {
        let mut daemon = self
            .env(Command::new("gnome-keyring-daemon").args([
                "--foreground",
                "--components=secrets",
                "--unlock",
            ]))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("gnome-keyring-daemon is not installed");
        // Its end of input makes it go on; the password opens a collection made just now.
        daemon.stdin.take().unwrap().write_all(b"only for this desktop").unwrap();
        self.children.push(daemon);
        wait_for("the keychain", || self.has_owner("org.freedesktop.secrets").then_some(()));
    }
}

impl Drop for Desktop {
    fn drop(&mut self) {
        for child in self.children.iter_mut().rev() {
            // One that ended by itself is fine.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

/// Starts a server that says on its first line where it can be reached.
fn started(command: &mut Command) -> (Child, String) {
    let mut child =
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap_or_else(
            |error| panic!("{} is not installed: {error}", command.get_program().to_string_lossy()),
        );
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(!line.trim().is_empty(), "{} did not start", command.get_program().to_string_lossy());
    (child, line.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_desktop_has_a_keychain_that_stores_and_doubles_that_record() {
        let desktop = Desktop::start();
        assert!(desktop.has_owner("org.freedesktop.secrets"), "no keychain");
        assert!(desktop.has_owner(tray::WATCHER_NAME), "no tray host");
        assert!(desktop.keychain_items().is_empty(), "a new keychain holds something");
        assert!(desktop.windows("").is_empty(), "a new screen has windows on it");

        let id = notifications::send_for_test(&desktop.bus, "Title", "a body");
        let notice = desktop.wait_for_notice("a body");
        assert_eq!((notice.id, notice.title.as_str()), (id, "Title"), "the double recorded something else");
    }

    #[test]
    fn parts_can_be_left_out() {
        let desktop =
            Desktop::with(Parts { tray: false, notifications: false, keychain: false, ..Parts::default() });
        assert!(!desktop.has_owner("org.freedesktop.secrets"), "there is a keychain");
        assert!(!desktop.has_owner(tray::WATCHER_NAME), "there is a tray host");
        assert!(!desktop.has_owner(notifications::NAME), "there is a notification daemon");
    }
}
