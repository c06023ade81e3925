//! How user tokens are signed in this project: with a shared secret, with published keys, or with both while it moves
//! from one to the other.
//!
//! Knows the names of the variables; checks no token.

use super::Reader;
use crate::token::{Algorithm, TokenKey, TokenRules};

/// Shortest HS256 secret that is accepted: as many bytes as the hash has.
const SHORTEST_SECRET: usize = 32;

/// Settings for checking user tokens.
#[derive(Clone, Debug)]
pub struct TokenSettings {
    /// What a token must say.
    pub rules: TokenRules,
    /// The shared secret; there when HS256 is one of the algorithms.
    pub secret: Option<TokenKey>,
    /// Where the keys for the other algorithms are published.
    pub keys_url: String,
}

impl TokenSettings {
    /// Reads `SUPABASE_JWT_ALGORITHMS` and, for HS256, `SUPABASE_JWT_SECRET`. Without the first, a project with a
    /// secret signs with it and one without publishes its keys.
    pub fn read(reader: &mut Reader<'_>, supabase_url: &str) -> Self {
        let algorithms = algorithms(reader);
        let mut secret = None;
        if algorithms.contains(&Algorithm::Hs256) {
            let text = reader.required("SUPABASE_JWT_SECRET");
            if !text.is_empty() && text.len() < SHORTEST_SECRET {
                reader.problem("SUPABASE_JWT_SECRET", "is shorter than 32 characters");
            }
            secret = TokenKey::new(&text);
        }
        let rules = TokenRules::for_users_of(supabase_url, algorithms);
        Self { secret, keys_url: format!("{}/.well-known/jwks.json", rules.issuer), rules }
    }
}

fn algorithms(reader: &mut Reader<'_>) -> Vec<Algorithm> {
    const NAME: &str = "SUPABASE_JWT_ALGORITHMS";
    let named = reader.list(NAME);
    if named.is_empty() {
        return match reader.optional("SUPABASE_JWT_SECRET") {
            Some(_) => vec![Algorithm::Hs256],
            None => vec![Algorithm::Es256, Algorithm::Rs256],
        };
    }
    let known: Vec<Algorithm> = named.iter().filter_map(|name| Algorithm::parse(name)).collect();
    if known.len() < named.len() {
        reader.problem(NAME, "must list some of HS256, ES256, RS256");
    }
    known
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &str = "a-secret-of-at-least-thirty-two-characters";

    fn read(pairs: &[(&str, &str)]) -> Result<TokenSettings, String> {
        let get =
            |name: &str| pairs.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
        let mut reader = Reader::new(&get);
        let settings = TokenSettings::read(&mut reader, "https://x.supabase.co");
        reader.finish(settings).map_err(|fault| fault.detail().to_owned())
    }

    #[test]
    fn a_project_with_a_secret_signs_with_it() {
        let settings = read(&[("SUPABASE_JWT_SECRET", SECRET)]).unwrap();
        assert_eq!(settings.rules.algorithms, [Algorithm::Hs256]);
        assert!(settings.secret.is_some());
    }

    #[test]
    fn a_project_without_a_secret_publishes_its_keys() {
        let settings = read(&[]).unwrap();
        assert_eq!(settings.rules.algorithms, [Algorithm::Es256, Algorithm::Rs256]);
        assert!(settings.secret.is_none());
        assert_eq!(settings.keys_url, "https://x.supabase.co/auth/v1/.well-known/jwks.json");
    }

    #[test]
    fn the_list_decides_and_a_secret_that_it_does_not_need_is_no_key() {
        let settings =
            read(&[("SUPABASE_JWT_ALGORITHMS", "ES256"), ("SUPABASE_JWT_SECRET", SECRET)]).unwrap();
        assert_eq!(settings.rules.algorithms, [Algorithm::Es256]);
        assert!(settings.secret.is_none());
        let both = read(&[("SUPABASE_JWT_ALGORITHMS", "HS256, ES256"), ("SUPABASE_JWT_SECRET", SECRET)]);
        let both = both.unwrap();
        assert_eq!(both.rules.algorithms, [Algorithm::Hs256, Algorithm::Es256]);
        assert!(both.secret.is_some());
    }

    #[test]
    fn what_is_wrong_is_named() {
        for list in ["none", "ES256,none", "HS512", "es256", "ES256;RS256"] {
            let problem = read(&[("SUPABASE_JWT_ALGORITHMS", list)]).unwrap_err();
            assert_eq!(problem, "SUPABASE_JWT_ALGORITHMS must list some of HS256, ES256, RS256", "{list}");
        }
        let problem = read(&[("SUPABASE_JWT_ALGORITHMS", "ES256,HS256")]).unwrap_err();
        assert_eq!(problem, "SUPABASE_JWT_SECRET is missing");
        let problem = read(&[("SUPABASE_JWT_SECRET", "short")]).unwrap_err();
        assert_eq!(problem, "SUPABASE_JWT_SECRET is shorter than 32 characters");
    }
}
