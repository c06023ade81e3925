//! Somebody else's name: `p_user` in a call, and one's own row of staff.

use anyhow::{Context, Result, ensure};
use ordak_security::caller::Caller;
use ordak_security::database::quote;
use ordak_security::people::Actor;
use ordak_security::tally::Tally;

/// Whoever a user names as `p_user`: what happens is what that user may do, and is written down under the own name.
pub fn names_nobody_else(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    let calls = [
        ("handle_print_barcode", "'bannos-990001', p_user => {}"),
        ("complete_filling", "'bannos-990001', p_user => {}"),
        ("complete_covering", "'bannos-990002', p_user => {}"),
        ("complete_decorating", "'bannos-990003', p_user => {}"),
        ("start_packing", "'bannos-990004', p_user => {}"),
        ("complete_packing", "'bannos-990004', p_user => {}"),
        ("qc_return_to_decorating", "'bannos-990004', p_user => {}, p_reason => 'x'"),
        ("set_storage", "'bannos-990001', 'x', p_user => {}"),
        ("scan", "'bannos-990001', p_user => {}"),
    ];
    // Those that only the service role may call are tried among the service functions.
    let known = caller.database.number(
        "select count(*) from pg_catalog.pg_proc
         where pronamespace = 'public'::regnamespace and 'p_user' = any (proargnames)
             and pg_catalog.has_function_privilege('authenticated', oid, 'execute')",
    )?;
    ensure!(known == i64::try_from(calls.len())?, "{known} functions take p_user, {} are tried", calls.len());

    for (name, arguments) in calls {
        for actor in [Actor::Stranger, Actor::Inactive, Actor::Elsewhere, Actor::Staff] {
            for victim in [Actor::Staff, Actor::Supervisor, Actor::Admin] {
                let victim_id = victim.user().context("a user")?;
                let call = format!("public.{name}({})", arguments.replace("{}", &quote(victim_id)));
                let (answer, performed_by) = call_and_look(caller, actor, &call)?;
                // Of these only Staff of bannos may act, and no Staff may send an order back.
                let may = actor == Actor::Staff && name != "qc_return_to_decorating";
                let honest = (answer["ok"] == true) == may
                    && performed_by.is_none_or(|by| Some(by.as_str()) == actor.user());
                tally.check("names borrowed", honest, || {
                    format!("{} as {}: {call}: {answer}", actor.name(), victim.name())
                });
            }
        }
    }
    Ok(())
}

/// Makes a call, and tells whose name is on the latest event that it wrote.
fn call_and_look(
    caller: &mut Caller,
    actor: Actor,
    call: &str,
) -> Result<(serde_json::Value, Option<String>)> {
    caller.database.run("savepoint borrowed")?;
    let last = caller.database.number("select coalesce(max(id), 0) from public.stage_events")?;
    caller.database.run(&actor.enter(caller.stack))?;
    let answer = caller.database.value(&format!("select {call}"))?.unwrap_or_default();
    caller.database.run("reset role")?;
    let by = caller.database.column(&format!(
        "select coalesce(performed_by::text, 'nobody') from public.stage_events where id > {last} order by id desc limit 1"
    ))?;
    caller.database.run("rollback to savepoint borrowed; release savepoint borrowed")?;
    Ok((serde_json::from_str(&answer)?, by.into_iter().next()))
}

/// Nobody but an Admin changes staff: not their own row, not anybody's.
pub fn of_staff(caller: &mut Caller, tally: &mut Tally) -> Result<()> {
    for actor in [Actor::Stranger, Actor::Inactive, Actor::Staff, Actor::Elsewhere, Actor::Supervisor] {
        let me = quote(actor.user().context("a user")?);
        for call in [
            format!("public.upsert_staff({me}, 'Me', 'Admin')"),
            format!("public.upsert_staff({me}, 'Me', 'Supervisor', '{{bannos,flourlane}}')"),
            format!("public.upsert_staff({me}, 'Me', 'Staff', null)"),
            format!("public.set_staff_active({me}, true)"),
            format!("public.set_staff_active({}, false)", quote(Actor::Admin.user().context("a user")?)),
            "public.create_store('mine', 'Mine', 'mine.myshopify.com', 'Australia/Sydney', 'AU', 'AUD')"
                .to_owned(),
        ] {
            let (answer, _) = call_and_look(caller, actor, &call)?;
            tally.check("promotions", answer["code"] == "PERMISSION_DENIED", || {
                format!("{} {call}: {answer}", actor.name())
            });
        }
    }
    // A Supervisor hands orders to own people only.
    for somebody in [Actor::Elsewhere, Actor::Inactive, Actor::Stranger] {
        let id = quote(somebody.user().context("a user")?);
        let (answer, _) =
            call_and_look(caller, Actor::Supervisor, &format!("public.assign_staff('bannos-990001', {id})"))?;
        tally.check("promotions", answer["ok"] == false, || {
            format!("assigned to {}: {answer}", somebody.name())
        });
    }
    Ok(())
}
