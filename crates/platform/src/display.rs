//! Whether there is anything to show a window on. Must not open one.

/// True where windows need a display server and none is named.
pub fn display_is_missing() -> bool {
    cfg!(target_os = "linux")
        && ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
}
