//! `cron`: fires a schedule of the gateway now, by the name that its comment in `wrangler.toml` gives it.

use std::process::ExitCode;

use anyhow::{Context, Result, bail};

use crate::dotenv::StackEnv;
use crate::layout::Checkout;
use crate::say;

/// One schedule.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Schedule {
    /// Its name.
    pub name: String,
    /// What it does.
    pub about: String,
    /// When it fires.
    pub expression: String,
}

/// The one schedule whose function does something only at certain hours: fired by hand, it does so now.
const RECONCILE: &str = "reconcile";

/// Fires the schedule, or lists all of them.
pub async fn run(checkout: &Checkout, name: Option<&str>) -> Result<ExitCode> {
    let file = checkout.path("wrangler.toml");
    let text = std::fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
    let schedules = parse(&text);
    let Some(name) = name else {
        for schedule in schedules {
            say::info(format!("{:<12} {:<14} {}", schedule.name, schedule.expression, schedule.about));
        }
        return Ok(ExitCode::SUCCESS);
    };
    let Some(schedule) = schedules.iter().find(|schedule| schedule.name == name) else {
        let names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
        bail!("there is no schedule `{name}`; there are: {}", names.join(", "));
    };
    let env = StackEnv::of_running_stack(checkout)?;
    let gateway = env.get("GATEWAY_URL")?;
    let (url, request) = if name == RECONCILE {
        let (url, key) =
            (format!("{gateway}/functions/v1/{RECONCILE}"), env.get("SUPABASE_SERVICE_ROLE_KEY")?);
        let request = reqwest::Client::new().post(&url).header("apikey", key).bearer_auth(key);
        (url, request.json(&serde_json::json!({"now": true})))
    } else {
        let url = format!("{gateway}/__scheduled");
        let request = reqwest::Client::new().get(&url).query(&[("cron", &schedule.expression)]);
        (url, request)
    };
    let response = request.send().await.with_context(|| format!("no answer from {url}"))?;
    let status = response.status();
    say::info(format!("{status}\n{}", response.text().await.context("the answer broke off")?));
    Ok(if status.is_success() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Reads the lines `"<expression>", # <name>: <about>` of the array `crons`. Without a colon the comment's first word
/// is the name.
pub fn parse(config: &str) -> Vec<Schedule> {
    let lines = config.lines().skip_while(|line| !line.trim_start().starts_with("crons"));
    let inside = lines.skip(1).take_while(|line| !line.trim_start().starts_with(']'));
    inside.filter_map(schedule).collect()
}

fn schedule(line: &str) -> Option<Schedule> {
    let (_, rest) = line.split_once('"')?;
    let (expression, rest) = rest.split_once('"')?;
    let (_, comment) = rest.split_once('#')?;
    let comment = comment.trim();
    let (name, about) = comment.split_once(':').unwrap_or((comment, comment));
    let name = name.split_whitespace().next()?.to_owned();
    Some(Schedule { name, about: about.trim().to_owned(), expression: expression.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_come_from_the_comments() {
        let text = "[triggers]\ncrons = [\n    \"* * * * *\", # drain: sends what waits\n    \"0 * * * *\", # sweep the floor\n]\n[x]\na = \"b\" # c: d\n";
        let schedules = parse(text);
        assert_eq!(schedules.len(), 2);
        let drain = Schedule {
            name: "drain".into(),
            about: "sends what waits".into(),
            expression: "* * * * *".into(),
        };
        assert_eq!(schedules[0], drain);
        assert_eq!((schedules[1].name.as_str(), schedules[1].about.as_str()), ("sweep", "sweep the floor"));
    }

    #[test]
    fn every_schedule_of_the_product_has_a_name_of_its_own() {
        let text = std::fs::read_to_string(Checkout::find().unwrap().path("wrangler.toml")).unwrap();
        let config: toml::Table = toml::from_str(&text).unwrap();
        let crons = config["triggers"]["crons"].as_array().unwrap();
        let schedules = parse(&text);
        assert_eq!(schedules.len(), crons.len(), "each line of crons needs a comment `# <name>: <what>`");
        let mut names: Vec<&str> = schedules.iter().map(|schedule| schedule.name.as_str()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), crons.len());
    }
}
