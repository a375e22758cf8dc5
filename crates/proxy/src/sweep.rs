//! Looks at all connections four times a second: cuts what is no longer granted, closes what does not move, drops
//! upstream connections that idled too long.
//!
//! Must not know HTTP. Doing this in one place keeps timers and registrations off the request path; it costs nothing
//! while no connection is open.

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::conn::{Conn, Doing, Ending};
use crate::proxy::Shared;

/// The distance of two sweeps. A revoked stream lives at most this much longer.
pub(crate) const TICK: Duration = Duration::from_millis(250);

/// Sweeps until `stop`.
pub(crate) async fn run(shared: Arc<Shared>, stop: CancellationToken) {
    loop {
        let is_needed = !shared.conns.lock().is_empty() || shared.pool.has_idle();
        tokio::select! {
            () = stop.cancelled() => return,
            () = shared.sweep_now.notified() => {}
            () = tokio::time::sleep(TICK), if is_needed => {
                shared.ticks.fetch_add(1, Ordering::Relaxed);
            }
        }
        let conns: Vec<Arc<Conn>> = shared.conns.lock().values().cloned().collect();
        for conn in conns {
            judge(&conn);
        }
        shared.pool.drop_idle(shared.ticks.load(Ordering::Relaxed));
    }
}

fn judge(conn: &Conn) {
    if conn.must_be_cut().is_some() {
        return conn.end(Ending::Cut);
    }
    let config = &conn.shared.config;
    let (doing, still) = conn.wire.doing();
    match doing {
        Doing::Head if still > ticks(config.head_timeout) => conn.end(Ending::Stalled),
        Doing::Nothing if still > ticks(config.idle_timeout) => conn.end(Ending::Drain),
        Doing::Request if still > ticks(config.stall_timeout) => conn.end(Ending::Stalled),
        _ => {}
    }
}

/// So many sweeps make up this time.
pub(crate) fn ticks(time: Duration) -> u32 {
    u32::try_from(time.as_millis() / TICK.as_millis()).unwrap_or(u32::MAX)
}

/// Makes room for one more connection by ending the one that has carried no request for longest.
pub(crate) fn make_room(shared: &Shared) -> bool {
    let conns = shared.conns.lock();
    let unused = conns
        .values()
        .filter(|conn| conn.ending() == Ending::Open)
        .filter_map(|conn| match conn.wire.doing() {
            (Doing::Nothing | Doing::Head, still) => Some((still, conn)),
            (Doing::Request, _) => None,
        })
        .max_by_key(|(still, _)| *still);
    match unused {
        Some((_, conn)) => {
            conn.end(Ending::Stalled);
            true
        }
        None => false,
    }
}
