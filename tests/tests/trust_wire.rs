//! What a sync costs on the wire, counted where it travels: requests, answers and all their headers.

mod trust_support;
mod wire;

use std::time::Duration;

use sync::update::{MirrorAccess, SyncReport, SyncResult, TrustAnchor, WebMirror};
use trust_support::{HOUR, NOW, Post, newer, region, synced};
use trustlist::{status::Status, time::Moment};
use wire::{Meter, Nginx, Traffic};

/// A device with lists, and a web server with the same.
struct Line {
    post: Post,
    mirror: tempfile::TempDir,
    _server: Nginx,
    meter: Meter,
}

impl Line {
    fn new() -> Option<Line> {
        let (post, mirror) = (Post::new(), tempfile::tempdir().expect("a folder"));
        wire::write(mirror.path(), &post.mirror.files.borrow());
        let server = Nginx::serve(mirror.path())?;
        let meter = Meter::before(&server);
        Some(Line { post, mirror, _server: server, meter })
    }

    fn publish(&mut self, hour: i64) {
        wire::write(self.mirror.path(), &self.post.publish(NOW.plus(HOUR * hour)));
    }

    fn sync(&mut self, hour: i64) -> (SyncReport, Traffic) {
        let anchor = TrustAnchor { first_root: Some(&self.post.root), moment: Moment::synced(NOW.plus(HOUR * hour)) };
        let way = MirrorAccess { timeout: Duration::from_secs(60), proxy: None, ca: None };
        let mut web = WebMirror::new(&self.meter.url(), &way).expect("a mirror");
        let report = synced(&mut self.post.store, &mut web, "mirror", &anchor).expect("the store works");
        (report, self.meter.read())
    }
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
    assert_eq!(traffic.connections, 1);
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
