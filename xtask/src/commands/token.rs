//! `token`: a signed-in user's token for somebody of a role, as Supabase Auth would give it.

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};
use serde_json::Value;

use super::send::rest_rows;
use crate::dotenv::StackEnv;
use crate::keys;
use crate::layout::Checkout;
use crate::say;

/// Whose token.
#[derive(Args)]
pub struct Token {
    /// The role
    #[arg(long, required_unless_present = "user", ignore_case = true)]
    role: Option<Role>,
    /// The store in which the role is held
    #[arg(long, required_unless_present = "user")]
    store: Option<String>,
    /// This user instead of one with the role
    #[arg(long, value_name = "UUID", conflicts_with_all = ["role", "store"])]
    user: Option<uuid::Uuid>,
}

/// The roles of staff.
#[derive(Clone, Copy, Debug, ValueEnum)]
#[value(rename_all = "PascalCase")]
enum Role {
    Staff,
    Supervisor,
    Admin,
}

/// Prints the token and nothing else, so that it can be used in a command line.
pub async fn run(checkout: &Checkout, token: Token) -> Result<()> {
    let env = StackEnv::of_running_stack(checkout)?;
    let Ok(secret) = env.get("SUPABASE_JWT_SECRET") else {
        bail!(
            "only the project itself can sign tokens. If it signs with a shared secret, start with --jwt-secret."
        );
    };
    let user = match (token.user, token.role, token.store) {
        (Some(user), _, _) => user.to_string(),
        (None, Some(role), Some(store)) => somebody(&env, role, &store).await?,
        _ => bail!("give --role and --store, or --user"),
    };
    say::info(keys::user_token(secret, env.get("SUPABASE_URL")?, &user)?);
    Ok(())
}

async fn somebody(env: &StackEnv, role: Role, store: &str) -> Result<String> {
    let select = "select=user_id,staff_stores(store)&active=is.true&order=user_id";
    let staff = rest_rows(env, &format!("staff?role=eq.{role:?}&{select}")).await?;
    match find(&staff, role, store) {
        Some(user) => Ok(user),
        None => bail!("nobody active has the role {role:?} in store `{store}`"),
    }
}

/// An Admin works for all stores, listed or not.
fn find(staff: &[Value], role: Role, store: &str) -> Option<String> {
    let works_there = |row: &&Value| {
        let stores = row.get("staff_stores").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        matches!(role, Role::Admin)
            || stores.iter().any(|s| s.get("store").and_then(Value::as_str) == Some(store))
    };
    staff
        .iter()
        .find(works_there)
        .and_then(|row| row.get("user_id"))
        .and_then(Value::as_str)
        .map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn finds_somebody_of_the_store_and_an_admin_for_every_store() {
        let staff = [
            json!({ "user_id": "a", "staff_stores": [{ "store": "flourlane" }] }),
            json!({ "user_id": "b", "staff_stores": [{ "store": "flourlane" }, { "store": "bannos" }] }),
        ];
        assert_eq!(find(&staff, Role::Staff, "bannos").as_deref(), Some("b"));
        assert_eq!(find(&staff, Role::Staff, "elsewhere"), None);
        assert_eq!(
            find(&[json!({ "user_id": "c", "staff_stores": [] })], Role::Admin, "bannos").as_deref(),
            Some("c")
        );
    }
}
