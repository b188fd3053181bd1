//! A PostgreSQL server of the test's own, in a folder that goes with it.

use std::{
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use super::{free_port, skipped};

/// PostgreSQL refuses to run as root; Debian's package brings a user for it.
fn as_postgres(program: &Path) -> Command {
    if root() {
        let mut command = Command::new("runuser");
        command.args(["-u", "postgres", "--"]).arg(program);
        command
    } else {
        Command::new(program)
    }
}

fn root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|output| output.stdout == b"0\n")
}

/// A server; its superuser is `fleet`, its database `postgres`.
pub struct Postgres {
    directory: PathBuf,
    bin: PathBuf,
    pub port: u16,
}

impl Postgres {
    /// A new server in `directory`, or `None` with a note that the test is skipped.
    pub fn start(directory: &Path) -> Option<Postgres> {
        let installed = fs::read_dir("/usr/lib/postgresql").ok().and_then(|mut versions| versions.next()?.ok());
        let Some(installed) = installed else {
            skipped("PostgreSQL", "postgresql");
            return None;
        };
        let bin = installed.path().join("bin");
        let data = directory.join("postgres");
        let quiet = |command: &mut Command| {
            let output = command.current_dir("/").output().expect("started");
            assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        };
        fs::create_dir(&data).expect("made");
        if root() {
            quiet(Command::new("chmod").arg("755").arg(directory));
            quiet(Command::new("chown").arg("postgres").arg(&data));
        }
        quiet(as_postgres(&bin.join("initdb")).args(["-U", "fleet", "-A", "trust", "--no-sync", "-D"]).arg(&data));
        let postgres = Postgres { directory: data, bin, port: free_port() };
        postgres.up();
        Some(postgres)
    }

    /// Starts it (again).
    pub fn up(&self) {
        let settings = format!("-p {} -c listen_addresses=127.0.0.1 -c unix_socket_directories=''", self.port);
        let mut start = as_postgres(&self.bin.join("pg_ctl"));
        start.args(["-w", "-o", &settings, "-l"]).arg(self.directory.join("journal")).arg("-D").arg(&self.directory);
        let started = start.arg("start").current_dir("/").stdout(Stdio::null()).stderr(Stdio::null()).status();
        let journal = || fs::read_to_string(self.directory.join("journal")).unwrap_or_default();
        assert!(started.expect("started").success(), "{}", journal());
    }

    /// Ends it as a power cut would: without a word to anybody.
    pub fn down(&self) {
        let _ = as_postgres(&self.bin.join("pg_ctl"))
            .args(["-m", "immediate", "-w", "-D"])
            .arg(&self.directory)
            .arg("stop")
            .current_dir("/")
            .output();
    }

    /// As libpq spells it.
    pub fn settings(&self, database: &str) -> String {
        format!("host=127.0.0.1 port={} user=fleet dbname={database}", self.port)
    }

    /// What SQL answers, one line a row, columns apart by `|`.
    pub fn ask(&self, database: &str, sql: &str) -> String {
        let output = Command::new(self.bin.join("psql"))
            .args(["-v", "ON_ERROR_STOP=1", "-qAt", "-d", &self.settings(database), "-c", sql])
            .output()
            .expect("started");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8(output.stdout).expect("text").trim_end().to_owned()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        self.down();
    }
}
