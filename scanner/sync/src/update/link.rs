//! Whether the network just came back, as the kernel tells it: a routing netlink socket (rtnetlink(7)) that hears of new addresses and routes.
//!
//! A message is a hint to try, never a promise; nothing else is read from it.

/// Somebody to wait for until the link comes up; `None` where the system has no such thing, or does not let us.
#[cfg(target_os = "linux")]
pub use linux::listen;

/// No netlink here: the timer alone decides.
#[cfg(not(target_os = "linux"))]
#[must_use]
pub fn listen() -> Option<std::sync::mpsc::Receiver<()>> {
    None
}

/// `RTM_NEWADDR` and `RTM_NEWROUTE` of rtnetlink(7).
const NEW_ADDRESS: u16 = 20;
const NEW_ROUTE: u16 = 24;
/// `RT_SCOPE_HOST`: an address that leads nowhere but here.
const SCOPE_HOST: u8 = 254;
/// `RTN_UNICAST`: a way to somewhere else.
const UNICAST: u8 = 1;

/// Whether a datagram of netlink messages says that there is a new way out.
#[must_use]
pub fn is_a_way_out(mut datagram: &[u8]) -> bool {
    // struct nlmsghdr { u32 len; u16 type; u16 flags; u32 seq; u32 pid; }, then the body, padded to four bytes.
    while let Some((header, _)) = datagram.split_at_checked(16) {
        let length = usize::try_from(u32::from_ne_bytes([header[0], header[1], header[2], header[3]])).unwrap_or(0);
        let kind = u16::from_ne_bytes([header[4], header[5]]);
        let Some(body) = datagram.get(16..length) else { return false };
        let out = match kind {
            // struct ifaddrmsg { u8 family, prefixlen, flags, scope; u32 index; }
            NEW_ADDRESS => body.get(3).is_some_and(|scope| *scope < SCOPE_HOST),
            // struct rtmsg { u8 family, dst_len, src_len, tos, table, protocol, scope, type; u32 flags; }
            NEW_ROUTE => body.get(1) == Some(&0) && body.get(7) == Some(&UNICAST),
            _ => false,
        };
        if out {
            return true;
        }
        datagram = datagram.get(length.next_multiple_of(4)..).unwrap_or_default();
    }
    false
}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        sync::mpsc::{self, Receiver, TrySendError},
        thread,
    };

    use rustix::{
        io::Errno,
        net::{AddressFamily, Protocol, RecvFlags, SocketFlags, SocketType, bind, netlink, recv, socket_with},
    };

    use super::is_a_way_out;

    /// `RTMGRP_IPV4_IFADDR`, `RTMGRP_IPV4_ROUTE`, `RTMGRP_IPV6_IFADDR`, `RTMGRP_IPV6_ROUTE` (linux/rtnetlink.h).
    const GROUPS: u32 = 0x10 | 0x40 | 0x100 | 0x400;
    /// Protocol 0, which rustix writes as none.
    const NETLINK_ROUTE: Option<Protocol> = None;
    /// What netlink(7) advises for one datagram.
    const DATAGRAM: usize = 8192;

    /// Listens on a thread of its own, which ends with the process or when nobody waits any more.
    #[must_use]
    pub fn listen() -> Option<Receiver<()>> {
        let open = || {
            let flags = SocketFlags::CLOEXEC;
            let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, NETLINK_ROUTE)?;
            bind(&socket, &netlink::SocketAddrNetlink::new(0, GROUPS))?;
            Ok::<_, Errno>(socket)
        };
        let socket = match open() {
            Ok(socket) => socket,
            Err(error) => {
                log::info!("no news of the link ({error}); the timer alone decides when mirrors are asked");
                return None;
            }
        };
        // One waiting hint is as good as many.
        let (tell, told) = mpsc::sync_channel(1);
        let listen = move || {
            let mut datagram = [0; DATAGRAM];
            loop {
                let up = match recv(&socket, &mut datagram[..], RecvFlags::empty()) {
                    Ok((read, _)) => is_a_way_out(&datagram[..read]),
                    // Too much happened to hear it all: perhaps this too.
                    Err(Errno::NOBUFS) => true,
                    Err(Errno::INTR) => false,
                    Err(error) => {
                        log::warn!("no more news of the link: {error}");
                        return;
                    }
                };
                if up && matches!(tell.try_send(()), Err(TrySendError::Disconnected(()))) {
                    return;
                }
            }
        };
        thread::Builder::new().name("link".to_owned()).spawn(listen).ok().map(|_| told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(kind: u16, body: &[u8]) -> Vec<u8> {
        let length = u32::try_from(16 + body.len()).expect("short");
        let mut bytes = length.to_ne_bytes().to_vec();
        bytes.extend(kind.to_ne_bytes());
        bytes.extend([0; 10]);
        bytes.extend(body);
        bytes.resize(bytes.len().next_multiple_of(4), 0);
        bytes
    }

    #[test]
    fn a_new_address_or_default_route_is_a_way_out_and_the_loopback_is_none() {
        let global = message(NEW_ADDRESS, &[2, 24, 0, 0, 3, 0, 0, 0]);
        let loopback = message(NEW_ADDRESS, &[2, 8, 0, SCOPE_HOST, 1, 0, 0, 0]);
        let default = message(NEW_ROUTE, &[2, 0, 0, 0, 254, 3, 0, UNICAST, 0, 0, 0, 0]);
        let local = message(NEW_ROUTE, &[2, 24, 0, 0, 254, 3, 253, UNICAST, 0, 0, 0, 0]);
        assert!(is_a_way_out(&global) && is_a_way_out(&default));
        assert!(!is_a_way_out(&loopback) && !is_a_way_out(&local));
        assert!(is_a_way_out(&[loopback, local, default].concat()), "the third of three");
        assert!(!is_a_way_out(&message(21, &[2, 24, 0, 0])), "an address that went");
    }

    #[test]
    fn messages_that_are_cut_short_or_lie_about_their_length_say_nothing() {
        let whole = message(NEW_ADDRESS, &[2, 24, 0, 0, 3, 0, 0, 0]);
        for length in 0..16 {
            assert!(!is_a_way_out(&whole[..length]));
        }
        for claimed in [0_u32, 1, 15, 4096, u32::MAX] {
            let mut lying = whole.clone();
            lying[..4].copy_from_slice(&claimed.to_ne_bytes());
            assert!(!is_a_way_out(&lying), "{claimed}");
        }
    }
}
