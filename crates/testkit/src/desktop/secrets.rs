//! What the private keychain holds, by label and attributes.
//!
//! Must not read any secret: a test asks whether an entry is there, not what it is.

use std::collections::HashMap;
use zbus::blocking::{Connection, Proxy};
use zbus::zvariant::OwnedObjectPath;

const NAME: &str = "org.freedesktop.secrets";

/// One entry of the keychain.
#[derive(Clone, Debug)]
pub struct KeychainItem {
    /// Its name for people.
    pub label: String,
    /// What it is found by.
    pub attributes: HashMap<String, String>,
}

/// Every entry of every collection.
pub(super) fn items(connection: &Connection) -> Vec<KeychainItem> {
    let service = proxy(connection, "/org/freedesktop/secrets", "org.freedesktop.Secret.Service");
    let (unlocked, locked): (Vec<OwnedObjectPath>, Vec<OwnedObjectPath>) = service
        .call("SearchItems", &(HashMap::<&str, &str>::new(),))
        .unwrap_or_else(|error| panic!("the keychain does not answer: {error}"));
    unlocked
        .iter()
        .chain(&locked)
        .map(|path| {
            let item = proxy(connection, path.as_str(), "org.freedesktop.Secret.Item");
            KeychainItem {
                label: item.get_property("Label").unwrap_or_default(),
                attributes: item.get_property("Attributes").unwrap_or_default(),
            }
        })
        .collect()
}

fn proxy(connection: &Connection, path: &str, interface: &'static str) -> Proxy<'static> {
    Proxy::new(connection, NAME, path.to_owned(), interface)
        .unwrap_or_else(|error| panic!("the keychain cannot be reached: {error}"))
}
