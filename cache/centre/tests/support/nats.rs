//! A JetStream cluster of three, by Debian's nats-server.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::programs::{Program, find, free_port};

/// Three servers, each on a port of its own.
pub struct Cluster {
    program: PathBuf,
    nodes: Vec<(PathBuf, u16, Option<Program>)>,
}

impl Cluster {
    /// Running, or `None` with a note that the test is skipped.
    pub fn start(directory: &Path) -> Option<Cluster> {
        let program = find("nats-server", "nats-server")?;
        let ports: Vec<(u16, u16)> = (0..3).map(|_| (free_port(), free_port())).collect();
        let routes: Vec<String> = ports.iter().map(|(_, route)| format!("nats-route://127.0.0.1:{route}")).collect();
        let nodes = ports.iter().enumerate().map(|(number, (port, route))| {
            let config = directory.join(format!("nats-{number}.conf"));
            let text = format!(
                "server_name: n{number}\nlisten: 127.0.0.1:{port}\njetstream {{ store_dir: {:?}, max_mem: 64M, max_file: 6G }}\n\
                 cluster {{ name: checkpoint, listen: 127.0.0.1:{route}, routes: [{}] }}\n",
                directory.join(format!("nats-{number}")),
                routes.join(", ")
            );
            fs::write(&config, text).expect("written");
            (config, *port, None)
        });
        let mut cluster = Cluster { program, nodes: nodes.collect() };
        (0..3).for_each(|number| cluster.up(number));
        Some(cluster)
    }

    /// Starts one (again).
    pub fn up(&mut self, number: usize) {
        let (config, port, running) = &mut self.nodes[number];
        *running = Some(Program::serve(Command::new(&self.program).arg("-c").arg(config), *port));
    }

    /// SIGKILL.
    pub fn kill(&mut self, number: usize) {
        if let Some(mut program) = self.nodes[number].2.take() {
            program.kill();
        }
    }

    /// As `--stream` takes them.
    pub fn addresses(&self) -> String {
        let each: Vec<String> = self.nodes.iter().map(|(_, port, _)| format!("nats://127.0.0.1:{port}")).collect();
        each.join(",")
    }
}
