//! One store: its subscriptions, then its window page by page, what is missing on each page delivered before the next.
//!
//! Whatever goes wrong stops this store and no other. Every page that is done stays done.

use crate::{
    FUNCTION, Setup,
    alert::{self, Alert},
    database::{self, Progress, Task},
    deliver::{Delivered, deliver},
    report::{Figures, Webhooks},
    subscriptions,
};
use ordak_core::{
    gap_repair::{self, Fetched, Listed, MOST_FETCHED},
    topic::Topic,
};
use ordak_edge::{
    admin_shop::{Shop, Stop},
    clock,
    log::{Level, Line},
};
use worker::Env;

/// A store within a run.
pub struct Store<'a> {
    /// Settings and clients.
    pub setup: &'a Setup,
    /// Bindings.
    pub env: &'a Env,
    /// Name of the run: it proves who has taken the store.
    pub run: &'a str,
    /// The request, for the log.
    pub id: &'a str,
    /// What is to be read.
    pub task: Task,
    /// When it is left, in milliseconds since 1970.
    pub end: u64,
}

/// Why reading the window ended, and what the next run is to do.
struct Cut {
    stop: Stop,
    progress: Progress,
}

impl<E: Into<Stop>> From<E> for Cut {
    fn from(error: E) -> Self {
        Self { stop: error.into(), progress: Progress::Stopped }
    }
}

impl Store<'_> {
    /// Repairs it, and tells whoever should know.
    pub async fn repair(&self) -> Figures {
        let started = clock::now_ms();
        let mut figures = Figures {
            store: self.task.store.clone(),
            seen_until: self.task.seen_until.clone(),
            ..Figures::default()
        };
        let stop: Option<Alert> = match self.read(&mut figures).await {
            Ok(()) => None,
            Err(Cut { stop, progress }) => {
                figures.stopped = Some(stop.word());
                figures.reason = Some(stop.reason());
                let trouble =
                    alert::trouble(&figures, &stop, clock::now_ms(), clock::parse(&figures.seen_until));
                // Whoever cannot say so is taken to have died: the lease runs out, and the next run goes on.
                let kind = trouble.as_ref().map(|(kind, ..)| *kind);
                let tell = database::save(self.setup, self.run, &self.task.store, &progress, kind).await;
                trouble.filter(|_| tell.unwrap_or(true))
            }
        };
        self.log(&figures, started);
        alert::raise(self.setup, self.id, &figures, stop).await;
        figures
    }

    async fn read(&self, figures: &mut Figures) -> Result<(), Cut> {
        let (store, domain) = (&self.task.store, &self.task.shop_domain);
        let shop = Shop::open(&self.setup.shops, store, domain, self.end);
        figures.webhooks = match &self.setup.settings.callback {
            None => Webhooks::off(),
            Some(callback) => match subscriptions::check(&shop, callback).await {
                Ok(found) => found,
                // Without its subscriptions a store needs the comparison more than ever.
                Err(stop @ (Stop::Refused(_) | Stop::TooCostly(_) | Stop::Passing(_))) => {
                    Webhooks::unknown(Some(stop.reason()))
                }
                Err(stop) => return Err(stop.into()),
            },
        };
        let mut after = self.task.after.clone();
        loop {
            let next = self.page(&shop, after.as_deref(), figures).await?;
            figures.pages += 1;
            let progress = next.clone().map_or(Progress::Done, Progress::Page);
            database::save(self.setup, self.run, &self.task.store, &progress, None).await?;
            if next.is_none() {
                figures.complete = true;
                figures.seen_until.clone_from(&self.task.until);
                return Ok(());
            }
            after = next;
        }
    }

    /// Deals with one page, and says where the next begins.
    async fn page(
        &self,
        shop: &Shop<'_>,
        after: Option<&str>,
        figures: &mut Figures,
    ) -> Result<Option<String>, Cut> {
        let body = gap_repair::list(&self.task.from, &self.task.until, after)
            .ok_or_else(|| Stop::Database("start_sync: a window without bounds".into()))?;
        let page = match shop.ask(&body).await {
            // A page that Shopify does not know any more is no reason to fail for ever.
            Err(stop @ Stop::Refused(_)) if after.is_some() => {
                return Err(Cut { stop, progress: Progress::Restart });
            }
            answer => gap_repair::read_list(&answer?).map_err(Stop::from)?,
        };
        figures.listed += page.orders.len() as u64;
        let mut missed = if page.orders.is_empty() {
            Vec::new()
        } else {
            database::find_missed(self.setup, &self.task.store, &page.orders).await?
        };
        figures.missed += missed.len() as u64;
        let (mut most, mut doubtful) = (MOST_FETCHED, Vec::new());
        while !missed.is_empty() {
            let portion: Vec<(String, Topic)> = missed.drain(..most.min(missed.len())).collect();
            match self.portion(shop, &portion, &mut doubtful, figures).await {
                // Orders that are dearer than thought are fetched fewer at a time.
                Err(Stop::TooCostly(_)) if portion.len() > 1 => {
                    most = portion.len() / 2;
                    missed.splice(0..0, portion);
                }
                // One that Shopify can never tell whole must not stop those behind it.
                Err(Stop::TooCostly(_)) => figures.failed += 1,
                result => result?,
            }
        }
        self.settle(&page.orders, &doubtful).await?;
        Ok(page.next)
    }

    /// Fetches and delivers some orders.
    async fn portion(
        &self,
        shop: &Shop<'_>,
        portion: &[(String, Topic)],
        doubtful: &mut Vec<String>,
        figures: &mut Figures,
    ) -> Result<(), Stop> {
        let gids: Vec<&str> = portion.iter().map(|(gid, _)| gid.as_str()).collect();
        let body = shop.ask(&gap_repair::fetch(&gids)).await?;
        let mut fetched = gap_repair::read_fetched(&body)?;
        for (gid, topic) in portion {
            shop.has_time()?;
            let order = fetched.iter().position(|order| order.gid() == gid).map(|at| fetched.swap_remove(at));
            let order = match order {
                Some(order) => whole(shop, order).await?,
                None => None,
            };
            let delivered = match order {
                Some(order) => {
                    let delivery = order.into_delivery(topic.clone());
                    deliver(self.setup, self.env, self.id, &self.task, &delivery).await?
                }
                None => Delivered::Known,
            };
            match delivered {
                Delivered::Repaired => figures.repaired += 1,
                Delivered::Known => figures.passed += 1,
                Delivered::Failed => figures.failed += 1,
                Delivered::Doubtful => {
                    figures.failed += 1;
                    doubtful.push(gid.clone());
                }
            }
        }
        Ok(())
    }

    /// A page counts as dealt with only when what was refused is at least stored, to be tried again.
    async fn settle(&self, listed: &[Listed], doubtful: &[String]) -> Result<(), Stop> {
        if doubtful.is_empty() {
            return Ok(());
        }
        let again: Vec<Listed> =
            listed.iter().filter(|order| doubtful.contains(&order.gid)).cloned().collect();
        match database::find_missed(self.setup, &self.task.store, &again).await?.len() {
            0 => Ok(()),
            lost => Err(Stop::Database(format!("{lost} orders were refused and are not stored"))),
        }
    }

    fn log(&self, figures: &Figures, started: u64) {
        let (level, outcome) = match (figures.stopped, figures.repaired + figures.failed) {
            (Some(_), _) => (Level::Error, "stopped"),
            (None, 0) => (Level::Info, "complete"),
            (None, _) => (Level::Warn, "repaired"),
        };
        Line::new(FUNCTION.name, level, outcome, started)
            .request(self.id)
            .place(Some(&figures.store), None)
            .error(figures.reason.as_deref())
            .write();
    }
}

/// The order with every piece of it; none when it changed while they were read.
async fn whole(shop: &Shop<'_>, mut order: Fetched) -> Result<Option<Fetched>, Stop> {
    while let Some(body) = order.missing_piece() {
        if !order.add_piece(&shop.ask(&body).await?)? {
            return Ok(None);
        }
    }
    Ok(Some(order))
}
