//! A browser without a window: follows redirects, keeps cookies, signs in and consents on the server's forms.

use std::net::SocketAddr;

use claviger_testkit::{Reply, send_raw};

/// The browser.
pub(crate) struct Walker {
    cookies: Vec<(String, String)>,
}

impl Walker {
    pub(crate) fn new() -> Self {
        Self { cookies: Vec::new() }
    }

    /// Opens a URL and does what a willing user does, until there is nothing more to do. Returns the last page.
    pub(crate) fn consent(&mut self, url: &str) -> String {
        let (mut at, home) = (url.to_owned(), origin(url).to_owned());
        let mut reply = self.go("GET", &at, "");
        for _ in 0..20 {
            if (300..400).contains(&reply.status) {
                at = join(&at, reply.header("location").expect("a redirect says whereto"));
                reply = self.go("GET", &at, "");
                if origin(&at) != home {
                    return reply.text();
                }
                continue;
            }
            let page = reply.text();
            let Some((action, body)) = form(&page) else { return page };
            at = join(&at, &action);
            reply = self.go("POST", &at, &body);
        }
        panic!("the server keeps asking at {at}");
    }

    fn go(&mut self, method: &str, url: &str, body: &str) -> Reply {
        let host = origin(url).strip_prefix("http://").expect("a plain URL").to_owned();
        let path = &url[origin(url).len()..];
        let path = if path.is_empty() { "/" } else { path };
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let cookies =
            if cookies.is_empty() { String::new() } else { format!("cookie: {}\r\n", cookies.join("; ")) };
        let form = match method {
            "POST" => format!(
                "content-type: application/x-www-form-urlencoded\r\ncontent-length: {}\r\n",
                body.len()
            ),
            _ => String::new(),
        };
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}\r\naccept: text/html\r\n{cookies}{form}connection: close\r\n\r\n{body}"
        );
        let reply = send_raw(host.parse::<SocketAddr>().expect("an address"), request.as_bytes());
        for (name, value) in &reply.headers {
            if name != "set-cookie" {
                continue;
            }
            let pair = value.split(';').next().unwrap_or_default();
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            self.cookies.retain(|(n, _)| n != name);
            if !value.is_empty() {
                self.cookies.push((name.to_owned(), value.to_owned()));
            }
        }
        reply
    }
}

fn origin(url: &str) -> &str {
    let from = url.find("://").map_or(0, |at| at + 3);
    let end = url[from..].find(['/', '?']).map_or(url.len(), |at| from + at);
    &url[..end]
}

fn join(at: &str, to: &str) -> String {
    if to.starts_with("http://") { to.to_owned() } else { format!("{}{to}", origin(at)) }
}

/// The first form of a page, filled in as a willing user would.
fn form(page: &str) -> Option<(String, String)> {
    let form = &page[page.find("<form")?..];
    let action = attribute(form, "action")?.replace("&amp;", "&");
    let mut fields = Vec::new();
    for input in form.split("<input").skip(1) {
        let input = &input[..input.find('>').unwrap_or(input.len())];
        if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
            fields.push((name, value));
        }
    }
    let has = |name: &str| form.contains(&format!("name=\"{name}\""));
    for (name, value) in [("login", "alice"), ("password", "x")] {
        if has(name) {
            fields.retain(|(n, _)| n != name);
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    if has("confirm") || page.contains("name=\"user_code\"") {
        fields.push(("confirm".to_owned(), "yes".to_owned()));
    }
    let pairs: Vec<String> = fields.iter().map(|(n, v)| format!("{}={}", encoded(n), encoded(v))).collect();
    Some((action, pairs.join("&")))
}

fn encoded(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    let from = tag.find(&format!("{name}=\""))? + name.len() + 2;
    let rest = &tag[from..];
    Some(rest[..rest.find('"')?].to_owned())
}
