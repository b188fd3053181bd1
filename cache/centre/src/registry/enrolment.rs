//! Slips, and the devices that show them.

use std::time::{Duration, SystemTime};

use cache::exchange::{
    Request,
    enrolment::{OneTimeToken, Place},
    is_name,
};

use super::{Invitation, RegistryError, changed};
use crate::{database::Database, writer::alarm};

/// Reads a CSV of `name,station,region,lanes`, lanes separated by blanks; a first line that begins with `name,` is a heading.
pub fn invitations(csv: &str) -> Result<Vec<Invitation>, RegistryError> {
    let mut invitations = Vec::new();
    for (index, line) in csv.lines().enumerate() {
        let line = line.trim_end_matches('\r');
        if line.trim().is_empty() || (index == 0 && line.trim_start_matches('\u{feff}').starts_with("name,")) {
            continue;
        }
        let fields: Vec<&str> = line.split(',').map(str::trim).collect();
        let [post, station, region, lanes] = fields.as_slice() else { return Err(RegistryError::Line(index + 1)) };
        if !is_name(post) {
            return Err(RegistryError::Name((*post).to_owned()));
        }
        invitations.push(Invitation {
            post: (*post).to_owned(),
            station: (*station).to_owned(),
            region: (*region).to_owned(),
            lanes: lanes.split_whitespace().map(str::to_owned).collect(),
        });
    }
    Ok(invitations)
}

/// Invites posts, all or none; a slip's token for each, good for `valid`.
pub async fn invite(
    database: &Database,
    invitations: &[Invitation],
    valid: Duration,
) -> Result<Vec<OneTimeToken>, RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let mut tokens = Vec::with_capacity(invitations.len());
    for invitation in invitations {
        if !is_name(&invitation.post) {
            return Err(RegistryError::Name(invitation.post.clone()));
        }
        let Invitation { post, station, region, lanes } = invitation;
        let sql = "INSERT INTO posts (name, station, region, lanes) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING RETURNING no";
        let Some(row) = transaction.query_opt(sql, &[post, station, region, lanes]).await? else {
            let state = transaction.query_one("SELECT state FROM posts WHERE name = $1", &[post]).await?.get(0);
            return Err(RegistryError::Exists(post.clone(), state));
        };
        tokens.push(token(&transaction, row.get(0), valid).await?);
    }
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok(tokens)
}

/// A new slip for a post that is there: its device was replaced or wiped. Slips that were not used yet end.
pub async fn replace(database: &Database, name: &str, valid: Duration) -> Result<OneTimeToken, RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let row = transaction.query_opt("SELECT no FROM posts WHERE name = $1 FOR UPDATE", &[&name]).await?;
    let post: i32 = row.ok_or_else(|| RegistryError::Unknown(name.to_owned()))?.get(0);
    transaction.execute("DELETE FROM tokens WHERE post = $1 AND key IS NULL", &[&post]).await?;
    let token = token(&transaction, post, valid).await?;
    transaction.commit().await?;
    Ok(token)
}

async fn token(
    transaction: &deadpool_postgres::Transaction<'_>,
    post: i32,
    valid: Duration,
) -> Result<OneTimeToken, RegistryError> {
    let token = OneTimeToken::draw().expect("a machine that runs a database has randomness");
    let (hash, until) = (token.hash(), SystemTime::now() + valid);
    let sql = "INSERT INTO tokens (hash, post, until) VALUES ($1, $2, $3)";
    transaction.execute(sql, &[&hash.as_slice(), &post, &until]).await?;
    Ok(token)
}

/// Takes a device's token and pins its key, in one transaction. The same device may ask again.
pub async fn enrol(
    database: &Database,
    request: &Request,
    upload: &str,
    centre_keys: &[String],
) -> Result<(i32, Place), RegistryError> {
    let mut connection = database.connection().await?;
    let transaction = connection.transaction().await?;
    let sql = "SELECT t.post, t.key, t.until > now(), p.name, p.station, p.region, p.lanes, p.key, p.state = 'enrolled'
        FROM tokens t JOIN posts p ON p.no = t.post WHERE t.hash = $1 FOR UPDATE OF t, p";
    let Some(row) = transaction.query_opt(sql, &[&request.token.hash().as_slice()]).await? else {
        return Err(RegistryError::Token);
    };
    let (post, used, valid): (i32, Option<String>, bool) = (row.get(0), row.get(1), row.get(2));
    let place = Place {
        post: row.get(3),
        station: row.get(4),
        region: row.get(5),
        lanes: row.get(6),
        upload: upload.to_owned(),
        centre_keys: centre_keys.to_vec(),
    };
    let key = request.device.to_string();
    let (pinned, enrolled): (Option<String>, bool) = (row.get(7), row.get(8));
    match used {
        // The answer was lost, or the device asks again: after a renaming, or because the centre has a new key.
        Some(used) if used == key && enrolled && pinned.as_deref() == Some(&key) => {
            told(&transaction, post, centre_keys).await?;
            transaction.commit().await?;
            return Ok((post, place));
        }
        Some(used) if used == key => return Err(RegistryError::Ended(place.post)),
        Some(_) => {
            let detail = format!("a second device ({}) showed the slip of {}", request.device.name(), place.post);
            alarm(&transaction, post, "slip-taken", &detail).await?;
            transaction.commit().await?;
            return Err(RegistryError::TokenTaken);
        }
        None if !valid => return Err(RegistryError::Token),
        None => {}
    }
    let other = transaction.query_opt("SELECT no, name FROM posts WHERE key = $1 AND no <> $2", &[&key, &post]).await?;
    if let Some(other) = other {
        let name: String = other.get(1);
        let detail = format!("the device of {name} asked to be {} as well", place.post);
        alarm(&transaction, other.get(0), "double-key", &detail).await?;
        transaction.commit().await?;
        return Err(RegistryError::KeyTaken(name));
    }
    transaction
        .execute("UPDATE tokens SET key = $2 WHERE hash = $1", &[&request.token.hash().as_slice(), &key])
        .await?;
    let sql = "UPDATE posts SET key = $2, build = $3, state = 'enrolled', enrolled = now() WHERE no = $1";
    transaction.execute(sql, &[&post, &key, &request.build]).await?;
    transaction
        .execute("UPDATE logs SET state = 'closed' WHERE post = $1 AND log <> $2", &[&post, &request.log])
        .await?;
    let sql =
        "INSERT INTO logs (log, post, key) VALUES ($1, $2, $3) ON CONFLICT (log) DO UPDATE SET state = 'open', key = $3
        WHERE logs.post = $2";
    if transaction.execute(sql, &[&request.log, &post, &key]).await? == 0 {
        return Err(RegistryError::LogTaken);
    }
    transaction.execute("DELETE FROM alarms WHERE post = $1 AND kind = 'other-log'", &[&post]).await?;
    transaction.execute("DELETE FROM health WHERE post = $1", &[&post]).await?;
    told(&transaction, post, centre_keys).await?;
    changed(&transaction).await?;
    transaction.commit().await?;
    Ok((post, place))
}

/// Remembers which of the centre's keys a post was told, so that an old key does not go before everybody has the new one.
async fn told(
    transaction: &deadpool_postgres::Transaction<'_>,
    post: i32,
    centre_keys: &[String],
) -> Result<(), RegistryError> {
    transaction.execute("UPDATE posts SET centre_keys = $2 WHERE no = $1", &[&post, &centre_keys]).await?;
    Ok(())
}

/// Enrolled posts that were not told this key of the centre.
pub async fn lacking(database: &Database, key: &str) -> Result<Vec<String>, RegistryError> {
    let connection = database.connection().await?;
    let sql = "SELECT name FROM posts WHERE state = 'enrolled' AND NOT $1 = ANY(centre_keys) ORDER BY name";
    Ok(connection.query(sql, &[&key]).await?.iter().map(|row| row.get(0)).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_csv_invites_many_and_names_the_line_that_is_none() {
        let csv = "name,station,region,lanes\r\nGZS 1,Guangzhou South,440100,1 2\r\n广州南站 2,广州南站,440100,1\n\n";
        let read = invitations(csv).expect("a list");
        assert_eq!(read.len(), 2);
        assert_eq!((read[0].post.as_str(), read[0].lanes.len(), read[1].post.as_str()), ("GZS 1", 2, "广州南站 2"));
        assert!(matches!(invitations("a,b,c,d\na,b\n"), Err(RegistryError::Line(2))));
        assert!(matches!(invitations(",b,c,d\n"), Err(RegistryError::Name(_))));
    }
}
