//! Who is at the other end of a local socket. Must not know what is said on it.

use std::io;

/// The process at the other end of a Unix socket, as the kernel saw it when it connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Peer {
    /// Its user.
    pub uid: u32,
    /// Its process id.
    pub pid: u32,
}

/// The user that this process runs as.
#[cfg(unix)]
pub fn own_uid() -> u32 {
    rustix::process::geteuid().as_raw()
}

/// The user that this process runs as.
#[cfg(not(unix))]
pub fn own_uid() -> u32 {
    0
}

/// Asks the kernel who is at the other end.
#[cfg(target_os = "linux")]
pub fn peer_credentials(socket: impl std::os::fd::AsFd) -> io::Result<Peer> {
    let peer = rustix::net::sockopt::socket_peercred(socket)?;
    let pid = u32::try_from(peer.pid.as_raw_nonzero().get());
    Ok(Peer { uid: peer.uid.as_raw(), pid: pid.map_err(|_| io::Error::other("the peer has no process id"))? })
}

/// Asks the kernel who is at the other end. Not known on this system: callers refuse.
#[cfg(not(target_os = "linux"))]
pub fn peer_credentials<S>(_: S) -> io::Result<Peer> {
    Err(io::Error::new(io::ErrorKind::Unsupported, "peers cannot be told on this system"))
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn a_peer_in_this_process_is_this_process() {
        let (one, _other) = std::os::unix::net::UnixStream::pair().unwrap();
        let expected = Peer { uid: own_uid(), pid: std::process::id() };
        assert_eq!(peer_credentials(&one).unwrap(), expected, "the kernel says who it is");
    }
}
