-- Tables as one makes them when the function that receives the webhook does the work: what Ordak keeps of an order, with the
-- keys and indexes that are needed to read it.

create table public.usual_events (
    id bigint generated always as identity primary key,
    source text not null,
    external_id text not null,
    topic text not null,
    payload jsonb not null,
    created_at timestamptz not null default now(),
    unique (source, external_id)
);

create table public.usual_orders (
    store text not null,
    id text not null,
    shopify_order_gid text not null unique,
    order_number text,
    customer_name text,
    product_title text,
    flavour text,
    size text,
    notes text,
    due_date date,
    delivery_method text,
    currency text,
    total_amount numeric(12, 2),
    payment_status text,
    stage text not null default 'Filling',
    created_at timestamptz not null default now(),
    primary key (store, id)
);
create index usual_orders_store_due_date_idx on public.usual_orders (store, due_date);

create table public.usual_lines (
    store text not null,
    order_id text not null,
    line_id text not null,
    sku text,
    title text,
    quantity integer not null,
    price numeric(12, 2),
    primary key (store, order_id, line_id),
    foreign key (store, order_id) references public.usual_orders (store, id)
);

create table public.usual_stock (
    store text not null,
    sku text not null,
    ats integer not null check (ats >= 0),
    primary key (store, sku)
);

create table public.usual_ledger (
    id bigint generated always as identity primary key,
    store text not null,
    sku text not null,
    order_id text not null,
    line_id text not null,
    delta integer not null,
    created_at timestamptz not null default now(),
    foreign key (store, sku) references public.usual_stock (store, sku),
    foreign key (store, order_id) references public.usual_orders (store, id)
);
create index usual_ledger_sku_idx on public.usual_ledger (store, sku);
create index usual_ledger_order_idx on public.usual_ledger (store, order_id);

create table public.usual_trail (
    id bigint generated always as identity primary key,
    store text not null,
    order_id text not null,
    action text not null,
    meta jsonb not null,
    created_at timestamptz not null default now(),
    foreign key (store, order_id) references public.usual_orders (store, id)
);
create index usual_trail_order_idx on public.usual_trail (store, order_id);

create table public.usual_queue (
    id bigint generated always as identity primary key,
    topic text not null,
    dedupe_key text not null,
    payload jsonb not null,
    status text not null default 'pending',
    created_at timestamptz not null default now(),
    unique (topic, dedupe_key)
);
create index usual_queue_status_idx on public.usual_queue (created_at) where status = 'pending';

alter table public.usual_events enable row level security;
alter table public.usual_orders enable row level security;
alter table public.usual_lines enable row level security;
alter table public.usual_stock enable row level security;
alter table public.usual_ledger enable row level security;
alter table public.usual_trail enable row level security;
alter table public.usual_queue enable row level security;
grant select, insert, update on
    public.usual_events, public.usual_orders, public.usual_lines, public.usual_stock, public.usual_ledger,
    public.usual_trail, public.usual_queue
to service_role;
