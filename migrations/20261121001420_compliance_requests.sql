-- Requests of Shopify to show or to forget people: what was asked, and how far it is done.

create table public.compliance_requests (
    id bigint generated always as identity primary key,
    store text not null references public.stores (key),
    kind text not null check (kind in ('data_request', 'redact_customer', 'redact_shop')),
    event_id bigint not null,
    shopify_request_id text,
    customer_id bigint,
    order_gids text[] not null default '{}',
    status text not null default 'pending' check (status in ('pending', 'done')),
    progress text not null default '',
    orders integer not null default 0,
    completed_at timestamptz,
    created_at timestamptz not null default now()
);
create index compliance_requests_store_kind_idx on public.compliance_requests (store, kind, created_at);
create index compliance_requests_pending_idx on public.compliance_requests (id) where status = 'pending';
comment on table public.compliance_requests is
    'What Shopify asked about people, and that it was done. Holds ids and counts, nothing personal.';
comment on column public.compliance_requests.order_gids is 'The orders of the customer; empty for a whole shop.';
comment on column public.compliance_requests.progress is
    'How far it is: of a customer the number of orders done, of a shop the last order id.';

alter table public.compliance_requests enable row level security;
revoke all on public.compliance_requests from anon, authenticated, service_role;
grant select on public.compliance_requests to authenticated, service_role;
create policy compliance_requests_select_supervisor on public.compliance_requests for select to authenticated
    using (store = any ((select private.readable_stores('Supervisor'))::text[]));
create policy compliance_requests_select_service on public.compliance_requests for select to service_role using (true);

create table private.redacted_orders (
    order_gid text not null,
    store text not null references public.stores (key),
    redacted_at timestamptz not null default now(),
    created_at timestamptz not null default now(),
    primary key (order_gid, store)
);
create index redacted_orders_store_idx on private.redacted_orders (store);
comment on table private.redacted_orders is
    'Orders that had to be forgotten before anything of them arrived: should it arrive, it is stored without personal data.';

create table private.former_customers (
    store text not null references public.stores (key),
    customer_id bigint not null,
    order_gid text not null,
    created_at timestamptz not null default now(),
    primary key (store, customer_id, order_gid)
);
create index former_customers_order_gid_idx on private.former_customers (order_gid);
comment on table private.former_customers is
    'Customers whom an order has had before the one in order_index: its older events are about them.';

create function private.accept_compliance(p_event public.event_store, p_store public.stores)
returns jsonb
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_asked jsonb := p_event.normalized -> 'compliance';
    v_kind text := case p_event.type
        when 'customers/data_request' then 'data_request'
        when 'customers/redact' then 'redact_customer'
        when 'shop/redact' then 'redact_shop'
    end;
    v_customer_id bigint := case when pg_input_is_valid(v_asked ->> 'customer_id', 'bigint')
        then (v_asked ->> 'customer_id')::bigint end;
    v_gids text[];
    v_request public.compliance_requests;
begin
    if v_kind is null then
        raise exception 'no compliance topic' using errcode = 'invalid_parameter_value';
    end if;

    -- Those that Shopify names, and those that we know to be his.
    select array_agg(distinct g.gid order by g.gid) into v_gids
    from (
        select 'gid://shopify/Order/' || o.id as gid
        from jsonb_array_elements_text(
            case when jsonb_typeof(v_asked -> 'order_ids') = 'array' then v_asked -> 'order_ids' else '[]'::jsonb end
        ) as o (id)
        union all
        select x.shopify_order_gid
        from public.order_index x
        where x.store = p_store.key and x.customer_id = v_customer_id
        union all
        select f.order_gid
        from private.former_customers f
        where f.store = p_store.key and f.customer_id = v_customer_id
    ) g
    where v_kind <> 'redact_shop';

    insert into public.compliance_requests (store, kind, event_id, shopify_request_id, customer_id, order_gids)
    values (
        p_store.key, v_kind, p_event.id, left(v_asked ->> 'request_id', 100), v_customer_id, coalesce(v_gids, '{}')
    )
    returning * into v_request;

    if v_kind = 'redact_shop' then
        -- From here on nothing personal comes in; what is there goes now and, for long lists, by and by.
        update public.stores s set
            redacted_at = coalesce(s.redacted_at, now()),
            alert_email = null,
            uninstalled_at = coalesce(s.uninstalled_at, now())
        where s.key = p_store.key;
    end if;
    if v_kind = 'data_request' then
        perform private.export_letters(v_request, v_asked -> 'contacts');
    end if;
    perform private.run_compliance(v_request.id, 100);

    -- Texts after orders, whose work letters may be about.
    if v_kind <> 'data_request' then
        perform private.lock_texts(true);
        update public.dead_letters d set body = '[redacted]', encoding = 'utf8'
        from private.letters_about(v_request, v_asked -> 'contacts') a
        where d.id = a.id;
        if v_kind = 'redact_shop' then
            perform private.redact_texts_of_shop(p_store.key);
        else
            perform private.redact_traces(p_store.key, private.contacts_of(v_asked -> 'contacts'));
        end if;
        -- What was put together for him, or for anybody of the shop, goes as well.
        delete from private.data_exports d
        using public.compliance_requests r
        where r.id = d.request_id and r.store = p_store.key
            and (v_kind = 'redact_shop' or r.customer_id = v_customer_id);
    end if;

    return jsonb_build_object('compliance_request_id', v_request.id);
end;
$$;
revoke execute on function private.accept_compliance(public.event_store, public.stores) from public, anon;
comment on function private.accept_compliance(public.event_store, public.stores) is
    'Records what Shopify asked and does it, at once as far as 100 orders; continue_compliance does the rest. Returns {compliance_request_id}. Called by other functions only; raises what goes wrong.';

create function private.run_compliance(p_request_id bigint, p_limit integer)
returns integer
language plpgsql
volatile
set search_path = ''
as $$
declare
    v_request public.compliance_requests;
    v_gids text[];
    v_last text;
    v_done integer;
    v_finished boolean;
begin
    select * into v_request
    from public.compliance_requests r
    where r.id = p_request_id and r.status = 'pending'
    for update skip locked;
    if not found then
        return 0;
    end if;

    if v_request.kind = 'redact_shop' then
        select array_agg(o.gid order by o.order_id), max(o.order_id) into v_gids, v_last
        from (
            select x.shopify_order_gid as gid, x.order_id
            from public.order_index x
            where x.store = v_request.store and x.order_id > v_request.progress and x.redacted_at is null
            order by x.order_id
            limit p_limit
        ) o;
    else
        v_gids := v_request.order_gids[
            coalesce(nullif(v_request.progress, ''), '0')::integer + 1
            : coalesce(nullif(v_request.progress, ''), '0')::integer + p_limit
        ];
    end if;
    v_done := coalesce(cardinality(v_gids), 0);

    if v_request.kind = 'data_request' then
        perform private.export_orders(v_request, v_gids);
    elsif v_done > 0 then
        perform private.redact_orders(v_request.store, v_gids);
    end if;

    -- A delivery that had begun before a shop was to be forgotten may end after the first pass has gone by: the pass
    -- from the beginning that finds nothing more, a while later, is the last.
    v_finished := case when v_request.kind = 'redact_shop'
        then v_done = 0 and v_request.progress = '' and v_request.created_at < now() - interval '1 minute'
        else v_done < p_limit end;
    update public.compliance_requests r set
        orders = r.orders + v_done,
        progress = case when r.kind = 'redact_shop' then case when v_done < p_limit then '' else v_last end
            else (coalesce(nullif(r.progress, ''), '0')::integer + v_done)::text end,
        status = case when v_finished then 'done' else 'pending' end,
        completed_at = case when v_finished then now() end
    where r.id = p_request_id;

    -- Not grouped as other alerts are: each of these has to be answered.
    if v_finished and v_request.kind = 'data_request' then
        perform private.enqueue_work(
            'slack_alert', v_request.store,
            jsonb_build_object('kind', 'data_request', 'compliance_request_id', v_request.id),
            'data_request/' || v_request.id
        );
    end if;
    return v_done;
end;
$$;
revoke execute on function private.run_compliance(bigint, integer) from public, anon;
comment on function private.run_compliance(bigint, integer) is
    'Does the next p_limit orders of a request that is not done, unless somebody else is at it, and returns how many there were. Called by other functions only; raises what goes wrong.';

create function public.continue_compliance(p_limit integer default 500)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write these tables directly, the service role included.
declare
    v_orders integer := 0;
    v_id bigint;
begin
    for v_id in select r.id from public.compliance_requests r where r.status = 'pending' order by r.id
    loop
        v_orders := private.run_compliance(v_id, least(greatest(coalesce(p_limit, 500), 1), 5000));
        -- Of one request in a transaction: each locks its orders from the first one on.
        exit when v_orders > 0;
    end loop;

    return private.ok(
        jsonb_build_object(
            'orders', v_orders,
            'pending', (select count(*) from public.compliance_requests r where r.status = 'pending')
        ),
        v_orders = 0
    );
end;
$$;
revoke execute on function public.continue_compliance(integer) from public, anon, authenticated;
grant execute on function public.continue_compliance(integer) to service_role;
comment on function public.continue_compliance(integer) is
    'Goes on with compliance requests that were too long for one delivery, p_limit orders (at most 5000) of the oldest a call. Returns {orders, pending}; already_done when there was nothing to do. Callable by service_role. No error codes.';
