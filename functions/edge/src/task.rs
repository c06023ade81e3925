//! Requests as tasks: each is polled where it is woken, within callbacks that are its own.
//!
//! The library's executor has one queue for all requests and empties it through `queueMicrotask`, and awaits a promise with
//! two closures made for it; measured, that was an eighth of what refusing a webhook cost. Knows nothing of requests.

use crate::{
    border::{self, Deferred, Promised, Reported},
    slots::{Key, Slots},
};
use std::{
    cell::{Cell, RefCell},
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
    thread::LocalKey,
};
use worker::{
    js_sys::Promise,
    wasm_bindgen::{JsValue, closure::Closure},
};

type Work = Pin<Box<dyn Future<Output = ()>>>;

/// A task between two polls; none while it is polled.
struct Task {
    work: Option<Work>,
    woken: bool,
    /// Made with the first poll.
    waker: Option<Waker>,
}

/// What became of something that is waited for.
enum Fate<T> {
    /// Nothing yet; who wants to know.
    Open(Option<Waker>),
    /// It has ended.
    Known(T),
    /// Nobody wants to know: this task is to go on then.
    Later(Key),
}

type Fates<T> = LocalKey<RefCell<Slots<Fate<T>>>>;

/// What became of a promise: fulfilled or rejected.
type Settlement = Result<JsValue, JsValue>;

/// How something ended that `border.js` does, and what came of it, taken over at once.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// What it means is said where the work is begun.
    pub code: u32,
    /// A body.
    pub bytes: Vec<u8>,
    /// SHA-256 of the body where it was asked for.
    pub digest: Vec<u8>,
}

thread_local! {
    static TASKS: RefCell<Slots<Task>> = const { RefCell::new(Slots::new()) };
    static PROMISES: RefCell<Slots<Fate<Settlement>>> = const { RefCell::new(Slots::new()) };
    static REPORTS: RefCell<Slots<Fate<Report>>> = const { RefCell::new(Slots::new()) };
    /// Whether who wakes is one of ours, who has put everything in order before.
    static IN_ORDER: Cell<bool> = const { Cell::new(false) };
    /// Hear of every promise and of every report. Named once per instance of the module.
    static LISTENERS: (Closure<Promised>, Closure<Reported>) = {
        let promised = Closure::new(|place, number, fulfilled, value: JsValue| {
            tell(&PROMISES, Key { place, number }, if fulfilled { Ok(value) } else { Err(value) });
        });
        let reported = Closure::new(|place, number, code, bytes, digest| {
            tell(&REPORTS, Key { place, number }, Report { code, bytes, digest });
        });
        border::listen(&promised, &reported);
        (promised, reported)
    };
}

/// Begins the work at once and gives back a promise of its result.
pub fn promise(work: impl Future<Output = Result<JsValue, JsValue>> + 'static) -> Promise {
    let deferred = border::deferred();
    let promise = deferred.promise();
    spawn(async move { settle(&deferred, work.await) });
    promise
}

fn settle(deferred: &Deferred, result: Result<JsValue, JsValue>) {
    match result {
        Ok(value) => deferred.resolve(&value),
        Err(error) => deferred.reject(&error),
    }
}

fn spawn(work: impl Future<Output = ()> + 'static) {
    let work: Work = Box::pin(work);
    run(TASKS.with_borrow_mut(|tasks| tasks.put(Task { work: Some(work), woken: false, waker: None })));
}

struct Alarm(Key);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let is_polled =
            TASKS.with_borrow_mut(|tasks| tasks.get(self.0).is_some_and(|task| task.work.is_none()));
        if is_polled || IN_ORDER.replace(false) {
            run(self.0);
        } else {
            // Others wake first and then note why: the `worker` crate's timer does. They are let finish.
            hear(&Promise::resolve(&JsValue::NULL), Fate::Later(self.0));
        }
    }
}

/// Polls a task until it waits for something. Who wakes a task while it is polled has it polled once more.
fn run(key: Key) {
    let take = |tasks: &mut Slots<Task>| {
        let task = tasks.get(key)?;
        task.woken = true;
        let work = task.work.take()?;
        let waker = task.waker.get_or_insert_with(|| Waker::from(Arc::new(Alarm(key))));
        Some((work, waker.clone()))
    };
    let Some((mut work, waker)) = TASKS.with_borrow_mut(take) else { return };
    loop {
        change(key, |task| task.woken = false);
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            let done = TASKS.with_borrow_mut(|tasks| tasks.take(key));
            return drop((done, work));
        }
        let woken = TASKS.with_borrow_mut(|tasks| tasks.get(key).is_some_and(|task| task.woken));
        if !woken {
            return change(key, |task| task.work = Some(work));
        }
    }
}

fn change(key: Key, how: impl FnOnce(&mut Task)) {
    TASKS.with_borrow_mut(|tasks| {
        if let Some(task) = tasks.get(key) {
            how(task);
        }
    });
}

/// Something that is waited for. Who gives it up forgets it.
pub struct Awaited<T: 'static> {
    ticket: Key,
    fates: &'static Fates<T>,
}

/// Waits for a promise.
#[must_use]
pub fn settled(promise: &Promise) -> Awaited<Settlement> {
    Awaited { ticket: hear(promise, Fate::Open(None)), fates: &PROMISES }
}

/// Waits for what `begin` begins and `border.js` reports, by place and number, at its end.
#[must_use]
pub fn reported(begin: impl FnOnce(u32, u32)) -> Awaited<Report> {
    Awaited { ticket: listen(&REPORTS, Fate::Open(None), begin), fates: &REPORTS }
}

/// Is told what becomes of a promise.
fn hear(promise: &Promise, fate: Fate<Settlement>) -> Key {
    listen(&PROMISES, fate, |place, number| border::settle(promise, place, number))
}

fn listen<T>(fates: &'static Fates<T>, fate: Fate<T>, begin: impl FnOnce(u32, u32)) -> Key {
    let ticket = fates.with_borrow_mut(|fates| fates.put(fate));
    LISTENERS.with(|_| begin(ticket.place, ticket.number));
    ticket
}

impl<T> Future for Awaited<T> {
    type Output = T;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<T> {
        self.fates.with_borrow_mut(|fates| match fates.get(self.ticket) {
            Some(fate @ Fate::Known(_)) => {
                let known = std::mem::replace(fate, Fate::Open(None));
                fates.take(self.ticket);
                if let Fate::Known(value) = known { Poll::Ready(value) } else { Poll::Pending }
            }
            Some(fate) => {
                *fate = Fate::Open(Some(context.waker().clone()));
                Poll::Pending
            }
            None => Poll::Pending,
        })
    }
}

impl<T> Drop for Awaited<T> {
    fn drop(&mut self) {
        let forgotten = self.fates.with_borrow_mut(|fates| fates.take(self.ticket));
        drop(forgotten);
    }
}

/// What has become of it. Nobody may be waiting any more.
fn tell<T>(fates: &'static Fates<T>, ticket: Key, value: T) {
    let before = fates.with_borrow_mut(|fates| match fates.get(ticket)? {
        Fate::Later(_) => fates.take(ticket),
        fate => Some(std::mem::replace(fate, Fate::Known(value))),
    });
    match before {
        Some(Fate::Open(Some(waker))) => {
            IN_ORDER.set(true);
            waker.wake();
            IN_ORDER.set(false);
        }
        Some(Fate::Later(task)) => run(task),
        Some(Fate::Open(None) | Fate::Known(_)) | None => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::rc::Rc;

    fn known<T>(fates: &'static Fates<T>, ticket: Key) -> bool {
        fates.with_borrow_mut(|fates| fates.get(ticket).is_some())
    }

    fn open<T>(fates: &'static Fates<T>) -> (Key, Awaited<T>) {
        let ticket = fates.with_borrow_mut(|fates| fates.put(Fate::Open(None)));
        (ticket, Awaited { ticket, fates })
    }

    fn report(code: u32) -> Report {
        Report { code, bytes: vec![1, 2], digest: Vec::new() }
    }

    #[test]
    fn a_task_goes_on_where_it_is_told() {
        let steps = Rc::new(Cell::new(0));
        let ((one, first), (two, second)) = (open(&PROMISES), open(&PROMISES));
        let seen = Rc::clone(&steps);
        spawn(async move {
            seen.set(1);
            assert!(first.await.is_ok());
            seen.set(2);
            assert!(second.await.is_err());
            seen.set(3);
        });
        assert_eq!(steps.get(), 1, "begun at once");
        tell(&PROMISES, one, Ok(JsValue::NULL));
        assert_eq!(steps.get(), 2);
        tell(&PROMISES, one, Ok(JsValue::NULL));
        assert_eq!(steps.get(), 2, "told twice, once heard");
        tell(&PROMISES, two, Err(JsValue::NULL));
        assert_eq!(steps.get(), 3);
        assert!(!known(&PROMISES, one) && !known(&PROMISES, two));
        assert!(TASKS.with_borrow(Slots::is_empty), "nothing is left");
    }

    #[test]
    fn what_is_known_early_is_not_waited_for_and_what_is_given_up_is_forgotten() {
        let ((three, early), (four, given_up)) = (open(&REPORTS), open(&REPORTS));
        tell(&REPORTS, three, report(200));
        let done = Rc::new(Cell::new(false));
        let seen = Rc::clone(&done);
        spawn(async move { seen.set(early.await == report(200)) });
        assert!(done.get());
        drop(given_up);
        tell(&REPORTS, four, report(503));
        assert!(!known(&REPORTS, four));
    }

    #[test]
    fn a_task_that_wakes_itself_is_polled_again_and_not_within_itself() {
        let polls = Rc::new(Cell::new(0));
        let seen = Rc::clone(&polls);
        spawn(std::future::poll_fn(move |context| {
            seen.set(seen.get() + 1);
            context.waker().wake_by_ref();
            if seen.get() < 3 { Poll::Pending } else { Poll::Ready(()) }
        }));
        assert_eq!(polls.get(), 3);
    }
}
