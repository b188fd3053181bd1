//! What travels: a real web server over a folder, and a meter on the wire in front of it that counts connections and bytes both ways,
//! headers and all.

// Each program uses its own part of this.
#![allow(dead_code)]

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::Command,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    thread,
};

#[path = "../programs/mod.rs"]
pub mod programs;

use programs::{Program, find, free_port};

/// nginx over a folder, as docs/carrying.md sets it up.
pub struct Nginx {
    program: Program,
    port: u16,
    _place: tempfile::TempDir,
}

impl Nginx {
    /// `None`, and a word about it, where nginx is not installed.
    pub fn serve(folder: &Path) -> Option<Nginx> {
        Nginx::start(folder, "", "")
    }

    /// The same over TLS, with the certificate `server.pem` and its key `server.key` in the folder `keys`.
    pub fn serve_tls(folder: &Path, keys: &Path) -> Option<Nginx> {
        let keys = keys.display();
        Nginx::start(
            folder,
            "ssl",
            &format!("ssl_certificate {keys}/server.pem; ssl_certificate_key {keys}/server.key;"),
        )
    }

    fn start(folder: &Path, listen: &str, more: &str) -> Option<Nginx> {
        let program = find("nginx", "nginx-light")?;
        let (place, port) = (tempfile::tempdir().expect("a folder"), free_port());
        let (at, root) = (place.path().display(), folder.display());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log; events {{}}\n\
             http {{ access_log off; {temporary}\n\
             types {{ application/json json; }}\n\
             server_tokens off; gzip on; gzip_types application/json; gzip_comp_level 9; gzip_static on;\n\
             server {{ listen 127.0.0.1:{port} {listen}; {more} root {root};\n\
             location ~ /targets/ {{ default_type \"\"; etag off; max_ranges 0; add_header Last-Modified \"\"; }} }} }}\n"
        );
        fs::write(place.path().join("nginx.conf"), config).expect("written");
        let mut command = Command::new(program);
        command.arg("-e").arg(place.path().join("error.log")).arg("-c").arg(place.path().join("nginx.conf"));
        Some(Nginx { program: Program::serve(&mut command, port), port, _place: place })
    }
}

impl Nginx {
    pub fn port(&self) -> u16 {
        self.port
    }

    /// For how long it has been at work, whatever else this machine does (proc(5), `schedstat`).
    pub fn busy(&self) -> std::time::Duration {
        let text = fs::read_to_string(format!("/proc/{}/schedstat", self.program.0.id())).expect("it runs");
        std::time::Duration::from_nanos(text.split(' ').next().expect("a number").parse().expect("a number"))
    }
}

/// What went by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Traffic {
    pub connections: u64,
    /// Bytes of requests.
    pub up: u64,
    /// Bytes of answers.
    pub down: u64,
}

impl Traffic {
    pub fn bytes(self) -> u64 {
        self.up + self.down
    }
}

/// The meter: a port of its own before the server's.
pub struct Meter {
    port: u16,
    counts: Arc<[AtomicU64; 3]>,
    requests: Arc<Mutex<Vec<u8>>>,
}

impl Meter {
    pub fn before(server: &Nginx) -> Meter {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let counts = Arc::new([const { AtomicU64::new(0) }; 3]);
        let requests = Arc::new(Mutex::new(Vec::new()));
        let (shared, server, kept) = (counts.clone(), server.port, requests.clone());
        // Ends with the program.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", server)).expect("the server answers");
                shared[0].fetch_add(1, Ordering::SeqCst);
                let back = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
                for (from, to, count) in [(client, server, 1), (back.0, back.1, 2)] {
                    let (shared, kept) = (shared.clone(), (count == 1).then(|| kept.clone()));
                    thread::spawn(move || pass(from, to, &shared[count], kept.as_deref()));
                }
            }
        });
        Meter { port, counts, requests }
    }

    /// The requests that went by since the last time this was asked, byte for byte.
    pub fn requests(&self) -> Vec<u8> {
        std::mem::take(&mut self.requests.lock().expect("nobody panics with it"))
    }

    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// What went by since the last time this was asked.
    pub fn read(&self) -> Traffic {
        let [connections, up, down] = [0, 1, 2].map(|count: usize| self.counts[count].swap(0, Ordering::SeqCst));
        Traffic { connections, up, down }
    }
}

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64, kept: Option<&Mutex<Vec<u8>>>) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        // Counted first, so that who has the answer finds it counted.
        count.fetch_add(length as u64, Ordering::SeqCst);
        if let Some(kept) = kept {
            kept.lock().expect("nobody panics with it").extend_from_slice(&buffer[..length]);
        }
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// Puts files in their places below a folder.
pub fn write(folder: &Path, files: &std::collections::BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

/// Gives every file below a folder the time of its publication, a second later each. A web server's tag of a file is its time in seconds and
/// its length: two publications within one second would have one tag, which a mirror in the field never sees.
pub fn publish_at(folder: &Path, second: u64) {
    let at = std::time::UNIX_EPOCH + std::time::Duration::from_secs(1_600_000_000 + second);
    for entry in fs::read_dir(folder).expect("a folder").map(|entry| entry.expect("an entry").path()) {
        if entry.is_dir() {
            publish_at(&entry, second);
        } else if entry.is_file() {
            fs::File::options().write(true).open(&entry).expect("opened").set_modified(at).expect("dated");
        }
    }
}
