//! `enrol`, `posts` and `verify`: what an operator does with the registry.

use std::{fs, path::PathBuf, process::ExitCode, time::Duration};

use crate::{
    registry::{self, Entry, Invitation},
    verify,
};
use cache::exchange::Slip;
use clap::{Args, Subcommand};
use serde::Serialize;

use super::{DatabaseArgument, Done, KeyArgument};

#[derive(Debug, Args)]
#[command(after_help = "\
Example: one post, with its slip as a picture; and two hundred from a list NAME,STATION,REGION,LANE LANE
  checkpoint-centre enrol 'Guangzhou South 3' --url https://centre.example:8443 --lane 1 --qr slip.svg
  checkpoint-centre enrol --csv posts.csv --url https://centre.example:8443 > slips.txt")]
pub struct Enrol {
    #[command(flatten)]
    database: DatabaseArgument,
    #[command(flatten)]
    key: KeyArgument,
    /// The post's name
    #[arg(required_unless_present = "csv", conflicts_with = "csv")]
    post: Option<String>,
    /// Many posts: NAME,STATION,REGION,LANE LANE … one a line; all or none
    #[arg(long)]
    csv: Option<PathBuf>,
    /// The station it belongs to
    #[arg(long, default_value = "")]
    station: String,
    /// The division code of its region
    #[arg(long, default_value = "")]
    region: String,
    /// A lane; may be given more than once
    #[arg(long = "lane")]
    lanes: Vec<String>,
    /// Where the centre is, for the slip
    #[arg(long, env = "CENTRE_URL")]
    url: String,
    /// Hours that the slip is good for
    #[arg(long, default_value_t = 48)]
    hours: u64,
    /// Also draw the slip as a QR code (SVG) into this file
    #[arg(long, conflicts_with = "csv")]
    qr: Option<PathBuf>,
    /// One JSON object a line
    #[arg(long)]
    json: bool,
}

#[derive(Serialize)]
struct Slipped<'s> {
    post: &'s str,
    slip: String,
}

impl Enrol {
    pub async fn run(self) -> Done {
        let invitations = match (&self.post, &self.csv) {
            (_, Some(csv)) => registry::invitations(&fs::read_to_string(csv)?)?,
            (Some(post), None) => vec![Invitation {
                post: post.clone(),
                station: self.station.clone(),
                region: self.region.clone(),
                lanes: self.lanes.clone(),
            }],
            (None, None) => Vec::new(),
        };
        let database = self.database.open(1)?;
        let centre = self.key.open()?.newest();
        let tokens = registry::invite(&database, &invitations, Duration::from_secs(self.hours * 3600)).await?;
        for (invitation, token) in invitations.iter().zip(tokens) {
            let slip = Slip { url: self.url.clone(), centre: centre.clone(), token };
            print_slip(&invitation.post, &slip, self.json)?;
            if let Some(path) = &self.qr {
                draw(&slip, path)?;
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

fn print_slip(post: &str, slip: &Slip, json: bool) -> Result<(), serde_json::Error> {
    let slip = slip.to_string();
    if json {
        println!("{}", serde_json::to_string(&Slipped { post, slip })?);
    } else {
        println!("{post}\n  {slip}");
    }
    Ok(())
}

fn draw(slip: &Slip, path: &PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    let code = qrcode::QrCode::new(slip.to_string())?;
    fs::write(path, code.render::<qrcode::render::svg::Color<'_>>().min_dimensions(300, 300).build())?;
    Ok(())
}

#[derive(Debug, Args)]
#[command(after_help = "\
Example: a box was replaced; a registry is kept beside the backups and put back after a database was lost
  checkpoint-centre posts replace 'Guangzhou South 3' --url https://centre.example:8443
  checkpoint-centre posts list --json > posts.jsonl
  checkpoint-centre posts restore posts.jsonl")]
pub struct Posts {
    #[command(flatten)]
    database: DatabaseArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// All posts
    List {
        /// One JSON object a line, as `restore` reads it
        #[arg(long)]
        json: bool,
    },
    /// Take nothing more from a post
    Revoke {
        /// Its name
        post: String,
    },
    /// A new slip for a post whose box was replaced or wiped; its history stays
    Replace {
        /// Its name
        post: String,
        #[command(flatten)]
        key: KeyArgument,
        /// Where the centre is, for the slip
        #[arg(long, env = "CENTRE_URL")]
        url: String,
        /// Hours that the slip is good for
        #[arg(long, default_value_t = 48)]
        hours: u64,
        /// As JSON
        #[arg(long)]
        json: bool,
    },
    /// Call a post otherwise
    Rename {
        /// Its name
        from: String,
        /// Its new name
        to: String,
    },
    /// What the alarms of a post were about is done
    Clear {
        /// Its name
        post: String,
    },
    /// Put posts back as `list --json` had them, into a database that was begun anew
    Restore {
        /// Lines of `list --json`
        file: PathBuf,
    },
}

impl Posts {
    pub async fn run(self) -> Done {
        let database = self.database.open(1)?;
        match self.action {
            Action::List { json } => {
                for entry in registry::list(&database).await? {
                    if json {
                        println!("{}", serde_json::to_string(&entry)?);
                    } else {
                        let Invitation { post, station, region, .. } = &entry.invitation;
                        println!("{:<10} {:>12} rows  {post}  {station} {region}", entry.state, entry.rows);
                    }
                }
            }
            Action::Revoke { post } => registry::revoke(&database, &post).await?,
            Action::Replace { post, key, url, hours, json } => {
                let centre = key.open()?.newest();
                let token = registry::replace(&database, &post, Duration::from_secs(hours * 3600)).await?;
                print_slip(&post, &Slip { url, centre, token }, json)?;
            }
            Action::Rename { from, to } => registry::rename(&database, &from, &to).await?,
            Action::Clear { post } => registry::clear(&database, &post).await?,
            Action::Restore { file } => {
                let text = fs::read_to_string(file)?;
                let entries: Vec<Entry> = text.lines().map(serde_json::from_str).collect::<Result<_, _>>()?;
                println!("{} posts put back", registry::restore(&database, &entries).await?);
            }
        }
        Ok(ExitCode::SUCCESS)
    }
}

#[derive(Debug, Args)]
pub struct Verify {
    #[command(flatten)]
    database: DatabaseArgument,
    /// The post's name
    #[arg(long)]
    post: String,
    /// As JSON
    #[arg(long)]
    json: bool,
}

impl Verify {
    pub async fn run(self) -> Done {
        let report = verify::verify(&self.database.open(1)?, &self.post).await?;
        if self.json {
            println!("{}", serde_json::to_string(&report)?);
        } else {
            for finding in &report.findings {
                println!("{finding}");
            }
            let word = if report.findings.is_empty() { "sound" } else { "NOT SOUND" };
            println!("{word}: {} rows, {} anchors that fit", report.rows, report.anchors);
        }
        Ok(if report.findings.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}
