//! A tray host that records the icons of programs, and a hand that reads and clicks their menus.
//!
//! Must not know what any entry means.

use parking_lot::Mutex;
use std::collections::HashMap;
use std::sync::Arc;
use zbus::blocking::{Connection, Proxy};
use zbus::interface;
use zbus::message::Header;
use zbus::zvariant::{OwnedObjectPath, OwnedValue, Value};

pub(super) const WATCHER_NAME: &str = "org.kde.StatusNotifierWatcher";
pub(super) const WATCHER_PATH: &str = "/StatusNotifierWatcher";

/// Where a program's tray icon answers: its name on the bus, and a path.
#[derive(Clone, Debug)]
pub(super) struct Item {
    name: String,
    path: String,
}

pub(super) struct Watcher {
    items: Arc<Mutex<Vec<Item>>>,
}

/// One program's tray icon.
pub struct Tray {
    connection: Connection,
    item: Item,
}

/// One entry of a tray icon's menu.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MenuEntry {
    id: i32,
    /// What it says; empty for a ruler.
    pub label: String,
    /// Whether it can be chosen.
    pub is_enabled: bool,
}

/// The answer to `GetLayout`: revision, then id, properties and children of the root.
type Layout = (u32, Node);
type Node = (i32, HashMap<String, OwnedValue>, Vec<OwnedValue>);

// === impl Watcher ===

impl Watcher {
    pub(super) fn recording(items: &Arc<Mutex<Vec<Item>>>) -> Self {
        Self { items: Arc::clone(items) }
    }
}

#[interface(name = "org.kde.StatusNotifierWatcher")]
impl Watcher {
    fn register_status_notifier_item(&mut self, service: String, #[zbus(header)] header: Header<'_>) {
        // Some register a path and are reached by the name they call from, others register a name.
        let sender = header.sender().map(ToString::to_string).unwrap_or_default();
        let item = if service.starts_with('/') {
            Item { name: sender, path: service }
        } else {
            Item { name: service, path: "/StatusNotifierItem".to_owned() }
        };
        self.items.lock().push(item);
    }

    fn register_status_notifier_host(&mut self, _service: String) {}

    #[zbus(property)]
    fn registered_status_notifier_items(&self) -> Vec<String> {
        self.items.lock().iter().map(|item| format!("{}{}", item.name, item.path)).collect()
    }

    #[zbus(property)]
    fn is_status_notifier_host_registered(&self) -> bool {
        true
    }

    #[zbus(property)]
    fn protocol_version(&self) -> i32 {
        0
    }
}

// === impl Tray ===

impl Tray {
    pub(super) fn of(connection: &Connection, item: Item) -> Self {
        Self { connection: connection.clone(), item }
    }

    /// The icon as a PNG; empty while it is being changed.
    pub fn picture(&self) -> Vec<u8> {
        let item = self.proxy(&self.item.path, "org.kde.StatusNotifierItem");
        let file: String = item
            .get_property("IconName")
            .unwrap_or_else(|error| panic!("the tray icon has no picture: {error}"));
        std::fs::read(file).unwrap_or_default()
    }

    /// The menu's top entries.
    pub fn entries(&self) -> Vec<MenuEntry> {
        let (_, (_, _, children)): Layout = self
            .menu()
            .call("GetLayout", &(0_i32, -1_i32, Vec::<&str>::new()))
            .unwrap_or_else(|error| panic!("the tray's menu does not answer: {error}"));
        children.into_iter().map(MenuEntry::read).collect()
    }

    /// Whether the menu has this entry, and it can be chosen.
    pub fn offers(&self, label: &str) -> bool {
        self.entries().iter().any(|entry| entry.label == label && entry.is_enabled)
    }

    /// Chooses an entry.
    pub fn click(&self, label: &str) {
        let entries = self.entries();
        let entry = entries
            .iter()
            .find(|entry| entry.label == label)
            .unwrap_or_else(|| panic!("the tray's menu has no {label:?}: {entries:?}"));
        self.menu()
            .call::<_, _, ()>("Event", &(entry.id, "clicked", Value::from(""), 0_u32))
            .unwrap_or_else(|error| panic!("{label:?} could not be chosen: {error}"));
    }

    fn menu(&self) -> Proxy<'_> {
        let item = self.proxy(&self.item.path, "org.kde.StatusNotifierItem");
        let path: OwnedObjectPath =
            item.get_property("Menu").unwrap_or_else(|error| panic!("the tray icon has no menu: {error}"));
        self.proxy(path.as_str(), "com.canonical.dbusmenu")
    }

    fn proxy(&self, path: &str, interface: &'static str) -> Proxy<'_> {
        // What a program shows now is asked anew each time.
        zbus::blocking::proxy::Builder::new(&self.connection)
            .destination(self.item.name.clone())
            .and_then(|builder| builder.path(path.to_owned()))
            .and_then(|builder| builder.interface(interface))
            .map(|builder| builder.cache_properties(zbus::proxy::CacheProperties::No))
            .and_then(zbus::blocking::proxy::Builder::build)
            .unwrap_or_else(|error| panic!("the tray icon cannot be reached: {error}"))
    }
}

// === impl MenuEntry ===

impl MenuEntry {
    fn read(child: OwnedValue) -> Self {
        let (id, properties, _): Node =
            Value::from(child).try_into().unwrap_or_else(|error| panic!("no menu entry: {error}"));
        let label = properties.get("label").and_then(|value| String::try_from(value.clone()).ok());
        let is_enabled = properties.get("enabled").and_then(|value| bool::try_from(value).ok());
        Self { id, label: label.unwrap_or_default(), is_enabled: is_enabled.unwrap_or(true) }
    }
}
