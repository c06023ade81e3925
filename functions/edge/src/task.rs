//! Requests as tasks: each is polled where it is woken, within callbacks that are its own.
//!
//! The library's executor has one queue for all requests and empties it through `queueMicrotask`, and awaits a promise with
//! two closures made for it; measured, that was an eighth of what refusing a webhook cost. Knows nothing of requests.

use crate::border::{self, Deferred};
use std::{
    cell::{Cell, RefCell},
    collections::BTreeMap,
    future::Future,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll, Wake, Waker},
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
}

/// What became of a promise.
enum Fate {
    /// Nothing yet; who wants to know.
    Open(Option<Waker>),
    /// Fulfilled or rejected.
    Known(Result<JsValue, JsValue>),
    /// Nobody wants to know: this task is to go on then.
    Later(u64),
}

thread_local! {
    static TASKS: RefCell<BTreeMap<u64, Task>> = const { RefCell::new(BTreeMap::new()) };
    static FATES: RefCell<BTreeMap<u32, Fate>> = const { RefCell::new(BTreeMap::new()) };
    static LAST_TASK: Cell<u64> = const { Cell::new(0) };
    static LAST_FATE: Cell<u32> = const { Cell::new(0) };
    /// Whether who wakes is one of ours, who has put everything in order before.
    static IN_ORDER: Cell<bool> = const { Cell::new(false) };
    /// Hears of every promise. Told once per instance of the module.
    static LISTENER: Closure<dyn FnMut(u32, bool, JsValue)> = {
        let listener = Closure::new(|ticket, fulfilled, value: JsValue| {
            tell(ticket, if fulfilled { Ok(value) } else { Err(value) });
        });
        border::listen(&listener);
        listener
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
    let id = LAST_TASK.get() + 1;
    LAST_TASK.set(id);
    TASKS.with_borrow_mut(|tasks| tasks.insert(id, Task { work: Some(Box::pin(work)), woken: false }));
    run(id);
}

struct Alarm(u64);

impl Wake for Alarm {
    fn wake(self: Arc<Self>) {
        let is_polled = TASKS.with_borrow(|tasks| tasks.get(&self.0).is_some_and(|task| task.work.is_none()));
        if is_polled || IN_ORDER.replace(false) {
            run(self.0);
        } else {
            // Others wake first and then note why: the `worker` crate's timer does. They are let finish.
            let ticket = ticket(Fate::Later(self.0));
            LISTENER.with(|_| border::settle(&Promise::resolve(&JsValue::NULL), ticket));
        }
    }
}

/// Polls a task until it waits for something. Who wakes a task while it is polled has it polled once more.
fn run(id: u64) {
    let waker = Waker::from(Arc::new(Alarm(id)));
    let take = |tasks: &mut BTreeMap<u64, Task>| {
        let task = tasks.get_mut(&id)?;
        task.woken = true;
        task.work.take()
    };
    let Some(mut work) = TASKS.with_borrow_mut(take) else { return };
    loop {
        change(id, |task| task.woken = false);
        if work.as_mut().poll(&mut Context::from_waker(&waker)).is_ready() {
            TASKS.with_borrow_mut(|tasks| tasks.remove(&id));
            return;
        }
        let woken = TASKS.with_borrow(|tasks| tasks.get(&id).is_some_and(|task| task.woken));
        if !woken {
            return change(id, |task| task.work = Some(work));
        }
    }
}

fn change(id: u64, how: impl FnOnce(&mut Task)) {
    TASKS.with_borrow_mut(|tasks| {
        if let Some(task) = tasks.get_mut(&id) {
            how(task);
        }
    });
}

/// A promise, awaited.
#[derive(Debug)]
pub struct Settled {
    ticket: u32,
}

/// Waits for a promise.
#[must_use]
pub fn settled(promise: &Promise) -> Settled {
    let ticket = ticket(Fate::Open(None));
    LISTENER.with(|_| border::settle(promise, ticket));
    Settled { ticket }
}

fn ticket(fate: Fate) -> u32 {
    let ticket = LAST_FATE.get().wrapping_add(1);
    LAST_FATE.set(ticket);
    FATES.with_borrow_mut(|fates| fates.insert(ticket, fate));
    ticket
}

impl Future for Settled {
    type Output = Result<JsValue, JsValue>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Self::Output> {
        FATES.with_borrow_mut(|fates| match fates.remove(&self.ticket) {
            Some(Fate::Known(result)) => Poll::Ready(result),
            _ => {
                fates.insert(self.ticket, Fate::Open(Some(context.waker().clone())));
                Poll::Pending
            }
        })
    }
}

impl Drop for Settled {
    fn drop(&mut self) {
        FATES.with_borrow_mut(|fates| fates.remove(&self.ticket));
    }
}

/// What has become of a promise. Nobody may be waiting any more.
fn tell(ticket: u32, result: Result<JsValue, JsValue>) {
    let before = FATES.with_borrow_mut(|fates| {
        let before = fates.remove(&ticket)?;
        if !matches!(before, Fate::Later(_)) {
            fates.insert(ticket, Fate::Known(result));
        }
        Some(before)
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

    fn known(ticket: u32) -> bool {
        FATES.with_borrow(|fates| fates.contains_key(&ticket))
    }

    fn open(ticket: u32) -> Settled {
        FATES.with_borrow_mut(|fates| fates.insert(ticket, Fate::Open(None)));
        Settled { ticket }
    }

    #[test]
    fn a_task_goes_on_where_it_is_told() {
        let steps = Rc::new(Cell::new(0));
        let (seen, first, second) = (Rc::clone(&steps), open(1), open(2));
        spawn(async move {
            seen.set(1);
            assert!(first.await.is_ok());
            seen.set(2);
            assert!(second.await.is_err());
            seen.set(3);
        });
        assert_eq!(steps.get(), 1, "begun at once");
        tell(1, Ok(JsValue::NULL));
        assert_eq!(steps.get(), 2);
        tell(1, Ok(JsValue::NULL));
        assert_eq!(steps.get(), 2, "told twice, once heard");
        tell(2, Err(JsValue::NULL));
        assert_eq!(steps.get(), 3);
        assert!(!known(1) && !known(2));
        assert_eq!(TASKS.with_borrow(BTreeMap::len), 0, "nothing is left");
    }

    #[test]
    fn what_is_known_early_is_not_waited_for_and_what_is_given_up_is_forgotten() {
        let (early, given_up) = (open(3), open(4));
        tell(3, Ok(JsValue::NULL));
        let done = Rc::new(Cell::new(false));
        let seen = Rc::clone(&done);
        spawn(async move { seen.set(early.await.is_ok()) });
        assert!(done.get());
        drop(given_up);
        tell(4, Ok(JsValue::NULL));
        assert!(!known(4));
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
