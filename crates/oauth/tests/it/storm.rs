//! Storms of callers at the moment of expiry, and a process that is killed between the server's answer and the store.
//!
//! `CLAVIGER_OAUTH_STORMS` and `CLAVIGER_OAUTH_KILLS` set how many; the everyday run has 1,000 and 50.

use std::collections::HashSet;
use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use claviger_model::{Duration, Timestamp};
use claviger_oauth::http::{Http, HttpError, Request, Response};
use claviger_oauth::{Connection, Hold, KeeperError, StoreError, TokenKeeper, TokenStore};
use claviger_secret::Secret;
use futures_util::future::BoxFuture;
use parking_lot::Mutex;

use crate::keeper::{connection_at, script};
use crate::support::NOW;
use crate::support::script::{Reply, error, tokens};
use crate::support::store::{Ears, Memory};

fn how_many(variable: &str, everyday: usize) -> usize {
    std::env::var(variable).ok().and_then(|n| n.parse().ok()).unwrap_or(everyday)
}

/// A server that rotates, and that ends the connection when a spent refresh token comes again.
struct Strict {
    asked: AtomicUsize,
    valid: Mutex<String>,
    reused: AtomicUsize,
}

impl Http for Strict {
    fn send(&self, request: Request) -> BoxFuture<'_, Result<Response, HttpError>> {
        Box::pin(async move {
            let n = self.asked.fetch_add(1, Ordering::SeqCst) + 2;
            // The answer takes its time, so that callers pile up.
            tokio::task::yield_now().await;
            let form = request.body.unwrap().1;
            let sent = url::form_urlencoded::parse(form.expose())
                .find(|(name, _)| name == "refresh_token")
                .unwrap()
                .1
                .into_owned();
            let mut valid = self.valid.lock();
            let is_valid = *valid == sent;
            let body = if is_valid {
                *valid = format!("r{n}");
                format!(
                    r#"{{"access_token":"t{n}","token_type":"Bearer","expires_in":3600,"refresh_token":"r{n}"}}"#
                )
            } else {
                self.reused.fetch_add(1, Ordering::SeqCst);
                r#"{"error":"invalid_grant"}"#.to_owned()
            };
            let mut headers = http::HeaderMap::new();
            headers.insert("content-type", "application/json".parse().unwrap());
            Ok(Response { status: if is_valid { 200 } else { 400 }, headers, body: Secret::from(body) })
        })
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o43_storms_of_64_callers_cost_one_request_each_and_lose_no_connection() {
    let storms = how_many("CLAVIGER_OAUTH_STORMS", 1_000);
    let first = script(|_, _| error(500, "server_error")).await;
    let connection = connection_at(&first).await;
    let server = Arc::new(Strict {
        asked: AtomicUsize::new(0),
        valid: Mutex::new("r1".into()),
        reused: AtomicUsize::new(0),
    });
    let (store, ears) = (Memory::holding(&connection), Arc::new(Ears::default()));
    let keeper = TokenKeeper::new(
        connection,
        Arc::<Strict>::clone(&server),
        Arc::new(store.clone()),
        Arc::<Ears>::clone(&ears),
    );
    let keeper = Arc::new(keeper);
    for storm in 1..=storms {
        let now = NOW.after(Duration(3_600_000 * storm as i64));
        let callers: Vec<_> = (0..64)
            .map(|_| {
                let keeper = Arc::clone(&keeper);
                tokio::spawn(async move { keeper.lease(now).await })
            })
            .collect();
        for caller in callers {
            let lease = caller.await.unwrap().unwrap_or_else(|e| panic!("storm {storm}: {e}"));
            assert_eq!(lease.generation, storm as u64 + 1, "storm {storm}: an old token was given out");
        }
    }
    assert_eq!(server.asked.load(Ordering::SeqCst), storms, "requests for {storms} storms");
    assert_eq!(server.reused.load(Ordering::SeqCst), 0, "a spent refresh token was sent");
    assert_eq!(ears.broke.load(Ordering::SeqCst), 0, "a connection was lost");
    assert_eq!(store.commits.load(Ordering::SeqCst) as usize, storms, "each token was stored");
    println!("{storms} storms of 64 callers: {} token requests", server.asked.load(Ordering::SeqCst));
}

/// A store in one file: written beside, synced, renamed.
struct OnDisk(PathBuf);

impl OnDisk {
    fn read(path: &Path) -> Connection {
        Connection::decode(&Secret::from(fs::read(path).unwrap())).expect("what was stored is whole")
    }

    fn write(path: &Path, connection: &Connection) {
        let beside = path.with_extension("new");
        let mut file = File::create(&beside).unwrap();
        file.write_all(connection.encode().expose()).unwrap();
        file.sync_all().unwrap();
        fs::rename(&beside, path).unwrap();
    }
}

impl TokenStore for OnDisk {
    fn hold(&self) -> BoxFuture<'_, Result<Hold, StoreError>> {
        Box::pin(async { Ok(Box::new(()) as Hold) })
    }

    fn load(&self) -> BoxFuture<'_, Result<Connection, StoreError>> {
        Box::pin(async { Ok(Self::read(&self.0)) })
    }

    fn commit<'a>(&'a self, connection: &'a Connection) -> BoxFuture<'a, Result<(), StoreError>> {
        Box::pin(async move {
            Self::write(&self.0, connection);
            Ok(())
        })
    }
}

/// The real client without the system's certificates, which take longer to read than the rest of the process lives.
fn light_http() -> Arc<dyn Http> {
    let certified = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    Arc::new(claviger_oauth::http::Client::trusting(&certified.cert.pem()).unwrap())
}

/// Not a test of its own: the process that is killed. It renews, and uses what it got.
#[tokio::test]
async fn a_process_to_be_killed() {
    let Some(path) = std::env::var_os("CLAVIGER_OAUTH_VICTIM") else { return };
    let now = Timestamp(std::env::var("CLAVIGER_OAUTH_NOW").unwrap().parse().unwrap());
    let connection = OnDisk::read(Path::new(&path));
    let base = connection.facts.issuer.to_string();
    let http = light_http();
    let keeper = TokenKeeper::new(
        connection,
        Arc::clone(&http),
        Arc::new(OnDisk(path.into())),
        Arc::new(Ears::default()),
    );
    match keeper.lease(now).await {
        Ok(lease) => {
            let token = String::from_utf8(lease.token().expose().to_vec()).unwrap();
            let used = crate::support::local(&format!("{base}/use?token={token}"));
            let _ = http.send(Request::get(used, claviger_oauth::Reach::Private)).await;
        }
        Err(KeeperError::Broken(_)) => {}
        Err(other) => panic!("neither a token nor broken: {other}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn o44_killed_between_answer_and_store_no_token_is_used_unstored_and_nothing_loops() {
    let kills = how_many("CLAVIGER_OAUTH_KILLS", 50);
    let folder = tempfile::tempdir().unwrap();
    let (mut broken, mut whole, mut killed_count) = (0, 0, 0);
    for kill in 0..kills {
        let path = folder.path().join(format!("connection-{kill}"));
        let valid = Arc::new(Mutex::new(("r1".to_owned(), false)));
        let faults: Arc<Mutex<HashSet<String>>> = Arc::default();
        let victim: Arc<Mutex<Option<u32>>> = Arc::default();
        let (seen_valid, seen_faults, seen_victim, stored_at) =
            (Arc::clone(&valid), Arc::clone(&faults), Arc::clone(&victim), path.clone());
        // How long the victim lives on after the answer is under way: from none at all to long enough.
        let spared = std::time::Duration::from_micros((kill as u64 * 37) % 4_000);
        let server = script(move |n, seen| {
            if seen.path == "/use" {
                let used = seen.query.trim_start_matches("token=");
                if Secret::from(used.to_owned()) != *OnDisk::read(&stored_at).token_for_tests() {
                    seen_faults.lock().insert(format!("{used} was used and is not stored"));
                }
                return Reply::Json(200, serde_json::json!({}));
            }
            let mut valid = seen_valid.lock();
            if valid.1 || seen.field("refresh_token") != valid.0 {
                // Reuse: the server ends the whole grant.
                valid.1 = true;
                return error(400, "invalid_grant");
            }
            valid.0 = format!("r{}", n + 1);
            if let Some(pid) = seen_victim.lock().take() {
                std::thread::spawn(move || {
                    std::thread::sleep(spared);
                    let _ =
                        Command::new("kill").args(["-9", &pid.to_string()]).stderr(Stdio::null()).status();
                });
            }
            tokens(&format!("t{}", n + 1), Some(&valid.0), 3600)
        })
        .await;
        OnDisk::write(&path, &connection_at(&server).await);
        let run = |is_victim: bool, hour: i64| {
            let mut child = Command::new(std::env::current_exe().unwrap())
                .args(["storm::a_process_to_be_killed", "--exact"])
                .env("CLAVIGER_OAUTH_VICTIM", &path)
                .env("CLAVIGER_OAUTH_NOW", (NOW.0 + hour * 3_600_000).to_string())
                .stdout(Stdio::null())
                .stderr(Stdio::null())
                .spawn()
                .unwrap();
            if is_victim {
                *victim.lock() = Some(child.id());
            }
            tokio::task::spawn_blocking(move || child.wait().unwrap())
        };
        let status = run(true, 1).await.unwrap();
        *victim.lock() = None;
        killed_count += usize::from(!status.success());
        // Two restarts, an hour apart.
        for hour in [2, 3] {
            assert!(
                run(false, hour).await.unwrap().success(),
                "kill {kill}: the process after the killed one fails"
            );
        }
        let asked = server.seen_at("/token").len() - 1;
        assert!(faults.lock().is_empty(), "kill {kill}: {:?}", faults.lock());
        match OnDisk::read(&path).facts.standing {
            claviger_oauth::Standing::Broken { .. } => {
                broken += 1;
                assert_eq!(asked, 2, "kill {kill}: broken is found once and not asked about again");
            }
            _ => {
                whole += 1;
                assert!(!valid.lock().1 && asked <= 3, "kill {kill}: {asked} requests");
            }
        }
    }
    assert!(killed_count > 0, "nobody was killed");
    println!(
        "{kills} kills: {killed_count} died, {whole} connections went on, {broken} say that a new consent is needed"
    );
}

/// Reads the token of a stored connection as a keeper hands it out.
trait TokenForTests {
    fn token_for_tests(&self) -> Box<Secret>;
}

impl TokenForTests for Connection {
    fn token_for_tests(&self) -> Box<Secret> {
        let copy = Self::decode(&self.encode()).unwrap();
        let keeper =
            TokenKeeper::new(copy, light_http(), Arc::new(OnDisk(PathBuf::new())), Arc::new(Ears::default()));
        let now = self.facts.obtained_at;
        let lease = futures_util::FutureExt::now_or_never(keeper.lease(now))
            .expect("a good token is there at once")
            .unwrap();
        Box::new(lease.token().duplicate())
    }
}
