//! The commands. Each obeys one part of the library and prints what came of it, as lines or, with `--json`, as JSON.

mod key;
mod posts;
mod serve;
mod simulate;
mod write;

use std::{path::PathBuf, process::ExitCode};

use crate::{
    database::Database,
    keys::{Keys, SuccessionError},
    stream::{Stream, StreamError},
};
use clap::{Args, Parser, Subcommand};
use tokio::signal::unix::{SignalKind, signal};

type Done = Result<ExitCode, Box<dyn std::error::Error>>;

/// The memory of many gates: takes their rows, answers with signed receipts, shows a room what needs somebody.
#[derive(Debug, Parser)]
#[command(
    version,
    after_help = "\
Example: a centre, a post, and the proof of what it sent
  checkpoint-centre migrate
  checkpoint-centre serve --url https://centre.example:8443 --certificate cert.pem --certificate-key key.pem
  checkpoint-centre enrol 'Guangzhou South 3' --url https://centre.example:8443 --lane 1 --lane 2
  checkpoint-centre posts list
  checkpoint-centre verify --post 'Guangzhou South 3'"
)]
pub struct Arguments {
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Take rows, show the board
    Serve(serve::Serve),
    /// Take rows off a stream into the database
    Write(write::Write),
    /// Bring the database's schema up to date
    Migrate(DatabaseArgument),
    /// Make slips that enrol new posts
    Enrol(posts::Enrol),
    /// List, revoke, replace, rename or restore posts
    Posts(posts::Posts),
    /// Show the centre's keys, announce a new one, let it take over
    Key(key::Key),
    /// Chain a post's rows again and hold them against everything its device signed
    Verify(posts::Verify),
    /// Try a centre with a fleet of gates that send what real ones send
    Simulate(simulate::Simulate),
}

#[derive(Clone, Debug, Args)]
struct DatabaseArgument {
    /// PostgreSQL, as libpq spells it
    #[arg(long, env = "CENTRE_DATABASE", default_value = "host=/run/postgresql user=checkpoint-centre dbname=centre")]
    database: String,
}

impl DatabaseArgument {
    fn open(&self, connections: usize) -> Result<Database, Box<dyn std::error::Error>> {
        Ok(Database::new(&self.database, connections)?)
    }
}

#[derive(Clone, Debug, Args)]
struct KeyArgument {
    /// The centre's signing key; made at the first start
    #[arg(long, env = "CENTRE_KEY", default_value = "/var/lib/checkpoint-centre/centre.key")]
    key: PathBuf,
    /// The key's name, usually the centre's address without a scheme
    #[arg(long, env = "CENTRE_NAME", default_value = "checkpoint-centre")]
    name: String,
}

impl KeyArgument {
    fn open(&self) -> Result<Keys, SuccessionError> {
        Keys::open(&self.key, &self.name)
    }
}

#[derive(Clone, Debug, Args)]
struct StreamArgument {
    /// A JetStream cluster between fronts and writers: nats://HOST:PORT,nats://HOST:PORT,…
    #[arg(long = "stream", env = "CENTRE_STREAM")]
    addresses: Option<String>,
    /// Servers that keep each message; 1 for a single server, which a disk can lose
    #[arg(long = "stream-replicas", env = "CENTRE_STREAM_REPLICAS", default_value_t = 3)]
    replicas: usize,
}

impl StreamArgument {
    /// The stream, where one is named.
    async fn connect(&self) -> Result<Option<Stream>, StreamError> {
        match &self.addresses {
            Some(addresses) => Stream::connect(addresses, self.replicas).await.map(Some),
            None => Ok(None),
        }
    }
}

/// Waits for SIGTERM or SIGINT. Whoever has no answer by then asks again: nothing was promised.
async fn told_to_stop() -> std::io::Result<()> {
    let mut end = signal(SignalKind::terminate())?;
    tokio::select! {
        _ = end.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
    ::log::info!("told to stop");
    Ok(())
}

impl Arguments {
    /// Does what the line says.
    ///
    /// # Errors
    /// With what happened, whatever part of the centre it happened to.
    pub async fn run(self) -> Done {
        match self.command {
            Command::Serve(serve) => serve.run().await,
            Command::Write(write) => write.run().await,
            Command::Migrate(argument) => {
                let steps = argument.open(1)?.migrate().await?;
                println!("{steps} steps done; the schema is up to date");
                Ok(ExitCode::SUCCESS)
            }
            Command::Enrol(enrol) => enrol.run().await,
            Command::Posts(posts) => posts.run().await,
            Command::Key(key) => key.run().await,
            Command::Verify(verify) => verify.run().await,
            Command::Simulate(simulate) => simulate.run().await,
        }
    }
}
