//! The centre as its posts and its operators meet it: the real program over a real PostgreSQL.

#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
mod support;

use std::time::Duration;

use cache::{
    exchange::{
        Refusal, Refused,
        enrolment::{Assignment, Request},
    },
    log::chain::Head,
};
use centre::{
    clock::now,
    simulate::{
        client::Address,
        gate::{Gate, Heard},
    },
};
use support::{
    World, deliver,
    fleet::{fleet, whole},
    scans, slip, until,
};

/// How long a fleet lives.
const EIGHT: Duration = Duration::from_secs(8);

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_are_acknowledged_by_a_receipt_and_each_is_there_once_however_often_it_comes() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "广州南站 3", 1).await;
    scans(&mut gate, 99);
    let all = gate.owed.clone();
    let bytes = gate.rows(60, now());
    for packed in [true, false, true] {
        let body = if packed { Gate::packed(&bytes) } else { bytes.clone() };
        let answer = connection.post("/v1/batch", body, packed).await.expect("answered");
        assert_eq!(answer.status, 200, "{}", answer.text);
        let _ = gate.hear(&answer.text).expect("a receipt");
    }
    assert_eq!((gate.owed.1.len(), gate.owed.0.seq), (40, 60));
    assert_eq!(gate.held.as_ref().expect("held").1.store.to_string(), centre.store);
    // All of it once more, by a box whose acknowledgements were lost: what overlaps is compared and taken once.
    gate.owed = all;
    gate.held = None;
    deliver(&mut gate, &mut connection).await;
    assert_eq!(world.ask("SELECT count(*), count(DISTINCT seq), max(seq) FROM entries"), "100|100|100");
    assert_eq!(world.ask("SELECT count(*), sum(scans) FROM lane_hours WHERE scans > 0").split('|').nth(1), Some("99"));
    let verified = world.command(&["verify", "--post", "广州南站 3"]);
    assert!(verified.starts_with("sound: 100 rows"), "{verified}");
    // The same, by another program in another language.
    let python = || {
        let script = support::document("../../tests/python/verify_post.py");
        let settings = world.postgres.settings("postgres");
        let output = std::process::Command::new("python3").arg(script).args([&settings, "广州南站 3"]).output();
        output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned()).unwrap_or_default()
    };
    let tools = programs::find("python3", "python3").and(programs::find("psql", "postgresql-client"));
    if tools.is_some() {
        assert!(python().starts_with("sound: 100 rows"), "{}", python());
    }
    // Somebody with the database changes a row.
    world.ask("UPDATE entries SET body = replace(body, 'admit', 'refer') WHERE seq = 50");
    let output = world.run(&["verify", "--post", "广州南站 3", "--json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(!output.status.success() && text.contains("\"row\":50,\"what\":\"changed\""), "{text}");
    if tools.is_some() {
        assert!(python().contains("row 50 was changed"), "{}", python());
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_does_not_verify_is_refused_signed_and_kept_and_the_next_post_does_not_notice() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut bad, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let (mut good, mut other) = world.gate(&centre, "gate-2", 2).await;
    scans(&mut bad, 20);
    let bytes = bad.rows(100, now());
    let text = String::from_utf8(bytes.clone()).expect("text");
    // A row that was changed on the way.
    let changed = text.replacen("\"entry\"", "\"exit\"", 1).into_bytes();
    let answer = connection.post("/v1/batch", changed, false).await.expect("answered");
    assert_eq!(answer.status, 422, "{}", answer.text);
    let refused = Refused::verify(&answer.text, &centre.pinned, "gate-1", bad.log).expect("signed");
    assert_eq!((refused.reason, refused.from, refused.to), (Refusal::ChainBroken, 1, 21));
    // A neighbour in its name.
    let mut neighbour = Gate::new("gate-1", 9, centre.pinned.clone(), now()).expect("a name");
    scans(&mut neighbour, 3);
    let answer = connection.post("/v1/batch", neighbour.rows(10, now()), false).await.expect("answered");
    assert_eq!(answer.status, 422);
    let refused = Refused::verify(&answer.text, &centre.pinned, "gate-1", neighbour.log).expect("signed");
    assert_eq!(refused.reason, Refusal::BadSignature);
    // A stranger, rubbish, a bomb.
    let stranger = Gate::new("gate-9", 9, centre.pinned.clone(), now()).expect("a name");
    let answer = connection.post("/v1/batch", stranger.rows(10, now()), false).await.expect("answered");
    assert!(answer.status == 403 && answer.retry_after.is_some(), "{answer:?}");
    for (body, packed, status) in [
        (b"rubbish".to_vec(), false, 400),
        (b"rubbish".to_vec(), true, 400),
        (Gate::packed(&vec![b' '; 5 << 20]), true, 413),
    ] {
        assert_eq!(connection.post("/v1/batch", body, packed).await.expect("answered").status, status);
    }
    let reasons = "SELECT string_agg(reason, ' ' ORDER BY no) FROM dead_letters";
    assert_eq!(world.ask(reasons), "chain-broken bad-signature");
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "0");
    // Neither the post that had it done to it nor its neighbour is stopped.
    assert_eq!(deliver(&mut bad, &mut connection).await.status, 200);
    scans(&mut good, 5);
    assert_eq!(deliver(&mut good, &mut other).await.status, 200);
    let page = centre.see("/");
    assert!(page.contains("somebody else&#39;s signature") || page.contains("somebody else's signature"), "{page}");
    // An address that goes on like this is told to wait, and how long.
    let mut last = None;
    for _ in 0..80 {
        let answer = connection.post("/v1/batch", b"rubbish".to_vec(), false).await.expect("answered");
        last = Some(answer.clone());
        if answer.status == 429 {
            break;
        }
    }
    let last = last.expect("answered");
    assert!(last.status == 429 && last.retry_after.is_some(), "{last:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn two_histories_of_one_log_are_refused_kept_and_shown_with_their_first_row() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    scans(&mut gate, 10);
    deliver(&mut gate, &mut connection).await;
    let (after, pinned) = (gate.head, centre.pinned.clone());
    scans(&mut gate, 10);
    deliver(&mut gate, &mut connection).await;
    // The clone has the same key and the same first eleven rows, and lives on by itself.
    let mut clone = Gate::new("gate-1", 1, pinned, now()).expect("a name");
    clone.log = gate.log;
    (clone.owed, clone.head) = ((after, Vec::new()), after);
    for row in 0..5 {
        clone.scan(cache::log::UnixMillis(now().0 + row));
    }
    let answer = connection.post("/v1/batch", clone.rows(100, now()), false).await.expect("answered");
    assert_eq!(answer.status, 422, "{}", answer.text);
    let refused = Refused::verify(&answer.text, &centre.pinned, "gate-1", gate.log).expect("signed");
    assert_eq!((refused.reason, refused.from, refused.to), (Refusal::Fork, 12, 16));
    assert_eq!(world.ask("SELECT first_bad, held <> '', other <> '' FROM forks"), "12|t|t");
    let output = world.run(&["verify", "--post", "gate-1", "--json"]);
    let text = String::from_utf8(output.stdout).expect("text");
    assert!(text.contains("\"row\":12,\"what\":\"fork\""), "{text}");
    assert!(centre.see("/").contains("two histories of one log"));
    assert!(centre.see("/metrics").contains("checkpoint_post_alarm{kind=\"fork\",post=\"gate-1\"} 1"));
    // The history that is held goes on.
    scans(&mut gate, 1);
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "22");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_slip_enrols_one_device_and_a_replaced_box_never_mixes_with_its_predecessor() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let slip_text = world.slip("gate-1");
    let gate = Gate::new("gate-1", 1, centre.pinned.clone(), now()).expect("a name");
    let mut connection = centre.connect().await;
    let mut ask = async |note: String| connection.post("/v1/enrol", note.into_bytes(), false).await.expect("answered");
    let key = centre.pinned.keys()[0].clone();
    for _ in 0..2 {
        // The second time: the answer was lost.
        let answer = ask(gate.request(&slip_text, now())).await;
        assert_eq!(answer.status, 200, "{}", answer.text);
        let assignment =
            Assignment::open(&answer.text, std::slice::from_ref(&key), &gate.signer.verifier()).expect("signed");
        assert_eq!((assignment.place.post.as_str(), assignment.place.lanes.len()), ("gate-1", 2));
    }
    // Somebody had photographed it.
    let thief = Gate::new("gate-1", 2, centre.pinned.clone(), now()).expect("a name");
    let answer = ask(thief.request(&slip_text, now())).await;
    assert!(answer.status == 409 && answer.text.contains("another device"), "{answer:?}");
    // One device under two names.
    let second = world.slip("gate-2");
    let answer = ask(gate.request(&second, now())).await;
    assert!(answer.status == 409 && answer.text.contains("gate-1"), "{answer:?}");
    assert_eq!(world.ask("SELECT string_agg(kind, ' ' ORDER BY kind) FROM alarms"), "double-key slip-taken");
    // A slip of another centre.
    let foreign =
        Request { centre: thief.signer.verifier(), ..Request::open(&gate.request(&second, now())).expect("signed") };
    assert_eq!(ask(foreign.sign(&gate.signer)).await.status, 403);

    let mut old = gate;
    let mut connection = centre.connect().await;
    scans(&mut old, 9);
    assert_eq!(deliver(&mut old, &mut connection).await.status, 200);
    // Its card was wiped: the same key, another log. Not without the operator.
    let mut wiped = Gate::new("gate-1", 1, centre.pinned.clone(), now()).expect("a name");
    wiped.log = uuid::Uuid::from_u128(4711);
    let answer = connection.post("/v1/batch", wiped.rows(10, now()), false).await.expect("answered");
    assert!(answer.status == 403 && answer.text.contains("posts replace"), "{answer:?}");
    assert!(centre.see("/").contains("another log than enrolled"));
    let replaced = slip(&world.command(&["posts", "replace", "gate-1", "--url", "http://centre.example", "--json"]));
    let answer =
        connection.post("/v1/enrol", thief.request(&replaced, now()).into_bytes(), false).await.expect("answered");
    assert_eq!(answer.status, 200, "{}", answer.text);
    let mut new = thief;
    assert_eq!(deliver(&mut new, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT state, seq FROM logs ORDER BY no"), "closed|10\nopen|1");
    scans(&mut old, 1);
    let answer = deliver(&mut old, &mut connection).await;
    assert_eq!(answer.status, 422, "the old box's key is not the post's any more: {}", answer.text);
    assert!(world.command(&["verify", "--post", "gate-1"]).starts_with("sound: 11 rows"));

    world.command(&["posts", "rename", "gate-1", "gate-one"]);
    world.command(&["posts", "revoke", "gate-one"]);
    until("the revocation", || !centre.see("/").contains("gate-one")).await;
    let list = world.command(&["posts", "list"]);
    assert!(list.contains("revoked") && list.contains("gate-one"), "{list}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_lost_database_has_another_store_id_and_posts_send_again_what_they_hold() {
    let Some(mut world) = World::new() else { return };
    let mut centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    scans(&mut gate, 30);
    let mut kept = gate.owed.clone();
    deliver(&mut gate, &mut connection).await;
    let registry = world.directory.path().join("posts.jsonl");
    std::fs::write(&registry, world.command(&["posts", "list", "--json"])).expect("written");
    centre.program.kill();

    world.ask("CREATE DATABASE anew");
    world.database = "anew".to_owned();
    world.command(&["migrate"]);
    assert_eq!(world.command(&["posts", "restore", registry.to_str().expect("a name")]), "1 posts put back\n");
    let anew = world.serve("127.0.0.1:0", &[]);
    assert_ne!(anew.store, centre.store);
    let mut connection = anew.connect().await;
    scans(&mut gate, 1);
    let answer = connection.post("/v1/batch", gate.rows(100, now()), false).await.expect("answered");
    assert_eq!(answer.status, 409, "rows are missing before it");
    assert_eq!(gate.hear(&answer.text), Ok(Heard::StoreLost));
    assert_eq!(gate.held.as_ref().expect("held").1.through, Head::ORIGIN);
    // The post still holds all but the first ten, which it gave up in the meantime.
    kept.1.append(&mut gate.owed.1);
    gate.owed = kept;
    gate.give_up(10);
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT count(*), min(seq), max(seq) FROM entries"), "22|11|32");
    assert_eq!(world.ask("SELECT first, last FROM holes"), "1|10");
    assert!(world.command(&["verify", "--post", "gate-1"]).starts_with("sound: 22 rows"));

    // The same database, put back to what it was some rows ago: nothing in it says so, but the post's receipt does.
    world.ask("UPDATE logs SET (seq, hash) = (SELECT seq, hash FROM entries WHERE seq = 20); DELETE FROM entries WHERE seq > 20");
    scans(&mut gate, 1);
    let answer = connection.post("/v1/batch", gate.rows(100, now()), false).await.expect("answered");
    assert_eq!((answer.status, gate.hear(&answer.text)), (409, Ok(Heard::StoreLost)));
    let held = &gate.held.as_ref().expect("held").1;
    assert!(held.store.to_string() != anew.store && held.through.seq == 20, "{held:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_killed_in_the_middle_of_a_load_loses_nothing_and_acknowledges_nothing_meanwhile() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let report = fleet(&world, &centre, EIGHT, async || {
        world.postgres.down();
        let page = centre.see("/");
        assert!(page.contains("nothing on this page would be true"), "{page}");
        tokio::time::sleep(Duration::from_secs(1)).await;
        world.postgres.up();
    })
    .await;
    assert!(report.again > 0, "{report:?}");
    whole(&world, &report);
    let page = centre.see("/");
    assert!(page.contains("sim-20") && !page.contains("Rows are not taken"), "{page}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_centre_killed_in_the_middle_of_a_load_goes_on_where_it_was() {
    let Some(world) = World::new() else { return };
    let port = programs::free_port();
    let mut centre = world.serve(&format!("127.0.0.1:{port}"), &[]);
    let mut second = None;
    let (url, pinned, store) = (centre.url.clone(), centre.pinned.clone(), centre.store.clone());
    let seen = support::Centre {
        program: programs::Program::start(&mut std::process::Command::new("true")),
        url,
        board: centre.board.clone(),
        store,
        pinned,
    };
    let report = fleet(&world, &seen, EIGHT, async || {
        centre.program.kill();
        tokio::time::sleep(Duration::from_millis(500)).await;
        second = Some(world.serve(&format!("127.0.0.1:{port}"), &[]));
    })
    .await;
    let second = second.expect("started");
    assert_eq!(second.store, centre.store, "the same database, the same store");
    whole(&world, &report);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_board_shows_those_that_never_came_and_a_replayed_line_makes_nobody_alive() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let (_silent, _) = world.gate(&centre, "gate-2", 2).await;
    world.slip("gate-3");
    let first = gate.health(now());
    for line in [first.clone(), gate.health(now()), first] {
        let answer = connection.post("/v1/health", line.into_bytes(), false).await.expect("answered");
        assert_eq!(answer.status, 204);
    }
    until("the line", || world.ask("SELECT counter FROM health") == "2").await;
    scans(&mut gate, 20);
    deliver(&mut gate, &mut connection).await;
    tokio::time::sleep(Duration::from_secs(4)).await;
    let (page, metrics) = (centre.see("/"), centre.see("/metrics"));
    assert!(page.contains("never heard") && page.contains("not enrolled yet"), "{page}");
    assert!(page.contains("Times are in Asia/Shanghai"), "{page}");
    assert!(metrics.contains("checkpoint_post_never_seen{post=\"gate-2\"} 1"), "{metrics}");
    assert!(metrics.contains("checkpoint_post_never_seen{post=\"gate-1\"} 0"), "{metrics}");
    assert!(metrics.contains("checkpoint_centre_rows_total 21"), "{metrics}");
    // A lane that scanned at this hour every day, and not today.
    world.ask(
        "INSERT INTO lane_hours SELECT p.no, '1', date_trunc('hour', now()) - make_interval(days => d, hours => h), 60, 60, 0, 0, 0
         FROM posts p, generate_series(1, 6) d, generate_series(0, 1) h WHERE name = 'gate-1';
         UPDATE lanes SET last_scan = now() - interval '70 minutes' WHERE lane = '1';
         UPDATE lanes SET last_scan = now() - interval '70 minutes' WHERE lane = '2'",
    );
    tokio::time::sleep(Duration::from_secs(4)).await;
    let metrics = centre.see("/metrics");
    assert!(metrics.contains("checkpoint_lane_silent{lane=\"1\",post=\"gate-1\"} 1"), "{metrics}");
    assert!(metrics.contains("checkpoint_lane_silent{lane=\"2\",post=\"gate-1\"} 0"), "{metrics}");
    assert!(centre.see("/").contains("lane 1: silent"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_come_in_over_tls_with_either_version_of_http_and_either_compression() {
    let Some(world) = World::new() else { return };
    let (Some(curl), Some(zstd)) = (programs::find("curl", "curl"), programs::find("zstd", "zstd")) else { return };
    let folder = world.directory.path();
    if programs::certificates(folder, "3").is_none() {
        return;
    }
    let path = |name: &str| folder.join(name).to_str().expect("a name").to_owned();
    let (certificate, key) = (path("server.pem"), path("server.key"));
    let centre = world.serve("127.0.0.1:0", &["--certificate", &certificate, "--certificate-key", &key]);
    let slip = world.slip("gate-1");
    let mut gate = Gate::new("gate-1", 1, centre.pinned.clone(), now()).expect("a name");
    let authority = path("ca.pem");
    let address = Address::parse(&centre.url, Some(authority.as_ref())).expect("an address");
    let mut connection = address.connect().await.expect("connected");
    let answer = connection.post("/v1/enrol", gate.request(&slip, now()).into_bytes(), false).await.expect("answered");
    assert_eq!(answer.status, 200, "{}", answer.text);
    for (version, said, packing) in [("--http1.1", "1.1", "gzip"), ("--http2", "2", "zstd")] {
        scans(&mut gate, 30);
        std::fs::write(path("batch"), gate.rows(100, now())).expect("written");
        if packing == "zstd" {
            let packed =
                std::process::Command::new(&zstd).args(["-qf", &path("batch"), "-o", &path("packed")]).status();
            assert!(packed.expect("started").success());
        } else {
            std::fs::write(path("packed"), Gate::packed(&std::fs::read(path("batch")).expect("there")))
                .expect("written");
        }
        let output = std::process::Command::new(&curl)
            .args(["-sS", version, "--cacert", &authority, "-w", "%{http_version} %{http_code}"])
            .args(["-H", &format!("content-encoding: {packing}"), "-o", &path("answer")])
            .args(["--data-binary", &format!("@{}", path("packed")), &format!("{}/v1/batch", centre.url)])
            .output()
            .expect("started");
        assert_eq!(String::from_utf8_lossy(&output.stdout), format!("{said} 200"), "{output:?}");
        let answer = std::fs::read_to_string(path("answer")).expect("there");
        assert!(matches!(gate.hear(&answer), Ok(Heard::Acknowledged(30..))), "{answer}");
    }
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "61");
    // A stranger's certificate is refused by the post.
    let stranger = Address::parse(&centre.url, None).expect("an address");
    assert!(stranger.connect().await.is_err());
}

/// Alerts as they are shipped, in the eyes of Prometheus and Alertmanager themselves.
#[test]
fn the_shipped_alerts_fire_for_the_dead_and_reach_their_receivers() {
    let Some(promtool) = programs::find("promtool", "prometheus") else { return };
    let Some(amtool) = programs::find("amtool", "prometheus-alertmanager") else { return };
    let folder = support::document("");
    let says = |program: &std::path::Path, arguments: &[&str]| {
        let output =
            std::process::Command::new(program).current_dir(&folder).args(arguments).output().expect("started");
        let text = String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr);
        assert!(output.status.success(), "{arguments:?}: {text}");
    };
    says(&promtool, &["check", "config", "prometheus.yml"]);
    says(&promtool, &["test", "rules", "alerts-test.yml"]);
    says(&amtool, &["check-config", "alertmanager.yml"]);
    for (receiver, labels) in [
        ("duty-officer", ["alertname=GateGone", "severity=page"]),
        ("tickets", ["alertname=ListOld", "severity=ticket"]),
        ("outside", ["alertname=DeadMansSwitch", "severity=none"]),
    ] {
        let verify = format!("--verify.receivers={receiver}");
        says(
            &amtool,
            &[&["config", "routes", "test", "--config.file=alertmanager.yml", &verify], &labels[..]].concat(),
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn posts_behind_a_broker_get_receipts_and_a_broker_that_was_killed_loses_them_nothing() {
    let Some(world) = World::new() else { return };
    let Some(mut broker) = programs::broker::Broker::start(world.directory.path(), "allow_anonymous true") else {
        return;
    };
    let (Some(publish), Some(subscribe)) =
        (programs::find("mosquitto_pub", "mosquitto-clients"), programs::find("mosquitto_sub", "mosquitto-clients"))
    else {
        return;
    };
    let port = broker.port;
    let path = |name: &str| world.directory.path().join(name);
    let centre = world.serve("127.0.0.1:0", &["--mqtt", &format!("mqtt://127.0.0.1:{port}")]);
    let (mut gate, _) = world.gate(&centre, "gate-1", 1).await;
    let send = |kind: &str, bytes: Vec<u8>| {
        std::fs::write(path("message"), bytes).expect("written");
        let mut command = std::process::Command::new(&publish);
        command.args(["-V", "5", "-q", "1", "-p", &port.to_string(), "-t", &format!("checkpoint/gate-1/{kind}")]);
        let status = command.arg("-f").arg(path("message")).stderr(std::process::Stdio::null()).status();
        status.expect("started").success()
    };
    let receipt = || {
        let mut command = std::process::Command::new(&subscribe);
        command.args([
            "-V",
            "5",
            "-W",
            "2",
            "-C",
            "1",
            "-N",
            "-p",
            &port.to_string(),
            "-t",
            "checkpoint/gate-1/receipt",
        ]);
        String::from_utf8(command.output().expect("started").stdout).expect("text")
    };
    // As a post does: the same batch until a receipt covers it. Whether the broker took it means nothing.
    let deliver = async |gate: &mut Gate| {
        let bytes = Gate::packed(&gate.rows(100, now()));
        for _ in 0..60 {
            let _ = send("batch", bytes.clone());
            tokio::time::sleep(Duration::from_millis(300)).await;
            if gate.hear(&receipt()).is_ok() && gate.owed.1.is_empty() {
                return;
            }
        }
        panic!("no receipt");
    };
    scans(&mut gate, 20);
    deliver(&mut gate).await;
    // The broker dies, with its receipts; nothing of it is kept.
    broker.program.kill();
    scans(&mut gate, 20);
    broker.restart();
    deliver(&mut gate).await;
    assert_eq!(world.ask("SELECT count(*), count(DISTINCT seq) FROM entries"), "41|41");
    // A neighbour cannot speak in its topic's name, nor in another's.
    let mut neighbour = Gate::new("gate-1", 9, centre.pinned.clone(), now()).expect("a name");
    scans(&mut neighbour, 1);
    assert!(send("batch", Gate::packed(&neighbour.rows(10, now()))));
    until("the dead letter", || world.ask("SELECT string_agg(reason, ' ') FROM dead_letters") == "bad-signature").await;
    assert!(send("health", gate.health(now()).into_bytes()));
    until("the line", || world.ask("SELECT count(*) FROM health") == "1").await;
}
