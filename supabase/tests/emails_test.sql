-- E-mails to those who run a store: to the address an Admin has set, and to nobody without one.
begin;
select plan(19);

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000002"}';
select is(public.set_alert_email('bannos', 'a@example.com') ->> 'code', 'PERMISSION_DENIED', 'a Supervisor sets no address');
select throws_ok($$select private.enqueue_email('bannos', 'tap', '{}', 'x')$$, '42501', null, 'nor sends e-mails');

reset role;
select is(private.enqueue_email('bannos', 'tap', '{}', 'early'), null, 'without an address nothing is sent');
select is((select count(*) from public.work_queue w where w.topic = 'email'), 0::bigint, 'and nothing waits');

set local role authenticated;
set local request.jwt.claims = '{"role":"authenticated","aud":"authenticated","exp":4102444800,"sub":"00000000-0000-4000-8000-000000000003"}';
select is(bad.answer ->> 'code', 'BAD_INPUT', 'refuses ' || bad.what)
from (
    values
        ('no address', public.set_alert_email('bannos', 'kitchen')),
        ('two', public.set_alert_email('bannos', 'a@example.com,b@example.com')),
        ('a name', public.set_alert_email('bannos', 'Kitchen <a@example.com>')),
        ('a line break', public.set_alert_email('bannos', E'a@example.com\nb')),
        ('a long one', public.set_alert_email('bannos', repeat('a', 250) || '@example.com'))
) as bad (what, answer);
select is(public.set_alert_email('nobody', 'a@example.com') ->> 'code', 'NOT_FOUND', 'an unknown store is not found');
select is(
    public.set_alert_email('bannos', ' kitchen@example.com '),
    '{"ok": true, "data": {"store": "bannos", "alert_email": "kitchen@example.com"}, "already_done": false}', 'an Admin sets one'
);
select is(public.set_alert_email('bannos', 'kitchen@example.com') -> 'already_done', 'true', 'the same again is done already');
select is(
    (select array_agg((a.action, a.details::text, a.performed_by is not null)::text) from public.store_audit a
     where a.store = 'bannos' and a.subject = 'alert_email'),
    array['(set,{},t)'], 'that is written down, without the address'
);

reset role;
select isnt(private.enqueue_email('bannos', 'tap', '{"items": 1}', 'one'), null, 'now e-mails are sent');
select is(
    (select w.payload from public.work_queue w where w.topic = 'email' and w.dedupe_key = 'tap/bannos/one'),
    '{"kind": "tap", "to": "kitchen@example.com", "items": 1}', 'to that address'
);
select is(
    private.enqueue_email('bannos', 'tap', '{"items": 2}', 'one'),
    (select w.id from public.work_queue w where w.topic = 'email' and w.dedupe_key = 'tap/bannos/one'), 'each once'
);
select is(private.enqueue_email('flourlane', 'tap', '{}', 'one'), null, 'another store has its own');
select private.alert_review('bannos', array['00000000-0000-4000-8000-00000000000b'::uuid]);
select is(
    (select array_agg(w.payload ->> 'kind' order by w.id) from public.work_queue w where w.topic = 'email'),
    array['tap', 'batch_in_review'], 'a batch in review is told by e-mail as well'
);
set local role service_role;
set local request.jwt.claims = '{"role":"service_role"}';
select is(public.set_alert_email('bannos') #> '{data,alert_email}', 'null', 'without an address they are off again');

select * from finish();
rollback;
