//! `authority issue`: test codes, one or a file of them.

use std::{
    fs,
    io::{self, BufRead, Write},
    path::{Path, PathBuf},
};

use crate::{
    Authority, Workspace, WorkspaceError,
    code::{
        Flaw,
        picture::{Level, MAX_SCALE, Picture},
        request::Request,
    },
};
use clap::Args;
use serde_json::{Value, json};
use trustlist::{
    code::{Colour, Envelope},
    region::Region,
    time::UnixTime,
};

use super::{Done, Global, moment, region, time, word};

const EXAMPLE: &str = "\
Examples:
  authority issue --name 张* --document 4213 --visit 420100:2021-01-28 --out code.png
  authority issue --colour red --status 7
  authority issue --flaw forged
  authority --dir nation issue --on-behalf-of 420000
  authority --dir hunan issue --vouched-by nation
  echo '{\"colour\": \"yellow\", \"picture\": \"y.svg\"}' | authority issue --from -

With --from every line is an object with the options' names (colour, issued_at, expires, valid_for_s, visits, status, vouched, flaw,
picture, …), and every line of output an object with the text.";

/// Sign test codes: text, or a QR picture
#[derive(Args)]
#[command(after_help = EXAMPLE)]
pub struct Issue {
    /// The region that issues it [default: this authority]
    #[arg(long, value_parser = region, value_name = "ID")]
    issuer: Option<Region>,
    /// green, yellow or red
    #[arg(long, value_parser = word::<Colour>, default_value = "green")]
    colour: Colour,
    /// When it is issued, instead of now
    #[arg(long, value_parser = time, value_name = "TIME")]
    at: Option<UnixTime>,
    /// From when it is valid
    #[arg(long, value_parser = time, value_name = "TIME")]
    not_before: Option<UnixTime>,
    /// When it ends
    #[arg(long, value_parser = time, value_name = "TIME", conflicts_with = "valid_for")]
    expires: Option<UnixTime>,
    /// Seconds that it is valid [default: a day]
    #[arg(long, value_name = "SECONDS", allow_negative_numbers = true)]
    valid_for: Option<i64>,
    /// Issued the day before yesterday, ended yesterday
    #[arg(long, conflicts_with_all = ["expires", "valid_for", "at"])]
    expired: bool,
    /// Display name, masked already
    #[arg(long, value_name = "TEXT")]
    name: Option<String>,
    /// Last digits of the document
    #[arg(long, value_name = "DIGITS")]
    document: Option<String>,
    /// A visit and its last day, 420102:2021-01-28
    #[arg(long, value_name = "AREA:DAY")]
    visit: Vec<String>,
    /// A proof, nat:negative:2021-01-31
    #[arg(long, value_name = "KIND:RESULT:DAY")]
    proof: Vec<String>,
    /// The region that a national code speaks for
    #[arg(long, value_parser = region, value_name = "ID")]
    on_behalf_of: Option<Region>,
    /// Number of its status, counted over all lists
    #[arg(long, value_name = "N")]
    status: Option<u64>,
    /// Its id, 16 to 32 hexadecimal digits [default: random]
    #[arg(long, value_name = "HEX")]
    id: Option<String>,
    /// Folder of the national platform, which countersigns
    #[arg(long, value_name = "FOLDER")]
    vouched_by: Option<PathBuf>,
    /// Spoil it
    #[arg(long, value_name = "FLAW")]
    flaw: Option<Flaw>,
    /// Draw it: .png or .svg
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
    /// Pixels a module
    #[arg(long, default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=i64::from(MAX_SCALE)), value_name = "PIXELS")]
    scale: u32,
    /// Error correction of the picture
    #[arg(long, default_value = "m", ignore_case = true)]
    level: Level,
    /// Many codes, one JSON object a line; - for standard input
    #[arg(long, value_name = "FILE")]
    from: Option<PathBuf>,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Issue {
    pub fn run(self, global: &Global) -> Done {
        let workspace = Workspace::open(&global.dir)?;
        // A national platform that vouches for its own codes would have to be opened twice.
        let national = self.vouched_by.as_deref().map(Workspace::open).transpose()?;
        if let Some(national) = &national {
            national.authority.national()?;
        }
        let national = national.as_ref().map(|workspace| &workspace.authority);
        let authority = &workspace.authority;
        let now = moment(self.at);
        match &self.from {
            None => {
                let answer = self.issue(authority, national, &self.request(now), now)?;
                if self.json {
                    say!("{answer}");
                } else {
                    say!("{}", answer["text"].as_str().unwrap_or_default());
                    if let Some(picture) = answer["picture"].as_str() {
                        let level = answer["level"].as_str().unwrap_or_default();
                        complain!("{picture}: version {}-{level}", answer["version"]);
                    }
                }
                Ok(())
            }
            Some(path) => self.issue_all(authority, national, path, now),
        }
    }

    /// Answers every line; a line that cannot be answered ends the run with its number.
    fn issue_all(&self, authority: &Authority, national: Option<&Authority>, path: &Path, now: UnixTime) -> Done {
        let failed = |error| WorkspaceError::io("read", path, error);
        let reader: Box<dyn BufRead> = if path == Path::new("-") {
            Box::new(io::stdin().lock())
        } else {
            Box::new(io::BufReader::new(fs::File::open(path).map_err(failed)?))
        };
        let mut output = io::stdout().lock();
        for (number, line) in reader.lines().enumerate() {
            let line = line.map_err(failed)?;
            if line.trim().is_empty() {
                continue;
            }
            let at_line = |why: String| WorkspaceError::BadFile(path.to_owned(), format!("line {}: {why}", number + 1));
            let request: Request = serde_json::from_str(&line).map_err(|error| at_line(error.to_string()))?;
            let answer = self.issue(authority, national, &request, now).map_err(|error| at_line(error.to_string()))?;
            match writeln!(output, "{answer}") {
                // Whoever has closed it wants no more codes.
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => return Ok(()),
                written => written.map_err(|error| WorkspaceError::io("write", Path::new("standard output"), error))?,
            }
        }
        Ok(())
    }

    fn request(&self, now: UnixTime) -> Request {
        const DAY: i64 = 24 * 3600;
        Request {
            issuer: self.issuer,
            colour: Some(self.colour),
            issued_at: Some(if self.expired { now.plus(-2 * DAY) } else { now }),
            not_before: self.not_before,
            expires: self.expires,
            valid_for_s: self.valid_for,
            assessed_at: None,
            name: self.name.clone(),
            document: self.document.clone(),
            visits: self.visit.clone(),
            proofs: self.proof.clone(),
            on_behalf_of: self.on_behalf_of,
            status: self.status,
            id: self.id.clone(),
            vouched: self.vouched_by.is_some(),
            flaw: self.flaw,
            picture: self.out.as_ref().map(|path| path.display().to_string()),
        }
    }

    fn issue(
        &self,
        authority: &Authority,
        national: Option<&Authority>,
        request: &Request,
        now: UnixTime,
    ) -> Result<Value, WorkspaceError> {
        let draft = request.draft(authority.issuer(), now).map_err(WorkspaceError::Usage)?;
        let voucher = match (request.vouched, national) {
            (true, None) => {
                return Err(WorkspaceError::Usage("name the national platform's folder with --vouched-by".to_owned()));
            }
            (true, national) => national,
            (false, _) => None,
        };
        let text = authority.issue(&draft, voucher, request.flaw)?;
        let kid = Envelope::parse(&text).ok().and_then(|envelope| envelope.key_id());
        let mut answer = json!({
            "text": text,
            "issuer": draft.issuer,
            "kid": kid,
            "issued_at": draft.issued_at,
            "expires": draft.expires,
            "characters": text.len(),
        });
        let picture = Picture::draw(&text, self.level).map_err(|error| WorkspaceError::Usage(error.to_string()))?;
        answer["version"] = json!(picture.version());
        answer["level"] = json!(format!("{:?}", picture.level()));
        if let Some(path) = &request.picture {
            draw(&picture, self.scale, Path::new(path))?;
            answer["picture"] = json!(path);
        }
        Ok(answer)
    }
}

/// Writes a picture in the format that its name ends in.
pub fn draw(picture: &Picture, scale: u32, path: &Path) -> Done {
    let bytes = match path.extension().and_then(|extension| extension.to_str()) {
        Some("png") => picture.png(scale),
        Some("svg") => picture.svg(scale).into_bytes(),
        _ => return Err(WorkspaceError::Usage(format!("{}: a picture's name ends in .png or .svg", path.display()))),
    };
    fs::write(path, bytes).map_err(|error| WorkspaceError::io("write", path, error))
}
