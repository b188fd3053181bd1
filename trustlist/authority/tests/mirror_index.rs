//! The index of a mirror as a gate meets it: every timestamp byte for byte, nothing of a broken repository, and few bytes on the wire of a
//! real server (nginx from Debian; where it is not installed that test says so and passes).

use std::{
    collections::BTreeMap,
    fs,
    io::{Read, Write},
    net::TcpStream,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Child, Command, Output},
    time::{Duration, Instant},
};

use authority::{Federation, Source};
use serde_json::Value;
use trustlist::{time::UnixTime, tuf::Trusted};

const MORNING: UnixTime = UnixTime(1_612_137_600);
const NGINX: &str = "/usr/sbin/nginx";

fn run(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_authority")).args(arguments).output().expect("it starts")
}

fn index(mirror: &Path) -> Value {
    let output = run(&["mirror", "index", mirror.to_str().expect("a UTF-8 path"), "--json"]);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("JSON")
}

fn put(mirror: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for (path, bytes) in files {
        let path = mirror.join(path);
        fs::create_dir_all(path.parent().expect("a folder")).expect("made");
        fs::write(path, bytes).expect("written");
    }
}

fn read(mirror: &Path) -> Value {
    serde_json::from_slice(&fs::read(mirror.join("index.json")).expect("an index")).expect("JSON")
}

#[test]
fn an_index_holds_every_timestamp_byte_for_byte_and_a_gate_goes_on_from_it() {
    let home = tempfile::tempdir().expect("a folder");
    let mut country = Federation::of_provinces(Source::Seed([3; 32]), MORNING).expect("founded");
    let files = country.publish(MORNING).expect("published");
    put(home.path(), &files);
    let said = index(home.path());
    assert_eq!(said["listed"].as_array().expect("a list").len(), 35);
    assert_eq!(said["left_out"], serde_json::json!([]));
    let read = read(home.path());
    for (issuer, authority) in &country.issuers {
        let line = &read["issuers"][issuer.as_str()];
        let timestamp = line["timestamp"].as_str().expect("a text").as_bytes();
        assert_eq!(timestamp, files[&format!("{issuer}/metadata/timestamp.json")]);
        assert_eq!(line["root"]["version"], 1);
        let mut trusted = Trusted::from_root(authority.first_root()).expect("a root");
        assert_eq!(trusted.update_timestamp(timestamp, MORNING), Ok(true), "{issuer}");
    }
}

#[test]
fn an_index_is_written_whole_and_only_when_something_is_new_and_never_in_the_second_of_the_one_before() {
    let home = tempfile::tempdir().expect("a folder");
    let mut country = Federation::of_provinces(Source::Seed([3; 32]), MORNING).expect("founded");
    put(home.path(), &country.publish(MORNING).expect("published"));
    assert_eq!(index(home.path())["written"], true);
    let path = home.path().join("index.json");
    let modified = |path: &Path| fs::metadata(path).expect("there").modified().expect("a time");
    let (first, before) = (fs::read(&path).expect("an index"), modified(&path));
    assert_eq!(index(home.path())["written"], false);
    assert_eq!((fs::read(&path).expect("an index"), modified(&path)), (first.clone(), before));

    put(home.path(), &country.publish(MORNING.plus(1)).expect("published"));
    assert_eq!(index(home.path())["written"], true);
    let second = fs::read(&path).expect("an index");
    assert!(second != first && second.len() == first.len(), "this is why the time of modification must differ");
    assert!(modified(&path).duration_since(before).expect("later") >= Duration::from_secs(1));
    let left: Vec<PathBuf> =
        fs::read_dir(home.path()).expect("a folder").map(|entry| entry.expect("it").path()).collect();
    assert!(left.iter().all(|path| !path.display().to_string().ends_with(".new")), "{left:?}");

    let copy = tempfile::tempdir().expect("a folder");
    Command::new("cp").arg("-r").arg(home.path().join(".")).arg(copy.path()).status().expect("cp");
    fs::remove_file(copy.path().join("index.json")).expect("removed");
    index(copy.path());
    assert_eq!(fs::read(copy.path().join("index.json")).expect("an index"), second, "the same on every mirror");
}

#[test]
fn a_repository_that_is_broken_costs_the_index_that_repository_alone() {
    let home = tempfile::tempdir().expect("a folder");
    let mut country = Federation::of_provinces(Source::Seed([3; 32]), MORNING).expect("founded");
    put(home.path(), &country.publish(MORNING).expect("published"));
    let secret = home.path().join("secret");
    fs::write(&secret, r#"{"signed":{"_type":"timestamp"},"secret":"passphrase"}"#).expect("written");
    let metadata = |issuer: &str| home.path().join(issuer).join("metadata");
    let spoil = |issuer: &str| {
        let path = metadata(issuer).join("timestamp.json");
        fs::remove_file(&path).expect("removed");
        path
    };
    symlink(&secret, spoil("110000")).expect("linked");
    Command::new("mkfifo").arg(spoil("120000")).status().expect("mkfifo");
    fs::write(spoil("130000"), vec![b' '; 5_000]).expect("written");
    fs::write(spoil("140000"), "{}").expect("written");
    fs::write(spoil("150000"), b"\xff\xfe").expect("written");
    spoil("210000");
    fs::create_dir(spoil("220000")).expect("made");
    fs::remove_file(metadata("230000").join("1.root.json")).expect("removed");
    let said = index(home.path());
    let left: Vec<&str> =
        said["left_out"].as_array().expect("a list").iter().filter_map(|entry| entry["issuer"].as_str()).collect();
    assert_eq!(left, ["110000", "120000", "130000", "140000", "150000", "210000", "220000", "230000"]);
    assert_eq!(said["listed"].as_array().expect("a list").len(), 27);
    assert!(!fs::read_to_string(home.path().join("index.json")).expect("an index").contains("passphrase"));

    let empty = tempfile::tempdir().expect("a folder");
    let refused = run(&["mirror", "index", empty.path().to_str().expect("a UTF-8 path")]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("the folder above 000000"));
}

struct Server(Child, u16);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// nginx over a mirror, set up as `docs/authority.md` shows.
fn serve(mirror: &Path, home: &Path) -> Server {
    let port = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("an address").port();
    let configuration = format!(
        "daemon off; master_process off; pid {home}/pid; error_log {home}/error.log;\nevents {{}}\nhttp {{\n\
         access_log off; server_tokens off;\n\
         client_body_temp_path {home}/a; proxy_temp_path {home}/b; fastcgi_temp_path {home}/c; uwsgi_temp_path {home}/d;\n\
         scgi_temp_path {home}/e; types {{ application/json json; }}\n\
         server {{ listen 127.0.0.1:{port}; root {mirror}; gzip_static on; }}\n}}\n",
        home = home.display(),
        mirror = mirror.display(),
    );
    let file = home.join("nginx.conf");
    fs::write(&file, configuration).expect("written");
    let child = Command::new(NGINX).arg("-c").arg(&file).arg("-p").arg(home).spawn().expect("nginx starts");
    let server = Server(child, port);
    let patience = Instant::now() + Duration::from_secs(20);
    while TcpStream::connect(("127.0.0.1", port)).is_err() {
        assert!(Instant::now() < patience, "nginx answers: {:?}", fs::read_to_string(home.join("error.log")));
        std::thread::sleep(Duration::from_millis(20));
    }
    server
}

/// One request; bytes that went up, and what came down.
fn ask(port: u16, etag: Option<&str>) -> (usize, Vec<u8>) {
    let condition = etag.map(|etag| format!("If-None-Match: {etag}\r\n")).unwrap_or_default();
    let request = format!(
        "GET /index.json HTTP/1.1\r\nHost: lists.example\r\nUser-Agent: checkpointd/0.1\r\nAccept: */*\r\n\
         Accept-Encoding: gzip\r\nConnection: close\r\n{condition}\r\n"
    );
    let mut stream = TcpStream::connect(("127.0.0.1", port)).expect("a connection");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).expect("an answer");
    (request.len(), answer)
}

fn head(answer: &[u8]) -> String {
    let end = answer.windows(4).position(|bytes| bytes == b"\r\n\r\n").expect("a head");
    String::from_utf8_lossy(&answer[..end]).into_owned()
}

fn etag(answer: &[u8]) -> String {
    let head = head(answer);
    head.lines().find_map(|line| line.strip_prefix("ETag: ")).expect("an ETag").to_owned()
}

#[test]
fn thirty_five_new_timestamps_cost_eight_kibibytes_and_no_news_one() {
    if !Path::new(NGINX).exists() {
        eprintln!("skipped: nginx is not installed");
        return;
    }
    let (home, mirror) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let mut country = Federation::of_provinces(Source::Seed([3; 32]), MORNING).expect("founded");
    put(mirror.path(), &country.publish(MORNING).expect("published"));
    index(mirror.path());
    let Server(_, port) = &serve(mirror.path(), home.path());

    let (_, first) = ask(*port, None);
    assert!(head(&first).contains("Content-Encoding: gzip"), "{}", head(&first));
    put(mirror.path(), &country.publish(MORNING.plus(86_400)).expect("published"));
    index(mirror.path());
    let (up, down) = ask(*port, Some(&etag(&first)));
    println!("all 35 republished: {up} bytes up, {} down", down.len());
    assert!(head(&down).starts_with("HTTP/1.1 200"), "{}", head(&down));
    assert!(up + down.len() <= 8 * 1024, "{up} up, {} down", down.len());

    index(mirror.path());
    let (up, nothing) = ask(*port, Some(&etag(&down)));
    println!("nothing new: {up} bytes up, {} down", nothing.len());
    assert!(head(&nothing).starts_with("HTTP/1.1 304"), "{}", head(&nothing));
    assert!(up + nothing.len() <= 1024, "{up} up, {} down", nothing.len());
}

#[test]
fn a_mirror_behind_a_web_server_is_looked_at_before_publishing_and_restored_from() {
    if !Path::new(NGINX).exists() {
        eprintln!("skipped: nginx is not installed");
        return;
    }
    let (home, mirror) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
    let Server(_, port) = &serve(mirror.path(), home.path());
    let address = format!("http://127.0.0.1:{port}/");
    let command = |dir: &Path, arguments: &[&str]| {
        let output = run(&[&["--dir", dir.to_str().expect("a UTF-8 path")], arguments].concat());
        let text = [output.stdout, output.stderr].concat();
        (output.status.success(), String::from_utf8(text).expect("UTF-8"))
    };
    let [hubei, copy, again] = ["hubei", "copy", "again"].map(|name| home.path().join(name));
    let out = mirror.path().to_str().expect("a UTF-8 path");
    assert!(command(&hubei, &["init", "420000", "--mirror", &address]).0);
    assert!(command(&hubei, &["status-list", "grow", "1000"]).0);
    assert!(command(&hubei, &["publish", "--out", out]).0, "an empty mirror is no obstacle");
    Command::new("cp").arg("-a").arg(&hubei).arg(&copy).status().expect("cp");
    let backup = home.path().join("backup");
    assert!(command(&hubei, &["backup", backup.to_str().expect("a UTF-8 path")]).0);
    assert!(command(&hubei, &["status-list", "set", "revoked", "7"]).0);
    assert!(command(&hubei, &["publish", "--out", out]).0);
    let (published, said) = command(&copy, &["publish"]);
    assert!(!published && said.contains("another copy") && said.contains(&address), "{said}");
    let (restored, said) = command(&again, &["restore", backup.to_str().expect("a UTF-8 path")]);
    assert!(restored && said.contains("generation 2 is taken up"), "{said}");
    assert!(command(&again, &["status-list", "show", "7"]).1.starts_with("revoked"));
    assert!(command(&again, &["publish"]).1.contains("generation 3"));
}
