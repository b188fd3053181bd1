//! What a sync costs on the wire, counted where it travels: requests, answers and all their headers.

mod trust_support;
mod wire;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use sync::update::{Connections, IndexedMirror, MirrorAccess, SyncReport, SyncResult, TrustAnchor, WebMirror};
use trust_support::{HOUR, NOW, Post, newer, region, synced};
use trustlist::{status::Status, time::Moment};
use wire::{Meter, Nginx, Traffic};

/// A device with lists, and a web server with the same.
struct Line {
    post: Post,
    mirror: tempfile::TempDir,
    server: Nginx,
    meter: Meter,
    connections: Connections,
    has_index: bool,
    publications: u64,
}

impl Line {
    fn new() -> Option<Line> {
        let (post, mirror) = (Post::new(), tempfile::tempdir().expect("a folder"));
        wire::write(mirror.path(), &post.mirror.files.borrow());
        let server = Nginx::serve(mirror.path())?;
        let meter = Meter::before(&server);
        Some(Line {
            post,
            mirror,
            server,
            meter,
            connections: Connections::default(),
            has_index: false,
            publications: 0,
        })
    }

    /// The same with an index at the top.
    fn with_index() -> Option<Line> {
        let mut line = Line::new()?;
        line.has_index = true;
        line.index();
        Some(line)
    }

    fn index(&self) {
        let index = authority::mirror::Index::of_mirror(self.mirror.path()).expect("a mirror");
        assert_eq!((index.listed.len(), index.left_out.len()), (35, 0));
        authority::mirror::write(self.mirror.path(), &index).expect("written");
        authority::mirror::first::write(self.mirror.path(), &index.listed).expect("written");
    }

    fn publish(&mut self, hour: i64) {
        wire::write(self.mirror.path(), &self.post.publish(NOW.plus(HOUR * hour)));
        if self.has_index {
            self.index();
        }
        self.published();
    }

    /// What lies on the mirror now is newer than what lay there before.
    fn published(&mut self) {
        self.publications += 1;
        wire::publish_at(self.mirror.path(), self.publications);
    }

    fn sync(&mut self, hour: i64) -> (SyncReport, Traffic) {
        let anchor = TrustAnchor { first_root: Some(&self.post.root), moment: Moment::synced(NOW.plus(HOUR * hour)) };
        let way = MirrorAccess { timeout: Duration::from_secs(60), proxy: None, ca: None };
        let address = self.meter.url();
        let web = self.connections.mirror(&address, &way).expect("a mirror");
        let mut web = IndexedMirror::ask(web, &address, &self.post.store).expect("the store works");
        let report = synced(&mut self.post.store, &mut web, "mirror", &anchor).expect("the store works");
        web.remember(&mut self.post.store).expect("the store works");
        (report, self.meter.read())
    }

    /// The index alone, asked for by the tag that is known.
    fn index_alone(&mut self) -> Traffic {
        let way = MirrorAccess { timeout: Duration::from_secs(60), proxy: None, ca: None };
        let address = self.meter.url();
        let web = self.connections.mirror(&address, &way).expect("a mirror");
        assert!(IndexedMirror::ask(web, &address, &self.post.store).expect("the store works").has_index());
        self.meter.read()
    }
}

#[test]
fn with_an_index_nothing_new_costs_one_kib_and_thirty_five_new_timestamps_eight() {
    let Some(mut line) = Line::with_index() else { return };
    let (_, first) = line.sync(0);
    println!("the index and two issuers, for the first time: {first:?}");
    let (report, nothing) = line.sync(0);
    assert_eq!(report.result(), SyncResult::Unchanged, "{report}");
    let index = line.index_alone();
    println!("nothing new: {nothing:?}, {} bytes, of which the index {}", nothing.bytes(), index.bytes());
    assert!(index.bytes() <= 1024, "{index:?}");
    assert!(nothing.bytes() <= 3 * 1024, "{nothing:?}");
    assert_eq!(nothing.connections + index.connections, 0, "the connection is kept between rounds");
    line.publish(1);
    let (report, news) = line.sync(1);
    assert_eq!(newer(&report), 35, "{report}");
    println!("new timestamps only: {news:?}, {} bytes", news.bytes());
    assert!(news.bytes() <= 8 * 1024 + 2 * 1024, "{news:?}: the index, and two issuers past it");
    line.publish(2);
    let index = line.index_alone();
    println!("of which the index {}", index.bytes());
    assert!(index.bytes() <= 8 * 1024, "{index:?}");
}

#[test]
fn what_is_wrong_with_issuers_files_on_a_web_server_is_no_silence_of_the_server() {
    let Some(mut line) = Line::new() else { return };
    line.publish(1);
    let timestamp = |issuer: &str| line.mirror.path().join(issuer).join("metadata/timestamp.json");
    for issuer in ["110000", "120000", "130000"] {
        std::fs::write(timestamp(issuer), vec![b' '; 3 * 1024 * 1024]).expect("written");
    }
    for issuer in ["140000", "150000", "210000"] {
        std::fs::remove_file(timestamp(issuer)).expect("removed");
        // A loop: the server says that it is broken (500), and is not.
        std::os::unix::fs::symlink("timestamp.json", timestamp(issuer)).expect("linked");
    }
    for issuer in ["220000", "230000", "310000"] {
        std::fs::remove_file(timestamp(issuer)).expect("removed");
        std::fs::create_dir(timestamp(issuer)).expect("made");
    }
    let (report, _) = line.sync(1);
    assert_eq!(newer(&report), 35 - 9, "each of the nine costs itself: {report}");
    assert_eq!(report.issuers.len(), 35, "and everybody was asked");
}

/// Replays one round as it went over the wire, and reads as many bytes as came back then.
fn replay(stream: &mut TcpStream, requests: &[u8], down: u64) {
    stream.write_all(requests).expect("sent");
    let answered = std::io::copy(&mut stream.take(down), &mut std::io::sink()).expect("answered");
    assert_eq!(answered, down, "the server says the same each time");
}

/// Prints what stands in docs/lists.md.
#[test]
#[ignore = "a measurement: cargo test -p tests --test trust_wire -- --ignored --nocapture"]
fn what_fifty_thousand_gates_cost_a_mirror_that_they_ask_every_quarter_of_an_hour() {
    const GATES: f64 = 50_000.0;
    const EVERY: f64 = 900.0;
    const ROUNDS: u32 = 3000;
    let Some(mut line) = Line::with_index() else { return };
    line.sync(0);
    line.meter.requests();
    let print = |what: &str, requests: &[u8], traffic: Traffic, kept: bool, server: &Nginx| {
        let number = requests.windows(5).filter(|bytes| bytes == b"GET /").count();
        let connect = || TcpStream::connect(("127.0.0.1", server.port())).expect("a connection");
        let (before, mut stream) = (server.busy(), connect());
        for round in 0..ROUNDS {
            // A server ends a connection after a thousand requests; without a kept one each round has its own.
            if !kept || round % 50 == 0 {
                stream = connect();
            }
            replay(&mut stream, requests, traffic.down);
        }
        let busy = (server.busy() - before).as_secs_f64() / f64::from(ROUNDS);
        let rounds = GATES / EVERY;
        println!(
            "{what}: {number} requests and {} bytes a round; {:.0} requests/s, {:.1} Mbit/s, {:.2} cores, {:.1} GB a day",
            traffic.bytes(),
            number as f64 * rounds,
            traffic.bytes() as f64 * rounds * 8.0 / 1e6,
            busy * rounds,
            traffic.bytes() as f64 * rounds * 86_400.0 / 1e9,
        );
    };
    let (_, traffic) = line.sync(0);
    let requests = line.meter.requests();
    print("an index, nothing new", &requests, traffic, true, &line.server);
    let anchor = TrustAnchor { first_root: Some(&line.post.root), moment: Moment::synced(NOW) };
    let way = MirrorAccess { timeout: Duration::from_secs(60), proxy: None, ca: None };
    let mut web = WebMirror::new(&line.meter.url(), &way).expect("a mirror");
    synced(&mut line.post.store, &mut web, "mirror", &anchor).expect("the store works");
    let (traffic, requests) = (line.meter.read(), line.meter.requests());
    print("no index, as before", &requests, traffic, false, &line.server);
}

#[test]
fn a_first_sync_costs_less_than_sixty_parts_in_a_hundred_of_what_it_did_without_an_index() {
    let Some(mut line) = Line::with_index() else { return };
    for issuer in line.post.federation.issuers.keys().copied().collect::<Vec<_>>() {
        line.post.federation.authority(issuer).expect("there").statuses_mut().grow(10_000, NOW).expect("grown");
    }
    line.publish(1);
    let mut costs = Vec::new();
    for has_index in [false, true] {
        if !has_index {
            for file in ["index.json", "index.json.gz", "first.json", "first.json.gz"] {
                std::fs::remove_file(line.mirror.path().join(file)).expect("removed");
            }
        } else {
            line.index();
        }
        let new = tempfile::tempdir().expect("a folder");
        line.post.store = trust_support::empty_store(&new);
        let (report, traffic) = line.sync(1);
        assert_eq!(newer(&report), 35, "{report}");
        println!("first sync, an index: {has_index}: {traffic:?}");
        costs.push(traffic);
    }
    // 248 requests, 218,627 bytes down and 30,132 up were measured before there was an index.
    assert!(costs[1].down <= 218_627 * 6 / 10 && costs[1].up <= 30_132 * 6 / 10, "{:?}", costs[1]);
    assert!(costs[1].bytes() * 10 <= costs[0].bytes() * 6, "{costs:?}");
}

#[test]
fn a_first_file_that_lies_costs_no_more_than_itself() {
    let Some(mut line) = Line::with_index() else { return };
    let path = line.mirror.path().join("first.json");
    std::fs::remove_file(path.with_extension("json.gz")).expect("removed");
    let honest = std::fs::read_to_string(&path).expect("there");
    for (what, text) in [
        ("other bytes", honest.replace("sig", "gis")),
        ("a page", "<html>Please log in</html>".to_owned()),
        ("another format", honest.replace(r#"{"first":1"#, r#"{"first":2"#)),
    ] {
        std::fs::write(&path, text).expect("written");
        let new = tempfile::tempdir().expect("a folder");
        line.post.store = trust_support::empty_store(&new);
        let (report, _) = line.sync(0);
        assert_eq!(newer(&report), 35, "{what}: {report}");
    }
}

#[test]
fn each_round_two_issuers_are_asked_past_the_index_in_turn_and_a_frozen_index_holds_nobody_back_for_long() {
    let Some(mut line) = Line::with_index() else { return };
    line.sync(0);
    // Whoever keeps the mirror makes no new index any more.
    line.has_index = false;
    line.publish(1);
    let mut came = 0;
    for round in 1..=18 {
        let (report, _) = line.sync(1);
        came += newer(&report);
        assert!(newer(&report) <= 2, "{report}");
        assert_eq!(came, (2 * round).min(35), "{report}");
    }
}

#[test]
fn what_an_index_says_is_believed_no_more_than_the_files_themselves() {
    let Some(mut line) = Line::with_index() else { return };
    line.publish(1);
    let path = line.mirror.path().join("index.json");
    let honest = std::fs::read_to_string(&path).expect("an index");
    // The compressed form is what is sent.
    std::fs::remove_file(path.with_extension("json.gz")).expect("removed");
    let broken: [(&str, String); 6] = [
        ("signatures that do not hold", honest.replace(r#"\"sig\":\""#, r#"\"sig\":\"00"#)),
        ("roots that are none", honest.replace(r#""version":1"#, r#""version":99"#)),
        ("other roots", honest.replace(r#""digest":""#, r#""digest":"ff"#)),
        ("a page", "<html>Please log in</html>".to_owned()),
        ("nobody", r#"{"index":1,"issuers":{}}"#.to_owned()),
        ("another format", honest.replace(r#"{"index":1"#, r#"{"index":2"#)),
    ];
    for (hour, (what, index)) in (1..).zip(broken) {
        line.has_index = false;
        line.publish(hour);
        std::fs::write(&path, index).expect("written");
        line.published();
        let (report, _) = line.sync(hour);
        assert_eq!(newer(&report), 35, "{what}: every issuer is asked alone in the same round: {report}");
    }
}

#[test]
fn a_hundred_thousand_changed_codes_of_thirty_four_issuers_stay_below_256_kib() {
    const LISTS: u64 = 3;
    let Some(mut line) = Line::with_index() else { return };
    let provinces: Vec<_> =
        line.post.federation.issuers.keys().copied().filter(|issuer| *issuer != region("000000")).collect();
    assert_eq!(provinces.len(), 34);
    // A full cycle of a power of two, cut to the lists: indices that look random, and none twice.
    let index = |turn: u64| {
        (0..).scan(turn, |state, _: u64| {
            *state = state.wrapping_mul(5).wrapping_add(7) & 0x3f_ffff;
            Some(*state)
        })
    };
    for (turn, province) in (1..).zip(&provinces) {
        let statuses = line.post.federation.authority(*province).expect("there").statuses_mut();
        statuses.grow(LISTS * 1_000_000, NOW).expect("grown");
        for code in index(turn).filter(|code| *code < LISTS * 1_000_000).take(LISTS as usize * 1000) {
            statuses.set(code, Status::Revoked, NOW).expect("covered");
        }
    }
    line.publish(1);
    line.sync(1);
    let mut changed = 0;
    for (turn, province) in (1..).zip(&provinces) {
        let statuses = line.post.federation.authority(*province).expect("there").statuses_mut();
        let fresh = index(turn).filter(|code| *code < LISTS * 1_000_000).skip(LISTS as usize * 1000).take(2942);
        for (number, code) in fresh.enumerate() {
            let status = if number % 5 == 0 { Status::Suspended } else { Status::Revoked };
            changed += u64::from(statuses.set(code, status, NOW.plus(3 * HOUR)).expect("covered"));
        }
    }
    line.publish(3);
    let (report, traffic) = line.sync(3);
    assert_eq!(newer(&report), 35, "{report}");
    println!("{changed} of 102 million codes of 34 issuers changed: {traffic:?}, {} bytes", traffic.bytes());
    assert!(changed >= 100_000, "{changed}");
    assert!(traffic.bytes() <= 256 * 1024, "{traffic:?}");
}

#[test]
fn a_sync_without_news_of_thirty_five_repositories_stays_below_48_kib_on_one_connection() {
    let Some(mut line) = Line::new() else { return };
    let (report, traffic) = line.sync(0);
    assert_eq!(report.result(), SyncResult::Unchanged, "{report}");
    println!("nothing published since: {traffic:?}, {} bytes", traffic.bytes());
    assert_eq!(traffic.connections, 1);
    assert!(traffic.bytes() <= 48 * 1024, "{traffic:?}");

    // Published again without news: new timestamps. That is what a gate meets every day.
    line.publish(1);
    let (report, traffic) = line.sync(1);
    assert_eq!(newer(&report), 35, "{report}");
    println!("new timestamps only: {traffic:?}, {} bytes", traffic.bytes());
    assert_eq!(traffic.connections, 0, "the connection is kept between rounds");
    assert!(traffic.bytes() <= 48 * 1024, "{traffic:?}");
}

#[test]
fn over_tls_it_stays_below_48_kib_too() {
    let (mut post, folder) = (Post::new(), tempfile::tempdir().expect("a folder"));
    let (mirror, keys) = (folder.path().join("mirror"), folder.path().join("keys"));
    wire::write(&mirror, &post.mirror.files.borrow());
    std::fs::create_dir(&keys).expect("made");
    if wire::programs::certificates(&keys, "30").is_none() {
        return;
    }
    let Some(server) = Nginx::serve_tls(&mirror, &keys) else { return };
    let meter = Meter::before(&server);
    let way = MirrorAccess { timeout: Duration::from_secs(60), proxy: None, ca: Some(keys.join("ca.pem")) };
    let mut web = WebMirror::new(&meter.url().replace("http:", "https:"), &way).expect("a mirror");
    let anchor = TrustAnchor { first_root: Some(&post.root), moment: Moment::synced(NOW) };
    let report = synced(&mut post.store, &mut web, "mirror", &anchor).expect("the store works");
    assert_eq!(report.result(), SyncResult::Unchanged, "{report}");
    let traffic = meter.read();
    println!("over TLS: {traffic:?}, {} bytes", traffic.bytes());
    assert_eq!(traffic.connections, 1);
    assert!(traffic.bytes() <= 48 * 1024, "{traffic:?}");
}

#[test]
fn one_code_in_a_thousand_changed_costs_two_and_a_half_bytes_a_code_with_everything_that_travels() {
    const LISTS: u64 = 10;
    let Some(mut line) = Line::new() else { return };
    let province = region("440000");
    // Indices that look random and are none twice: a full cycle of a power of two, cut to the list.
    let mut state = 1_u64;
    let mut index = || {
        loop {
            state = (state.wrapping_mul(5).wrapping_add(7)) & 0xff_ffff;
            if state < LISTS * 1_000_000 {
                return state;
            }
        }
    };
    let statuses = line.post.federation.authority(province).expect("there").statuses_mut();
    statuses.grow(LISTS * 1_000_000, NOW).expect("grown");
    for _ in 0..LISTS * 10_000 {
        statuses.set(index(), Status::Revoked, NOW).expect("covered");
    }
    line.publish(1);
    line.sync(1);
    line.publish(2);
    let (_, without_news) = line.sync(2);

    let statuses = line.post.federation.authority(province).expect("there").statuses_mut();
    let mut changed = 0;
    while changed < LISTS * 1000 {
        let status = if changed % 5 == 0 { Status::Suspended } else { Status::Revoked };
        changed += u64::from(statuses.set(index(), status, NOW.plus(3 * HOUR)).expect("covered"));
    }
    line.publish(3);
    let (report, with_news) = line.sync(3);
    assert_eq!(newer(&report), 35, "{report}");
    let news = with_news.bytes() - without_news.bytes();
    println!("{changed} of {LISTS} million codes changed: {news} bytes more than a sync without news");
    assert!(news <= LISTS * 1000 * 256 * 1024 / 100_000, "{news} bytes");
}
