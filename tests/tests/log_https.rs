//! Rows to a real server process over HTTP and HTTPS: one that is killed, busy, picky, or has an expired certificate.

mod log_support;

use std::{
    collections::HashSet,
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

use host::clock::Clock;
use sync::upload::{
    self,
    relay::{self, Relay},
};

use log_support::{
    Post, ids,
    programs::{Program, certificates, find, free_port, wait_for, wait_until_listening},
    quick,
};

fn server(port: u16, file: &Path, arguments: &[&str]) -> Option<Program> {
    let python = find("python3", "python3")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("python/rows_server.py");
    let program = Program::start(
        Command::new(python)
            .arg(script)
            .arg(port.to_string())
            .arg(file)
            .args(arguments)
            .stdout(Stdio::null())
            .stderr(Stdio::null()),
    );
    wait_until_listening(port);
    Some(program)
}

#[test]
fn every_row_arrives_though_the_server_is_killed_busy_and_restarted_and_fresh_rows_overtake_the_backlog() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("received");
    let port = free_port();
    let post = Post::open(directory.path());
    let mut promised = post.append(0..1200);
    let uploading = post.upload(quick(&format!("http://127.0.0.1:{port}/rows")));
    wait_for("the uploader to notice that nobody listens", Duration::from_secs(20), || uploading.trouble());
    for round in 1..4 {
        let Some(mut server) = server(port, &file, &["--busy", "4"]) else { return };
        let fresh = post.append(2000 * round..2000 * round + 10);
        wait_for("fresh rows", Duration::from_secs(20), || {
            let there: HashSet<_> = ids(&file).into_iter().collect();
            fresh.is_subset(&there).then_some(())
        });
        if round == 1 {
            assert!(post.counts().pending > 100, "they overtook the backlog: {:?}", post.counts());
        }
        promised.extend(fresh);
        server.kill();
    }
    let Some(_server) = server(port, &file, &[]) else { return };
    let counts = post.wait_until_delivered();
    assert_eq!((counts.dead, counts.sent), (0, promised.len() as u64 + 1));
    let received = ids(&file);
    let there: HashSet<_> = received.iter().cloned().collect();
    assert!(promised.is_subset(&there));
    println!("{} rows promised, {} received, 3 kills, every fourth request refused", promised.len(), received.len());
}

#[test]
fn a_row_the_centre_refuses_becomes_a_dead_letter_with_the_answer_and_can_be_retried() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("received");
    let port = free_port();
    let post = Post::open(directory.path());
    post.append(0..40);
    let mut odd = log_support::row(41);
    odd.lane = "13".into();
    let receipt = post.writer.append(&odd);
    assert!(matches!(receipt.wait(Duration::from_secs(5)), cache::log::Written::Committed(_)));
    post.append(42..80);
    let Some(mut picky) = server(port, &file, &["--refuse", "13"]) else { return };
    let uploading = post.upload(quick(&format!("http://127.0.0.1:{port}/rows")));
    let counts = post.wait_until_delivered();
    assert_eq!((counts.dead, counts.sent), (1, 79), "the others are not held up");
    let letters = post.reader().dead_letters(10).expect("read");
    assert_eq!(letters[0].id, receipt.id().to_string());
    assert_eq!(letters[0].answer.as_deref(), Some("422 no lane 13 here"));

    picky.kill();
    let Some(_server) = server(port, &file, &[]) else { return };
    let retried = post.writer.update_outbox(cache::outbox::OutboxUpdate::Retry(vec![]));
    assert!(matches!(retried.wait(Duration::from_secs(5)), cache::log::Written::Committed(_)));
    wait_for("the retried row", Duration::from_secs(20), || {
        ids(&file).contains(&receipt.id().to_string()).then_some(())
    });
    assert_eq!(post.wait_until_delivered().dead, 0);
    drop(uploading);
}

#[test]
fn a_wrong_token_gives_nothing_up_and_the_right_one_over_tls_delivers() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    if certificates(at, "30").is_none() {
        return;
    }
    let (certificate, key) = (at.join("server.pem"), at.join("server.key"));
    let port = free_port();
    let tls = ["--tls", certificate.to_str().expect("a name"), key.to_str().expect("a name"), "--token", "sesame"];
    let Some(_server) = server(port, &at.join("received"), &tls) else { return };
    let post = Post::open(at);
    post.append(0..30);
    let mut options = quick(&format!("https://127.0.0.1:{port}/rows"));
    options.ca = Some(at.join("ca.pem"));
    std::fs::write(at.join("token"), "wrong\n").expect("written");
    options.secret = Some(at.join("token"));
    let uploading = post.upload(options.clone());
    let trouble = wait_for("trouble", Duration::from_secs(20), || uploading.trouble());
    assert!(trouble.contains("401"), "{trouble}");
    drop(uploading);
    assert_eq!((post.counts().sent, post.counts().dead), (0, 0));

    std::fs::write(at.join("token"), "sesame\n").expect("written");
    let uploading = post.upload(options);
    assert_eq!(post.wait_until_delivered().sent, 31);
    drop(uploading);
}

#[test]
fn an_expired_certificate_is_told_plainly_and_nothing_is_lost() {
    let directory = tempfile::tempdir().expect("a directory");
    let at = directory.path();
    if certificates(at, "-1").is_none() {
        return;
    }
    let (certificate, key) = (at.join("server.pem"), at.join("server.key"));
    let port = free_port();
    let tls = ["--tls", certificate.to_str().expect("a name"), key.to_str().expect("a name")];
    let Some(_server) = server(port, &at.join("received"), &tls) else { return };
    let post = Post::open(at);
    post.append(0..5);
    let mut options = quick(&format!("https://127.0.0.1:{port}/rows"));
    options.ca = Some(at.join("ca.pem"));
    let uploading = post.upload(options);
    let trouble = wait_for("trouble", Duration::from_secs(20), || uploading.trouble());
    assert!(trouble.contains("xpired"), "{trouble}");
    drop(uploading);
    assert_eq!(post.counts().pending, 6);
}

#[test]
fn rows_reach_the_endpoint_through_a_process_that_has_the_network_in_place_of_the_one_that_scans() {
    let directory = tempfile::tempdir().expect("a directory");
    let file = directory.path().join("received");
    let port = free_port();
    let post = Post::open(directory.path());
    let promised = post.append(0..300);
    let options = quick(&format!("http://127.0.0.1:{port}/rows"));
    let meeting = directory.path().join("relay.sock");
    let relay = Relay::listen(&meeting, options.timeout).expect("listens");
    let uploading = post.upload_through(options.clone(), Box::new(relay));
    let alone = wait_for("the uploader to notice that nobody carries", Duration::from_secs(20), || uploading.trouble());
    assert!(alone.contains("checkpointd-sync.service"), "{alone}");
    let Some(_server) = server(port, &file, &["--busy", "4"]) else { return };
    std::thread::spawn(move || {
        let mut centre = upload::centre(&options, &Clock::machine()).expect("good options");
        relay::carry(&meeting, &mut *centre);
    });
    let counts = post.wait_until_delivered();
    assert_eq!((counts.dead, counts.sent), (0, promised.len() as u64 + 1));
    let there: HashSet<_> = ids(&file).into_iter().collect();
    assert!(promised.is_subset(&there));
}
