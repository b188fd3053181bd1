//! `cargo xtask centre`: PostgreSQL, a centre and five gates, in a folder that goes with them, until it is interrupted.

use std::{
    env, fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
};

use crate::shell::{install, output, run};

const PROGRAM: &str = "target/release/checkpoint-centre";
const PORT: &str = "5480";
/// A day: whoever watches ends it sooner.
const SECONDS: &str = "86400";

/// Shows a centre with five gates; `arguments` are those of `simulate`, after the usual ones.
pub fn centre(arguments: &[&str]) -> bool {
    if !(install(crate::COMPILER)
        && install(&[("postgresql", "/usr/lib/postgresql")])
        && run("cargo", &["build", "--release", "--package", "centre"]))
    {
        return false;
    }
    let folder = env::temp_dir().join(format!("checkpoint-centre-{}", std::process::id()));
    let shown = show(&folder, arguments);
    // Only a demonstration's: what is left of it is nobody's loss.
    let _ = fs::remove_dir_all(&folder);
    match shown {
        Ok(()) => true,
        Err(error) => {
            eprintln!("xtask: {error}");
            false
        }
    }
}

fn show(folder: &Path, arguments: &[&str]) -> Result<(), String> {
    let text = |error: std::io::Error| error.to_string();
    fs::create_dir_all(folder.join("postgres")).map_err(text)?;
    let server = Server::start(folder)?;
    let settings = format!("host=127.0.0.1 port={PORT} user=fleet dbname=postgres");
    let key = folder.join("centre.key");
    let command = |arguments: &[&str]| {
        let mut command = Command::new(PROGRAM);
        command.args(arguments).env("CENTRE_DATABASE", &settings).env("CENTRE_KEY", &key);
        command
    };
    let serve = ["serve", "--migrate", "--listen", "127.0.0.1:8481", "--url", "http://127.0.0.1:8481"];
    let mut serving = command(&serve).stdout(Stdio::piped()).spawn().map_err(text)?;
    let mut lines = BufReader::new(serving.stdout.take().ok_or("no output")?).lines();
    let mut line = || lines.next().and_then(Result::ok).ok_or_else(|| "the centre did not start".to_owned());
    let pin = line().and_then(|first| {
        println!("{first}");
        line()
    });
    let shown = pin.and_then(|pin| {
        println!("{pin}\n\nThe board: http://127.0.0.1:8480/   Ctrl-C ends it.");
        let key = pin.rsplit(' ').next().unwrap_or_default().to_owned();
        let fleet = ["simulate", "--url", "http://127.0.0.1:8481", "--gates", "5", "--rate", "5", "--batch", "3"];
        let time = ["--seconds", SECONDS, "--health", "20", "--centre-key", &key];
        let fleet = command(&[&fleet[..], &time[..], arguments].concat()).status().map_err(text)?;
        if fleet.success() { Ok(()) } else { Err("the fleet did not do well".to_owned()) }
    });
    let _ = serving.kill().and_then(|()| serving.wait());
    drop(server);
    shown
}

/// PostgreSQL; it refuses to run as root, and Debian's package brings a user for it.
struct Server {
    process: Child,
}

impl Server {
    fn start(folder: &Path) -> Result<Server, String> {
        let root = output("id", &["-u"]).starts_with('0');
        let version = fs::read_dir("/usr/lib/postgresql").ok().and_then(|mut versions| versions.next()?.ok());
        let bin: PathBuf = version.ok_or("PostgreSQL is not installed")?.path().join("bin");
        let data = folder.join("postgres");
        let program = |name: &str| {
            let mut command = Command::new(if root { Path::new("runuser").to_owned() } else { bin.join(name) });
            if root {
                command.args(["-u", "postgres", "--"]).arg(bin.join(name));
            }
            command.current_dir("/");
            command
        };
        let made = (!root || run("chown", &["postgres", &data.to_string_lossy()]))
            && program("initdb")
                .args(["-U", "fleet", "-A", "trust", "-D"])
                .arg(&data)
                .stdout(Stdio::null())
                .status()
                .is_ok_and(|made| made.success());
        if !made {
            return Err(format!("no database could be made in {}", data.display()));
        }
        let settings = ["-p", PORT, "-c", "listen_addresses=127.0.0.1", "-c", "unix_socket_directories="];
        let mut start = program("postgres");
        start.args(settings).arg("-D").arg(&data).stdout(Stdio::null()).stderr(Stdio::null());
        let process = start.spawn().map_err(|error| error.to_string())?;
        let ready = (0..100).any(|_| {
            std::thread::sleep(std::time::Duration::from_millis(100));
            program("pg_isready")
                .args(["-q", "-h", "127.0.0.1", "-p", PORT])
                .status()
                .is_ok_and(|ready| ready.success())
        });
        let server = Server { process };
        if ready { Ok(server) } else { Err("PostgreSQL did not start".to_owned()) }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGTERM through kill(1): the standard library knows SIGKILL only, which would leave its workers behind.
        let _ = Command::new("kill").arg(self.process.id().to_string()).status();
        let _ = self.process.wait();
    }
}
