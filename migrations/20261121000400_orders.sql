-- Orders, partitioned by store, with their lines, their index over all stores and their audit trail.

create table public.orders (
    store text not null references public.stores (key),
    id text not null,
    row_id uuid not null default gen_random_uuid(),
    shopify_order_id bigint,
    shopify_order_gid text not null,
    shopify_order_number text,
    customer_name text,
    product_title text,
    flavour text,
    size text,
    notes text,
    due_date date,
    delivery_method text check (delivery_method in ('pickup', 'delivery')),
    missing_fields text[] not null default '{}',
    currency text,
    total_amount numeric(16, 3),
    stage public.order_stage not null default 'Filling',
    assignee_id uuid references public.staff (user_id),
    storage text,
    filling_start_ts timestamptz,
    filling_complete_ts timestamptz,
    covering_complete_ts timestamptz,
    decorating_complete_ts timestamptz,
    packing_start_ts timestamptz,
    packing_complete_ts timestamptz,
    payment_status text,
    business_updated_at timestamptz,
    placeholder boolean not null default false,
    cancelled_at timestamptz,
    cancel_reason text,
    shipping_status text not null default 'pending'
        check (shipping_status in ('pending', 'fulfilling', 'shipped', 'delivered')),
    allocation_status text not null default 'none' check (allocation_status in ('none', 'allocated', 'short')),
    inventory_blocked boolean not null default false,
    last_event_id bigint,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    primary key (store, id)
) partition by list (store);
comment on table public.orders is 'One row an order. Commerce columns follow its events; kitchen columns follow scans.';
comment on column public.orders.placeholder is 'An update came before its create: not yet in the kitchen, nothing booked.';
comment on column public.orders.business_updated_at is 'updated_at of the winning snapshot, as Shopify wrote it.';
comment on column public.orders.last_event_id is
    'The event that brought the winning snapshot, in event_store or event_archive.';
comment on column public.orders.total_amount is
    'In units of currency. Three decimals because some currencies have them; shown with the decimals of the currency.';

-- Included, so that the dashboard counts open orders without touching one.
create index orders_queue_idx on public.orders (store, due_date, size, shopify_order_number)
    include (stage, placeholder)
    where stage <> 'Complete' and cancelled_at is null;
create index orders_unassigned_idx on public.orders (store, stage, due_date)
    where assignee_id is null and stage <> 'Complete';
create index orders_assignee_id_idx on public.orders (assignee_id);
create index orders_shopify_order_gid_idx on public.orders (shopify_order_gid);
create index orders_order_number_idx on public.orders (shopify_order_number);

create trigger orders_touch_updated_at before update on public.orders
    for each row execute function private.touch_updated_at();

create table public.order_index (
    shopify_order_gid text primary key,
    shopify_order_id bigint,
    store text not null references public.stores (key),
    order_id text not null,
    customer_id bigint,
    redacted_at timestamptz,
    archived_at timestamptz,
    created_at timestamptz not null default now(),
    unique (store, order_id)
);
create index order_index_shopify_order_id_idx on public.order_index (shopify_order_id);
create index order_index_store_customer_id_idx on public.order_index (store, customer_id)
    where customer_id is not null;
comment on table public.order_index is
    'Which store and order a Shopify id belongs to, for ever. Its row is the lock that serialises events of one order.';
comment on column public.order_index.customer_id is
    'Shopify''s id of the customer, as the latest delivery named him: by it a request to forget him finds his orders.';
comment on column public.order_index.redacted_at is
    'Personal data of this order was removed; whatever arrives later is stored without.';
comment on column public.order_index.archived_at is 'Its events lie in event_archive until the next one arrives.';

create table public.order_line_items (
    store text not null,
    order_id text not null,
    line_id text not null,
    position integer not null,
    sku text,
    title text,
    variant_title text,
    quantity integer not null check (quantity >= 0),
    consumed integer not null default 0 check (consumed >= 0),
    price numeric(16, 3),
    gift_card boolean not null default false,
    properties jsonb not null default '{}'::jsonb,
    held_quantity integer not null default 0 check (held_quantity >= 0),
    short_quantity integer not null default 0 check (short_quantity >= 0),
    created_at timestamptz not null default now(),
    primary key (store, order_id, line_id),
    foreign key (store, order_id) references public.orders (store, id)
);
create index order_line_items_short_idx on public.order_line_items (store, sku) where short_quantity > 0;
comment on table public.order_line_items is 'What was ordered, as the winning snapshot has it, and what of it is held.';
comment on column public.order_line_items.quantity is 'What the line wants now: after edits, removals and refunds.';
comment on column public.order_line_items.consumed is
    'Pieces that were refunded and not put back on the shelf: nobody makes them any more, but their stock is gone.';

create table public.stage_events (
    id bigint generated always as identity primary key,
    store text not null,
    order_id text not null,
    stage_from public.order_stage,
    stage_to public.order_stage,
    action text not null,
    performed_by uuid references public.staff (user_id),
    source text not null check (source in ('kiosk', 'app', 'edge', 'sql')),
    scan_id uuid,
    meta jsonb not null default '{}'::jsonb,
    entered_at timestamptz,
    at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    foreign key (store, order_id) references public.orders (store, id)
);
create index stage_events_store_order_id_at_idx on public.stage_events (store, order_id, at);
create index stage_events_performed_by_idx on public.stage_events (performed_by);
create index stage_events_store_at_idx on public.stage_events (store, at);
create unique index stage_events_store_scan_id_idx on public.stage_events (store, scan_id) where scan_id is not null;
comment on table public.stage_events is 'Append-only audit of everything that happens to an order.';
comment on column public.stage_events.entered_at is
    'Of a move to another stage: when the order had come into the one it leaves. Written by stage_events_note_entry.';

create function private.refuse_change()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end;
$$;
revoke execute on function private.refuse_change() from public, anon;
comment on function private.refuse_change() is 'Trigger: rows of an append-only table are neither changed nor deleted.';

create function private.refuse_change_of_fact()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    -- The argument names the column in which people write freely.
    if tg_op = 'UPDATE'
        and to_jsonb(new) = to_jsonb(old) || jsonb_build_object(tg_argv[0], '[redacted]')
        and to_jsonb(old) ->> tg_argv[0] is not null
    then
        return new;
    end if;
    raise exception '% is append-only', tg_table_name using errcode = 'restrict_violation';
end;
$$;
revoke execute on function private.refuse_change_of_fact() from public, anon;
comment on function private.refuse_change_of_fact() is
    'Trigger: as refuse_change, save that the text in the named column may be taken out.';

create function private.refuse_stage_event_change()
returns trigger
language plpgsql
set search_path = ''
as $$
declare
    v_redacted public.stage_events;
begin
    if tg_op = 'UPDATE' then
        v_redacted := old;
        v_redacted.meta := private.redact_meta(old.meta);
        if new is not distinct from v_redacted then
            return new;
        end if;
    end if;
    raise exception 'stage_events is append-only' using errcode = 'restrict_violation';
end;
$$;
revoke execute on function private.refuse_stage_event_change() from public, anon;
comment on function private.refuse_stage_event_change() is
    'Trigger: the audit of an order is neither changed nor deleted, save that what people wrote is taken out.';

create trigger stage_events_append_only before update or delete on public.stage_events
    for each row execute function private.refuse_stage_event_change();
create trigger stage_events_no_truncate before truncate on public.stage_events
    for each statement execute function private.refuse_change();

create function public.priority(p_order public.orders)
returns text
language plpgsql
stable
set search_path = ''
as $$
-- Not plain SQL: with a search_path of its own that would be parsed and planned anew for every row.
declare
    v_today date;
begin
    if p_order.due_date is null then
        return 'Low';
    end if;
    v_today := now() at time zone (select s.timezone from public.stores s where s.key = p_order.store);
    return case
        when p_order.due_date <= v_today then 'High'
        when p_order.due_date = v_today + 1 then 'Medium'
        else 'Low'
    end;
end;
$$;
revoke execute on function public.priority(public.orders) from public, anon;
grant execute on function public.priority(public.orders) to authenticated, service_role;
comment on function public.priority(public.orders) is
    'Computed column: High today or overdue, Medium tomorrow, Low later or without date, in the timezone of the store. Callable by authenticated and service_role; no error codes.';

alter table public.orders enable row level security;
alter table public.order_index enable row level security;
alter table public.order_line_items enable row level security;
alter table public.stage_events enable row level security;

revoke all on public.orders, public.order_index, public.order_line_items, public.stage_events
    from anon, authenticated, service_role;
grant select on public.orders, public.order_index, public.order_line_items, public.stage_events
    to authenticated, service_role;

create policy orders_select_staff on public.orders for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy orders_select_service on public.orders for select to service_role using (true);
create policy order_index_select_staff on public.order_index for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy order_index_select_service on public.order_index for select to service_role using (true);
create policy order_line_items_select_staff on public.order_line_items for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy order_line_items_select_service on public.order_line_items for select to service_role using (true);
create policy stage_events_select_staff on public.stage_events for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy stage_events_select_service on public.stage_events for select to service_role using (true);
