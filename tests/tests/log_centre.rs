//! A gate's own uploader and the real centre: what a receipt covers is acknowledged, and nothing else is.

mod log_support;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpListener},
    sync::Arc,
    time::Duration,
};

use cache::log::note::NoteSigner;
use centre::{
    database::Database,
    front::{Front, routes},
    health::HealthWriter,
    keys::Keys,
    mqtt,
    registry::{self, Directory, Entry, Invitation},
    server,
    way::Direct,
    writer::{Settings, Writer},
};
use host::config::Receipts;
use log_support::{
    Post,
    programs::{broker::Broker, postgres::Postgres, wait_for},
    quick,
};
use sync::upload;

/// A centre in this process, over a PostgreSQL of its own.
struct Centre {
    runtime: tokio::runtime::Runtime,
    front: Arc<Front>,
    url: String,
    key: String,
}

impl Centre {
    fn start(postgres: &Postgres, post: &Post) -> Centre {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().expect("started");
        let signer = NoteSigner::new("centre.example", &[1; 32]).expect("a name");
        let key = signer.verifier().to_string();
        let entry = Entry {
            invitation: Invitation { post: "gate-3".to_owned(), ..Invitation::default() },
            state: "enrolled".to_owned(),
            key: post.reader().public_key().expect("read"),
            log: post.reader().log_id().expect("read"),
            rows: 0,
        };
        let (front, address) = runtime.block_on(async {
            let database = Database::new(&postgres.settings("postgres"), 4).expect("good settings");
            database.migrate().await.expect("migrated");
            database.store().await.expect("a store");
            registry::restore(&database, &[entry]).await.expect("put back");
            let directory = Directory::load(&database).await.expect("loaded");
            let settings = Settings { gather: Duration::from_millis(5), retention_days: 3650 };
            let writer = Writer::spawn(database.clone(), settings);
            let health = HealthWriter::spawn(database.clone(), Duration::from_millis(100));
            let keys = Arc::new(Keys::new(signer));
            let way = Arc::new(Direct { writer, keys: keys.clone() });
            let front = Arc::new(Front::new(database, directory, way, health, keys, String::new()));
            let door = server::listen(SocketAddr::from(([127, 0, 0, 1], 0))).await.expect("listens");
            let address = door.local_addr().expect("an address");
            tokio::spawn(server::serve(door, None, routes(front.clone())));
            (front, address)
        });
        Centre { runtime, front, url: format!("http://{address}"), key }
    }

    fn options(&self, url: &str) -> upload::Options {
        upload::Options { receipts: Receipts::Signed, centre_keys: vec![self.key.clone()], ..quick(url) }
    }
}

fn acknowledged(post: &Post) -> u64 {
    post.reader().acknowledged().expect("read").map_or(0, |held| held.through)
}

fn until_acknowledged(post: &Post, through: u64) {
    wait_for("the receipt", Duration::from_secs(60), || (acknowledged(post) == through).then_some(()));
}

#[test]
fn a_gates_rows_are_acknowledged_by_receipts_over_a_database_that_is_killed_and_its_health_is_known() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(postgres) = Postgres::start(directory.path()) else { return };
    let post = Post::open(directory.path());
    let centre = Centre::start(&postgres, &post);
    post.append(0..100);
    let uploading = post.upload(centre.options(&centre.url));
    until_acknowledged(&post, 101);
    wait_for("the health line", Duration::from_secs(20), || {
        (postgres.ask("postgres", "SELECT vitals ->> 'build' FROM health") == "test").then_some(())
    });
    postgres.down();
    post.append(100..200);
    wait_for("the trouble to be said", Duration::from_secs(60), || uploading.trouble());
    assert_eq!(acknowledged(&post), 101, "nothing that is not durable is acknowledged");
    postgres.up();
    until_acknowledged(&post, 201);
    wait_for("the trouble to be over", Duration::from_secs(20), || uploading.trouble().is_none().then_some(()));
    // Sent once more by hand: taken once.
    let update = cache::outbox::OutboxUpdate::Resend(50..=60);
    assert!(matches!(
        post.writer.update_outbox(update).wait(Duration::from_secs(20)),
        cache::log::Written::Committed(_)
    ));
    assert_eq!(post.wait_until_delivered().acknowledged, 201);
    assert_eq!(postgres.ask("postgres", "SELECT count(*), count(DISTINCT seq) FROM entries"), "201|201");
    let receipts = centre.front.way.counts().batches.load(std::sync::atomic::Ordering::Relaxed);
    assert!(receipts >= 3, "{receipts}");
}

#[test]
fn a_captive_portal_that_answers_200_to_everything_acknowledges_nothing() {
    let directory = tempfile::tempdir().expect("a directory");
    let post = Post::open(directory.path());
    post.append(0..10);
    let portal = TcpListener::bind("127.0.0.1:0").expect("a port");
    let url = format!("http://{}", portal.local_addr().expect("an address"));
    std::thread::spawn(move || {
        for stream in portal.incoming() {
            let Ok(mut stream) = stream else { return };
            let _ = stream.set_read_timeout(Some(Duration::from_millis(200)));
            let mut asked = [0; 65_536];
            let _ = stream.read(&mut asked);
            let page = "<html>Welcome. Please accept our terms.</html>";
            let _ =
                write!(stream, "HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n{page}", page.len());
        }
    });
    let key = NoteSigner::new("centre.example", &[1; 32]).expect("a name").verifier().to_string();
    let options = upload::Options { receipts: Receipts::Signed, centre_keys: vec![key], ..quick(&url) };
    let uploading = post.upload(options);
    let trouble = wait_for("the trouble to be said", Duration::from_secs(30), || uploading.trouble());
    assert!(trouble.contains("no receipt"), "{trouble}");
    let counts = post.counts();
    assert_eq!((counts.pending, counts.sent, counts.acknowledged), (11, 0, 0));
}

#[test]
fn receipts_come_over_a_broker_too_and_one_that_is_killed_costs_no_row() {
    let directory = tempfile::tempdir().expect("a directory");
    let Some(mut broker) = Broker::start(directory.path(), "allow_anonymous true") else { return };
    let Some(postgres) = Postgres::start(directory.path()) else { return };
    let post = Post::open(directory.path());
    let centre = Centre::start(&postgres, &post);
    let url = format!("mqtt://127.0.0.1:{}", broker.port);
    let bridge = mqtt::Broker { url: url.clone(), ca: None, login: None, topic: "checkpoint".to_owned() };
    centre.runtime.spawn(bridge.serve(centre.front.clone()));
    post.append(0..50);
    let _uploading = post.upload(centre.options(&url));
    until_acknowledged(&post, 51);
    broker.program.kill();
    post.append(50..100);
    broker.restart();
    until_acknowledged(&post, 101);
    assert_eq!(postgres.ask("postgres", "SELECT count(*), count(DISTINCT seq) FROM entries"), "101|101");
}
