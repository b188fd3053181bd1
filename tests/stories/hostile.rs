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
fn hundreds_of_clients_that_say_nothing_keep_nobody_out_and_the_first_of_them_make_room() {
    let world = today();
    nobody(&world.path("frames"));
    let daemon = Daemon::start(&world, "");
    let mut silent: Vec<TcpStream> = (0..200).map(|_| connect(&daemon)).collect();
    assert!(answers(&daemon), "a newcomer has a place");
    assert!(matches!(silent[0].read(&mut [0; 256]), Ok(0) | Err(_)), "the first was closed");
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
fn those_who_send_half_a_request_keep_nobody_out() {
    let world = today();
    nobody(&world.path("frames"));
    let body =
        "POST /override HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{";
    for half in ["GET /status.json HTTP/1.1\r\nHost: loc", body, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\nGET /st"] {
        let daemon = Daemon::start(&world, "");
        let _crowd = crowd(&daemon, half);
        assert!(answers(&daemon), "{half}");
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
    assert!(answers(&daemon), "a newcomer is served although they have every place");
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
