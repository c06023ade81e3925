-- Accepted webhook deliveries, stored once and never changed.

create table public.event_store (
    id bigint generated always as identity primary key,
    source text not null,
    type text not null,
    store text not null references public.stores (key),
    ref_id text,
    external_id text not null,
    content_hash text collate "C" not null,
    occurred_at timestamptz,
    payload jsonb not null,
    normalized jsonb,
    received_at timestamptz not null default now(),
    processed_at timestamptz,
    attempts integer not null default 0,
    last_error text,
    created_at timestamptz not null default now(),
    unique (source, external_id)
);
comment on table public.event_store is 'Every accepted delivery, once. State of an order is a function of the set of its events.';
comment on column public.event_store.ref_id is 'What the event is about: the order gid for order topics.';
comment on column public.event_store.external_id is 'Deduplication key of the sender: <store>/<topic>/<webhook id>.';
comment on column public.event_store.content_hash is
    'SHA-256 of the raw body. The same body for the same store and topic again is a duplicate, whatever its ids: the hash covers the order and its updated_at.';
comment on column public.event_store.processed_at is
    'Set when the row is inserted, as event and effects commit together; null only while applying it has failed.';
comment on column public.event_store.normalized is 'The NormalizedOrder that the edge derived from the payload.';
comment on column public.event_store.payload is
    'The body as it came, where it is the body of an order of this store; of any other, what cannot be personal.';

create unique index event_store_store_type_content_hash_idx on public.event_store (store, type, content_hash);
create index event_store_store_ref_id_idx on public.event_store (store, ref_id, id);
create index event_store_unprocessed_idx on public.event_store (received_at) where processed_at is null;

create function private.refuse_event_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_redacted public.event_store;
begin
    -- Two changes are none of content: personal data taken out, exactly as the one function does it, and a move to
    -- or from the archive, of which the copy has been made.
    if tg_op = 'UPDATE' then
        v_redacted := old;
        v_redacted.payload := private.redact_payload(old.payload);
        v_redacted.normalized := private.redact_normalized(old.normalized);
        v_redacted.processed_at := new.processed_at;
        v_redacted.attempts := new.attempts;
        v_redacted.last_error := new.last_error;
        if new is not distinct from v_redacted then
            return new;
        end if;
    elsif tg_op = 'DELETE' and exists (
        select 1 from public.event_archive a where a.id = old.id and row(a.*) is not distinct from row(old.*)
    ) then
        return old;
    end if;
    raise exception 'events are append-only' using errcode = 'restrict_violation';
end;
$$;
revoke execute on function private.refuse_event_change() from public, anon;
comment on function private.refuse_event_change() is
    'Trigger: an accepted delivery is never deleted and its content never changed, save that personal data is taken out and that old events move to the archive.';

create trigger event_store_immutable
    before update of source, type, store, ref_id, external_id, content_hash, occurred_at, payload, normalized, received_at
    on public.event_store
    for each row execute function private.refuse_event_change();
create trigger event_store_no_delete
    before delete on public.event_store
    for each row execute function private.refuse_event_change();
create trigger event_store_no_truncate
    before truncate on public.event_store
    for each statement execute function private.refuse_event_change();

alter table public.event_store enable row level security;
revoke all on public.event_store from anon, authenticated, service_role;
grant select on public.event_store to authenticated, service_role;
create policy event_store_select_supervisor on public.event_store for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy event_store_select_service on public.event_store for select to service_role using (true);
