//! Faults by hand: one at a time, as one box, one disk, one certificate or one stranger makes them. Whoever is not at fault does not notice.

#[path = "../../../tests/tests/programs/mod.rs"]
mod programs;
mod support;

use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    process::Command,
    time::Duration,
};

use cache::log::UnixMillis;
use centre::{
    clock::now,
    database::Database,
    simulate::{client::Address, gate::Gate},
};
use support::{Centre, World, deliver, scans, until};

const DAY: i64 = 86_400_000;

fn address(centre: &Centre) -> &str {
    centre.url.split_once("://").expect("a scheme").1
}

/// Kibibytes a process has held at most.
fn most_memory(centre: &Centre) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", centre.program.0.id())).expect("it runs");
    let line = status.lines().find(|line| line.starts_with("VmHWM:")).expect("said by Linux");
    line.split_whitespace().nth(1).expect("a number").parse().expect("a number")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_full_database_acknowledges_nothing_and_goes_on_when_there_is_room() {
    let Some(world) = World::unmigrated() else { return };
    let place = world.directory.path().join("small");
    fs::create_dir(&place).expect("made");
    let mounted = |options: &str| {
        let mut mount = Command::new("mount");
        mount.args(["-t", "tmpfs", "-o", options, "tmpfs"]).arg(&place);
        mount.output().is_ok_and(|output| output.status.success())
    };
    if !mounted("size=4m,mode=777") {
        return programs::skipped("the right to mount a small file system", "no package");
    }
    let ended = scopeguard(&place);
    let inside = place.join("rows");
    fs::create_dir(&inside).expect("made");
    let _ = Command::new("chown").arg("postgres").arg(&inside).status();
    world.ask(&format!("CREATE TABLESPACE small LOCATION '{}'", inside.display()));
    world.ask("ALTER DATABASE postgres SET default_tablespace = small");
    world.command(&["migrate"]);
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let full = loop {
        scans(&mut gate, 2000);
        let answer = deliver(&mut gate, &mut connection).await;
        if answer.status != 200 {
            break answer;
        }
        assert!(gate.head.seq < 100_000, "it is never full");
    };
    assert!(full.status == 503 && full.retry_after.is_some(), "{full:?}");
    let acknowledged = gate.owed.0.seq;
    assert_eq!(world.ask("SELECT count(*) FROM entries"), acknowledged.to_string(), "what was promised is there");
    let page = centre.see("/");
    assert!(page.contains("Rows are not taken") && page.contains("No space left"), "{page}");
    assert!(mounted("remount,size=256m"));
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT count(*), count(DISTINCT seq) FROM entries"), format!("{0}|{0}", gate.head.seq));
    assert!(world.command(&["verify", "--post", "gate-1"]).starts_with("sound"));
    drop(centre);
    world.postgres.down();
    drop(ended);
}

/// Unmounts at the end, however it comes.
fn scopeguard(place: &std::path::Path) -> impl Drop + use<> {
    struct Mounted(std::path::PathBuf);
    impl Drop for Mounted {
        fn drop(&mut self) {
            let _ = Command::new("umount").arg("-l").arg(&self.0).status();
        }
    }
    Mounted(place.to_owned())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_expired_certificate_costs_time_and_no_row() {
    let Some(world) = World::new() else { return };
    let folder = world.directory.path();
    let path = |name: &str| folder.join(name).to_str().expect("a name").to_owned();
    if programs::certificates(folder, "-1").is_none() {
        return;
    }
    let listen = format!("127.0.0.1:{}", programs::free_port());
    let pair = ["--certificate", &path("server.pem"), "--certificate-key", &path("server.key")];
    let mut centre = world.serve(&listen, &pair);
    let authority = folder.join("ca.pem");
    let refused = Address::parse(&centre.url, Some(&authority)).expect("an address").connect().await;
    let said = refused.err().expect("no connection").to_string();
    assert!(said.to_lowercase().contains("expired"), "{said}");
    centre.program.kill();
    programs::certificates(folder, "3").expect("as before");
    let centre = world.serve(&listen, &pair);
    let slip = world.slip("gate-1");
    let mut gate = Gate::new("gate-1", 1, centre.pinned.clone(), now()).expect("a name");
    let mut connection = Address::parse(&centre.url, Some(&authority)).expect("one").connect().await.expect("taken");
    let answer = connection.post("/v1/enrol", gate.request(&slip, now()).into_bytes(), false).await.expect("answered");
    assert_eq!(answer.status, 200, "{}", answer.text);
    scans(&mut gate, 20);
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn who_announces_much_and_sends_slowly_holds_up_nobody() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let slow: Vec<TcpStream> = (0..300)
        .map(|_| {
            let mut stream = TcpStream::connect(address(&centre)).expect("connected");
            let head = "POST /v1/batch HTTP/1.1\r\nhost: centre\r\ncontent-length: 4194304\r\n\r\n{";
            stream.write_all(head.as_bytes()).expect("written");
            stream
        })
        .collect();
    tokio::time::sleep(Duration::from_millis(500)).await;
    scans(&mut gate, 100);
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    // And they are told to go.
    let mut first = slow.into_iter().next().expect("one");
    first.set_read_timeout(Some(Duration::from_secs(60))).expect("set");
    let mut said = [0; 64];
    let read = first.read(&mut said).expect("an answer");
    assert!(String::from_utf8_lossy(&said[..read]).contains("408"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bombs_and_giants_are_refused_without_being_held() {
    let Some(world) = World::new() else { return };
    let Some(zstd) = programs::find("zstd", "zstd") else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut other) = world.gate(&centre, "gate-1", 1).await;
    let zeros = world.directory.path().join("zeros");
    fs::File::create(&zeros).and_then(|file| file.set_len(512 << 20)).expect("a file with a hole");
    let packed = Command::new(&zstd).args(["-q", "--long=27", "-c"]).arg(&zeros).output().expect("started").stdout;
    assert!(packed.len() < 256 * 1024, "a bomb: {}", packed.len());
    let gzip = Gate::packed(&vec![b' '; 64 << 20]);
    let mut connection = centre.connect().await;
    let post = |body: Vec<u8>, encoding: &'static str| {
        let url = format!("{}/v1/batch", centre.url);
        move || {
            let agent: ureq::Agent = ureq::Agent::config_builder().http_status_as_error(false).build().into();
            let sent = agent.post(&url).header("content-encoding", encoding).send(&body[..]);
            sent.map(|answer| answer.status().as_u16())
        }
    };
    let (sender, answers) = std::sync::mpsc::channel();
    for bomb in 0..8 {
        let one = if bomb % 2 == 0 { post(packed.clone(), "zstd") } else { post(gzip.clone(), "gzip") };
        let sender = sender.clone();
        std::thread::spawn(move || sender.send(one()));
    }
    drop(sender);
    let answers = tokio::task::spawn_blocking(move || answers.iter().collect::<Vec<_>>()).await.expect("answered");
    for answer in answers {
        let status = answer.expect("answered");
        assert!(matches!(status, 400 | 408 | 413 | 503), "{status}");
    }
    assert_eq!(
        connection.post("/v1/batch", vec![b' '; (4 << 20) + 1], false).await.map(|answer| answer.status).unwrap_or(413),
        413
    );
    assert_eq!(
        connection.post("/v1/batch", b"x".to_vec(), false).await.map(|answer| answer.status).unwrap_or(400),
        400
    );
    assert!(most_memory(&centre) < 600 * 1024, "{} KiB", most_memory(&centre));
    scans(&mut gate, 20);
    assert_eq!(deliver(&mut gate, &mut other).await.status, 200);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_post_that_floods_waits_and_the_next_one_does_not_notice() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut loud, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let (mut good, mut other) = world.gate(&centre, "gate-2", 2).await;
    scans(&mut loud, 3000);
    // The same rows again and again: nothing is new, and it costs all the same.
    let bytes = Gate::packed(&loud.rows(3000, now()));
    let mut throttled = None;
    for _ in 0..40 {
        let answer = connection.post("/v1/batch", bytes.clone(), true).await.expect("answered");
        if answer.status != 200 {
            throttled = Some(answer);
            break;
        }
    }
    let throttled = throttled.expect("it is told to wait");
    assert!(throttled.status == 429 && throttled.retry_after.is_some_and(|wait| wait > 0), "{throttled:?}");
    scans(&mut good, 100);
    assert_eq!(deliver(&mut good, &mut other).await.status, 200);
    assert!(centre.see("/metrics").contains("checkpoint_centre_throttled_total 1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_that_sends_rubbish_does_not_close_the_door_to_its_neighbours_behind_the_same_address() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut good, mut other) = world.gate(&centre, "gate-2", 2).await;
    let mut connection = centre.connect().await;
    let mut last = 0;
    for _ in 0..80 {
        last = connection.post("/v1/batch", b"rubbish".to_vec(), false).await.expect("answered").status;
    }
    assert_eq!(last, 429, "it has struck out");
    scans(&mut good, 50);
    assert_eq!(deliver(&mut good, &mut other).await.status, 200);
    let line = other.post("/v1/health", good.health(now()).into_bytes(), false).await.expect("answered");
    assert_eq!(line.status, 204);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn rows_of_clocks_of_other_ages_are_kept_and_keep_no_day_from_its_partition() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let ahead = now().0 / DAY + 5;
    for at in [1000, 4_070_908_800_000, ahead * DAY + 1000, ahead * DAY + 2000, now().0] {
        gate.scan(UnixMillis(at));
    }
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert_eq!(world.ask("SELECT count(*) FROM entries_other"), "4", "1970, 2099, and twice five days ahead");
    // Five days later the day's partition is made, for everybody, and takes what lay in its place.
    let database = Database::new(&world.postgres.settings(&world.database), 1).expect("good settings");
    let day = i32::try_from(ahead).expect("a day");
    database.make_day(day).await.expect("made");
    database.make_day(day).await.expect("there already");
    assert_eq!(world.ask(&format!("SELECT count(*) FROM entries_d{day}")), "2");
    assert_eq!(world.ask("SELECT count(*) FROM entries_other"), "2");
    scans(&mut gate, 10);
    assert_eq!(deliver(&mut gate, &mut connection).await.status, 200);
    assert!(world.command(&["verify", "--post", "gate-1"]).starts_with("sound: 16 rows"));
    // When the rows that were written after them are forgotten, so are they.
    database.sweep(day + 10, 1).await.expect("swept");
    assert_eq!(world.ask("SELECT count(*) FROM entries_other"), "0");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_one_post_sends_that_cannot_be_stored_fails_nobody_elses_rows() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut odd, mut connection) = world.gate(&centre, "gate-1", 1).await;
    let (mut good, mut other) = world.gate(&centre, "gate-2", 2).await;
    scans(&mut odd, 1);
    // JSON has a spelling for NUL, PostgreSQL stores none.
    let body = odd.owed.1.pop().expect("a row").replace("\"lane\":\"", "\"lane\":\"\\u0000");
    let before = odd.owed.1.iter().fold(odd.owed.0, |head, row| head.followed_by(row));
    odd.head = before.followed_by(&body);
    odd.owed.1.push(body);
    assert_eq!(deliver(&mut odd, &mut connection).await.status, 200, "it is chained and signed: it is kept");
    scans(&mut good, 10);
    assert_eq!(deliver(&mut good, &mut other).await.status, 200);
    assert_eq!(world.ask("SELECT count(*) FROM entries"), "13");
    assert_eq!(world.ask("SELECT count(*) FROM scans WHERE post = 'gate-2' AND lane IS NOT NULL"), "10");
    assert!(world.command(&["verify", "--post", "gate-1"]).starts_with("sound"));
    assert!(centre.see("/").contains("gate-1"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_log_that_lost_its_end_is_an_alarm_whose_evidence_is_its_own_receipt() {
    let Some(world) = World::new() else { return };
    let centre = world.serve("127.0.0.1:0", &[]);
    let (mut gate, mut connection) = world.gate(&centre, "gate-1", 1).await;
    scans(&mut gate, 10);
    let (mut young, cut) = (Gate::new("gate-1", 1, centre.pinned.clone(), now()).expect("a name"), gate.head);
    scans(&mut gate, 10);
    deliver(&mut gate, &mut connection).await;
    world.ask("UPDATE logs SET arrived = now() - interval '5 minutes'");
    (young.log, young.head) = (gate.log, cut);
    let line = young.health(now()).into_bytes();
    assert_eq!(connection.post("/v1/health", line, false).await.expect("answered").status, 204);
    until("the alarm", || world.ask("SELECT kind FROM alarms") == "cut").await;
    until("the board", || centre.see("/").contains("the log lost its end")).await;
    let detail = world.ask("SELECT detail FROM alarms");
    assert!(detail.contains("ends at row 11, and 21 rows"), "{detail}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_box_enrolled_or_replaced_at_one_front_is_known_at_the_next_at_once() {
    let Some(world) = World::new() else { return };
    let (one, two) = (world.serve("127.0.0.1:0", &[]), world.serve("127.0.0.1:0", &[]));
    let mut other = two.connect().await;
    let (mut gate, mut connection) = world.gate(&one, "gate-1", 1).await;
    scans(&mut gate, 5);
    assert_eq!(deliver(&mut gate, &mut other).await.status, 200);
    let text = world.command(&["posts", "replace", "gate-1", "--url", "http://centre.example", "--json"]);
    let mut next = Gate::new("gate-1", 2, one.pinned.clone(), now()).expect("a name");
    let request = next.request(&support::slip(&text), now()).into_bytes();
    assert_eq!(connection.post("/v1/enrol", request, false).await.expect("answered").status, 200);
    scans(&mut next, 5);
    assert_eq!(deliver(&mut next, &mut other).await.status, 200);
    assert_eq!(world.ask("SELECT count(*) FROM dead_letters"), "0");
    assert_eq!(world.ask("SELECT count(*) FROM alarms"), "0");
}
