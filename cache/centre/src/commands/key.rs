//! `key`: the centre's keys, and how one follows another without a gate that is left behind.

use std::process::ExitCode;

use crate::{keys::Keys, registry};
use clap::{Args, Subcommand};

use super::{DatabaseArgument, Done, KeyArgument};

#[derive(Debug, Args)]
#[command(after_help = "\
Example: a new key, and the old one goes when every post knows the new one
  checkpoint-centre key announce
  systemctl restart checkpoint-centre       (signs with both from here on)
  checkpointd enrol --again                 (at each gate)
  checkpoint-centre key show
  checkpoint-centre key take-over
  systemctl restart checkpoint-centre")]
pub struct Key {
    #[command(flatten)]
    database: DatabaseArgument,
    #[command(flatten)]
    key: KeyArgument,
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// The keys, and which posts do not know the new one yet
    Show,
    /// Make a new key, vouched for by the present one
    Announce,
    /// Let the announced key sign alone; refused while a post does not know it
    TakeOver {
        /// Although posts are left: they follow with the announcement when they ask again
        #[arg(long)]
        all_the_same: bool,
    },
}

impl Key {
    pub async fn run(self) -> Done {
        let (path, name) = (&self.key.key, &self.key.name);
        match self.action {
            Action::Show => {
                let keys = self.key.open()?;
                println!("signs      {}", keys.present());
                if let Some(next) = keys.next() {
                    println!("announced  {next}");
                    for post in self.lacking(&keys).await? {
                        println!("not known to {post}");
                    }
                }
            }
            Action::Announce => {
                let keys = Keys::announce(path, name)?;
                println!("announced  {}", keys.newest());
                println!(
                    "start the centre anew: it signs with both keys then, and assigns both to posts that ask again"
                );
            }
            Action::TakeOver { all_the_same } => {
                let lacking = self.lacking(&self.key.open()?).await?;
                if !lacking.is_empty() && !all_the_same {
                    for post in &lacking {
                        println!("not known to {post}");
                    }
                    return Err(
                        format!("{} posts do not know the announced key (--all-the-same)", lacking.len()).into()
                    );
                }
                println!("signs      {}", Keys::take_over(path, name)?.present());
                println!("start the centre anew: the old key signs nothing from then on");
            }
        }
        Ok(ExitCode::SUCCESS)
    }

    async fn lacking(&self, keys: &Keys) -> Result<Vec<String>, Box<dyn std::error::Error>> {
        let Some(next) = keys.next() else { return Ok(Vec::new()) };
        Ok(registry::lacking(&self.database.open(1)?, &next.to_string()).await?)
    }
}
