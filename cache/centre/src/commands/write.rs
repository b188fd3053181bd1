//! `write`: takes rows off a stream into PostgreSQL, and signs the receipts.

use std::{process::ExitCode, sync::Arc, time::Duration};

use crate::{
    registry::Directory,
    stream::{self, Tools},
    way::Direct,
    writer::{Settings, Writer},
};
use clap::Args;

use super::{DatabaseArgument, Done, KeyArgument, StreamArgument, serve::REGISTRY, told_to_stop};

#[derive(Debug, Args)]
#[command(after_help = "\
Example: two of these on two machines; each part of the stream has one of them, and the other takes over when it is gone
  checkpoint-centre write --stream nats://a:4222,nats://b:4222,nats://c:4222")]
pub struct Write {
    #[command(flatten)]
    database: DatabaseArgument,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    stream: StreamArgument,
    /// Days that rows are kept
    #[arg(long, env = "CENTRE_RETENTION_DAYS", default_value_t = 90)]
    retention_days: i32,
    /// How long a batch waits for others to be committed with it, in milliseconds
    #[arg(long, default_value_t = 8)]
    gather_ms: u64,
}

impl Write {
    pub async fn run(self) -> Done {
        let Some(stream) = self.stream.connect().await? else { return Err("name the stream (--stream)".into()) };
        let database = self.database.open(8)?;
        let store = database.store().await?;
        let keys = Arc::new(self.key.open()?);
        let directory = Directory::load(&database).await?;
        tokio::spawn(directory.clone().follow(REGISTRY));
        let settings = Settings { gather: Duration::from_millis(self.gather_ms), retention_days: self.retention_days };
        let writer = Writer::spawn(database.clone(), settings);
        let way = Arc::new(Direct { writer, keys: keys.clone() });
        tokio::spawn(stream::write(Tools { stream, directory, pinned: keys.pinned(), way }, database));
        println!("rows of the stream go into store {store}");
        told_to_stop().await?;
        Ok(ExitCode::SUCCESS)
    }
}
