//! Whether there is anything to show a window on, and which program opens a URL. Must not open one.

/// True where windows need a display server and none is named.
pub fn display_is_missing() -> bool {
    cfg!(target_os = "linux")
        && ["DISPLAY", "WAYLAND_DISPLAY"]
            .iter()
            .all(|name| std::env::var_os(name).is_none_or(|value| value.is_empty()))
}

/// The program that hands a URL to the user's own browser, and the arguments that go before the URL. None of them is a
/// shell.
pub const fn url_opener() -> (&'static str, &'static [&'static str]) {
    if cfg!(target_os = "macos") {
        ("/usr/bin/open", &[])
    } else if cfg!(target_os = "windows") {
        ("rundll32.exe", &["url.dll,FileProtocolHandler"])
    } else {
        ("xdg-open", &[])
    }
}
