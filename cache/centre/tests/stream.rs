//! Over a JetStream cluster: whatever dies in the middle of a load, every row arrives exactly once, and no receipt is for one that did not.

#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
mod support;

use std::time::Duration;

use programs::Program;
use support::{
    Centre, World, deliver,
    fleet::{fleet, whole},
    nats::Cluster,
    scans, until,
};

/// Time for what is left to take over, and for more load.
const GO_ON: Duration = Duration::from_secs(4);

fn writer(world: &World, stream: &str) -> Program {
    Program::start(&mut world.program(&["write", "--stream", stream]))
}

fn writers(world: &World) -> String {
    world.ask("SELECT count(DISTINCT pid) FROM pg_locks WHERE locktype = 'advisory'")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn front_stream_node_writer_database_and_the_whole_stream_die_in_a_load_and_every_row_arrives_once() {
    let Some(world) = World::new() else { return };
    let Some(mut cluster) = Cluster::start(world.directory.path()) else { return };
    let stream = cluster.addresses();
    let listen = format!("127.0.0.1:{}", programs::free_port());
    let more = ["--stream", stream.as_str()];
    let mut front = world.serve(&listen, &more);
    let mut first = writer(&world, &stream);
    until("its parts", || writers(&world) == "1").await;
    let _second = writer(&world, &stream);
    // One row all the way, before anything dies.
    let (mut gate, mut connection) = world.gate(&front, "gate-1", 1).await;
    scans(&mut gate, 5);
    for _ in 0..60 {
        if deliver(&mut gate, &mut connection).await.status == 200 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
    }
    assert_eq!(gate.owed.1.len(), 0, "acknowledged");
    let seen = Centre {
        program: Program::start(&mut std::process::Command::new("true")),
        url: front.url.clone(),
        board: front.board.clone(),
        store: front.store.clone(),
        pinned: front.pinned.clone(),
    };
    let report = fleet(&world, &seen, Duration::from_secs(30), async || {
        cluster.kill(0);
        tokio::time::sleep(GO_ON).await;
        cluster.up(0);
        first.kill();
        until("the other writer", || writers(&world) == "1").await;
        tokio::time::sleep(GO_ON).await;
        front.program.kill();
        front = world.serve(&listen, &more);
        tokio::time::sleep(GO_ON).await;
        world.postgres.down();
        tokio::time::sleep(GO_ON / 2).await;
        world.postgres.up();
        tokio::time::sleep(GO_ON).await;
        (0..3).for_each(|node| cluster.kill(node));
        tokio::time::sleep(GO_ON / 4).await;
        (0..3).for_each(|node| cluster.up(node));
    })
    .await;
    assert!(report.again > 0, "{report:?}");
    world.ask("DELETE FROM entries WHERE log = (SELECT l.no FROM logs l JOIN posts p ON p.no = l.post WHERE p.name = 'gate-1')");
    world.ask("DELETE FROM logs WHERE post = (SELECT no FROM posts WHERE name = 'gate-1')");
    whole(&world, &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stream_without_a_writer_accepts_and_acknowledges_nothing() {
    let Some(world) = World::new() else { return };
    let Some(mut cluster) = Cluster::start(world.directory.path()) else { return };
    let stream = cluster.addresses();
    let front = world.serve("127.0.0.1:0", &["--stream", &stream]);
    let (mut gate, mut connection) = world.gate(&front, "gate-1", 1).await;
    scans(&mut gate, 5);
    let mut answer = deliver(&mut gate, &mut connection).await;
    for _ in 0..60 {
        if answer.status != 503 {
            break;
        }
        tokio::time::sleep(Duration::from_millis(500)).await;
        answer = deliver(&mut gate, &mut connection).await;
    }
    assert!(answer.status == 202 && answer.retry_after.is_some(), "{answer:?}");
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "0");
    // A writer takes what was accepted, and the post hears of it when it asks again.
    let _writer = writer(&world, &stream);
    until("the rows", || world.ask("SELECT count(*) FROM entries") == "6").await;
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "6");
    // Without a quorum nothing is even accepted, and the page says so.
    cluster.kill(1);
    cluster.kill(2);
    scans(&mut gate, 1);
    let answer = deliver(&mut gate, &mut connection).await;
    assert!(answer.status == 503 && answer.retry_after.is_some(), "{answer:?}");
    assert!(front.see("/").contains("Rows are not taken"), "{}", front.see("/"));
}
