-- Alerts of edge functions: grouped by kind and store, and raised by the service role alone.
begin;
select plan(13);

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select throws_ok(
    $$select public.raise_alert('bannos', 'tap_alert', 'x')$$, '42501', null, 'not even an Admin raises an alert'
);

set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select set_config(
    'tests.first', public.raise_alert('bannos', 'tap_alert', ' Two orders. ', '{"orders": 2}') #>> '{data,work_id}', true
);
select is(
    (select w.payload from public.work_queue w where w.id = current_setting('tests.first')::bigint),
    '{"kind": "tap_alert", "text": "Two orders.", "meta": {"orders": 2}}', 'the first of its kind is enqueued'
);
select is(
    public.raise_alert('bannos', 'tap_alert', 'Three orders.') #>> '{data,work_id}', current_setting('tests.first'),
    'the next is grouped with it'
);
select isnt(
    public.raise_alert('bannos', 'tap_other', 'x') #>> '{data,work_id}', current_setting('tests.first'),
    'another kind is another message'
);
select isnt(
    public.raise_alert('flourlane', 'tap_alert', 'x') #>> '{data,work_id}', current_setting('tests.first'),
    'so is another store'
);

reset role;
update public.work_queue set created_at = now() - interval '301 s', dedupe_key = 'tap/old'
where id = current_setting('tests.first')::bigint;
set local role service_role;
select isnt(
    public.raise_alert('bannos', 'tap_alert', 'x') #>> '{data,work_id}', current_setting('tests.first'),
    'after five minutes it is news again'
);

select is(public.raise_alert('nowhere', 'tap_alert', 'x') ->> 'code', 'NOT_FOUND', 'an unknown store has no alerts');
select is(public.raise_alert(null, 'tap_alert', 'x') ->> 'code', 'NOT_FOUND', 'nor has none');
select is(bad.answer ->> 'code', 'BAD_INPUT', 'refuses ' || bad.what)
from (
    values
        ('no kind', public.raise_alert('bannos', null, 'x')),
        ('a kind with a space', public.raise_alert('bannos', 'a b', 'x')),
        ('no text', public.raise_alert('bannos', 'tap_alert', ' ')),
        ('meta that is no object', public.raise_alert('bannos', 'tap_alert', 'x', '[1]')),
        ('much meta', public.raise_alert('bannos', 'tap_alert', 'x', jsonb_build_object('a', repeat('x', 9000))))
) as bad (what, answer);

select * from finish();
rollback;
