-- Stock per store and SKU, and the ledger that explains every unit of it.

create table public.inventory_items (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    sku text not null check (sku <> ''),
    opening_ats integer not null default 0,
    ats integer not null check (ats >= 0),
    moves bigint not null default 0,
    tracked boolean not null default true,
    shopify_inventory_item_gid text,
    shopify_location_gid text,
    mapping_problem text check (mapping_problem in ('not_found', 'ambiguous', 'taken')),
    mapping_candidates text[],
    adopt boolean not null default false,
    pushed_quantity integer,
    compared_at timestamptz,
    created_at timestamptz not null default now(),
    updated_at timestamptz not null default now(),
    unique (store, sku),
    check (mapping_problem is null or shopify_inventory_item_gid is null)
) with (fillfactor = 80);
create unique index inventory_items_gid_idx on public.inventory_items (store, shopify_inventory_item_gid);
comment on table public.inventory_items is
    'Hot rows: room is left in each page so that a change of ats touches no index. ats (available to sell) is what orders are allocated from; it is never negative.';
comment on column public.inventory_items.opening_ats is 'ats = opening_ats + sum of inventory_txn.delta, always.';
comment on column public.inventory_items.moves is
    'How often ats has changed: what has the same number as before has not moved meanwhile.';
comment on column public.inventory_items.pushed_quantity is
    'The level that Shopify confirmed last, with which the next push compares; null when nobody knows.';
comment on column public.inventory_items.shopify_location_gid is
    'Where this SKU is stocked, when not at the location of its store.';
comment on column public.inventory_items.mapping_problem is
    'Why no inventory item of Shopify is known: none has the SKU, several have it (mapping_candidates), or another SKU has that one. Nothing is pushed until a person decides.';
comment on column public.inventory_items.adopt is
    'Not tracked before Shopify has said how much there is: then that is what there is to sell.';
comment on column public.inventory_items.compared_at is 'When reconciliation last met it on a page of Shopify.';

create function private.touch_item()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    new.updated_at := now();
    if new.ats <> old.ats then
        new.moves := old.moves + 1;
    end if;
    return new;
end;
$$;
revoke execute on function private.touch_item() from public, anon;
comment on function private.touch_item() is 'Trigger: when an item has changed last, and how often its stock has moved.';

-- What Shopify has been told is no change of the stock.
create trigger inventory_items_touch_item
    before update of ats, tracked, shopify_inventory_item_gid, shopify_location_gid on public.inventory_items
    for each row execute function private.touch_item();

-- The item is looked up at the commit, when whoever writes here has changed it and it is his: looking before would leave
-- marks of everybody who waits for a row that all want.
create table public.inventory_txn (
    id bigint generated always as identity primary key,
    item_id bigint not null references public.inventory_items (id) deferrable initially deferred,
    store text not null references public.stores (key),
    order_id text,
    line_id text,
    delta integer not null check (delta <> 0),
    reason text not null check (reason in ('hold', 'release', 'adjust', 'reconcile', 'restock')),
    note text,
    performed_by uuid references public.staff (user_id),
    idempotency_key text not null unique,
    created_at timestamptz not null default now(),
    foreign key (store, order_id) references public.orders (store, id)
);
create index inventory_txn_item_id_idx on public.inventory_txn (item_id, id);
create index inventory_txn_performed_by_idx on public.inventory_txn (performed_by) where performed_by is not null;
create index inventory_txn_store_order_id_idx on public.inventory_txn (store, order_id);
comment on table public.inventory_txn is 'Append-only ledger of stock. A hold is a negative delta made for an order line. Ids are given before the stock is taken: they are not the order in which that of an item changed.';

create trigger inventory_txn_append_only before update or delete on public.inventory_txn
    for each row execute function private.refuse_change_of_fact('note');
create trigger inventory_txn_no_truncate before truncate on public.inventory_txn
    for each statement execute function private.refuse_change();

alter table public.inventory_items enable row level security;
alter table public.inventory_txn enable row level security;
revoke all on public.inventory_items, public.inventory_txn from anon, authenticated, service_role;
grant select on public.inventory_items, public.inventory_txn to authenticated, service_role;

create policy inventory_items_select_staff on public.inventory_items for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy inventory_items_select_service on public.inventory_items for select to service_role using (true);
create policy inventory_txn_select_staff on public.inventory_txn for select to authenticated
    using (store = any ((select private.readable_stores())::text[]));
create policy inventory_txn_select_service on public.inventory_txn for select to service_role using (true);
