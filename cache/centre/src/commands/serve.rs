//! `serve`: opens the doors and keeps them open until it is told to stop.

use std::{net::SocketAddr, path::PathBuf, process::ExitCode, sync::Arc, time::Duration};

use crate::{
    board::{self, Board},
    front::{Front, routes},
    health::HealthWriter,
    mqtt::Broker,
    registry::Directory,
    server,
    stream::StreamWay,
    way::{Direct, Way},
    writer::{Settings, Writer},
};
use clap::Args;

use super::{DatabaseArgument, Done, KeyArgument, StreamArgument, told_to_stop};

/// Changes of the registry are noticed within this.
pub const REGISTRY: Duration = Duration::from_secs(2);
/// Health lines are written this often.
const HEALTH: Duration = Duration::from_secs(1);

#[derive(Debug, Args)]
#[command(after_help = "\
Example: behind a proxy that ends TLS on the same machine
  checkpoint-centre serve --listen 127.0.0.1:8080 --url https://centre.example --zone Asia/Shanghai")]
pub struct Serve {
    #[command(flatten)]
    database: DatabaseArgument,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    stream: StreamArgument,
    /// Where posts send to
    #[arg(long, env = "CENTRE_LISTEN", default_value = "0.0.0.0:8443")]
    listen: SocketAddr,
    /// The address that posts are told, with its scheme
    #[arg(long, env = "CENTRE_URL")]
    url: String,
    /// Certificate chain (PEM); without it, plain HTTP on a loopback address
    #[arg(long, env = "CENTRE_CERTIFICATE", requires = "certificate_key")]
    certificate: Option<PathBuf>,
    /// The certificate's key (PEM)
    #[arg(long, env = "CENTRE_CERTIFICATE_KEY")]
    certificate_key: Option<PathBuf>,
    /// Where the board and the metrics are; it asks nobody who they are, so a loopback address or a guarded network
    #[arg(long, env = "CENTRE_BOARD", default_value = "127.0.0.1:8480")]
    board: SocketAddr,
    /// The zone of the times on the board
    #[arg(long, env = "CENTRE_ZONE", default_value = "Asia/Shanghai")]
    zone: String,
    /// Days that rows are kept
    #[arg(long, env = "CENTRE_RETENTION_DAYS", default_value_t = 90)]
    retention_days: i32,
    /// How long a batch waits for others to be committed with it, in milliseconds
    #[arg(long, default_value_t = 8)]
    gather_ms: u64,
    /// Also hear posts over this MQTT 5 broker: mqtt://HOST:PORT or mqtts://HOST:PORT
    #[arg(long, env = "CENTRE_MQTT")]
    mqtt: Option<String>,
    /// Who vouches for the broker's certificate (PEM)
    #[arg(long, env = "CENTRE_MQTT_CA")]
    mqtt_ca: Option<PathBuf>,
    /// User name at the broker
    #[arg(long, env = "CENTRE_MQTT_USER", requires = "mqtt_secret")]
    mqtt_user: Option<String>,
    /// A file with the password at the broker
    #[arg(long, env = "CENTRE_MQTT_SECRET")]
    mqtt_secret: Option<PathBuf>,
    /// First part of the topics
    #[arg(long, env = "CENTRE_MQTT_TOPIC", default_value = "checkpoint")]
    mqtt_topic: String,
    /// Bring the schema up to date first
    #[arg(long)]
    migrate: bool,
}

impl Serve {
    pub async fn run(self) -> Done {
        if self.certificate.is_none() && !self.listen.ip().is_loopback() {
            return Err("without --certificate only a loopback address is served (put a proxy before it)".into());
        }
        let zone = jiff::tz::TimeZone::get(&self.zone)?;
        let database = self.database.open(8)?;
        if self.migrate {
            database.migrate().await?;
        }
        let store = database.store().await?;
        let keys = Arc::new(self.key.open()?);
        let tls = match (self.certificate, self.certificate_key) {
            (Some(certificate), Some(key)) => Some(server::tls(certificate, key)?),
            _ => None,
        };
        let directory = Directory::load(&database).await?;
        tokio::spawn(directory.clone().follow(REGISTRY));
        let way: Arc<dyn Way> = match self.stream.connect().await? {
            Some(stream) => Arc::new(StreamWay::open(stream).await?),
            None => {
                let gather = Duration::from_millis(self.gather_ms);
                let settings = Settings { gather, retention_days: self.retention_days };
                Arc::new(Direct { writer: Writer::spawn(database.clone(), settings), keys: keys.clone() })
            }
        };
        tokio::spawn(sweep(database.clone(), self.retention_days));
        let health = HealthWriter::spawn(database.clone(), HEALTH);
        let front = Arc::new(Front::new(database.clone(), directory, way, health, keys.clone(), self.url));
        let door = server::listen(self.listen).await?;
        let (address, room) = (door.local_addr()?, server::listen(self.board).await?);
        let seen = room.local_addr()?;
        if let Some(url) = self.mqtt {
            let login = self.mqtt_user.zip(self.mqtt_secret);
            let broker = Broker { url, ca: self.mqtt_ca, login, topic: self.mqtt_topic };
            let front = front.clone();
            tokio::spawn(async move {
                if let Err(error) = broker.serve(front).await {
                    ::log::error!("no post is heard over MQTT: {error}");
                }
            });
        }
        tokio::spawn(server::serve(door, tls, routes(front.clone())));
        tokio::spawn(server::serve(room, None, board::routes(Arc::new(Board::new(database, front, zone)))));
        println!("posts send to {address}; the board is at http://{seen}/; store {store}");
        for key in keys.pinned().keys() {
            println!("posts pin {key}");
        }
        told_to_stop().await?;
        Ok(ExitCode::SUCCESS)
    }
}

/// Partitions of days that come and go.
async fn sweep(database: crate::database::Database, retention_days: i32) {
    loop {
        let today = crate::clock::today();
        if let Err(error) = database.sweep(today, retention_days).await {
            ::log::warn!("days are not swept: {error}");
        }
        tokio::time::sleep(Duration::from_secs(3600)).await;
    }
}
