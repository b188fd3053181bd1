//! Programs that a test starts and certainly ends: servers, brokers, proxies; and certificates for them.

// Each test program uses its own part of this.
#![allow(dead_code)]

pub mod broker;
pub mod postgres;

use std::{
    net::{TcpListener, TcpStream},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

/// A program that is killed when the test ends.
pub struct Program(pub Child);

impl Program {
    pub fn start(command: &mut Command) -> Program {
        Program(command.spawn().expect("started"))
    }

    /// Without a word on standard output and standard error, and once it listens there.
    pub fn serve(command: &mut Command, port: u16) -> Program {
        let program = Program::start(command.stdout(Stdio::null()).stderr(Stdio::null()));
        wait_until_listening(port);
        program
    }

    /// SIGKILL, and wait until it is gone.
    pub fn kill(&mut self) {
        self.0.kill().expect("killed");
        self.0.wait().expect("gone");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Says that a test is skipped for want of what these Debian packages bring; where everything was installed (`cargo xtask check` says so in
/// `CHECKPOINT_TESTS`), that is a failure.
pub fn skipped(what: &str, packages: &str) {
    let all = std::env::var("CHECKPOINT_TESTS").is_ok_and(|tests| tests == "all");
    assert!(!all, "{what} is not installed, and CHECKPOINT_TESTS=all (Debian: apt-get install {packages})");
    eprintln!("SKIPPED: {what} is not installed (Debian: apt-get install {packages})");
}

/// The program's path, or `None` with a note that the test is skipped.
pub fn find(name: &str, package: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/usr/local/sbin".into()])
        .map(|directory| directory.join(name))
        .find(|candidate| candidate.is_file());
    if found.is_none() {
        skipped(name, package);
    }
    found
}

pub fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr()).expect("a port").port()
}

pub fn wait_until_listening(port: u16) {
    wait_for("the server to listen", Duration::from_secs(20), || TcpStream::connect(("127.0.0.1", port)).ok());
}

pub fn wait_for<T>(what: &str, at_most: Duration, mut ready: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    loop {
        if let Some(answer) = ready() {
            return answer;
        }
        assert!(start.elapsed() < at_most, "waited {at_most:?} for {what}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// A certificate authority and a server certificate for 127.0.0.1, by openssl: `ca.pem`, `server.pem`, `server.key`.
pub fn certificates(directory: &Path, days: &str) -> Option<()> {
    let openssl = find("openssl", "openssl")?;
    let run = |arguments: &[&str]| {
        let output = Command::new(&openssl).current_dir(directory).args(arguments).output().expect("started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    };
    std::fs::write(directory.join("server.ext"), "subjectAltName=IP:127.0.0.1,DNS:localhost\n").expect("written");
    let key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
    let ca = ["-x509", "-subj", "/CN=Test CA", "-days", "30", "-keyout", "ca.key", "-out", "ca.pem"];
    run(&[&["req"], &key[..], &ca[..]].concat());
    let request = ["-subj", "/CN=127.0.0.1", "-keyout", "server.key", "-out", "server.csr"];
    run(&[&["req"], &key[..], &request[..]].concat());
    run(&[
        "x509",
        "-req",
        "-in",
        "server.csr",
        "-CA",
        "ca.pem",
        "-CAkey",
        "ca.key",
        "-CAcreateserial",
        "-days",
        days,
        "-extfile",
        "server.ext",
        "-out",
        "server.pem",
    ]);
    Some(())
}
