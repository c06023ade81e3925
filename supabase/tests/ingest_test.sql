-- Deliveries as the edge hands them over: stored once, applied once, kept when applying fails.
begin;
select plan(60);

create function pg_temp.snapshot(p_number text, p_change jsonb default '{}')
returns jsonb
language sql
as $$
    select jsonb_build_object(
        'snapshot', true, 'gid', 'gid://shopify/Order/7' || p_number, 'shopify_id', '7' || p_number,
        'order_number', p_number, 'topic_rank', 0, 'updated_at', '2026-11-01T10:00:00Z', 'currency', 'AUD',
        'total_amount', '89.00', 'payment_status', 'pending', 'customer_name', 'Ana Q.', 'product_title', 'Cake',
        'due_date', '2026-11-30', 'delivery_method', 'pickup', 'lines', '[]'::jsonb
    ) || p_change;
$$;
create function pg_temp.deliver(
    p_topic text, p_hash text, p_order jsonb, p_shop text default 'bannos.myshopify.com',
    p_webhook text default null, p_secret_of text default null, p_own text[] default '{}'
)
returns jsonb
language sql
as $$
    select public.ingest_shopify_event(
        p_shop, p_topic, coalesce(p_webhook, 'w-' || p_hash), now(), p_hash, p_order,
        '{"email": "ana@example.com"}', p_secret_of, p_own
    );
$$;
create function pg_temp.data(p_answer jsonb)
returns jsonb
language sql
as $$ select (p_answer -> 'data') - 'event_id' $$;
grant execute on function pg_temp.snapshot(text, jsonb), pg_temp.data(jsonb),
    pg_temp.deliver(text, text, jsonb, text, text, text, text[]) to service_role;

-- Makes applying fail, with a message that must never be kept.
create function pg_temp.fail_for_order()
returns trigger
language plpgsql
as $$
begin
    if new.notes = 'poison' then
        raise exception 'row of ana@example.com' using errcode = '23514', detail = 'Failing row contains (Ana Q.)';
    elsif new.notes = 'deadlock' then
        raise exception 'deadlock' using errcode = '40P01';
    end if;
    return new;
end;
$$;
create trigger zz_fail before insert or update on public.orders
    for each row execute function pg_temp.fail_for_order();

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';

-- What comes of a delivery
select is(
    pg_temp.deliver('orders/create', 'i1', pg_temp.snapshot('81001')) - 'data'
        || pg_temp.data(pg_temp.deliver('orders/create', 'i2', pg_temp.snapshot('81002'))),
    '{"ok": true, "already_done": false, "store": "bannos", "order_id": "bannos-81002", "outcome": "created"}',
    'a create makes the order and says so'
);
select is(
    (select (o.store, o.currency, o.total_amount, o.customer_name, o.stage, o.placeholder, o.missing_fields)::text
     from public.orders o where o.id = 'bannos-81001'),
    '(bannos,AUD,89.000,"Ana Q.",Filling,f,{flavour})',
    'the order has what the snapshot says, and names what is missing'
);
select is(
    pg_temp.deliver('orders/create', 'i1', pg_temp.snapshot('81001')) #>> '{data,outcome}', 'duplicate',
    'the same delivery again is a duplicate'
);
select is(
    pg_temp.deliver('orders/create', 'i1', pg_temp.snapshot('81001'), p_webhook => 'fresh') -> 'data',
    (select jsonb_build_object('event_id', e.id, 'store', 'bannos', 'order_id', 'bannos-81001', 'outcome', 'duplicate')
     from public.event_store e where e.content_hash = 'i1'),
    'the same content under a fresh id is a duplicate, and answers with the event that is stored'
);
select is(
    pg_temp.deliver('orders/create', 'other', pg_temp.snapshot('81001'), p_webhook => 'w-i1') #>> '{data,outcome}',
    'duplicate', 'the same id with other content is a duplicate'
);
select is((select count(*) from public.event_store where ref_id = 'gid://shopify/Order/781001'), 1::bigint,
    'duplicates store nothing');
select is(
    pg_temp.deliver('orders/updated', 'i3', pg_temp.snapshot('81001',
        '{"topic_rank": 1, "updated_at": "2026-11-01T12:00:00Z", "payment_status": "paid"}')) #>> '{data,outcome}',
    'updated', 'a newer snapshot updates'
);
select is(
    pg_temp.deliver('orders/updated', 'i4', pg_temp.snapshot('81001',
        '{"topic_rank": 1, "updated_at": "2026-11-01T11:00:00Z", "payment_status": "voided", "flavour": "Mint"}'))
        #>> '{data,outcome}',
    'stale', 'an older snapshot is stale'
);
select is(
    (select (o.payment_status, o.flavour, o.missing_fields)::text from public.orders o where o.id = 'bannos-81001'),
    '(paid,Mint,{})', 'a stale snapshot changes nothing but fills what is null'
);
select is(
    pg_temp.deliver('orders/cancelled', 'i5', pg_temp.snapshot('81001',
        '{"topic_rank": 6, "updated_at": "2026-11-01T11:30:00Z", "cancelled_at": "2026-11-01T11:30:00Z", "cancel_reason": "customer"}'))
        #>> '{data,outcome}',
    'cancelled', 'a cancellation cancels though it is not the newest'
);
select is(
    pg_temp.deliver('orders/updated', 'i6', pg_temp.snapshot('81001',
        '{"topic_rank": 1, "updated_at": "2026-11-02T12:00:00Z", "cancelled_at": null}')) #>> '{data,outcome}',
    'updated', 'a later update that knows nothing of it is taken'
);
select is(
    (select (o.cancelled_at, o.cancel_reason)::text from public.orders o where o.id = 'bannos-81001'),
    '("2026-11-01 11:30:00+00",customer)', 'and the cancellation stays'
);
select is(
    (select array_agg(s.meta ->> 'outcome' order by s.id) from public.stage_events s
     where s.order_id = 'bannos-81001' and s.action = 'order_ingested'),
    '{created,updated,stale,cancelled,updated}', 'each applied delivery is audited, a duplicate is not'
);

select is(
    pg_temp.deliver('orders/cancelled', 'i2', pg_temp.snapshot('81002', '{"topic_rank": 6}')) #>> '{data,outcome}', 'updated',
    'a body that is known under another topic does not cancel: topics are not signed'
);
select is((select o.cancelled_at from public.orders o where o.id = 'bannos-81002'), null, 'indeed');
select is(
    pg_temp.deliver('orders/cancelled', 'i2c', pg_temp.snapshot('81002', '{"topic_rank": 6}')) #>> '{data,outcome}',
    'cancelled', 'a body of its own cancels, even without the time of it'
);

-- The update before its create
select is(
    pg_temp.deliver('orders/paid', 'i7', pg_temp.snapshot('81003',
        '{"topic_rank": 3, "updated_at": "2026-11-01T12:00:00Z", "payment_status": "paid", "product_title": null}'))
        #>> '{data,outcome}',
    'updated', 'an update that comes first is taken'
);
select is((select o.placeholder from public.orders o where o.id = 'bannos-81003'), true, 'and makes a placeholder');
select is(
    pg_temp.deliver('orders/create', 'i8', pg_temp.snapshot('81003')) #>> '{data,outcome}', 'hydrated',
    'the create hydrates the placeholder'
);
select is(
    (select (o.placeholder, o.payment_status, o.product_title)::text from public.orders o where o.id = 'bannos-81003'),
    '(f,paid,Cake)', 'it clears the flag, fills what is null and takes nothing back'
);

-- Identity
select is(
    pg_temp.deliver('orders/create', 'i9', pg_temp.snapshot('81004', '{"order_number": null}')) #>> '{data,order_id}',
    'bannos-781004', 'without a number the numeric id serves'
);
select is(
    pg_temp.deliver('orders/create', 'i10',
        pg_temp.snapshot('81001', '{"gid": "gid://shopify/Order/799", "shopify_id": "799"}')) #>> '{data,order_id}',
    'bannos-799', 'an order number that is taken does not merge two orders'
);
select is(
    pg_temp.data(pg_temp.deliver(
        'orders/updated', 'i11', pg_temp.snapshot('81001', '{"topic_rank": 1}'), 'flourlane.myshopify.com'
    )),
    '{"store": "flourlane", "order_id": null, "outcome": "ignored"}', 'an order of another store is not touched'
);
select is(
    (select array_agg(o.store) from public.orders o where o.shopify_order_gid = 'gid://shopify/Order/781001'),
    '{bannos}', 'it stays in its store alone'
);
select is(
    (select d.reason from public.dead_letters d where d.source = 'shopify' and d.external_id like 'flourlane/orders/updated/w-i11'),
    'the order belongs to another store', 'and the stray delivery is a dead letter'
);
select is(
    pg_temp.deliver('orders/create', 'i12', pg_temp.snapshot('81012'), ' Flourlane.MyShopify.com ') #>> '{data,order_id}',
    'flourlane-81012', 'the shop domain is read whatever its case'
);

-- Secrets
select is(
    pg_temp.deliver('orders/create', 's1', pg_temp.snapshot('81005'), p_own => '{BANNOS}') ->> 'code',
    'UNAUTHENTICATED', 'a store with its own secret does not take the shared one'
);
select is(
    pg_temp.deliver('orders/create', 's2', pg_temp.snapshot('81005'), 'flourlane.myshopify.com', null, 'BANNOS', '{BANNOS}')
        ->> 'code',
    'UNAUTHENTICATED', 'the own secret of one store opens no other store'
);
select is(
    pg_temp.deliver('orders/create', 's3', pg_temp.snapshot('81005'), p_secret_of => 'BANNOS', p_own => '{FLOURLANE}')
        ->> 'code',
    'UNAUTHENTICATED', 'nor a store of which the edge knows no own secret'
);
select is((select count(*) from public.event_store where content_hash in ('s1', 's2', 's3')), 0::bigint,
    'a refused delivery is not stored');
select is(
    pg_temp.deliver('orders/create', 's4', pg_temp.snapshot('81005'), p_secret_of => 'BANNOS', p_own => '{BANNOS}')
        #>> '{data,outcome}',
    'created', 'a store takes its own secret'
);
select is(
    pg_temp.deliver('orders/create', 's5', pg_temp.snapshot('81006'), 'flourlane.myshopify.com', p_own => '{BANNOS}')
        #>> '{data,outcome}',
    'created', 'a store without one takes the shared secret'
);

-- What is no order
select is(
    pg_temp.deliver('orders/create', 'd1', pg_temp.snapshot('81007'), 'nobody.myshopify.com') #>> '{data,outcome}',
    'ignored', 'an unknown shop is answered'
);
select is(
    (select (d.reason, d.shop_domain, d.store, d.body::jsonb)::text from public.dead_letters d
     where d.external_id = 'nobody.myshopify.com/orders/create/w-d1'),
    '("unknown shop",nobody.myshopify.com,,"{""email"": ""ana@example.com""}")', 'and kept whole as a dead letter'
);
select is(
    pg_temp.data(pg_temp.deliver('refunds/create', 'd2', '{"snapshot": false, "gid": "gid://shopify/Order/781001"}')),
    '{"store": "bannos", "order_id": "bannos-81001", "outcome": "ignored"}', 'a topic without a snapshot is stored and ignored'
);
select is(
    pg_temp.deliver('no/such_topic', 'd3', null) #>> '{data,outcome}', 'ignored', 'so is an unknown topic'
);
select is(pg_temp.deliver('orders/create', '', pg_temp.snapshot('81007')) ->> 'code', 'BAD_INPUT', 'a hash is needed');
select is(
    pg_temp.deliver('orders/create', 'd4', '{"snapshot": true}') ->> 'code', 'BAD_INPUT', 'a snapshot needs a gid'
);
select is(
    public.record_dead_letter('shopify', 'bannos.myshopify.com', 'orders/create', 'x1', 'not JSON', 'AAA=', 'base64'),
    public.record_dead_letter('shopify', 'bannos.myshopify.com', 'orders/create', 'x1', 'again', 'BBB=', 'base64'),
    'a dead letter is kept once'
);
select is(
    (select (d.store, d.reason, d.body, d.encoding)::text from public.dead_letters d where d.external_id = 'x1'),
    '(bannos,"not JSON",AAA=,base64)', 'as it came first'
);
select is(
    public.record_dead_letter('shopify', null, null, null, 'why', 'x', 'latin1') ->> 'code', 'BAD_INPUT',
    'an encoding that nobody can read back is refused'
);
select is(
    public.record_dead_letter(
        'shopify', 'bannos.myshopify.com', p_reason => 'not JSON', p_external_id => 'x2', p_own_secrets => '{BANNOS}'
    ) ->> 'code',
    'UNAUTHENTICATED', 'a store with its own secret keeps nothing that the shared one signed'
);
select is(
    (
        select array_agg(public.record_dead_letter(
            'shopify', v.shop, p_reason => 'not JSON', p_external_id => v.id, p_secret_of => 'BANNOS',
            p_own_secrets => '{BANNOS}'
        ) ->> 'ok' order by v.id)
        from (values
            ('x3', 'bannos.myshopify.com'), ('x4', 'flourlane.myshopify.com'), ('x5', 'unknown.myshopify.com')
        ) v (id, shop)
    ),
    array['true', 'false', 'true'], 'its own secret keeps its own, and what names no store'
);

-- Values that cannot be read
select is(
    pg_temp.deliver('orders/create', 'p1', pg_temp.snapshot('81008', jsonb_build_object(
        'updated_at', 'yesterday', 'topic_rank', 'x', 'shopify_id', '9999999999999999999999', 'due_date', '2026-02-30',
        'total_amount', '1e400', 'delivery_method', 'drone', 'size', repeat('x', 20000), 'cancelled_at', 'now',
        'lines', '[5, null, {"quantity": "many", "price": "NaN"}, {"line_id": "1", "quantity": -1}, {"line_id": "1", "quantity": 2}]'::jsonb
    ))) #>> '{data,outcome}',
    'created', 'a snapshot full of nonsense is applied all the same'
);
select is(
    (select (o.business_updated_at, o.due_date, o.total_amount, o.delivery_method, o.cancelled_at, length(o.size))::text
     from public.orders o where o.id = 'bannos-81008'),
    '(,,,,,200)', 'what cannot be read is absent'
);
select is(
    (select array_agg(l.line_id || '=' || l.quantity order by l.position, l.line_id) from public.order_line_items l
     where l.order_id = 'bannos-81008'),
    '{n:0=0,n:1=0,n:2=0,1=0,1#2=2}', 'lines keep apart, none is lost'
);

-- Applying fails
select is(
    pg_temp.deliver('orders/create', 'f1', pg_temp.snapshot('81009', '{"notes": "poison"}')) #- '{data,event_id}',
    '{"ok": false, "code": "INTERNAL", "message": "the event is stored, applying it failed", "data": {}}',
    'a failure is reported, with the event'
);
select is(
    (select (e.processed_at is null, e.attempts, e.last_error)::text from public.event_store e where e.content_hash = 'f1'),
    '(t,1,"applying failed with 23514")', 'the event stays, and its error has nothing of the row'
);
select is(
    (select count(*) from public.order_index where shopify_order_gid = 'gid://shopify/Order/781009'), 0::bigint,
    'nothing else stays'
);
select is(
    (select (w.dedupe_key, w.status, (w.payload ->> 'event_id')::bigint = e.id, w.next_retry_at > now())::text
     from public.work_queue w join public.event_store e on e.content_hash = 'f1' where w.topic = 'order_ingest_retry'),
    '(gid://shopify/Order/781009,pending,t,t)', 'a retry is queued for the order'
);
select is(
    pg_temp.deliver('orders/create', 'f1', pg_temp.snapshot('81009')) ->> 'code', 'INTERNAL',
    'the next delivery tries again while it is not applied'
);
select throws_ok(
    $$select pg_temp.deliver('orders/create', 'f2', pg_temp.snapshot('81010', '{"notes": "deadlock"}'))$$, '40P01', null,
    'a deadlock is the caller''s to repeat, not a fault of the event'
);

reset role;
drop trigger zz_fail on public.orders;
set local role service_role;

select is(
    pg_temp.data(public.replay_event((select id from public.event_store where content_hash = 'f1'))),
    '{"store": "bannos", "order_id": "bannos-81009", "outcome": "created", "applied": 1}', 'a replay applies it'
);
select is(
    (select (e.processed_at is null, e.attempts, e.last_error)::text from public.event_store e where e.content_hash = 'f1'),
    '(f,3,)', 'the event is processed, at its third attempt'
);
select is(
    public.replay_event((select id from public.event_store where content_hash = 'f1')) -> 'already_done', 'true',
    'a second replay has nothing to do'
);
select is(public.replay_event(-1) ->> 'code', 'NOT_FOUND', 'an unknown event is not found');

-- Who may
set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok(
    format('select %s', call.sql), '42501', null, 'not even an Admin may call ' || split_part(call.sql, '(', 1)
)
from (
    values
        ('public.ingest_shopify_event(null, null, null, null, null, null, null, null, null)'),
        ('public.record_dead_letter(null, null, null, null, null, null, null, null, null)'),
        ('public.replay_event(1)'),
        ('public.replay_order(null, null)')
) as call (sql);

select * from finish();
rollback;
