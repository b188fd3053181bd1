//! The loopback is hostile too: what a page in the kiosk's browser, or any local user, may send to the pages.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    time::Duration,
};

use super::gate::{Daemon, eventually, nobody, today};

fn connect(daemon: &Daemon) -> TcpStream {
    let socket = TcpStream::connect(daemon.page().trim_start_matches("http://")).expect("it listens");
    socket.set_read_timeout(Some(Duration::from_secs(20))).expect("set");
    socket
}

/// What comes back for these bytes, until the other side closes.
fn answer(daemon: &Daemon, request: &str) -> String {
    let mut socket = connect(daemon);
    let _ = socket.write_all(request.as_bytes());
    let mut answer = Vec::new();
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn only_reading_is_allowed_by_the_loopbacks_name_and_every_page_keeps_to_itself() {
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let get = |path: &str, host: &str| {
        answer(&daemon, &format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"))
    };
    for method in ["PUT", "DELETE", "OPTIONS", "POST"] {
        let told = answer(&daemon, &format!("{method} / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
        assert!(told.starts_with("HTTP/1.1 405"), "{method}: {told}");
    }
    assert!(get("/status.json", "evil.example").starts_with("HTTP/1.1 421"), "a name pointed at the loopback");
    for path in ["/", "/operator"] {
        let page = get(path, "localhost");
        assert!(page.starts_with("HTTP/1.1 200") && page.contains("script-src 'self'"), "{page}");
        assert!(page.matches("<script").count() == page.matches("<script src=\"/assets/").count(), "an inline script");
        assert!(!page.contains("http://") && !page.contains("https://"), "something from elsewhere");
    }
    let long = format!("GET /{} HTTP/1.1\r\nHost: localhost\r\n\r\n", "a".repeat(20_000));
    assert!(!answer(&daemon, &long).starts_with("HTTP/1.1 200"), "a head without an end");
}

#[test]
fn a_client_that_says_nothing_is_dropped_and_one_that_opens_hundreds_of_connections_gets_no_more() {
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let mut silent: Vec<TcpStream> = (0..100).map(|_| connect(&daemon)).collect();
    let mut beyond = silent.pop().expect("a hundred");
    assert!(matches!(beyond.read(&mut [0]), Ok(0) | Err(_)), "the hundredth is closed at once");
    // The first ones are closed for saying nothing; then there is room again.
    assert!(silent[0].read(&mut [0; 256]).is_ok(), "within the deadline of a head");
    eventually("there is room", || answers(&daemon));
}

/// As many as the page takes at once, each of which has sent this.
fn crowd(daemon: &Daemon, request: &str) -> Vec<TcpStream> {
    let begun = |_| {
        let mut socket = connect(daemon);
        socket.write_all(request.as_bytes()).expect("sent");
        socket
    };
    (0..32).map(begun).collect()
}

/// Whether so many are answered at once.
fn room_for(daemon: &Daemon, many: usize) -> bool {
    let get = "GET /status.json HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut all: Vec<TcpStream> = (0..many).map(|_| connect(daemon)).collect();
    all.iter_mut().all(|socket| {
        socket.write_all(get.as_bytes()).is_ok() && matches!(socket.read(&mut [0; 4096]), Ok(length) if length > 0)
    })
}

fn answers(daemon: &Daemon) -> bool {
    ureq::get(format!("{}/status.json", daemon.page())).call().is_ok()
}

#[test]
fn those_who_send_half_a_request_hold_the_page_for_seconds_only() {
    let world = today();
    nobody(&world.path("frames"));
    let body =
        "POST /override HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    for half in ["GET /status.json HTTP/1.1\r\nHost: loc", body, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /st"] {
        let daemon = Daemon::start(&world, "");
        let crowd = crowd(&daemon, half);
        eventually("they have every place", || !answers(&daemon));
        eventually("they lost them", || answers(&daemon));
        drop(crowd);
    }
}

#[test]
fn those_who_listen_and_never_read_lose_their_places_and_little_is_kept_for_them() {
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let listen = "GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let mut screen = BufReader::new(connect(&daemon));
    screen.get_mut().write_all(listen.as_bytes()).expect("sent");
    let screen = std::thread::spawn(move || {
        // The lane's own screen, which reads: its stream is still there when the others' are not.
        let mut pictures = 0;
        for line in screen.lines().map_while(Result::ok) {
            pictures += usize::from(line == "event: preview");
        }
        pictures
    });
    let crowd = crowd(&daemon, listen);
    eventually("they have every place", || !answers(&daemon));
    // All of them: one that begins to read before it is dropped is none of those who never read.
    eventually("they lost them", || room_for(&daemon, 31));
    // What was on its way to those that were let in.
    for deaf in crowd.into_iter().take(31) {
        let mut kept = Vec::new();
        let _ = deaf.take(1 << 20).read_to_end(&mut kept);
        assert!(kept.len() < 1 << 20, "{} bytes were kept for one who never read", kept.len());
    }
    assert!(!screen.is_finished(), "the lane's screen was dropped, too");
    assert_eq!(daemon.stop(), Some(0));
    let pictures = screen.join().expect("it listened");
    assert!(pictures > 50, "the lane's screen had {pictures} aiming pictures in all that time");
}
