//! The windows on the private screen: which there are, and closing one as its user would.
//!
//! Must not know what is drawn in them.

use x11rb::connection::Connection;
use x11rb::protocol::xproto::{AtomEnum, ClientMessageEvent, ConnectionExt, EventMask, MapState};
use x11rb::rust_connection::RustConnection;

/// One window.
#[derive(Clone, Debug)]
pub struct Window {
    display: String,
    id: u32,
    /// Width and height.
    pub size: (u16, u16),
}

// === impl Window ===

impl Window {
    /// Asks the program to close it, as the frame's cross does.
    pub fn close(&self) {
        let (x, _) = connect(&self.display);
        let atom = |name: &str| x.intern_atom(false, name.as_bytes()).unwrap().reply().unwrap().atom;
        let data = [atom("WM_DELETE_WINDOW"), x11rb::CURRENT_TIME, 0, 0, 0];
        let message = ClientMessageEvent::new(32, self.id, atom("WM_PROTOCOLS"), data);
        x.send_event(false, self.id, EventMask::NO_EVENT, message).unwrap().check().unwrap();
    }
}

/// The windows that are on the screen and have this title.
pub(super) fn titled(display: &str, title: &str) -> Vec<Window> {
    let (x, root) = connect(display);
    let Ok(tree) = x.query_tree(root).unwrap().reply() else { return Vec::new() };
    tree.children
        .into_iter()
        .filter_map(|id| {
            // A window may be gone by the time it is asked.
            let is_shown = x.get_window_attributes(id).ok()?.reply().ok()?.map_state == MapState::VIEWABLE;
            let name =
                x.get_property(false, id, AtomEnum::WM_NAME, AtomEnum::ANY, 0, 1024).ok()?.reply().ok()?;
            let place = x.get_geometry(id).ok()?.reply().ok()?;
            (is_shown && name.value == title.as_bytes()).then(|| Window {
                display: display.to_owned(),
                id,
                size: (place.width, place.height),
            })
        })
        .collect()
}

fn connect(display: &str) -> (RustConnection, u32) {
    let (x, screen) = RustConnection::connect(Some(display)).expect("the private X server does not answer");
    let root = x.setup().roots[screen].root;
    (x, root)
}
