//! A browser without a window: follows redirects, keeps cookies, signs in and consents on the test server's forms.

use std::sync::Arc;

use claviger_oauth::http::{Http, Method, Request, Response};
use claviger_oauth::{Endpoint, Reach};
use claviger_secret::Secret;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use url::Url;

use super::real_http;

/// The browser.
pub(crate) struct Walker {
    http: Arc<dyn Http>,
    cookies: Vec<(String, String)>,
    /// Every URL that it stood on.
    pub(crate) history: Vec<String>,
}

impl Walker {
    pub(crate) fn new() -> Self {
        Self { http: real_http(), cookies: Vec::new(), history: Vec::new() }
    }

    /// Opens a URL and does what a willing user does, until it is back at Claviger's listener. Returns what the
    /// listener's page says.
    pub(crate) async fn consent(&mut self, url: &str) -> String {
        let home = Url::parse(url).unwrap();
        let (mut at, mut response) = (home.clone(), self.go(Method::Get, &home, None).await);
        for _ in 0..20 {
            if (300..400).contains(&response.status) {
                at = at.join(response.header("location").expect("a redirect says whereto")).unwrap();
                let is_back = at.origin() != home.origin();
                response = self.go(Method::Get, &at, None).await;
                if is_back {
                    return text(&response);
                }
                continue;
            }
            let page = text(&response);
            let Some((action, fields)) = form(&page) else { return page };
            // A form without an action goes where it came from.
            at = action.map_or_else(|| at.clone(), |action| at.join(&action).unwrap());
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
            response = self.go(Method::Post, &at, Some(body)).await;
        }
        panic!("the server keeps asking: {:?}", self.history);
    }

    /// One request, with cookies, no redirect followed.
    pub(crate) async fn go(&mut self, method: Method, url: &Url, body: Option<String>) -> Response {
        self.history.push(url.to_string());
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let request = Request {
            method,
            url: Endpoint::parse(url.as_str(), Reach::Private).expect("a URL that a browser opens"),
            reach: Reach::Private,
            headers: vec![
                ("accept", Secret::from(b"text/html".to_vec())),
                ("cookie", Secret::from(cookies.join("; "))),
            ],
            body: body.map(|b| ("application/x-www-form-urlencoded", Secret::from(b))),
        };
        let response = self.http.send(request).await.expect("the server answers the browser");
        for cookie in response.headers.get_all("set-cookie") {
            self.keep(cookie.to_str().unwrap());
        }
        response
    }
}

impl Walker {
    /// Sends JSON, as a server's own page does, by methods that the product has no use for. Returns the status.
    pub(crate) async fn tell(&mut self, method: &str, url: &Url, body: &serde_json::Value) -> u16 {
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
        let cookies: Vec<String> = self.cookies.iter().map(|(n, v)| format!("{n}={v}")).collect();
        let (path, cookies, body) = (url.path(), cookies.join("; "), body.to_string());
        let request = format!(
            "{method} {path} HTTP/1.1\r\nhost: {host}:{port}\r\ncontent-type: application/json\r\ncookie: {cookies}\r\n\
             content-length: {}\r\nconnection: close\r\n\r\n{body}",
            body.len()
        );
        let mut stream = tokio::net::TcpStream::connect((host, port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.unwrap();
        let answer = String::from_utf8_lossy(&answer).into_owned();
        let head = answer.split("\r\n\r\n").next().unwrap_or_default();
        for line in head.lines() {
            if let Some((name, value)) = line.split_once(": ")
                && name.eq_ignore_ascii_case("set-cookie")
            {
                self.keep(value);
            }
        }
        head.split(' ').nth(1).and_then(|status| status.parse().ok()).expect("a status")
    }

    fn keep(&mut self, cookie: &str) {
        let pair = cookie.split(';').next().unwrap_or_default();
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        self.cookies.retain(|(n, _)| n != name);
        if !value.is_empty() {
            self.cookies.push((name.to_owned(), value.to_owned()));
        }
    }
}

pub(crate) fn text(response: &Response) -> String {
    String::from_utf8_lossy(response.body.expose()).into_owned()
}

/// A form: where it goes, if it says so, and what it carries.
type Form = (Option<String>, Vec<(String, String)>);

/// The first form of a page, filled in as a willing user would.
fn form(page: &str) -> Option<Form> {
    let page = page.replace(['\r', '\n', '\t'], " ");
    let form = &page[page.find("<form")?..];
    let form = &form[..form.find("</form>").unwrap_or(form.len())];
    let head = &form[..form.find('>')?];
    let action = attribute(head, "action");
    let mut fields = Vec::new();
    for input in form.split("<input").skip(1) {
        let input = &input[..input.find('>').unwrap_or(input.len())];
        if let (Some(name), Some(value)) = (attribute(input, "name"), attribute(input, "value")) {
            fields.push((name, value));
        }
    }
    let has = |name: &str| form.contains(&format!("name=\"{name}\""));
    for (name, value) in [("login", "alice"), ("username", "alice"), ("sub", "alice"), ("password", "x")] {
        if has(name) {
            fields.retain(|(n, _)| n != name);
            fields.push((name.to_owned(), value.to_owned()));
        }
    }
    if has("confirm") || page.contains("name=\"user_code\"") {
        fields.push(("confirm".to_owned(), "yes".to_owned()));
    }
    if has("action") && form.contains("value=\"accept\"") {
        fields.push(("action".to_owned(), "accept".to_owned()));
    }
    Some((action, fields))
}

/// An attribute's value, in either kind of quotes.
fn attribute(tag: &str, name: &str) -> Option<String> {
    ['"', '\''].into_iter().find_map(|quote| {
        let from = tag.find(&format!(" {name}={quote}"))? + name.len() + 3;
        let rest = &tag[from..];
        let mut value = rest[..rest.find(quote)?].to_owned();
        for (escaped, plain) in
            [("&quot;", "\""), ("&#x27;", "'"), ("&lt;", "<"), ("&gt;", ">"), ("&amp;", "&")]
        {
            value = value.replace(escaped, plain);
        }
        Some(value)
    })
}
