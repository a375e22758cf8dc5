//! A notification daemon that records what it is asked to show.
//!
//! Must not know who asks.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use zbus::blocking::Connection;
use zbus::interface;
use zbus::zvariant::OwnedValue;

pub(super) const NAME: &str = "org.freedesktop.Notifications";
pub(super) const PATH: &str = "/org/freedesktop/Notifications";

/// A notification that was shown.
#[derive(Clone, Debug)]
pub struct Notice {
    /// Its number.
    pub id: u32,
    /// The program's name.
    pub program: String,
    /// First line.
    pub title: String,
    /// The rest.
    pub body: String,
    /// Buttons: key and label.
    pub actions: Vec<(String, String)>,
    /// 0 low, 1 normal, 2 critical.
    pub urgency: Option<u8>,
}

pub(super) struct Daemon {
    notices: Arc<Mutex<Vec<Notice>>>,
    last: u32,
}

// === impl Daemon ===

impl Daemon {
    pub(super) fn recording(notices: &Arc<Mutex<Vec<Notice>>>) -> Self {
        Self { notices: Arc::clone(notices), last: 0 }
    }
}

#[interface(name = "org.freedesktop.Notifications")]
impl Daemon {
    fn get_capabilities(&self) -> Vec<&'static str> {
        vec!["body", "actions", "persistence"]
    }

    fn get_server_information(&self) -> (&'static str, &'static str, &'static str, &'static str) {
        ("double", "test", "1", "1.2")
    }

    #[expect(clippy::too_many_arguments, reason = "the interface is defined elsewhere")]
    fn notify(
        &mut self,
        program: String,
        replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: HashMap<String, OwnedValue>,
        _expires: i32,
    ) -> u32 {
        if replaces == 0 {
            self.last += 1;
        }
        let id = if replaces == 0 { self.last } else { replaces };
        let urgency = hints.get("urgency").and_then(|value| u8::try_from(value).ok());
        let actions = actions.chunks_exact(2).map(|pair| (pair[0].clone(), pair[1].clone())).collect();
        self.notices.lock().push(Notice { id, program, title, body, actions, urgency });
        id
    }

    fn close_notification(&mut self, _id: u32) {}
}

/// Reports a click, and that the notification is gone.
pub(super) fn click(connection: &Connection, id: u32, action: &str) {
    connection
        .emit_signal(None::<&str>, PATH, NAME, "ActionInvoked", &(id, action))
        .and_then(|()| connection.emit_signal(None::<&str>, PATH, NAME, "NotificationClosed", &(id, 2_u32)))
        .unwrap_or_else(|error| panic!("the click could not be reported: {error}"));
}

/// Shows a notification as any program would.
#[cfg(test)]
pub(super) fn send_for_test(bus: &str, title: &str, body: &str) -> u32 {
    let program = zbus::blocking::connection::Builder::address(bus).unwrap().build().unwrap();
    let daemon = zbus::blocking::Proxy::new(&program, NAME, PATH, NAME).unwrap();
    let hints = HashMap::<&str, zbus::zvariant::Value<'_>>::new();
    daemon.call("Notify", &("test", 0_u32, "", title, body, Vec::<&str>::new(), hints, -1_i32)).unwrap()
}
