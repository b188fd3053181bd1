//! Reading a policy that somebody wrote: stricter than a gate reads it. A gate passes over members it does not know, so that newer lists
//! serve older gates; here such a member is a slip of the pen that would go unnoticed for months.

use serde_json::{Map, Value};
use trustlist::lists::policy::{Policy, Profile};

/// Reads `policy.json`.
///
/// # Errors
/// When it is none, names a member that there is not, or a default profile that is not in it.
pub fn read(bytes: &[u8]) -> Result<Policy, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| format!("no JSON: {error}"))?;
    let policy: Policy = serde_json::from_value(value.clone()).map_err(|error| error.to_string())?;
    known(&value, &["default", "profiles"], "")?;
    let profile = serde_json::to_value(Profile::default()).expect("a profile is plain values");
    let ladder = names(profile.get("freshness"));
    let profiles = value.get("profiles").and_then(Value::as_object).into_iter().flatten();
    for (name, written) in profiles {
        known(written, &names(Some(&profile)), &format!("profile {name}: "))?;
        if let Some(freshness) = written.get("freshness") {
            known(freshness, &ladder, &format!("profile {name}, freshness: "))?;
        }
    }
    if !policy.profiles.contains_key(&policy.default) {
        return Err(format!("the default profile \"{}\" is not among the profiles", policy.default));
    }
    for (name, profile) in &policy.profiles {
        let ladder = profile.freshness;
        if !(0 < ladder.fresh_s && ladder.fresh_s <= ladder.grace_s && ladder.grace_s <= ladder.restricted_s) {
            return Err(format!("profile {name}: the steps of freshness must grow: fresh_s, grace_s, restricted_s"));
        }
    }
    Ok(policy)
}

fn names(value: Option<&Value>) -> Vec<&str> {
    value.and_then(Value::as_object).map(|members| members.keys().map(String::as_str).collect()).unwrap_or_default()
}

fn known(value: &Value, names: &[&str], place: &str) -> Result<(), String> {
    let empty = Map::new();
    let unknown = value.as_object().unwrap_or(&empty).keys().find(|name| !names.contains(&name.as_str()));
    match unknown {
        Some(name) => Err(format!("{place}there is no member \"{name}\"; there are {}", names.join(", "))),
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_says_only_what_it_changes() {
        let policy = read(br#"{"default": "strict", "profiles": {"strict": {"max_code_age_s": 3600}}}"#).expect("good");
        assert_eq!(policy.profiles["strict"].max_code_age_s, Some(3600));
        assert_eq!(policy.profiles["strict"].risk_days, Profile::default().risk_days);
    }

    #[test]
    fn a_slip_of_the_pen_is_named() {
        for (text, word) in [
            (r#"{"default": "a", "profiles": {"a": {"max_age": 1}}}"#, "max_age"),
            (r#"{"default": "a", "profiles": {"a": {"freshness": {"fresh": 1}}}}"#, "fresh_s"),
            (r#"{"default": "b", "profiles": {"a": {}}}"#, "\"b\""),
            (r#"{"default": "a", "profiles": {"a": {"freshness": {"fresh_s": 9, "grace_s": 3}}}}"#, "grow"),
            ("{", "JSON"),
        ] {
            let why = read(text.as_bytes()).expect_err(text);
            assert!(why.contains(word), "{text}: {why}");
        }
    }
}
