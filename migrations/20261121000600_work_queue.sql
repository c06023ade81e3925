-- The outbound queue: every effect outside Postgres is a row written with the change that causes it.

create table public.queue_topics (
    topic text primary key,
    max_attempts integer not null default 3 check (max_attempts between 1 and 100),
    backoff text not null default 'exponential' check (backoff in ('fixed', 'exponential')),
    base_ms integer not null default 5000 check (base_ms between 1 and 3600000),
    rate_max integer check (rate_max between 1 and 10000),
    rate_duration_ms integer check (rate_duration_ms between 1 and 86400000),
    rate_scope text not null default 'topic' check (rate_scope in ('topic', 'store')),
    concurrency integer check (concurrency between 1 and 10000),
    lease_seconds integer not null default 60 check (lease_seconds between 1 and 3600),
    paused boolean not null default false,
    upstream text check (upstream ~ '^[a-z][a-z_]{0,29}$'),
    created_at timestamptz not null default now(),
    check ((rate_max is null) = (rate_duration_ms is null))
);
comment on table public.queue_topics is 'How each topic is retried, paced and leased; changed without a deploy.';
comment on column public.queue_topics.rate_max is
    'At most so many items are given out within any rate_duration_ms, by all claims together; null is no limit.';
comment on column public.queue_topics.rate_scope is 'Whether the rate is one for the topic, or one for each store, as where every shop has its own limit.';
comment on column public.queue_topics.concurrency is 'At most so many items are leased at a time, by all workers together; null is no limit.';
comment on column public.queue_topics.upstream is
    'The outside system that the topic calls: topics with the same one share its circuit breaker, one for each store. Null calls nobody.';

insert into public.queue_topics (topic, upstream, rate_max, rate_duration_ms, rate_scope) values
    ('inventory_push', 'shopify', null, null, 'topic'),
    ('order_ingest_retry', null, null, null, 'topic'),
    ('fulfillment_request', 'wms', null, null, 'topic'),
    ('courier_booking', 'courier', null, null, 'topic'),
    ('courier_cancel', 'courier', null, null, 'topic'),
    ('shopify_notification', 'shopify', 2, 1000, 'store'),
    ('customs_correction', 'shipstation', 40, 60000, 'store'),
    ('refund', 'shopify', null, null, 'topic'),
    ('email', 'email', null, null, 'topic'),
    ('slack_alert', 'slack', null, null, 'topic');

create table public.work_queue (
    id bigint generated always as identity primary key,
    topic text not null,
    store text not null references public.stores (key),
    payload jsonb not null default '{}'::jsonb,
    priority smallint not null default 5 check (priority between 0 and 9),
    dedupe_key text not null,
    serial_key text generated always as (
        case when topic = 'inventory_push' then left(store || '/' || (payload ->> 'sku'), 400) end
    ) stored,
    status public.work_status not null default 'pending',
    serial_busy boolean generated always as (
        case when topic = 'inventory_push' then status = 'processing' end
    ) stored,
    retry_count integer not null default 0,
    max_retries integer not null default 3,
    next_retry_at timestamptz not null default now(),
    last_error text,
    error_class text check (error_class in ('transient', 'permanent', 'limit', 'misconfigured')),
    locked_at timestamptz,
    locked_by text,
    lease_until timestamptz,
    counted boolean,
    fence bigint not null default 0,
    created_at timestamptz not null default now(),
    finished_at timestamptz,
    discarded_at timestamptz,
    unique (topic, dedupe_key),
    check ((finished_at is not null) = (status in ('done', 'dead'))),
    check (status <> 'dead' or error_class is not null or discarded_at is not null)
) with (fillfactor = 45);
-- What a claim writes is in no index and no condition of one, and its pages have room for a second version of every
-- row: then no index hears of the update, which halves its cost. So leased items stay where they were due, and claims
-- pass them over.
create index work_queue_due_idx on public.work_queue (topic, store, priority, next_retry_at, id)
    where finished_at is null;
create index work_queue_serial_idx on public.work_queue (serial_key, serial_busy, next_retry_at, id)
    where finished_at is null and serial_key is not null;
create index work_queue_counted_idx on public.work_queue (topic, store) where counted;
create index work_queue_store_finished_at_idx on public.work_queue (store, finished_at);
create index work_queue_order_gid_idx on public.work_queue ((payload ->> 'order_gid'))
    where payload ->> 'order_gid' is not null;
comment on table public.work_queue is 'Every effect outside, written in the transaction that causes it.';
comment on column public.work_queue.serial_key is
    'Items with the same key are never in two hands at once: of two levels of one SKU the older could arrive last.';
comment on column public.work_queue.serial_busy is
    'Of an item with a serial key, whether it is leased. Null for all others, so that no index hears of their claims.';
comment on column public.work_queue.counted is
    'Leased with a serial key or while its topic had a bound of concurrency, and so one of those whose lease is looked after; null otherwise, so that no index hears of the claim.';
comment on column public.work_queue.payload is
    'What to do. Work about an order names it as order_gid: so it is found when the order has to be forgotten.';
comment on column public.work_queue.discarded_at is 'A supervisor decided that this dead item needs no attention any more.';
comment on column public.work_queue.fence is 'Grows with every claim; a report that carries an older fence is ignored.';

create table public.dead_letters (
    id bigint generated always as identity primary key,
    store text references public.stores (key),
    source text not null,
    topic text,
    reason text not null,
    shop_domain text,
    external_id text,
    body text,
    encoding text not null default 'utf8' check (encoding in ('utf8', 'base64', 'json')),
    work_id bigint references public.work_queue (id) on delete set null,
    created_at timestamptz not null default now()
);
create unique index dead_letters_external_id_idx on public.dead_letters (source, external_id);
create index dead_letters_store_idx on public.dead_letters (store);
create index dead_letters_work_id_idx on public.dead_letters (work_id);
comment on table public.dead_letters is 'What could not be processed, kept whole until a person decides.';

create table public.worker_runs (
    id bigint generated always as identity primary key,
    worker text not null,
    started_at timestamptz not null,
    finished_at timestamptz not null default now(),
    claimed integer not null default 0,
    done integer not null default 0,
    retried integer not null default 0,
    dead integer not null default 0,
    by_topic jsonb not null default '{}'::jsonb,
    created_at timestamptz not null default now()
);
create index worker_runs_finished_at_idx on public.worker_runs (finished_at);
comment on table public.worker_runs is
    'One row for each drain that found work, and for those that found none one a minute: rates, errors and the last run are read from here.';

alter table public.queue_topics enable row level security;
alter table public.work_queue enable row level security;
alter table public.dead_letters enable row level security;
alter table public.worker_runs enable row level security;
revoke all on public.queue_topics, public.work_queue, public.dead_letters, public.worker_runs
    from anon, authenticated, service_role;
grant select on public.queue_topics, public.work_queue, public.dead_letters, public.worker_runs
    to authenticated, service_role;

create policy queue_topics_select_supervisor on public.queue_topics for select to authenticated
    using (cardinality((select private.readable_stores('Supervisor'))::text[]) > 0);
create policy queue_topics_select_service on public.queue_topics for select to service_role using (true);
create policy work_queue_select_supervisor on public.work_queue for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy work_queue_select_service on public.work_queue for select to service_role using (true);
-- A letter of no store came from a shop that is none of ours: an Admin decides what becomes of it.
create policy dead_letters_select_supervisor on public.dead_letters for select to authenticated
    using (
        store = any ((select private.readable_stores('Supervisor'))::text[])
        or (store is null and cardinality((select private.readable_stores('Admin'))::text[]) > 0)
    );
create policy dead_letters_select_service on public.dead_letters for select to service_role using (true);
create policy worker_runs_select_supervisor on public.worker_runs for select to authenticated
    using (cardinality((select private.readable_stores('Supervisor'))::text[]) > 0);
create policy worker_runs_select_service on public.worker_runs for select to service_role using (true);
