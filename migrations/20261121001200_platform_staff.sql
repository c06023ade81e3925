-- Who works here: staff are added, changed and switched off by Admins, never deleted.

create function private.staff_answer(p_user_id uuid, p_already_done boolean)
returns jsonb
language sql
stable
set search_path = ''
as $$
    select private.ok(
        jsonb_build_object(
            'user_id', st.user_id,
            'name', st.name,
            'role', st.role,
            'active', st.active,
            'stores', (
                select coalesce(jsonb_agg(ss.store order by ss.store), '[]')
                from public.staff_stores ss
                where ss.user_id = st.user_id
            )
        ),
        p_already_done
    )
    from public.staff st
    where st.user_id = p_user_id;
$$;
revoke execute on function private.staff_answer(uuid, boolean) from public, anon, authenticated;
comment on function private.staff_answer(uuid, boolean) is 'The envelope of a change to a member of staff.';

create function private.is_last_admin(p_user_id uuid)
returns boolean
language plpgsql
set search_path = ''
as $$
begin
    -- The locks make two Admins who switch each other off wait for one another, and keep none from acting meanwhile.
    perform 1 from public.staff st where st.role = 'Admin' and st.active order by st.user_id for no key update;
    return exists (select 1 from public.staff st where st.user_id = p_user_id and st.role = 'Admin' and st.active)
        and not exists (
            select 1 from public.staff st where st.user_id <> p_user_id and st.role = 'Admin' and st.active
        );
end;
$$;
revoke execute on function private.is_last_admin(uuid) from public, anon, authenticated;
comment on function private.is_last_admin(uuid) is 'True when nobody else could manage staff and stores.';

create function public.upsert_staff(p_user_id uuid, p_name text, p_role text, p_stores text[] default null)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: nobody may write staff, and only this function decides who changes a role.
declare
    v_name text := btrim(p_name);
    v_role public.staff_role;
    v_stores text[];
    v_changed boolean := false;
    v_rows bigint;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin manages staff');
    elsif coalesce(length(v_name), 0) not between 1 and 200 then
        return private.fail('BAD_INPUT', 'name must have 1 to 200 characters');
    elsif p_role is null or not pg_input_is_valid(p_role, 'public.staff_role') then
        return private.fail('BAD_INPUT', 'role must be Staff, Supervisor or Admin');
    elsif not exists (select 1 from auth.users u where u.id = p_user_id) then
        return private.fail('NOT_FOUND', 'no such user; he must have signed up first');
    end if;
    v_role := p_role::public.staff_role;
    v_stores := array(select distinct s.key from unnest(p_stores) as s (key) where s.key is not null);
    if exists (select 1 from unnest(v_stores) as s (key) where s.key not in (select k.key from public.stores k)) then
        return private.fail('BAD_INPUT', 'stores must be keys of stores');
    elsif v_role <> 'Admin' and private.is_last_admin(p_user_id) then
        return private.fail('CONFLICT', 'the last active Admin stays one');
    end if;

    insert into public.staff as st (user_id, name, role) values (p_user_id, v_name, v_role)
    on conflict (user_id) do update set name = excluded.name, role = excluded.role
    where (st.name, st.role) is distinct from (excluded.name, excluded.role);
    get diagnostics v_rows = row_count;
    v_changed := v_rows > 0;

    if p_stores is not null then
        delete from public.staff_stores ss where ss.user_id = p_user_id and not ss.store = any (v_stores);
        get diagnostics v_rows = row_count;
        v_changed := v_changed or v_rows > 0;

        insert into public.staff_stores (user_id, store)
        select p_user_id, s.key from unnest(v_stores) as s (key)
        on conflict (user_id, store) do nothing;
        get diagnostics v_rows = row_count;
        v_changed := v_changed or v_rows > 0;
    end if;
    return private.staff_answer(p_user_id, not v_changed);
end;
$$;
revoke execute on function public.upsert_staff(uuid, text, text, text[]) from public, anon;
grant execute on function public.upsert_staff(uuid, text, text, text[]) to authenticated, service_role;
comment on function public.upsert_staff(uuid, text, text, text[]) is
    'Adds a user to the staff or changes name, role and stores; null stores leave them as they are. Callable by an Admin and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT (last Admin).';

create function public.set_staff_active(p_user_id uuid, p_active boolean)
returns jsonb
language plpgsql
security definer
set search_path = ''
as $$
-- definer because: nobody may write staff, and only this function decides who is switched off.
declare
    v_rows bigint;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin manages staff');
    elsif p_active is null then
        return private.fail('BAD_INPUT', 'active must be true or false');
    elsif not exists (select 1 from public.staff st where st.user_id = p_user_id) then
        return private.fail('NOT_FOUND', 'no such member of staff');
    elsif not p_active and private.is_last_admin(p_user_id) then
        return private.fail('CONFLICT', 'the last active Admin stays active');
    end if;

    update public.staff st set active = p_active where st.user_id = p_user_id and st.active <> p_active;
    get diagnostics v_rows = row_count;
    return private.staff_answer(p_user_id, v_rows = 0);
end;
$$;
revoke execute on function public.set_staff_active(uuid, boolean) from public, anon;
grant execute on function public.set_staff_active(uuid, boolean) to authenticated, service_role;
comment on function public.set_staff_active(uuid, boolean) is
    'Switches a member of staff on or off; an inactive one can do nothing from the next request on. Callable by an Admin and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED, CONFLICT (last Admin).';

create function public.get_staff(p_store text)
returns jsonb
language plpgsql
stable
security definer
set search_path = ''
as $$
-- definer because: row security shows everybody only their own row; whoever assigns orders needs the others.
declare
    v_refusal jsonb := private.refuse_store(p_store);
    v_staff jsonb;
begin
    if v_refusal is not null then
        return v_refusal;
    elsif not p_store = any (private.acting_stores(null, 'Supervisor')) then
        return private.fail('PERMISSION_DENIED', 'the list of staff needs the role Supervisor');
    end if;

    select coalesce(
        jsonb_agg(
            jsonb_build_object('user_id', st.user_id, 'name', st.name, 'role', st.role, 'active', st.active)
            order by st.name, st.user_id
        ),
        '[]'
    )
    into v_staff
    from public.staff st
    where st.role = 'Admin'
        or exists (select 1 from public.staff_stores ss where ss.user_id = st.user_id and ss.store = p_store);
    return private.ok(jsonb_build_object('staff', v_staff));
end;
$$;
revoke execute on function public.get_staff(text) from public, anon;
grant execute on function public.get_staff(text) to authenticated, service_role;
comment on function public.get_staff(text) is
    'Who works for a store, Admins included, former members too. Callable by Supervisors of the store and service_role. Codes: BAD_INPUT, NOT_FOUND, PERMISSION_DENIED.';
