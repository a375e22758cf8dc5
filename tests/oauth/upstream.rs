//! A service that remembers every token that it was shown, and can be told to refuse some.

use std::collections::HashSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Mutex};

/// The service; its thread ends with the test program.
pub(crate) struct Upstream {
    address: SocketAddr,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    heads: Vec<String>,
    refused: HashSet<String>,
    /// Bodies of all requests.
    bodies: Vec<String>,
    /// What is answered, and with which status; by default that all is well.
    says: Option<(&'static str, String)>,
}

impl Upstream {
    pub(crate) fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let state = Arc::new(Mutex::new(State::default()));
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || answer(stream, &shared));
            }
        });
        Self { address, state }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// The heads of all requests.
    pub(crate) fn heads(&self) -> Vec<String> {
        self.state.lock().unwrap().heads.clone()
    }

    /// The Bearer tokens of all requests, in order.
    pub(crate) fn tokens(&self) -> Vec<String> {
        self.heads().iter().map(|head| token_of(head).unwrap_or_default()).collect()
    }

    /// The token of the last request.
    #[track_caller]
    pub(crate) fn last_token(&self) -> String {
        self.tokens().pop().expect("a request arrived")
    }

    /// The bodies of all requests.
    pub(crate) fn bodies(&self) -> Vec<String> {
        self.state.lock().unwrap().bodies.clone()
    }

    /// From now on this is the answer, whoever asks.
    pub(crate) fn says(&self, status: &'static str, body: &str) {
        self.state.lock().unwrap().says = Some((status, body.to_owned()));
    }

    /// From now on this token is answered with a 401.
    pub(crate) fn refuse(&self, token: &str) {
        self.state.lock().unwrap().refused.insert(token.to_owned());
    }
}

fn answer(mut stream: TcpStream, state: &Mutex<State>) {
    let mut bytes = Vec::new();
    let mut piece = [0; 4096];
    let end = loop {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            break end + 4;
        }
    };
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let length = head
        .lines()
        .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
    while bytes.len() < end + length.unwrap_or(0) {
        match stream.read(&mut piece) {
            Ok(0) | Err(_) => return,
            Ok(n) => bytes.extend_from_slice(&piece[..n]),
        }
    }
    let (status, body) = {
        let mut state = state.lock().unwrap();
        let is_refused = token_of(&head).is_none_or(|token| state.refused.contains(&token));
        state.heads.push(head);
        state.bodies.push(String::from_utf8_lossy(&bytes[end..]).into_owned());
        match &state.says {
            Some(said) => said.clone(),
            None if is_refused => ("401 Unauthorized", "{\"error\":\"token\"}".to_owned()),
            None => ("200 OK", "{\"ok\":true}".to_owned()),
        }
    };
    let _ = write!(
        stream,
        "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
        body.len()
    );
}

fn token_of(head: &str) -> Option<String> {
    head.lines().find_map(|line| {
        let (name, value) = line.split_once(": ")?;
        let token = value.strip_prefix("Bearer ")?;
        name.eq_ignore_ascii_case("authorization").then(|| token.to_owned())
    })
}
