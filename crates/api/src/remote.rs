//! The other end of the control socket.

use std::path::Path;

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::UnixStream;
use tokio::net::unix::{OwnedReadHalf, OwnedWriteHalf};

use crate::schema::{ApiError, Code, Verb};
use crate::socket::{Line, Reply};

/// A connection to a running engine.
pub(crate) struct Remote {
    read: BufReader<OwnedReadHalf>,
    write: OwnedWriteHalf,
}

// === impl Remote ===

impl Remote {
    /// Connects, if an engine of the same user answers.
    pub(crate) async fn connect(path: &Path) -> Option<Self> {
        let stream = UnixStream::connect(path).await.ok()?;
        // A socket that somebody else put there would be told secrets.
        let same_user = stream.peer_cred().is_ok_and(|peer| peer.uid() == claviger_platform::own_uid());
        if !same_user {
            return None;
        }
        let (read, write) = stream.into_split();
        Some(Self { read: BufReader::new(read), write })
    }

    pub(crate) async fn call(&mut self, verb: Verb, name: &str, params: Value) -> Result<Value, ApiError> {
        self.send(&Line::Call { verb: verb.into(), name: name.to_owned(), params }).await?;
        match self.receive().await? {
            Some(value) => Ok(value),
            None => Err(gone()),
        }
    }

    pub(crate) async fn follow(&mut self, params: Value) -> Result<(), ApiError> {
        self.send(&Line::Follow { params }).await
    }

    /// The next line; `None` when the engine ended.
    pub(crate) async fn receive(&mut self) -> Result<Option<Value>, ApiError> {
        let mut line = Vec::new();
        let n = self.read.read_until(b'\n', &mut line).await.map_err(|_| gone())?;
        if n == 0 {
            return Ok(None);
        }
        match serde_json::from_slice(&line) {
            Ok(Reply::Ok(value)) => Ok(Some(value)),
            Ok(Reply::Error(why)) => Err(why),
            Err(_) => Err(gone()),
        }
    }

    async fn send(&mut self, line: &Line) -> Result<(), ApiError> {
        let mut bytes = serde_json::to_vec(line).map_err(|_| gone())?;
        bytes.push(b'\n');
        self.write.write_all(&bytes).await.map_err(|_| gone())
    }
}

fn gone() -> ApiError {
    ApiError::new(Code::Unavailable, "the running engine hung up", "see whether it still runs, and try again")
}
