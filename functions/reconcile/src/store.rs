//! One store: every location where it has stock, page by page.
//!
//! Whatever goes wrong stops this store and no other; every page that is compared stays compared.

use crate::{
    FUNCTION, Setup,
    database::{self, Left, Page, Task},
    report::Figures,
};
use ordak_core::stock::{
    location,
    page::{self, PAGE},
};
use ordak_edge::{
    admin_shop::{Shop, Stop},
    clock,
    log::{Level, Line},
};

/// A store within a run.
pub struct Store<'a> {
    /// Settings and clients.
    pub setup: &'a Setup,
    /// Name of the run: it proves who has taken the store.
    pub run: &'a str,
    /// The request, for the log.
    pub id: &'a str,
    /// Where it is to be read on.
    pub task: Task,
    /// When it is left, in milliseconds since 1970.
    pub end: u64,
}

/// Why reading ended, and what the next run is to do.
struct Cut {
    stop: Stop,
    left: Left,
}

impl<E: Into<Stop>> From<E> for Cut {
    fn from(error: E) -> Self {
        let stop = error.into();
        // Only people can help.
        let given_up = matches!(
            stop,
            Stop::Access(_) | Stop::Refused(_) | Stop::TooCostly(_) | Stop::Limit(_) | Stop::Misconfigured(_)
        );
        Self { stop, left: if given_up { Left::GivenUp } else { Left::There } }
    }
}

impl Store<'_> {
    /// Compares it as far as the time goes.
    pub async fn reconcile(&self) -> Figures {
        let started = clock::now_ms();
        let mut figures =
            Figures { store: self.task.store.clone(), run_id: self.task.run_id, ..Figures::default() };
        if let Err(Cut { stop, left }) = self.read(&mut figures).await {
            figures.stopped = Some(stop.word());
            figures.reason = Some(stop.reason());
            // Whoever cannot say so is taken to have died: the lease runs out, and the next run goes on.
            let _ = database::stop(self.setup, self.run, self.task.run_id, &stop.reason(), left).await;
        }
        let (level, outcome) = match figures.stopped {
            Some(_) => (Level::Error, "stopped"),
            None => (Level::Info, "complete"),
        };
        Line::new(FUNCTION.name, level, outcome, started)
            .request(self.id)
            .place(Some(&figures.store), None)
            .error(figures.reason.as_deref())
            .write();
        figures
    }

    async fn read(&self, figures: &mut Figures) -> Result<(), Cut> {
        let shop = Shop::open(&self.setup.shops, &self.task.store, &self.task.shop_domain, self.end);
        let mut location = match &self.task.location_gid {
            Some(location) => location.clone(),
            None => self.only_location(&shop).await?,
        };
        let (mut after, mut first) = (self.task.after.clone(), PAGE);
        loop {
            let body = match shop.ask(&page::list(&location, first, after.as_deref())).await {
                Err(Stop::TooCostly(_)) if first > 1 => {
                    first = first.div_ceil(2);
                    continue;
                }
                // A page that Shopify does not know any more is no reason to fail for ever.
                Err(stop @ Stop::Refused(_)) if after.is_some() => {
                    return Err(Cut { stop, left: Left::Anew });
                }
                answer => answer?,
            };
            let (levels, next) = page::read(&body).map_err(Stop::from)?;
            let page =
                Page { location: &location, after: after.as_deref(), next: next.as_deref(), levels: &levels };
            let place = database::compare(self.setup, self.run, self.task.run_id, page).await?;
            figures.pages += 1;
            figures.compared = place.compared;
            figures.imported = place.imported;
            figures.suspected = place.suspected;
            let Some(next) = place.location_gid else {
                figures.complete = true;
                return Ok(());
            };
            (location, after) = (next, place.after);
        }
    }

    /// Where the stock of the store is, when its shop has no other place.
    async fn only_location(&self, shop: &Shop<'_>) -> Result<String, Stop> {
        let locations = location::all(async |body: String| shop.ask(&body).await).await?;
        let only = database::save_locations(self.setup, &self.task.store, &locations).await?;
        only.ok_or_else(|| Stop::Misconfigured("nobody has chosen one of the shop's locations".into()))
    }
}
