//! What stands around a lane in the virtual machine: a scan engine that types, one that writes to a socket, and an eye on output lines.
//!
//! `surroundings wedge` prints the device it made and types each line of standard input; `surroundings socket PATH` sends each line;
//! `surroundings lines FILE…` prints `MILLISECONDS INDEX VALUE` (the wall clock's) at each change of one of these files.

#[cfg(target_os = "linux")]
fn main() -> std::io::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>().as_slice() {
        ["wedge"] => linux::wedge(),
        ["socket", path] => linux::socket(path),
        ["lines", files @ ..] => linux::lines(files),
        _ => Err(std::io::Error::other("usage: surroundings wedge | socket PATH | lines FILE…")),
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}

#[cfg(target_os = "linux")]
mod linux {
    use std::{
        fs,
        io::{self, BufRead, Write},
        os::unix::net::UnixStream,
        thread,
        time::{Duration, SystemTime},
    };

    use evdev::{AttributeSet, EventType, InputEvent, KeyCode, uinput::VirtualDevice};

    /// Between two keys: what a real engine takes at full speed.
    const KEY: Duration = Duration::from_millis(2);

    pub fn wedge() -> io::Result<()> {
        let keys: AttributeSet<KeyCode> = (1..128).map(KeyCode::new).collect();
        let mut device = VirtualDevice::builder()?.name("checkpoint rig wedge").with_keys(&keys)?.build()?;
        let node = device.enumerate_dev_nodes_blocking()?.next().ok_or_else(|| io::Error::other("no device"))??;
        println!("{}", node.display());
        for line in io::stdin().lock().lines() {
            for character in line?.chars() {
                let (code, shifted) = key(character).ok_or_else(|| io::Error::other("no key for it"))?;
                if shifted {
                    press(&mut device, KeyCode::KEY_LEFTSHIFT, 1)?;
                }
                press(&mut device, code, 1)?;
                press(&mut device, code, 0)?;
                if shifted {
                    press(&mut device, KeyCode::KEY_LEFTSHIFT, 0)?;
                }
            }
            press(&mut device, KeyCode::KEY_ENTER, 1)?;
            press(&mut device, KeyCode::KEY_ENTER, 0)?;
        }
        Ok(())
    }

    fn press(device: &mut VirtualDevice, key: KeyCode, value: i32) -> io::Result<()> {
        device.emit(&[InputEvent::new(EventType::KEY.0, key.0, value)])?;
        thread::sleep(KEY);
        Ok(())
    }

    /// What an engine types for a character of a pass code on a keyboard of the United States: written from its layout, not from the
    /// table that the daemon reads by.
    fn key(character: char) -> Option<(KeyCode, bool)> {
        use KeyCode as K;
        const LETTERS: [KeyCode; 26] = [
            K::KEY_A,
            K::KEY_B,
            K::KEY_C,
            K::KEY_D,
            K::KEY_E,
            K::KEY_F,
            K::KEY_G,
            K::KEY_H,
            K::KEY_I,
            K::KEY_J,
            K::KEY_K,
            K::KEY_L,
            K::KEY_M,
            K::KEY_N,
            K::KEY_O,
            K::KEY_P,
            K::KEY_Q,
            K::KEY_R,
            K::KEY_S,
            K::KEY_T,
            K::KEY_U,
            K::KEY_V,
            K::KEY_W,
            K::KEY_X,
            K::KEY_Y,
            K::KEY_Z,
        ];
        const DIGITS: [KeyCode; 10] =
            [K::KEY_0, K::KEY_1, K::KEY_2, K::KEY_3, K::KEY_4, K::KEY_5, K::KEY_6, K::KEY_7, K::KEY_8, K::KEY_9];
        Some(match character {
            'A'..='Z' => (LETTERS[usize::from(character as u8 - b'A')], true),
            '0'..='9' => (DIGITS[usize::from(character as u8 - b'0')], false),
            ' ' => (K::KEY_SPACE, false),
            '$' => (K::KEY_4, true),
            '%' => (K::KEY_5, true),
            '*' => (K::KEY_8, true),
            '+' => (K::KEY_EQUAL, true),
            '-' => (K::KEY_MINUS, false),
            '.' => (K::KEY_DOT, false),
            '/' => (K::KEY_SLASH, false),
            ':' => (K::KEY_SEMICOLON, true),
            _ => return None,
        })
    }

    pub fn socket(path: &str) -> io::Result<()> {
        let mut socket = UnixStream::connect(path)?;
        for line in io::stdin().lock().lines() {
            writeln!(socket, "{}", line?)?;
        }
        Ok(())
    }

    pub fn lines(files: &[&str]) -> io::Result<()> {
        let mut before = vec![String::new(); files.len()];
        loop {
            for (index, file) in files.iter().enumerate() {
                let value = fs::read_to_string(file)?.trim().to_owned();
                if value != before[index] {
                    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
                    println!("{} {index} {value}", now.as_millis());
                    io::stdout().flush()?;
                    before[index] = value;
                }
            }
            thread::sleep(Duration::from_millis(1));
        }
    }
}
