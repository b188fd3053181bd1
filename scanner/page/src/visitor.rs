//! Who a client of the page is: every local user can reach a loopback port, and not everybody may see a face or a name.
//!
//! The kernel says which user owns the other end of a connection (`/proc/net/tcp`, proc(5)); nothing that a client sends can change that.
//! The house is whoever runs the daemon, root, and the users whose browsers are this gate's screens. Where the system does not tell, on
//! a laptop without `/proc`, there is no such distinction.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Who is connected.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Visitor {
    /// A screen of this gate, or its keeper: sees the aiming picture and names, and has places of its own.
    House,
    /// Any other local user: sees what is said of the device, and nothing of a person.
    Stranger,
}

/// The users that are of the house, by their numbers.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct House(BTreeSet<u32>);

impl House {
    /// The house of these users, beside root.
    #[must_use]
    pub fn of(users: impl IntoIterator<Item = u32>) -> House {
        House(users.into_iter().chain([0]).collect())
    }

    /// Who sits at the other end of a connection from `client` to `server`.
    #[must_use]
    pub fn visitor(&self, client: SocketAddr, server: SocketAddr) -> Visitor {
        let Some(tables) = tables() else { return Visitor::House };
        match tables.iter().find_map(|table| owner(table, client, server)) {
            Some(user) if self.0.contains(&user) => Visitor::House,
            _ => Visitor::Stranger,
        }
    }
}

#[cfg(target_os = "linux")]
fn tables() -> Option<[String; 2]> {
    let read = |name| std::fs::read_to_string(name).unwrap_or_default();
    Some([read("/proc/self/net/tcp"), read("/proc/self/net/tcp6")])
}

#[cfg(not(target_os = "linux"))]
fn tables() -> Option<[String; 2]> {
    None
}

/// The user of the socket whose own end is `client`. Only of one that is connected: the kernel says 0, which is root, of those that fade.
fn owner(table: &str, client: SocketAddr, server: SocketAddr) -> Option<u32> {
    const CONNECTED: &str = "01";
    let ends = |v6| (written(client, v6), written(server, v6));
    let (four, six) = (ends(false), ends(true));
    table.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_ascii_whitespace().collect();
        let [_, own, other, state, _, _, _, user, _, inode, ..] = fields.as_slice() else { return None };
        let is_it = |(client, server): &(Option<String>, String)| client.as_deref() == Some(own) && server == other;
        let alive = *state == CONNECTED && *inode != "0";
        let wanted = |ends: &(Option<String>, Option<String>)| ends.0.clone().zip(ends.1.clone());
        let found =
            [wanted(&four), wanted(&six)].into_iter().flatten().any(|(client, server)| is_it(&(Some(client), server)));
        (alive && found).then(|| user.parse().ok()).flatten()
    })
}

/// An address as these tables write it: each four bytes as a number of this machine, in hexadecimal. An IPv4 address in the table of IPv6
/// is a mapped one (RFC 4291 §2.5.5.2).
fn written(address: SocketAddr, v6: bool) -> Option<String> {
    let bytes: Vec<u8> = match (address.ip(), v6) {
        (IpAddr::V4(four), false) => four.octets().to_vec(),
        (IpAddr::V4(four), true) => Ipv4Addr::to_ipv6_mapped(&four).octets().to_vec(),
        (IpAddr::V6(six), true) => six.octets().to_vec(),
        (IpAddr::V6(_), false) => return None,
    };
    let words = bytes.chunks_exact(4).map(|word| u32::from_ne_bytes([word[0], word[1], word[2], word[3]]));
    let address_in_hex: String = words.map(|word| format!("{word:08X}")).collect();
    Some(format!("{address_in_hex}:{:04X}", address.port()))
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLIENT: &str = "127.0.0.1:40000";
    const SERVER: &str = "127.0.0.1:8470";

    fn address(text: &str) -> SocketAddr {
        text.parse().expect("an address")
    }

    /// A line of the kernel's, of a socket in this state of this user.
    fn line(client: &str, server: &str, v6: bool, state: &str, user: u32, inode: u32) -> String {
        let [own, other] = [client, server].map(|text| written(address(text), v6).expect("an address of this table"));
        format!(
            "   3: {own} {other} {state} 00000000:00000000 00:00000000 00000000  {user}        0 {inode} 1 0000000000000000 20 4 30 10 -1\n"
        )
    }

    #[test]
    fn the_owner_of_the_other_end_is_found_and_nobody_elses() {
        let head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n";
        let owner = |lines: &[String]| owner(&(head.to_owned() + &lines.concat()), address(CLIENT), address(SERVER));
        let ours = line(SERVER, CLIENT, false, "01", 990, 1);
        assert_eq!(owner(std::slice::from_ref(&ours)), None, "our own end");
        assert_eq!(owner(&[ours.clone(), line(CLIENT, SERVER, false, "01", 1000, 2)]), Some(1000));
        assert_eq!(owner(&[ours.clone(), line(CLIENT, SERVER, true, "01", 1001, 2)]), Some(1001), "of an IPv6 socket");
        assert_eq!(owner(&[line("127.0.0.1:40001", SERVER, false, "01", 1000, 2)]), None);
        assert_eq!(owner(&[line(CLIENT, SERVER, false, "06", 0, 0)]), None, "a socket that fades is not root's");
        assert_eq!(owner(&["nonsense\n".to_owned()]), None);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_connection_of_this_very_user_is_told_from_one_of_a_stranger() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
        let client = std::net::TcpStream::connect(listener.local_addr().expect("bound")).expect("connected");
        let (server, peer) = listener.accept().expect("accepted");
        let local = server.local_addr().expect("connected");
        let table = tables().expect("Linux");
        let user = table.iter().find_map(|table| owner(table, peer, local)).expect("the kernel knows");
        assert_eq!(House::of([user]).visitor(peer, local), Visitor::House);
        if user != 0 {
            assert_eq!(House::of([user + 1]).visitor(peer, local), Visitor::Stranger);
        }
        drop(client);
    }
}
