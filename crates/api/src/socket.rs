//! The control socket: one JSON object a line, in and out, for processes of the same user alone.
//!
//! Must not know what the calls mean. The socket lies in a directory of mode 0700, has mode 0600, and the peer's user
//! is checked again on each connection.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio_util::sync::CancellationToken;

use crate::host::Host;
use crate::schema::{ApiError, Code, Verb};

/// Longest line that is read: a secret of 16 KiB with room to spare.
pub(crate) const MAX_LINE: u64 = 1 << 20;

/// One line in.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Line {
    /// A call that is answered by one line.
    Call { verb: WireVerb, name: String, params: Value },
    /// New entries of the record, one a line, until the caller hangs up.
    Follow { params: Value },
}

/// [`Verb`], as it is written.
#[derive(Clone, Copy, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum WireVerb {
    Query,
    Mutate,
    Decide,
}

/// One line out.
#[derive(Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Reply {
    Ok(Value),
    Error(ApiError),
}

// === impl WireVerb ===

impl From<Verb> for WireVerb {
    fn from(verb: Verb) -> Self {
        match verb {
            Verb::Query => Self::Query,
            Verb::Mutate => Self::Mutate,
            Verb::Decide => Self::Decide,
        }
    }
}

impl From<WireVerb> for Verb {
    fn from(verb: WireVerb) -> Self {
        match verb {
            WireVerb::Query => Self::Query,
            WireVerb::Mutate => Self::Mutate,
            WireVerb::Decide => Self::Decide,
        }
    }
}

/// Takes the socket, unless an engine answers on it.
pub(crate) async fn bind(path: &Path) -> Result<UnixListener, ApiError> {
    if UnixStream::connect(path).await.is_ok() {
        return Err(ApiError::new(
            Code::Conflict,
            "an engine runs here already",
            "use it (commands talk to it by themselves), or stop it first",
        ));
    }
    let fail = |why: std::io::Error| {
        ApiError::new(
            Code::Unavailable,
            format!("the control socket {} cannot be made: {why}", path.display()),
            "check the directory's permissions; a path over 100 characters is too long for a socket",
        )
    };
    match std::fs::remove_file(path) {
        Ok(()) => {}
        Err(why) if why.kind() == std::io::ErrorKind::NotFound => {}
        Err(why) => return Err(fail(why)),
    }
    let listener = UnixListener::bind(path).map_err(fail)?;
    let mode = std::os::unix::fs::PermissionsExt::from_mode(0o600);
    std::fs::set_permissions(path, mode).map_err(fail)?;
    Ok(listener)
}

/// Serves until `stop`, then takes the socket away.
pub(crate) async fn serve(listener: UnixListener, path: PathBuf, host: Host, stop: CancellationToken) {
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        let Ok((stream, _)) = accepted else { continue };
        let same_user = stream.peer_cred().is_ok_and(|peer| peer.uid() == claviger_platform::own_uid());
        if !same_user {
            tracing::warn!("another user's process tried the control socket");
            continue;
        }
        let (host, stop) = (host.clone(), stop.clone());
        tokio::spawn(async move {
            tokio::select! {
                () = stop.cancelled() => {}
                _ = converse(stream, host) => {}
            }
        });
    }
    let _ = std::fs::remove_file(path);
}

async fn converse(stream: UnixStream, host: Host) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut read = BufReader::new(read);
    loop {
        let mut line = Vec::new();
        let n = (&mut read).take(MAX_LINE).read_until(b'\n', &mut line).await?;
        if n == 0 {
            return Ok(());
        }
        let parsed = if line.ends_with(b"\n") { serde_json::from_slice(&line).ok() } else { None };
        let reply = match parsed {
            Some(Line::Call { verb, name, params }) => match host.call(verb.into(), &name, params).await {
                Ok(value) => Reply::Ok(value),
                Err(why) => Reply::Error(why),
            },
            Some(Line::Follow { params }) => return follow(&mut write, &host, params).await,
            None => Reply::Error(ApiError::new(Code::Usage, "not a line of this protocol", "")),
        };
        let broken = matches!(&reply, Reply::Error(why) if why.code == Code::Usage && why.message.starts_with("not a line"));
        send(&mut write, &reply).await?;
        if broken {
            return Ok(());
        }
    }
}

async fn send(write: &mut (impl AsyncWriteExt + Unpin), reply: &Reply) -> std::io::Result<()> {
    let mut line = serde_json::to_vec(reply).map_err(std::io::Error::other)?;
    line.push(b'\n');
    write.write_all(&line).await
}

/// Sends every entry that ends from now on. The first lines are those that the caller's filter finds already there.
async fn follow(write: &mut (impl AsyncWriteExt + Unpin), host: &Host, params: Value) -> std::io::Result<()> {
    let mut tags = host.subscribe();
    let mut seen = std::collections::VecDeque::new();
    loop {
        let page = match host.call(Verb::Query, "audit.list", params.clone()).await {
            Ok(page) => page,
            Err(why) => return send(write, &Reply::Error(why)).await,
        };
        let entries = page.get("entries").and_then(Value::as_array).cloned().unwrap_or_default();
        for entry in entries.into_iter().rev() {
            let open = entry.get("result").and_then(Value::as_str) == Some("open");
            let Some(seq) = entry.get("seq").and_then(Value::as_u64) else { continue };
            if open || seen.contains(&seq) {
                continue;
            }
            seen.push_back(seq);
            if seen.len() > 20_000 {
                seen.pop_front();
            }
            send(write, &Reply::Ok(entry)).await?;
        }
        loop {
            use tokio::sync::broadcast::error::RecvError;
            match tags.recv().await {
                Ok(crate::Tag::Activity | crate::Tag::Vault) | Err(RecvError::Lagged(_)) => break,
                Ok(_) => {}
                Err(RecvError::Closed) => return Ok(()),
            }
        }
    }
}
