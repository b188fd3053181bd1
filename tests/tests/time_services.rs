//! Time services as they are, on this machine's loopback: what each of them says before and after it knows the time.

mod programs;

use std::{fs, net::SocketAddr, os::unix::process::CommandExt, path::Path, process::Command, time::Duration};

use host::{chrony, gpsd};
use programs::{Program, find, free_port, wait_for};
use trustlist::time::UnixTime;

const PATIENCE: Duration = Duration::from_secs(90);

fn local(port: u16) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], port))
}

/// chronyd, which leaves this machine's clock alone (`-x`).
fn chronyd(program: &Path, folder: &Path, name: &str, more: &str) -> Program {
    let (at, file) = (folder.display(), folder.join(format!("{name}.conf")));
    let text = format!("pidfile {at}/{name}.pid\nbindcmdaddress /\n{more}\n");
    fs::write(&file, text).expect("written");
    let mut command = Command::new(program);
    Program::start(
        command.arg("-x").arg("-d").arg("-u").arg("root").arg("-f").arg(file).stderr(std::process::Stdio::null()),
    )
}

#[test]
fn chrony_confirms_the_clock_once_it_follows_a_server_and_not_by_its_own_word() {
    let Some(program) = find("chronyd", "chrony") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let (time, alone, follower) = (free_port(), free_port(), free_port());
    let command = |port: u16| format!("bindcmdaddress 127.0.0.1\ncmdport {port}");
    let own = format!("local stratum 5\nallow 127.0.0.1\nport {time}\n{}", command(alone));
    let _server = chronyd(&program, folder.path(), "server", &own);
    let asks = format!("server 127.0.0.1 port {time} iburst minpoll 0 maxpoll 0\nport 0\n{}", command(follower));
    let _follower = chronyd(&program, folder.path(), "follower", &asks);
    let heard = wait_for("chrony to follow the server", PATIENCE, || chrony::ask(local(follower)));
    let now = host::clock::Clock::machine().unix();
    assert!(now.since(heard.updated_at).abs() < 60, "{heard:?} at {now}");
    assert_eq!(chrony::ask(local(alone)), None, "a server that is its own reference confirms nothing");
}

#[test]
fn a_satellite_receiver_tells_the_time_once_it_has_a_fix() {
    let Some(program) = find("gpsfake", "gpsd-clients gpsd-tools").filter(|_| find("gpsd", "gpsd").is_some()) else {
        return;
    };
    let folder = tempfile::tempdir().expect("a folder");
    // A receiver that searches for a while, and then stands in Guangzhou at noon.
    let noon = UnixTime::parse_rfc3339("2026-11-28T12:00:00Z").expect("a time");
    let sentences: String = (0..120).flat_map(|second| sentences(second, second >= 4)).collect();
    let file = folder.path().join("receiver.nmea");
    fs::write(&file, sentences).expect("written");
    let port = free_port();
    let mut command = Command::new(program);
    // A group of its own: gpsd goes with the program that feeds it.
    let command = command.args(["-1", "-q", "-c", "0.1", "-P", &port.to_string()]).arg(file).process_group(0);
    let fed = Program::serve(command, port);
    let said = wait_for("a fix", PATIENCE, || gpsd::ask(local(port)));
    let group = format!("-{}", fed.0.id());
    let ended = Command::new("kill").args(["-TERM", "--", &group]).status();
    assert!(ended.is_ok_and(|ended| ended.success()));
    assert!((4..120).contains(&said.since(noon)), "{said}");
    wait_for("gpsd to go", PATIENCE, || gpsd::ask(local(port)).is_none().then_some(()));
}

/// What a receiver sends each second (NMEA 0183): time, place, and how many satellites it uses.
fn sentences(second: u32, fix: bool) -> [String; 3] {
    let time = format!("12{:02}{:02}.00", second / 60, second % 60);
    if fix {
        [
            sentence(&format!("GPRMC,{time},A,2307.8,N,11315.9,E,0.0,0.0,281126,,,A")),
            sentence(&format!("GPGGA,{time},2307.8,N,11315.9,E,1,08,0.9,10.0,M,0.0,M,,")),
            sentence("GPGSA,A,3,01,02,03,04,05,06,07,08,,,,,1.5,0.9,1.2"),
        ]
    } else {
        [
            sentence(&format!("GPRMC,{time},V,,,,,,,281126,,,N")),
            sentence(&format!("GPGGA,{time},,,,,0,00,,,M,,M,,")),
            sentence("GPGSA,A,1,,,,,,,,,,,,,,,"),
        ]
    }
}

fn sentence(words: &str) -> String {
    let sum = words.bytes().fold(0, |sum, byte| sum ^ byte);
    format!("${words}*{sum:02X}\r\n")
}
