//! What chrony says of the clock: its tracking report, asked for on the loopback as chronyc(1) does.
//!
//! The layout is that of `candm.h` in chrony's sources, protocol version 6, all numbers in network order. A request is as long as its
//! answer, so that nobody is flooded by answers to requests that they did not make.

use std::{
    io,
    net::{Ipv4Addr, SocketAddr, UdpSocket},
    time::Duration,
};

use trustlist::time::UnixTime;

/// Where chronyd answers on the loopback (`cmdport`, chrony.conf(5)).
pub const ADDRESS: SocketAddr = SocketAddr::new(std::net::IpAddr::V4(Ipv4Addr::LOCALHOST), 323);
/// How long an answer is waited for. It comes from this machine.
const PATIENCE: Duration = Duration::from_millis(200);

const VERSION: u8 = 6;
const REQUEST: u8 = 1;
const REPLY: u8 = 2;
const REQ_TRACKING: u16 = 33;
const RPY_TRACKING: u16 = 5;
/// Length of the tracking report with its head.
const LENGTH: usize = 104;
/// Three is "not synchronised" (RFC 5905 §7.3, leap indicator).
const LEAP_UNSYNCHRONISED: u16 = 3;
/// 127.127.1.1: chrony is its own reference (`local`, chrony.conf(5)), which confirms nothing.
const LOCAL_REFERENCE: u32 = 0x7f7f_0101;

/// When chrony last heard its source, and how often it does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Tracking {
    /// The last update of the clock.
    pub updated_at: UnixTime,
    /// Seconds between the last two.
    pub interval: Duration,
}

/// Asks; `None` where nobody answers, or chrony follows no source.
#[must_use]
pub fn ask(address: SocketAddr) -> Option<Tracking> {
    answer(address).ok().and_then(|reply| tracking(&reply))
}

fn answer(address: SocketAddr) -> io::Result<Vec<u8>> {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    socket.connect(address)?;
    socket.set_read_timeout(Some(PATIENCE))?;
    let mut request = [0; LENGTH];
    request[0] = VERSION;
    request[1] = REQUEST;
    request[4..6].copy_from_slice(&REQ_TRACKING.to_be_bytes());
    socket.send(&request)?;
    let mut reply = vec![0; LENGTH + 1];
    let length = socket.recv(&mut reply)?;
    reply.truncate(length);
    Ok(reply)
}

fn tracking(reply: &[u8]) -> Option<Tracking> {
    if reply.len() != LENGTH || reply[0] != VERSION || reply[1] != REPLY {
        return None;
    }
    let short = |at: usize| Some(u16::from_be_bytes(reply.get(at..at + 2)?.try_into().ok()?));
    let long = |at: usize| Some(u32::from_be_bytes(reply.get(at..at + 4)?.try_into().ok()?));
    let (kind, status) = (short(6)?, short(8)?);
    if (kind, status) != (RPY_TRACKING, 0) || long(28)? == LOCAL_REFERENCE || short(54)? >= LEAP_UNSYNCHRONISED {
        return None;
    }
    // Seconds in two halves; the upper one is 0x7fffffff where it is not used.
    let high = Some(long(56)?).filter(|high| *high != 0x7fff_ffff).unwrap_or(0);
    let seconds = i64::from(high) << 32 | i64::from(long(60)?);
    let interval = Duration::try_from_secs_f64(float(long(100)?).max(1.0)).ok()?;
    Some(Tracking { updated_at: UnixTime(seconds), interval })
}

/// chrony's own float: seven bits of exponent, twenty-five of coefficient, both signed (`Float` in `candm.h`).
fn float(bits: u32) -> f64 {
    let exponent = (bits as i32) >> 25;
    let coefficient = ((bits << 7) as i32) >> 7;
    f64::from(coefficient) * 2f64.powi(exponent - 25)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A report of a clock that follows a server, updated at 1,800,000,000, every 64 seconds.
    fn report() -> Vec<u8> {
        let mut reply = vec![0; LENGTH];
        reply[..2].copy_from_slice(&[VERSION, REPLY]);
        reply[4..6].copy_from_slice(&REQ_TRACKING.to_be_bytes());
        reply[6..8].copy_from_slice(&RPY_TRACKING.to_be_bytes());
        reply[28..32].copy_from_slice(&[192, 0, 2, 7]);
        reply[60..64].copy_from_slice(&1_800_000_000u32.to_be_bytes());
        // 64 = 2^23 × 2^(8 - 25).
        reply[100..104].copy_from_slice(&(8 << 25 | 1u32 << 23).to_be_bytes());
        reply
    }

    #[test]
    fn a_clock_that_follows_a_server_is_heard_and_one_that_follows_itself_or_nobody_is_not() {
        let heard = tracking(&report()).expect("a report");
        assert_eq!(heard, Tracking { updated_at: UnixTime(1_800_000_000), interval: Duration::from_secs(64) });
        let with = |at: usize, bytes: &[u8]| {
            let mut reply = report();
            reply[at..at + bytes.len()].copy_from_slice(bytes);
            reply
        };
        assert_eq!(tracking(&with(54, &[0, 3])), None, "not synchronised");
        assert_eq!(tracking(&with(28, &[127, 127, 1, 1])), None, "its own reference");
        assert_eq!(tracking(&with(8, &[0, 2])), None, "it refuses to say");
        assert_eq!(tracking(&with(6, &[0, 4])), None, "another report");
        assert_eq!(tracking(&report()[..103]), None);
        assert_eq!(tracking(&[]), None);
        let high = tracking(&with(56, &[0x7f, 0xff, 0xff, 0xff])).expect("a report");
        assert_eq!(high.updated_at, UnixTime(1_800_000_000), "the upper half is not used");
    }

    #[test]
    fn where_nobody_answers_nothing_is_heard() {
        let silent = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
        assert_eq!(ask(silent.local_addr().expect("an address")), None);
    }
}
