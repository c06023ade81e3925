-- Schemas, defaults and the answer envelope that every other migration builds on.

create schema private;
comment on schema private is 'Helpers and secrets of Ordak. Never exposed through the REST API.';

revoke all on schema private from public;
grant usage on schema private to authenticated, service_role;

-- Only without "in schema" does this change the built-in default for new functions.
alter default privileges revoke execute on functions from public;

-- Even with search_path = '' Postgres looks for types in the caller's temporary schema first: whoever may make a
-- temporary domain named text, with a check of his own, runs that check as the owner of a definer function.
do $$
begin
    execute format('revoke temporary on database %I from public', current_database());
end;
$$;

create type public.staff_role as enum ('Staff', 'Supervisor', 'Admin');
create type public.order_stage as enum ('Filling', 'Covering', 'Decorating', 'Packing', 'Complete');
create type public.work_status as enum ('pending', 'processing', 'done', 'error', 'dead');
comment on type public.staff_role is 'What somebody may do, from the least to the most; functions compare in this order.';
comment on type public.order_stage is 'Where an order is in the kitchen, in the order in which it goes through.';
comment on type public.work_status is
    'pending: not tried yet; processing: leased to a worker; error: failed, to be tried again; done and dead: the end.';

create function private.ok(p_data jsonb default '{}'::jsonb, p_already_done boolean default false)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
-- Not plain SQL: with a search_path of its own that would be parsed and planned anew at every call.
begin
    return jsonb_build_object('ok', true, 'data', coalesce(p_data, '{}'::jsonb), 'already_done', p_already_done);
end;
$$;
revoke execute on function private.ok(jsonb, boolean) from public, anon;
comment on function private.ok(jsonb, boolean) is
    'The envelope of a success. already_done: the call was a repeat and changed nothing.';

create function private.fail(p_code text, p_message text)
returns jsonb
language plpgsql
immutable
set search_path = ''
as $$
begin
    return jsonb_build_object('ok', false, 'code', p_code, 'message', p_message);
end;
$$;
revoke execute on function private.fail(text, text) from public, anon;
comment on function private.fail(text, text) is
    'The envelope of a refusal. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, INVALID_STAGE, CONFLICT, INSUFFICIENT_STOCK, LIMIT_REACHED, UPSTREAM, INTERNAL.';

create function private.touch_updated_at()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := now();
    return new;
end;
$$;
revoke execute on function private.touch_updated_at() from public, anon;
comment on function private.touch_updated_at() is 'Trigger: updated_at is the database''s time of the last change.';
