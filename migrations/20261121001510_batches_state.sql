-- What a batch may become, and what cancelling an order takes out of its batch.
--
-- Locks: rows of order_index by order id, then the retries of these orders by id, then rows of orders by order id, then the
-- category by those who join, then the batch. Whoever holds a batch already waits for no order (skip locked), but for the
-- rows of its orders: whoever has one and waits for the batch has its row in order_index too, and is left alone for that.

create function private.guard_batch_status()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if tg_op = 'INSERT' and new.status = 'filling'
        or tg_op = 'UPDATE' and (
            new.status = old.status
            or (old.status, new.status) in (
                ('filling', 'confirmed'), ('filling', 'cancelled'), ('filling', 'needs_review'),
                ('needs_review', 'confirmed'), ('needs_review', 'cancelled'),
                ('confirmed', 'in_production'), ('confirmed', 'completed'), ('in_production', 'completed')
            )
        ) then
        return new;
    end if;
    raise exception 'a batch does not become % from %', new.status, case tg_op when 'UPDATE' then old.status else 'nothing' end
        using errcode = 'check_violation', constraint = 'production_batches_transition';
end;
$$;
revoke execute on function private.guard_batch_status() from public, anon;
comment on function private.guard_batch_status() is
    'Trigger: filling becomes confirmed, cancelled or needs_review; needs_review confirmed or cancelled; confirmed in_production or completed; in_production completed. Nothing else, whoever asks.';

create trigger production_batches_guard_insert before insert on public.production_batches
    for each row execute function private.guard_batch_status();
create trigger production_batches_guard_update before update of status on public.production_batches
    for each row execute function private.guard_batch_status();

create function private.guard_supplier_order_status()
returns trigger
language plpgsql
set search_path = ''
as $$
begin
    if new.status = old.status
        or (old.status, new.status) in (('pending', 'placed'), ('pending', 'completed'), ('placed', 'completed')) then
        return new;
    end if;
    raise exception 'a supplier order does not become % from %', new.status, old.status
        using errcode = 'check_violation', constraint = 'supplier_orders_transition';
end;
$$;
revoke execute on function private.guard_supplier_order_status() from public, anon;
comment on function private.guard_supplier_order_status() is
    'Trigger: a supplier order is pending, then placed, then completed; never back.';

create trigger supplier_orders_guard_update before update of status on public.supplier_orders
    for each row execute function private.guard_supplier_order_status();

create function private.count_batch(p_batch_id uuid)
returns void
language sql
volatile
set search_path = ''
as $$
    update public.production_batches b set
        current_quantity = counted.quantity,
        style_count = counted.styles
    from (
        select coalesce(sum(c.quantity), 0)::integer as quantity, count(distinct c.style)::integer as styles
        from public.batch_contributions c
        where c.batch_id = p_batch_id and c.withdrawn_at is null
    ) counted
    where b.id = p_batch_id;
$$;
revoke execute on function private.count_batch(uuid) from public, anon;
comment on function private.count_batch(uuid) is
    'Sets quantity and style count of a batch to what its contributions say. The caller holds the lock of the batch. Called by other functions only; no error codes.';

create function private.withdraw_contribution()
returns trigger
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: whoever may cancel an order cannot write its batch.
declare
    v_batch_id uuid;
begin
    select c.batch_id into v_batch_id
    from public.batch_contributions c
    where c.store = new.store and c.order_id = new.id and c.withdrawn_at is null;
    if not found then
        return null;
    end if;

    -- Once a batch is confirmed its whole target is ordered, whoever leaves.
    perform 1
    from public.production_batches b
    where b.id = v_batch_id and b.status in ('filling', 'needs_review')
    for update;
    if found then
        update public.batch_contributions c set withdrawn_at = now()
        where c.store = new.store and c.order_id = new.id;
        perform private.count_batch(v_batch_id);
    end if;
    return null;
end;
$$;
revoke execute on function private.withdraw_contribution() from public, anon, authenticated;
comment on function private.withdraw_contribution() is
    'Trigger: an order that is cancelled no longer counts in a batch that is not yet confirmed.';

-- Orders that are cancelled with their batch are told apart by their reason: the batch has no use for new figures.
create trigger orders_withdraw_contribution after update on public.orders
    for each row
    when (old.cancelled_at is null and new.cancelled_at is not null and new.cancel_reason is distinct from 'batch cancelled')
    execute function private.withdraw_contribution();

create function private.currency_decimals(p_currency text)
returns integer
language sql
immutable
set search_path = ''
as $$
    -- ISO 4217.
    select case
        when p_currency in (
            'BIF', 'CLP', 'DJF', 'GNF', 'ISK', 'JPY', 'KMF', 'KRW', 'PYG', 'RWF', 'UGX', 'UYI', 'VND', 'VUV', 'XAF',
            'XOF', 'XPF'
        ) then 0
        when p_currency in ('BHD', 'IQD', 'JOD', 'KWD', 'LYD', 'OMR', 'TND') then 3
        else 2
    end;
$$;
revoke execute on function private.currency_decimals(text) from public, anon;
comment on function private.currency_decimals(text) is 'Decimals of amounts in a currency.';

create function private.fill_percentage(p_quantity integer, p_target integer)
returns numeric
language sql
immutable
set search_path = ''
as $$
    select round(p_quantity * 100.0 / p_target, 1);
$$;
revoke execute on function private.fill_percentage(integer, integer) from public, anon;
comment on function private.fill_percentage(integer, integer) is
    'How full a batch is, to one decimal. For showing; decisions compare whole numbers.';

create function private.batch_verdict(p_quantity integer, p_target integer, p_closed boolean)
returns text
language sql
immutable
set search_path = ''
as $$
    select case
        when p_quantity::bigint * 100 >= p_target::bigint * 75 then 'confirmed'
        when p_closed and p_quantity::bigint * 100 >= p_target::bigint * 50 then 'needs_review'
        when p_closed then 'cancelled'
        when p_quantity::bigint * 100 >= p_target::bigint * 60 then 'nearing_target'
    end;
$$;
revoke execute on function private.batch_verdict(integer, integer, boolean) from public, anon;
comment on function private.batch_verdict(integer, integer, boolean) is
    'What is to become of a batch that is filling, exactly; null when nothing is.';

create function private.record_batch_event(
    p_store text,
    p_type text,
    p_batch_id uuid,
    p_distinction text,
    p_payload jsonb
)
returns boolean
language plpgsql
volatile
set search_path = ''
as $$
begin
    insert into public.event_store
        (source, type, store, ref_id, external_id, content_hash, occurred_at, payload, processed_at, attempts)
    values (
        'batch', p_type, p_store, 'batch:' || p_batch_id,
        concat_ws('/', p_store, p_type, p_batch_id, p_distinction),
        encode(sha256(convert_to(concat_ws('/', p_batch_id, p_distinction), 'UTF8')), 'hex'),
        now(), p_payload, now(), 1
    )
    on conflict do nothing;
    return found;
end;
$$;
revoke execute on function private.record_batch_event(text, text, uuid, text, jsonb) from public, anon;
comment on function private.record_batch_event(text, text, uuid, text, jsonb) is
    'Adds an event of a batch, once for each type and distinction; false when it was there. Called by other functions only; no error codes.';
