//! Handing a URL to the user's own browser: one checked argument of one program, never a shell, never our own window.
//!
//! Must not know which flow asks, nor which operating system this is: the program's name is given.

use std::process::{Command, Stdio};

use crate::{Endpoint, EndpointError, Reach};

/// Opens URLs for the user.
pub trait Browser: Send + Sync {
    /// Opens it in the user's default browser.
    fn open(&self, url: &str, reach: Reach) -> Result<(), BrowserError>;
}

/// The browser cannot be opened. The URL can still be shown, and copied.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum BrowserError {
    /// Not a URL that is handed to anybody.
    #[error("this URL is not opened: {0}")]
    Refused(#[from] EndpointError),
    /// The program is not there or does not start.
    #[error("the browser cannot be started")]
    Start(#[source] std::io::Error),
}

/// A program that opens its last argument, such as `xdg-open`.
#[derive(Clone, Debug)]
pub struct CommandBrowser {
    program: String,
    arguments: Vec<String>,
}

/// The longest URL that is handed over: Windows takes no more than 32,767 characters in all, browsers often 8,192.
const LONGEST: usize = 8192;

// === impl CommandBrowser ===

impl CommandBrowser {
    /// A program with the arguments that come before the URL.
    pub fn new(program: impl Into<String>, arguments: impl IntoIterator<Item = String>) -> Self {
        Self { program: program.into(), arguments: arguments.into_iter().collect() }
    }
}

impl Browser for CommandBrowser {
    fn open(&self, url: &str, reach: Reach) -> Result<(), BrowserError> {
        let url = checked(url, reach)?;
        let mut command = Command::new(&self.program);
        command
            .args(&self.arguments)
            .arg(url)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null());
        let mut child = command.spawn().map_err(BrowserError::Start)?;
        // Waited for elsewhere, so that no dead child stays behind; it may be the browser itself and run for hours.
        let _ = std::thread::Builder::new().name("browser".into()).spawn(move || child.wait());
        Ok(())
    }
}

/// An authorization URL as it is handed over: an https URL (or http for a private service) of bounded length.
fn checked(url: &str, reach: Reach) -> Result<&str, EndpointError> {
    if url.len() > LONGEST {
        return Err(EndpointError::TooLong);
    }
    // The query may be long; everything else is held to the rules of an endpoint.
    let (place, query) = url.split_once('?').unwrap_or((url, ""));
    Endpoint::parse(place, reach)?;
    let is_plain = |b: u8| {
        b.is_ascii_graphic()
            && !matches!(b, b'"' | b'\\' | b'`' | b'<' | b'>' | b'^' | b'{' | b'|' | b'}' | b'#')
    };
    if query.bytes().all(is_plain) { Ok(url) } else { Err(EndpointError::NotAUrl) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn o13_only_plain_https_urls_are_handed_over() {
        let hostile = [
            "javascript:alert(1)",
            "data:text/html,x",
            "file:///etc/passwd",
            "vbscript:x",
            "--version",
            "",
            "https://as.example/?a=\"b\"",
            "https://as.example/?a=`id`",
            "https://as.example/?a\n--flag",
            "https://as.example/? x",
            "http://as.example/",
            "calc.exe",
            "https://as.example/?a#b",
            "smb://x/y",
            "https://as.example/\u{202e}?",
        ];
        for url in hostile {
            assert!(checked(url, Reach::Public).is_err(), "{url:?} was handed over");
        }
        let long = format!("https://as.example/?{}", "a".repeat(100_000));
        assert!(checked(&long, Reach::Public).is_err(), "100 KB were handed over");
        assert!(
            checked("https://as.example/authorize?a=b&c=$(id)&d=%22", Reach::Public).is_ok(),
            "no shell reads it, so `$` and `&` are plain"
        );
    }

    #[cfg(unix)]
    #[test]
    fn o13_the_url_is_one_argument_and_no_shell_sees_it() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().unwrap();
        let (program, seen) = (folder.path().join("opener"), folder.path().join("seen"));
        std::fs::write(
            &program,
            format!(
                "#!/bin/sh\nprintf '%s\\n' \"$#\" \"$@\" > '{0}.tmp'\nmv '{0}.tmp' '{0}'\n",
                seen.display()
            ),
        )
        .unwrap();
        std::fs::set_permissions(&program, std::fs::Permissions::from_mode(0o700)).unwrap();
        let url = "https://as.example/authorize?a=$(touch%20pwned)&calc&b='x'";
        let browser = CommandBrowser::new(program.to_string_lossy(), ["open".to_owned()]);
        browser.open(url, Reach::Public).unwrap();
        let deadline = std::time::Instant::now() + std::time::Duration::from_secs(10);
        while !seen.exists() {
            assert!(std::time::Instant::now() < deadline, "the program never ran");
            std::thread::yield_now();
        }
        assert_eq!(
            std::fs::read_to_string(&seen).unwrap(),
            format!("2\nopen\n{url}\n"),
            "one argument, unchanged"
        );
    }
}
