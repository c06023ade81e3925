//! What the clients of a round want.

use ordak_chaos::ground::Ground;
use ordak_e2e::{Failure, Outcome};
use ordak_model::{Base, Delivery, Story, bases};
use serde_json::json;

/// Pieces of each SKU in the beginning.
pub const PIECES: i32 = 10;

/// One thing that a client does.
#[derive(Clone, Debug)]
pub enum Step {
    /// An order arrives or changes.
    Deliver(Delivery),
    /// Somebody puts pieces on the shelf, or takes them away.
    Restock { sku: String, delta: i32, key: String },
}

/// Somebody with a connection of their own.
#[derive(Clone, Debug, Default)]
pub struct Client {
    /// In this order.
    pub steps: Vec<Step>,
}

impl Client {
    /// What it told of its order.
    pub fn deliveries(&self) -> Vec<Delivery> {
        self.steps
            .iter()
            .filter_map(|step| match step {
                Step::Deliver(delivery) => Some(delivery.clone()),
                Step::Restock { .. } => None,
            })
            .collect()
    }
}

/// A round.
pub struct Round {
    /// Of which kind.
    pub name: &'static str,
    /// Who takes part.
    pub clients: Vec<Client>,
    /// How much must be held in the end, where that does not depend on who comes first.
    pub held: Option<i64>,
}

impl Round {
    /// Draws the next round; kinds take turns.
    pub fn draw(
        number: usize,
        rng: &mut fastrand::Rng,
        ground: &Ground,
        skus: &[String],
        clients: usize,
    ) -> Outcome<Self> {
        let bases = bases()?;
        let base = bases.iter().find(|base| base.name.contains("multi_line"));
        let base = base.ok_or_else(|| Failure::new("no fixture of several lines"))?;
        let mut draw = Draw { rng, ground, skus, base };
        Ok(match number % 4 {
            0 => draw.single_pieces(clients),
            1 => draw.single_pieces_that_come_and_go(clients),
            2 => draw.baskets(clients),
            _ => draw.changing_baskets(clients),
        })
    }
}

struct Draw<'a> {
    rng: &'a mut fastrand::Rng,
    ground: &'a Ground,
    skus: &'a [String],
    base: &'a Base,
}

impl Draw<'_> {
    /// An order of these lines.
    fn story(&self, wanted: &[(String, u32)]) -> Story {
        let mut story = Story::new(self.base, &self.ground.identity());
        story.set("line_items", json!([]));
        wanted.iter().for_each(|(sku, quantity)| story.add_line(sku, *quantity));
        story.tell("orders/create");
        story
    }

    fn restock(&self, sku: &str, delta: i32) -> Step {
        let key = format!("{sku}-{}", self.ground.identity().id);
        Step::Restock { sku: sku.to_owned(), delta, key }
    }

    /// Everybody wants one piece of the same SKU.
    fn single_pieces(&self, clients: usize) -> Round {
        let wanted: Vec<(String, u32)> = self.skus.iter().take(1).map(|sku| (sku.clone(), 1)).collect();
        let clients = (0..clients).map(|_| steps(&self.story(&wanted), [])).collect();
        Round { name: "single pieces", clients, held: Some(i64::from(PIECES)) }
    }

    /// As before, but some cancel at once and others bring pieces.
    fn single_pieces_that_come_and_go(&mut self, clients: usize) -> Round {
        let Some(sku) = self.skus.first() else { return Round { name: "", clients: Vec::new(), held: None } };
        let (mut stock, mut demand) = (i64::from(PIECES), 0);
        let clients = (0..clients)
            .map(|_| {
                let mut story = self.story(&[(sku.clone(), 1)]);
                demand += 1;
                let mut more = Vec::new();
                match self.rng.u8(..8) {
                    0 | 1 => {
                        story.pass(1);
                        story.cancel("customer");
                        story.tell("orders/cancelled");
                        demand -= 1;
                    }
                    2 => {
                        let delta = self.rng.i32(1..4);
                        more.push(self.restock(sku, delta));
                        stock += i64::from(delta);
                    }
                    _ => {}
                }
                steps(&story, more)
            })
            .collect();
        Round { name: "single pieces that come and go", clients, held: Some(stock.min(demand)) }
    }

    /// Several lines an order, the same SKUs in turned order.
    fn baskets(&mut self, clients: usize) -> Round {
        let clients = (0..clients)
            .map(|_| {
                let lines = self.lines();
                steps(&self.story(&lines), [])
            })
            .collect();
        Round { name: "baskets", clients, held: None }
    }

    /// Baskets that are edited and cancelled while pieces come.
    fn changing_baskets(&mut self, clients: usize) -> Round {
        let clients = (0..clients)
            .map(|_| {
                let lines = self.lines();
                let mut story = self.story(&lines);
                let mut more = Vec::new();
                story.pass(1);
                match self.rng.u8(..8) {
                    0 | 1 => {
                        story.cancel("customer");
                        story.tell("orders/cancelled");
                    }
                    2 | 3 => {
                        let (line, quantity) = (self.rng.usize(..story.line_count()), self.rng.u32(..4));
                        story.want(line, quantity);
                        story.tell("orders/updated");
                    }
                    4 => {
                        story.drop_line(0);
                        let lines = self.lines();
                        lines.iter().for_each(|(sku, quantity)| story.add_line(sku, *quantity));
                        story.tell("orders/updated");
                    }
                    5 => {
                        let delta = self.rng.i32(1..6);
                        let sku = self.rng.choice(self.skus).cloned().unwrap_or_default();
                        more.push(self.restock(&sku, delta));
                    }
                    _ => {}
                }
                steps(&story, more)
            })
            .collect();
        Round { name: "changing baskets", clients, held: None }
    }

    /// Some of the SKUs, each once or twice, in any order.
    fn lines(&mut self) -> Vec<(String, u32)> {
        let mut lines: Vec<(String, u32)> = (0..self.rng.usize(2..=4))
            .map(|_| (self.rng.choice(self.skus).cloned().unwrap_or_default(), self.rng.u32(1..4)))
            .collect();
        self.rng.shuffle(&mut lines);
        lines
    }
}

fn steps(story: &Story, more: impl IntoIterator<Item = Step>) -> Client {
    Client { steps: story.told().iter().cloned().map(Step::Deliver).chain(more).collect() }
}
