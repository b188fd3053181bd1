//! What travels: a real web server over a folder, and a meter on the wire in front of it that counts connections and bytes both ways,
//! headers and all.

// Each program uses its own part of this.
#![allow(dead_code)]

use std::{
    fs,
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// nginx over a folder, as docs/lists.md sets it up.
pub struct Nginx {
    child: Child,
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
        let place = tempfile::tempdir().expect("a folder");
        let port = TcpListener::bind("127.0.0.1:0").and_then(|socket| socket.local_addr()).expect("a port").port();
        let (at, root) = (place.path().display(), folder.display());
        let temporary: String = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"]
            .map(|kind| format!("{kind}_temp_path {at}/{kind};"))
            .concat();
        let config = format!(
            "daemon off; master_process off; pid {at}/pid; error_log {at}/error.log; events {{}}\n\
             http {{ access_log off; {temporary}\n\
             types {{ application/json json; }}\n\
             server {{ listen 127.0.0.1:{port} {listen}; {more} root {root}; }} }}\n"
        );
        fs::write(place.path().join("nginx.conf"), config).expect("written");
        let program = if Path::new("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let started = Command::new(program)
            .arg("-e")
            .arg(place.path().join("error.log"))
            .arg("-c")
            .arg(place.path().join("nginx.conf"))
            .stderr(Stdio::null())
            .spawn();
        let Ok(child) = started else {
            eprintln!("skipped: nginx is not installed here");
            return None;
        };
        let server = Nginx { child, port, _place: place };
        let until = Instant::now() + Duration::from_secs(20);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            assert!(Instant::now() < until, "nginx does not answer");
            thread::sleep(Duration::from_millis(20));
        }
        Some(server)
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
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
}

impl Meter {
    pub fn before(server: &Nginx) -> Meter {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
        let port = listener.local_addr().expect("an address").port();
        let counts = Arc::new([const { AtomicU64::new(0) }; 3]);
        let (shared, server) = (counts.clone(), server.port);
        // Ends with the program.
        thread::spawn(move || {
            for client in listener.incoming().map_while(Result::ok) {
                let server = TcpStream::connect(("127.0.0.1", server)).expect("the server answers");
                shared[0].fetch_add(1, Ordering::SeqCst);
                let back = (server.try_clone().expect("cloned"), client.try_clone().expect("cloned"));
                for (from, to, count) in [(client, server, 1), (back.0, back.1, 2)] {
                    let shared = shared.clone();
                    thread::spawn(move || pass(from, to, &shared[count]));
                }
            }
        });
        Meter { port, counts }
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

fn pass(mut from: TcpStream, mut to: TcpStream, count: &AtomicU64) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(length @ 1..) = from.read(&mut buffer) {
        // Counted first, so that who has the answer finds it counted.
        count.fetch_add(length as u64, Ordering::SeqCst);
        if to.write_all(&buffer[..length]).is_err() {
            break;
        }
    }
    let _ = to.shutdown(Shutdown::Both);
}

/// An authority of one's own, `ca.pem`, and a certificate by it for the loopback, `server.pem`: P-256 both. False where openssl is not installed.
pub fn certificates(folder: &Path) -> bool {
    fs::write(folder.join("server.ext"), "subjectAltName=IP:127.0.0.1\n").expect("written");
    let key = "-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes";
    [
        format!("req {key} -x509 -subj /CN=authority -days 30 -keyout ca.key -out ca.pem"),
        format!("req {key} -subj /CN=mirror -keyout server.key -out server.csr"),
        "x509 -req -in server.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 30 -extfile server.ext -out server.pem".to_owned(),
    ]
    .iter()
    .all(|arguments| {
        let made = Command::new("openssl").current_dir(folder).args(arguments.split(' ')).stderr(Stdio::null()).status();
        made.is_ok_and(|status| status.success())
    })
}

/// Puts files in their places below a folder.
pub fn write(folder: &Path, files: &std::collections::BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = folder.join(path);
        fs::create_dir_all(path.parent().expect("it lies in the folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}
