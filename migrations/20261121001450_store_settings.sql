-- What an Admin decides about a store after it exists.

create function private.settings_problem(p_settings jsonb)
returns text
language plpgsql
immutable
set search_path = ''
as $$
declare
    v_names constant text[] := '{due_date_attribute,delivery_method_attribute,instructions_attribute,delivery_tag,'
        'pickup_tag,size_property}';
    v_lists constant text[] := '{pickup_words,flavour_properties,ignored_properties}';
begin
    if p_settings is null or jsonb_typeof(p_settings) <> 'object' then
        return 'p_settings must be an object';
    end if;
    return (
        select min(case
            when s.key = any(v_names) then
                case when jsonb_typeof(s.value) <> 'string' or length(s.value #>> '{}') > 200
                    then s.key || ' must be a text of at most 200 characters' end
            when s.key = any(v_lists) then
                case when jsonb_typeof(s.value) <> 'array' or jsonb_array_length(s.value) > 20
                    or jsonb_path_exists(s.value, 'strict $[*] ? (@.type() != "string")')
                    or exists (
                        select 1 from jsonb_array_elements_text(s.value) as e (word) where length(e.word) not between 1 and 200
                    ) then s.key || ' must be a list of at most 20 texts of 1 to 200 characters' end
            else s.key || ' is none of ' || array_to_string(v_names || v_lists, ', ')
        end)
        from jsonb_each(p_settings) s
    );
end;
$$;
revoke execute on function private.settings_problem(jsonb) from public, anon;
comment on function private.settings_problem(jsonb) is
    'What is wrong with settings of a store, null when nothing is. Called by other functions only; no error codes.';

create function public.update_store_settings(p_store text, p_settings jsonb)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stores directly; the role of the caller is checked here.
declare
    v_store public.stores;
    v_problem text := private.settings_problem(p_settings);
    v_changed boolean;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes a store');
    elsif v_problem is not null then
        return private.fail('BAD_INPUT', v_problem);
    end if;
    select * into v_store from public.stores s where s.key = p_store for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    end if;

    v_changed := v_store.order_settings <> p_settings;
    if v_changed then
        -- The revision never goes back: whoever keeps settings keeps them under their revision.
        update public.stores s set order_settings = p_settings, settings_rev = s.settings_rev + 1
        where s.key = p_store
        returning * into v_store;
    end if;
    return private.ok(
        jsonb_build_object('store', v_store.key, 'rev', v_store.settings_rev, 'settings', v_store.order_settings),
        not v_changed
    );
end;
$$;
revoke execute on function public.update_store_settings(text, jsonb) from public, anon;
grant execute on function public.update_store_settings(text, jsonb) to authenticated, service_role;
comment on function public.update_store_settings(text, jsonb) is
    'Sets the names of attributes, properties and tags that a store''s orders are read from; what p_settings does not name is built in, {} is all built in. Counts from the next delivery; orders that are there stay as they were read. Returns {store, rev, settings}. Callable by an Admin and service_role. Codes: BAD_INPUT, PERMISSION_DENIED, NOT_FOUND.';

create function public.mark_store_installed(p_store text)
returns jsonb
language plpgsql
volatile
security definer
set search_path = ''
as $$
-- definer because: nobody may write stores directly; the role of the caller is checked here.
declare
    v_store public.stores;
    v_changed boolean;
begin
    if not private.acts_as_admin() then
        return private.fail('PERMISSION_DENIED', 'only an Admin changes a store');
    end if;
    select * into v_store from public.stores s where s.key = p_store for no key update;
    if not found then
        return private.fail('NOT_FOUND', 'no such store');
    elsif v_store.redacted_at is not null and exists (
        select 1 from public.compliance_requests r
        where r.store = p_store and r.kind = 'redact_shop' and r.status = 'pending'
    ) then
        return private.fail('CONFLICT', 'the shop is still being forgotten');
    end if;

    v_changed := v_store.uninstalled_at is not null or v_store.redacted_at is not null;
    update public.stores s set uninstalled_at = null, redacted_at = null where s.key = p_store and v_changed;
    return private.ok(jsonb_build_object('store', p_store), not v_changed);
end;
$$;
revoke execute on function public.mark_store_installed(text) from public, anon;
grant execute on function public.mark_store_installed(text) to authenticated, service_role;
comment on function public.mark_store_installed(text) is
    'The shop has installed our app again: new orders are stored whole, those that were forgotten stay so. Returns {store}. Callable by an Admin and service_role. Codes: PERMISSION_DENIED, NOT_FOUND, CONFLICT (not yet forgotten to the end).';
