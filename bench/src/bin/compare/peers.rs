//! The upstreams and the proxies: started, pinned to a processor, checked, ended.
//!
//! Must not know what is measured on them.

use claviger_bench::{Outcome, REAL_KEY};
use std::{
    fs::{self, File},
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

/// The processor of load and upstreams, and the processor of the proxies.
pub(crate) const LOAD_CPU: &str = "0";
pub(crate) const PROXY_CPU: &str = "1";

const START_WITHIN: Duration = Duration::from_secs(20);

/// A running program.
pub(crate) struct Server {
    pub(crate) child: Child,
}

/// Whether the upstream is reached in the clear or encrypted. The way to the proxy is always clear, on loopback.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Mode {
    Plain,
    Tls,
}

/// What stands between load and upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Peer {
    Direct,
    Nginx,
    Floor,
    Claviger,
}

/// One way for a request to go.
pub(crate) struct Way {
    pub(crate) peer: Peer,
    pub(crate) mode: Mode,
    /// For small JSON.
    pub(crate) json_url: String,
    /// For streams and bulk, without a path.
    pub(crate) stream_url: String,
    pub(crate) headers: Vec<String>,
    /// The proxy's process for small JSON, and for streams; none for `Direct`.
    pub(crate) pids: Option<(u32, u32)>,
}

/// Everything that runs.
pub(crate) struct Peers {
    pub(crate) ways: Vec<Way>,
    pub(crate) ports: Ports,
    pub(crate) folder: PathBuf,
    servers: Vec<Server>,
}

/// The upstreams' ports.
#[derive(Clone, Copy)]
pub(crate) struct Ports {
    json: [u16; 2],
    stream: [u16; 2],
}

// === impl Server ===

/// Ends what was started, in whatever way the run ends.
impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

// === impl Ports ===

impl Ports {
    /// The upstream's address for small JSON, and for streams.
    pub(crate) fn upstreams(self, mode: Mode) -> (String, String) {
        let (scheme, i) =
            if mode == Mode::Plain { ("http://127.0.0.1", 0) } else { ("https://localhost", 1) };
        (format!("{scheme}:{}", self.json[i]), format!("{scheme}:{}", self.stream[i]))
    }
}

// === impl Peers ===

impl Peers {
    /// Starts upstreams, nginx and the floors.
    pub(crate) fn start(folder: &Path) -> Outcome<Self> {
        let free = free_ports(12)?;
        let ports = Ports { json: [free[0], free[1]], stream: [free[2], free[3]] };
        let nginx = &free[4..8];
        let mut peers = Self { ways: Vec::new(), ports, folder: folder.to_owned(), servers: Vec::new() };

        let fill = |text: &str| {
            let names = ["JSON_PLAIN", "JSON_TLS", "STREAM_PLAIN", "STREAM_TLS"];
            let text = names
                .iter()
                .zip(nginx)
                .fold(text.to_owned(), |t, (n, p)| t.replace(&format!("@PROXY_{n}@"), &p.to_string()));
            let text =
                names.iter().zip(&free).fold(text, |t, (n, p)| t.replace(&format!("@{n}@"), &p.to_string()));
            text.replace("@DIR@", &folder.to_string_lossy()).replace("@KEY@", REAL_KEY)
        };
        fs::write(folder.join("upstream.conf"), fill(include_str!("../../../conf/nginx-upstream.conf")))?;
        fs::write(folder.join("proxy.conf"), fill(include_str!("../../../conf/nginx-proxy.conf")))?;
        let in_folder = |name: &str| folder.join(name).to_string_lossy().into_owned();
        let text = |port: u16| port.to_string();

        peers.spawn(LOAD_CPU, Path::new("nginx"), &["-c", &in_folder("upstream.conf")])?;
        let files = [in_folder("leaf.pem"), in_folder("leaf.key")];
        let (plain, encrypted) = (text(ports.stream[0]), text(ports.stream[1]));
        let args = ["--port", &plain, "--tls-port", &encrypted, "--cert", &files[0], "--key", &files[1]];
        peers.spawn(LOAD_CPU, &beside("bench-upstream")?, &args)?;
        let nginx_pid = peers.spawn(PROXY_CPU, Path::new("nginx"), &["-c", &in_folder("proxy.conf")])?;

        for (i, mode) in [Mode::Plain, Mode::Tls].into_iter().enumerate() {
            let (json, stream) = ports.upstreams(mode);
            let real = vec![format!("Authorization: Bearer {REAL_KEY}")];
            peers.add(Peer::Direct, mode, &json, &stream, real, None);

            let url = |port: u16| format!("http://127.0.0.1:{port}");
            peers.add(
                Peer::Nginx,
                mode,
                &url(nginx[i]),
                &url(nginx[i + 2]),
                vec![],
                Some((nginx_pid, nginx_pid)),
            );

            let floors = [free[8 + i], free[10 + i]];
            let mut pids = Vec::new();
            for (port, upstream) in floors.iter().zip([&json, &stream]) {
                let (port, ca) = (text(*port), in_folder("ca.pem"));
                let args = ["--port", &port, "--upstream", upstream, "--ca", &ca];
                pids.push(peers.spawn(PROXY_CPU, &beside("bench-floor")?, &args)?);
            }
            peers.add(Peer::Floor, mode, &url(floors[0]), &url(floors[1]), vec![], Some((pids[0], pids[1])));
        }
        for port in free {
            listens(port)?;
        }
        Ok(peers)
    }

    /// Starts a program on a processor; its output goes to a file of its own. It ends when `self` does.
    pub(crate) fn spawn(&mut self, cpu: &str, program: &Path, args: &[&str]) -> Outcome<u32> {
        let log = File::create(self.folder.join(format!("server-{}.log", self.servers.len())))?;
        // taskset becomes the program, so its process id is the program's.
        let child = Command::new("taskset")
            .args(["--cpu-list", cpu])
            .arg(program)
            .args(args)
            .stdin(Stdio::null())
            .stdout(log.try_clone()?)
            .stderr(log)
            .spawn()
            .map_err(|e| format!("cannot start {} by taskset: {e}", program.display()))?;
        let pid = child.id();
        self.servers.push(Server { child });
        Ok(pid)
    }

    /// Takes over a program that was started elsewhere.
    pub(crate) fn keep(&mut self, child: Child) -> u32 {
        let pid = child.id();
        self.servers.push(Server { child });
        pid
    }

    /// Adds a way for a request to go.
    pub(crate) fn add(
        &mut self,
        peer: Peer,
        mode: Mode,
        json: &str,
        stream: &str,
        headers: Vec<String>,
        pids: Option<(u32, u32)>,
    ) {
        let json_url = format!("{json}/v1/chat/completions");
        self.ways.push(Way { peer, mode, json_url, stream_url: stream.to_owned(), headers, pids });
        self.ways.sort_by_key(|way| (way.mode, way.peer));
    }

    /// Sends a few requests each way: all must be answered, and each with the real key.
    pub(crate) fn check(&self) -> Outcome {
        for way in &self.ways {
            for kind in ["closed", "events"] {
                let seen = super::measure::load(self, way, kind, &["--secs", "0.2", "--streams", "1"])?;
                let is_fine = seen["errors"] == 0 && seen["unconfirmed"] == 0;
                if !is_fine {
                    let log = self.logs();
                    return Err(format!(
                        "{:?} over {:?} does not work ({kind}): {seen}\n{log}",
                        way.peer, way.mode
                    )
                    .into());
                }
            }
        }
        Ok(())
    }

    /// What the servers said, for a failure's sake.
    fn logs(&self) -> String {
        let read = |i| fs::read_to_string(self.folder.join(format!("server-{i}.log"))).unwrap_or_default();
        (0..self.servers.len()).map(read).collect()
    }
}

/// A program built beside this one.
pub(crate) fn beside(name: &str) -> Outcome<PathBuf> {
    let program = std::env::current_exe()?.with_file_name(name);
    if program.exists() { Ok(program) } else { Err(format!("{} is not built", program.display()).into()) }
}

/// Ports that nothing listens on. All are held until the last is found, so that none comes twice.
fn free_ports(count: usize) -> Outcome<Vec<u16>> {
    let held = (0..count).map(|_| TcpListener::bind("127.0.0.1:0")).collect::<Result<Vec<_>, _>>()?;
    Ok(held.iter().map(|l| l.local_addr().map(|a| a.port())).collect::<Result<_, _>>()?)
}

fn listens(port: u16) -> Outcome {
    let deadline = Instant::now() + START_WITHIN;
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        if Instant::now() > deadline {
            return Err(format!("nothing listens on port {port}").into());
        }
        thread::sleep(Duration::from_millis(10));
    }
    Ok(())
}

/// Moves all threads of a process to a processor.
pub(crate) fn pin(pid: u32, cpu: &str) -> Outcome {
    let pid = pid.to_string();
    let status = Command::new("taskset")
        .args(["--all-tasks", "--cpu-list", "--pid", cpu, &pid])
        .stdout(Stdio::null())
        .status()?;
    if status.success() { Ok(()) } else { Err(format!("taskset could not move process {pid}").into()) }
}
