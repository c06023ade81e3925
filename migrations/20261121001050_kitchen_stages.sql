-- The kitchen's public functions: each names its action and nothing else.

create function public.handle_print_barcode(p_id text, p_user uuid default null, p_ctx jsonb default null)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
begin
    -- The context goes into a row that is kept for ever.
    if p_ctx is not null and (jsonb_typeof(p_ctx) <> 'object' or length(p_ctx::text) > 2000) then
        return private.fail('BAD_INPUT', 'ctx must be an object of at most 2000 characters');
    end if;
    return private.act_on_order('handle_print_barcode', p_id, p_user, jsonb_build_object('ctx', p_ctx));
end;
$$;
revoke execute on function public.handle_print_barcode(text, uuid, jsonb) from public, anon;
grant execute on function public.handle_print_barcode(text, uuid, jsonb) to authenticated, service_role;
comment on function public.handle_print_barcode(text, uuid, jsonb) is
    'The label was printed: Filling has begun. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.complete_filling(p_id text, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('complete_filling', p_id, p_user);
$$;
revoke execute on function public.complete_filling(text, uuid) from public, anon;
grant execute on function public.complete_filling(text, uuid) to authenticated, service_role;
comment on function public.complete_filling(text, uuid) is
    'Filling is done, the order goes to Covering. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.complete_covering(p_id text, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('complete_covering', p_id, p_user);
$$;
revoke execute on function public.complete_covering(text, uuid) from public, anon;
grant execute on function public.complete_covering(text, uuid) to authenticated, service_role;
comment on function public.complete_covering(text, uuid) is
    'Covering is done, the order goes to Decorating. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.complete_decorating(p_id text, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('complete_decorating', p_id, p_user);
$$;
revoke execute on function public.complete_decorating(text, uuid) from public, anon;
grant execute on function public.complete_decorating(text, uuid) to authenticated, service_role;
comment on function public.complete_decorating(text, uuid) is
    'Decorating is done, the order goes to Packing. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.start_packing(p_id text, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('start_packing', p_id, p_user);
$$;
revoke execute on function public.start_packing(text, uuid) from public, anon;
grant execute on function public.start_packing(text, uuid) to authenticated, service_role;
comment on function public.start_packing(text, uuid) is
    'Packing has begun. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.complete_packing(p_id text, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('complete_packing', p_id, p_user);
$$;
revoke execute on function public.complete_packing(text, uuid) from public, anon;
grant execute on function public.complete_packing(text, uuid) to authenticated, service_role;
comment on function public.complete_packing(text, uuid) is
    'Packing is done, the order is Complete. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.qc_return_to_decorating(p_id text, p_user uuid default null, p_reason text default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('qc_return_to_decorating', p_id, p_user, jsonb_build_object('reason', p_reason));
$$;
revoke execute on function public.qc_return_to_decorating(text, uuid, text) from public, anon;
grant execute on function public.qc_return_to_decorating(text, uuid, text) to authenticated, service_role;
comment on function public.qc_return_to_decorating(text, uuid, text) is
    'Sends an order from Packing back to Decorating, an Admin also from Complete; the reason is required. Callable by Supervisors of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.assign_staff(p_id text, p_staff_id uuid default null, p_note text default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('assign_staff', p_id, null, jsonb_build_object('staff_id', p_staff_id, 'note', p_note));
$$;
revoke execute on function public.assign_staff(text, uuid, text) from public, anon;
grant execute on function public.assign_staff(text, uuid, text) to authenticated, service_role;
comment on function public.assign_staff(text, uuid, text) is
    'Gives an open order to an active member of its store; null takes it away. Callable by Supervisors of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';

create function public.set_storage(p_id text, p_storage text default null, p_user uuid default null)
returns jsonb
language sql
security definer
set search_path = ''
as $$
    -- definer because: clients may not write orders or stage events; act_on_order checks store, role and stage.
    select private.act_on_order('set_storage', p_id, p_user, jsonb_build_object('storage', p_storage));
$$;
revoke execute on function public.set_storage(text, text, uuid) from public, anon;
grant execute on function public.set_storage(text, text, uuid) to authenticated, service_role;
comment on function public.set_storage(text, text, uuid) is
    'Where an open order is kept, checked against the list of the store if it has one; null or an empty text clears it. Callable by Staff of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT, INVALID_STAGE.';
