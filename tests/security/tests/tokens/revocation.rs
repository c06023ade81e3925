//! What was taken from a person is gone with the next request, whatever their token still says.

use anyhow::Result;
use ordak_security::database::Database;
use ordak_security::http::{Answer, Request};
use ordak_security::jwt;
use ordak_security::people::user_claims;
use ordak_security::stack::Stack;
use ordak_security::tally::Tally;

/// Somebody who exists for this suite alone.
const PERSON: &str = "00000000-0000-4000-8000-00000000a001";

/// Demotes, moves, deactivates and deletes a supervisor, and looks after each step.
pub fn counts_from_the_next_request(stack: &Stack, database: &mut Database, tally: &mut Tally) -> Result<()> {
    let token = jwt::honest(&user_claims(stack, PERSON), &stack.jwt_secret);
    database.run(&format!(
        "insert into auth.users (id, aud, role) values ('{PERSON}', 'authenticated', 'authenticated') on conflict do nothing;
         insert into public.staff (user_id, name, role) values ('{PERSON}', 'Rita Revoked', 'Supervisor')
         on conflict (user_id) do update set role = 'Supervisor', active = true;
         delete from public.staff_stores where user_id = '{PERSON}';
         insert into public.staff_stores (user_id, store) values ('{PERSON}', 'bannos');
         insert into public.work_queue (topic, store, dedupe_key, status, finished_at)
         values ('email', 'bannos', 'security-revocation', 'done', now()) on conflict do nothing"
    ))?;
    let probe = Probe { stack, token };

    probe.expect(tally, "a supervisor", [true, true, true])?;
    for (change, what, expected) in [
        ("update public.staff set role = 'Staff' where user_id = ", "demoted to Staff", [true, true, false]),
        ("delete from public.staff_stores where user_id = ", "taken from the store", [false, false, false]),
        (
            "insert into public.staff_stores (store, user_id) select 'bannos', ",
            "back in the store",
            [true, true, false],
        ),
        ("update public.staff set active = false where user_id = ", "inactive", [false, false, false]),
        ("delete from public.staff where user_id = ", "no member of staff", [false, false, false]),
    ] {
        database.run(&format!("{change}'{PERSON}'"))?;
        probe.expect(tally, what, expected)?;
    }
    database.run(&format!("delete from auth.users where id = '{PERSON}'"))?;
    probe.expect(tally, "deleted", [false, false, false])?;
    database.run("delete from public.work_queue where dedupe_key = 'security-revocation'")?;
    Ok(())
}

struct Probe<'a> {
    stack: &'a Stack,
    token: String,
}

impl Probe<'_> {
    /// Looks at the edge (allowed to ask for an order), at the store's row and at the work queue.
    fn expect(&self, tally: &mut Tally, person: &str, expected: [bool; 3]) -> Result<()> {
        let edge = self.get(self.stack.function("stage-actions/order?scan=bannos-999999999"))?;
        let stores = self.get(self.stack.rest("stores?select=key"))?;
        let queue = self.get(self.stack.rest("work_queue?dedupe_key=eq.security-revocation&select=id"))?;
        let seen = [edge.status == 404, stores.body != b"[]", queue.body != b"[]"];
        let sound = matches!(edge.status, 403 | 404) && stores.status == 200 && queue.status == 200;
        tally.check("revocations", sound && seen == expected, || {
            format!(
                "{person}: expected {expected:?}, got {seen:?}: {} {} {}",
                edge.excerpt(),
                stores.excerpt(),
                queue.excerpt()
            )
        });
        Ok(())
    }

    fn get(&self, url: String) -> Result<Answer> {
        Request::get(url)
            .header("apikey", &self.stack.anon_key)
            .header("Authorization", format!("Bearer {}", self.token))
            .send()
    }
}
