//! What a satellite receiver says the time is, asked of gpsd on the loopback (gpsd_json(5)).
//!
//! gpsd sets no clock itself: it tells chrony or another service, or nobody. So its word is compared with this machine's clock, and confirms it
//! where they agree.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    net::{Ipv4Addr, SocketAddr, TcpStream},
    time::Duration,
};

use serde::Deserialize;
use trustlist::time::UnixTime;

/// Where gpsd answers on the loopback.
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 2947);
/// How long one answer counts: it is asked several times in that.
pub const POLL: Duration = Duration::from_secs(60);

/// How long an answer is waited for. It comes from this machine, and gpsd answers a poll at once.
const PATIENCE: Duration = Duration::from_millis(200);
/// Most bytes of its answers. Stops whatever else listens there from talking without end.
const LONGEST: u64 = 64 * 1024;
/// Most lines: its version, its devices, the watch and the poll, each once.
const LINES: usize = 8;
/// A fix in two dimensions (gpsd_json(5), TPV, `mode`): below that the time may be the receiver's own guess.
const FIX: u8 = 2;

/// Asks; `None` where nobody answers, or the receiver has no fix.
#[must_use]
pub fn ask(address: SocketAddr) -> Option<UnixTime> {
    poll(address).ok().flatten()
}

fn poll(address: SocketAddr) -> io::Result<Option<UnixTime>> {
    let mut stream = TcpStream::connect_timeout(&address, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(b"?WATCH={\"enable\":true}\n?POLL;\n")?;
    for line in BufReader::new(stream.take(LONGEST)).lines().take(LINES) {
        let line = line?;
        if line.starts_with("{\"class\":\"POLL\"") {
            return Ok(fixed(&line));
        }
    }
    Ok(None)
}

/// The time of the newest fix in the answer to a poll.
fn fixed(line: &str) -> Option<UnixTime> {
    #[derive(Deserialize)]
    struct Poll {
        #[serde(default)]
        tpv: Vec<Report>,
    }
    #[derive(Deserialize)]
    struct Report {
        #[serde(default)]
        mode: u8,
        time: Option<String>,
    }
    let poll: Poll = serde_json::from_str(line).ok()?;
    let fixes = poll.tpv.iter().filter(|report| report.mode >= FIX);
    fixes.filter_map(|report| UnixTime::parse_rfc3339(report.time.as_deref()?)).max()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_time_of_a_fix_counts_and_a_receiver_without_one_says_nothing() {
        let fix =
            |mode: u8, time: &str| format!(r#"{{"class":"TPV","device":"/dev/ttyS0","mode":{mode},"time":"{time}"}}"#);
        let poll = |reports: &[String]| {
            format!(
                r#"{{"class":"POLL","time":"2026-11-28T12:00:00.000Z","active":1,"tpv":[{}],"sky":[]}}"#,
                reports.join(",")
            )
        };
        let noon = UnixTime::parse_rfc3339("2026-11-28T12:00:00Z");
        assert_eq!(fixed(&poll(&[fix(3, "2026-11-28T12:00:00.000Z")])), noon);
        assert_eq!(fixed(&poll(&[fix(1, "2099-01-01T00:00:00.000Z"), fix(2, "2026-11-28T12:00:00.000Z")])), noon);
        for nothing in
            [poll(&[]), poll(&[fix(1, "2026-11-28T12:00:00.000Z")]), poll(&[fix(3, "noon")]), "{}".to_owned()]
        {
            assert_eq!(fixed(&nothing), None, "{nothing}");
        }
    }

    #[test]
    fn where_nobody_answers_or_somebody_talks_without_end_nothing_is_known() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let address = listener.local_addr().expect("an address");
        let talker = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().expect("asked");
            while stream.write_all(&[b'x'; 4096]).is_ok() {}
        });
        assert_eq!(ask(address), None);
        talker.join().expect("it ends when nobody listens any more");
        assert_eq!(ask(address), None, "the port is closed");
    }
}
