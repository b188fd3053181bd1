//! Real mirrors on the loopback: behind TLS with an authority of one's own, behind a proxy, behind nginx; and a link that comes up.

use std::{
    fs,
    io::Read,
    process::{Command, Stdio},
    time::{Duration, Instant},
};

#[path = "../tests/programs/mod.rs"]
mod programs;

use programs::{Program, certificates, find, free_port};

use super::lists::{Publisher, device, run};

const HTTPS: &str = "
import functools, http.server, ssl, sys
handler = functools.partial(http.server.SimpleHTTPRequestHandler, directory=sys.argv[2])
server = http.server.ThreadingHTTPServer(('127.0.0.1', int(sys.argv[1])), handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain('server.pem', 'server.key')
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
";

#[test]
fn a_mirror_behind_an_authority_of_ones_own_is_believed_once_that_is_named_and_not_before() {
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("seed"));
    if certificates(top, "30").is_none() {
        return;
    }
    let port = free_port();
    let mut https = Command::new("python3");
    let _server = Program::serve(https.args(["-c", HTTPS, &port.to_string(), "seed"]).current_dir(top), port);
    let mirrors = format!("[sync]\nmirrors = [\"https://127.0.0.1:{port}/\"]\n");
    let (status, said) = run(top, &device(top, "stranger", &mirrors), &["sync", "once"]);
    assert_eq!(status, Some(1), "{said}");
    assert!(said.to_lowercase().contains("certificate"), "{said}");
    let named = format!("{mirrors}ca = \"{}/ca.pem\"\n", top.display());
    let (status, said) = run(top, &device(top, "gate", &named), &["sync", "once"]);
    assert!(status == Some(0) && said.ends_with(": updated\n"), "{said}");
}

#[test]
fn mirrors_are_reached_through_the_proxy_and_not_around_it() {
    let Some(tinyproxy) = find("tinyproxy", "tinyproxy") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("seed"));
    let (web, proxy) = (free_port(), free_port());
    let mut plain = Command::new("python3");
    let plain =
        plain.args(["-m", "http.server", "--bind", "127.0.0.1", &web.to_string()]).current_dir(top.join("seed"));
    let _web = Program::serve(plain, web);
    let log = top.join("proxy.log");
    let text =
        format!("Port {proxy}\nListen 127.0.0.1\nLogFile \"{}\"\nLogLevel Connect\nMaxClients 20\n", log.display());
    fs::write(top.join("proxy.conf"), text).expect("written");
    let mirrors = format!(
        "[sync]\nmirrors = [\"http://127.0.0.1:{web}/\"]\nproxy = \"http://127.0.0.1:{proxy}\"\ntimeout = \"5s\"\n"
    );
    let gate = device(top, "gate", &mirrors);
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert_eq!(status, Some(1), "the mirror is there and the proxy is not: {said}");
    let mut tinyproxy = Command::new(tinyproxy);
    let _proxy = Program::serve(tinyproxy.arg("-d").arg("-c").arg(top.join("proxy.conf")), proxy);
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert!(status == Some(0) && said.ends_with(": updated\n"), "{said}");
    let log = fs::read_to_string(log).expect("the proxy keeps a log");
    assert!(log.contains(&format!("127.0.0.1:{web}")), "{log}");
}

#[test]
fn the_mirror_of_the_documents_serves_a_first_sync_and_one_with_nothing_new() {
    let Some(nginx) = find("nginx", "nginx-light") else { return };
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    let mut publisher = Publisher::new();
    publisher.publish(&top.join("seed"));
    let text = include_str!("../../docs/carrying.md");
    let block =
        text.split("```nginx\n").nth(1).and_then(|rest| rest.split("```").next()).expect("a configuration of nginx");
    let port = free_port();
    let server = block
        .replace("listen 80;", &format!("listen 127.0.0.1:{port};"))
        .replace("/srv/trust", &top.join("seed").display().to_string());
    assert!(server.contains(&port.to_string()) && !server.contains("/srv/trust"), "{server}");
    let (here, user) = (top.display(), "user root;");
    let conf = format!(
        "daemon off; pid {here}/nginx.pid; error_log {here}/nginx.log; {user}\nevents {{}}\nhttp {{ access_log {here}/access.log;\n\
         client_body_temp_path {here}/b; proxy_temp_path {here}/p; fastcgi_temp_path {here}/f; uwsgi_temp_path {here}/u;\n\
         scgi_temp_path {here}/s;\n{server}}}\n"
    );
    fs::write(top.join("nginx.conf"), conf).expect("written");
    let mut nginx = Command::new(nginx);
    let _nginx = Program::serve(nginx.arg("-c").arg(top.join("nginx.conf")).arg("-e").arg(top.join("nginx.log")), port);
    let gate = device(top, "gate", &format!("[sync]\nmirrors = [\"http://127.0.0.1:{port}/\"]\n"));
    let (status, said) = run(top, &gate, &["sync", "once"]);
    assert!(status == Some(0) && said.ends_with(": updated\n"), "{said}");
    let first = fs::read_to_string(top.join("access.log")).expect("a log").lines().count();
    let (_, said) = run(top, &gate, &["sync", "once"]);
    assert!(said.ends_with(": unchanged\n"), "{said}");
    let second = fs::read_to_string(top.join("access.log")).expect("a log").lines().count();
    assert_eq!(second - first, 71, "an index that is not there, then a root and a timestamp each");
    let index = authority::mirror::Index::of_mirror(&top.join("seed")).expect("a mirror");
    authority::mirror::write(&top.join("seed"), &index).expect("written");
    for what in ["the index comes", "the index is as it was"] {
        let (_, said) = run(top, &gate, &["sync", "once"]);
        assert!(said.ends_with(": unchanged\n"), "{said}");
        let log = fs::read_to_string(top.join("access.log")).expect("a log");
        let asked: Vec<&str> = log.lines().skip(second).collect();
        if what == "the index comes" {
            assert_eq!(asked.len(), 5, "the index, and a root and a timestamp of two issuers: {asked:?}");
        } else {
            assert_eq!(asked.len(), 10, "{asked:?}");
            assert!(asked[5].contains("/index.json") && asked[5].contains(" 304 "), "{asked:?}");
            assert!(asked[2].split(' ').nth(6) != asked[7].split(' ').nth(6), "other issuers each time: {asked:?}");
        }
    }
}

#[test]
fn mirrors_are_asked_as_soon_as_the_link_comes_up() {
    // A network of its own, in which an address comes after a while.
    let alone = Command::new("unshare").args(["-rn", "ip", "link", "set", "lo", "up"]).output();
    if !alone.is_ok_and(|output| output.status.success()) {
        eprintln!("SKIPPED: no network namespace may be made here, or ip is not installed");
        return;
    }
    let folder = tempfile::tempdir().expect("a folder");
    let top = folder.path();
    Publisher::new().publish(&top.join("away"));
    let root = top.join("seed/000000/metadata");
    fs::create_dir_all(&root).expect("made");
    fs::copy(top.join("away/000000/metadata/1.root.json"), root.join("1.root.json")).expect("copied");
    let gate =
        device(top, "gate", &format!("[sync]\nevery = \"1h\"\nmirrors = [\"file://{}/mirror\"]\n", top.display()));
    let script = format!(
        "ip link set lo up; {} --verbose --config {gate} sync run 2>journal & run=$!\n\
         while ! grep -q 'cannot open' journal; do sleep 0.1; done\n\
         mv away mirror; ip addr add 192.0.2.7/32 dev lo; read end; kill $run",
        env!("CARGO_BIN_EXE_checkpointd")
    );
    let mut shell = Command::new("unshare")
        .args(["-rn", "sh", "-c", &script])
        .current_dir(top)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("it starts");
    let until = Instant::now() + Duration::from_secs(60);
    let journal = || fs::read_to_string(top.join("journal")).unwrap_or_default();
    while !journal().contains(": updated") {
        assert!(Instant::now() < until, "{}", journal());
        std::thread::sleep(Duration::from_millis(50));
    }
    drop(shell.stdin.take());
    let mut rest = String::new();
    let _ = shell.stdout.take().expect("piped").read_to_string(&mut rest);
    let _ = shell.wait();
    let journal = journal();
    let (up, updated) = (journal.find("the link is up"), journal.find(": updated"));
    assert!(up.is_some() && up < updated, "{journal}");
}
