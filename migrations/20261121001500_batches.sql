-- Pooled production: who makes what on which terms, the batches that fill up, who contributed, and what was ordered.

create table public.suppliers (
    id uuid primary key default gen_random_uuid(),
    store text not null references public.stores (key),
    name text not null check (btrim(name) <> ''),
    active boolean not null default true,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (store, name),
    unique (id, store)
);
comment on table public.suppliers is 'Who makes pooled goods for a store. An inactive one gets no new batch; its running batches go on.';

create function private.are_factors(p_factors jsonb)
returns boolean
language sql
immutable
set search_path = ''
as $$
    -- A branch each: jsonb_each would raise on anything but an object.
    select case
        when jsonb_typeof(p_factors) = 'object' then not exists (
            select 1
            from jsonb_each(p_factors) f
            where f.key = '' or jsonb_typeof(f.value) <> 'number'
                or not case when jsonb_typeof(f.value) = 'number'
                    then (f.value #>> '{}')::numeric between 0.0001 and 10000 end
        )
        else false
    end;
$$;
revoke execute on function private.are_factors(jsonb) from public, anon;
comment on function private.are_factors(jsonb) is
    'Whether this is an object of positive factors by name, as prices are multiplied with. For check constraints.';

create table public.supplier_terms (
    id uuid primary key default gen_random_uuid(),
    store text not null references public.stores (key),
    supplier_id uuid not null,
    product_category text not null check (btrim(product_category) <> ''),
    base_price numeric(16, 3) not null check (base_price > 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    complexity jsonb not null default '{}'::jsonb check (private.are_factors(complexity)),
    style_surcharge jsonb not null default '{}'::jsonb check (private.are_factors(style_surcharge)),
    minimum_order_quantity integer not null check (minimum_order_quantity > 0),
    lead_time_days integer not null check (lead_time_days between 0 and 365),
    style_limit integer not null check (style_limit > 0),
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (supplier_id, store) references public.suppliers (id, store),
    unique (supplier_id, product_category),
    unique (id, store)
);
create index supplier_terms_store_product_category_idx on public.supplier_terms (store, product_category);
create index supplier_terms_supplier_id_store_idx on public.supplier_terms (supplier_id, store);
create index supplier_terms_product_category_idx on public.supplier_terms (product_category, base_price);
comment on table public.supplier_terms is 'What a supplier asks for a category of products; a unit costs base price × complexity × style surcharge.';
comment on column public.supplier_terms.complexity is 'Factor by product variant base; 1 for one that is not listed.';
comment on column public.supplier_terms.style_surcharge is 'Factor by variant of style; 1 for one that is not listed.';
comment on column public.supplier_terms.minimum_order_quantity is 'The target of a batch: what is ordered, however much is pooled.';
comment on column public.supplier_terms.lead_time_days is 'A batch stays open to the end of this many days, in the timezone of the store.';

create table public.production_batches (
    id uuid primary key default gen_random_uuid(),
    store text not null references public.stores (key),
    terms_id uuid not null,
    product_category text not null check (btrim(product_category) <> ''),
    status text not null default 'filling'
        check (status in ('filling', 'needs_review', 'confirmed', 'cancelled', 'in_production', 'completed')),
    target_quantity integer not null check (target_quantity > 0),
    current_quantity integer not null default 0 check (current_quantity >= 0),
    style_limit integer not null check (style_limit > 0),
    style_count integer not null default 0 check (style_count >= 0),
    window_opens_at timestamptz not null default now(),
    window_closes_at timestamptz not null,
    estimated_start_date date,
    actual_start_date date,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (terms_id, store) references public.supplier_terms (id, store),
    unique (id, store),
    check (window_closes_at > window_opens_at),
    constraint production_batches_started_check
        check ((status in ('confirmed', 'in_production', 'completed')) = (actual_start_date is not null))
);
create index production_batches_closing_idx on public.production_batches (window_closes_at, id) where status = 'filling';
create index production_batches_filling_idx on public.production_batches (product_category, store) where status = 'filling';
create index production_batches_store_idx on public.production_batches (store, status);
create index production_batches_terms_id_store_idx on public.production_batches (terms_id, store);
comment on table public.production_batches is 'One production run that orders pool into until its window closes.';
comment on column public.production_batches.current_quantity is 'Sum of the contributions whose orders are not cancelled. May exceed the target.';
comment on column public.production_batches.style_count is 'Different styles among those contributions.';
comment on column public.production_batches.window_closes_at is 'At this very moment the window is closed.';

create table public.batch_contributions (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    batch_id uuid not null,
    order_id text not null,
    buyer_id uuid references auth.users (id) on delete set null,
    product_variant_base text not null,
    style text not null,
    style_details jsonb not null,
    quantity integer not null check (quantity > 0),
    unit_price numeric(16, 3) not null check (unit_price >= 0),
    total_price numeric(16, 3) not null check (total_price >= 0),
    currency text not null check (currency ~ '^[A-Z]{3}$'),
    withdrawn_at timestamptz,
    created_at timestamptz not null default now(),
    foreign key (batch_id, store) references public.production_batches (id, store),
    foreign key (store, order_id) references public.orders (store, id),
    unique (store, order_id)
);
create index batch_contributions_batch_id_store_idx on public.batch_contributions (batch_id, store, style);
create index batch_contributions_buyer_id_idx on public.batch_contributions (buyer_id) where buyer_id is not null;
comment on table public.batch_contributions is 'The part of a batch that one order is. An order contributes once, to one batch.';
comment on column public.batch_contributions.withdrawn_at is 'The order was cancelled while the batch could still change: it no longer counts.';

create table public.supplier_orders (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    batch_id uuid not null unique,
    -- An odd factor maps the first 2^32 ids one to one: eight digits that never clash and show no count.
    order_number text not null unique generated always as (
        'BATCH-' || lpad(to_hex((id % 4294967296) * 1640531527 % 4294967296), 8, '0')
    ) stored,
    quantity integer not null check (quantity > 0),
    status text not null default 'pending' check (status in ('pending', 'placed', 'completed')),
    reference text,
    placed_at timestamptz,
    completed_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    foreign key (batch_id, store) references public.production_batches (id, store)
);
create index supplier_orders_batch_id_store_idx on public.supplier_orders (batch_id, store);
create index supplier_orders_store_idx on public.supplier_orders (store, status);
comment on table public.supplier_orders is 'What is ordered from the supplier for a confirmed batch: always its full target, once.';
comment on column public.supplier_orders.reference is 'The supplier''s own number of the order.';

create trigger suppliers_touch_updated_at before update on public.suppliers
    for each row execute function private.touch_updated_at();
create trigger supplier_terms_touch_updated_at before update on public.supplier_terms
    for each row execute function private.touch_updated_at();
create trigger production_batches_touch_updated_at before update on public.production_batches
    for each row execute function private.touch_updated_at();
create trigger supplier_orders_touch_updated_at before update on public.supplier_orders
    for each row execute function private.touch_updated_at();

alter table public.suppliers enable row level security;
alter table public.supplier_terms enable row level security;
alter table public.production_batches enable row level security;
alter table public.batch_contributions enable row level security;
alter table public.supplier_orders enable row level security;
revoke all on public.suppliers, public.supplier_terms, public.production_batches, public.batch_contributions,
    public.supplier_orders from anon, authenticated, service_role;
grant select on public.suppliers, public.supplier_terms, public.production_batches, public.batch_contributions,
    public.supplier_orders to authenticated, service_role;

-- Prices and buyers are not for the floor.
create policy suppliers_select_supervisor on public.suppliers for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy suppliers_select_service on public.suppliers for select to service_role using (true);
create policy supplier_terms_select_supervisor on public.supplier_terms for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy supplier_terms_select_service on public.supplier_terms for select to service_role using (true);
create policy production_batches_select_supervisor on public.production_batches for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy production_batches_select_service on public.production_batches for select to service_role using (true);
create policy batch_contributions_select_supervisor on public.batch_contributions for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy batch_contributions_select_service on public.batch_contributions for select to service_role using (true);
create policy supplier_orders_select_supervisor on public.supplier_orders for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy supplier_orders_select_service on public.supplier_orders for select to service_role using (true);
