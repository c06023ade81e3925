//! Runs a validated operation against a shop and shapes the answer to what was asked for.

use super::document::{Operation, argument};
use super::errors::GraphqlError;
use super::orders::Search;
use super::refunds;
use super::schema::{self, Of};
use super::set_quantities;
use super::shops::Shop;
use super::stock;
use super::subscriptions;
use super::variables;
use graphql_parser::query::{Field, SelectionSet, Value as Literal};
use serde_json::{Map, Value, json};

/// What an operation came to.
#[derive(Default)]
pub struct Executed {
    /// The `data` object.
    pub data: Map<String, Value>,
    /// Errors of fields that are null because of them.
    pub errors: Vec<GraphqlError>,
    /// The idempotency key that a mutation carried.
    pub key: Option<String>,
    /// What was executed, for the ledger: operation and detail.
    pub effects: Vec<(&'static str, Value)>,
    /// Terms of searches that were not understood.
    pub warnings: Vec<Value>,
}

/// A run of one operation.
pub struct Run<'r> {
    /// The operation.
    pub operation: &'r Operation<'r>,
    /// Its coerced variables.
    pub variables: &'r Map<String, Value>,
    /// Domain of the shop.
    pub domain: &'r str,
    /// Time stamp for what is made now.
    pub at: &'r str,
}

impl<'r> Run<'r> {
    /// Executes every root field in order.
    pub fn execute(&self, shop: &mut Shop) -> Executed {
        let mut done = Executed::default();
        for field in self.operation.fields(self.operation.root, self.operation.selection, self.variables) {
            let name = field.alias.as_ref().unwrap_or(&field.name).clone();
            let value = match (self.operation.root, field.name.as_str()) {
                ("Mutation", "inventorySetQuantities") => self.set_quantities(shop, field, &name, &mut done),
                ("Mutation", "refundCreate") => self.refund(shop, field, &name, &mut done),
                ("Mutation", "webhookSubscriptionCreate") => self.subscribe(shop, field, &mut done),
                ("QueryRoot", "orders") => self.orders(shop, field, &mut done),
                ("QueryRoot", "inventoryItems" | "productVariants") => {
                    self.variants(shop, field, &name, &mut done)
                }
                _ => self.query(shop, field),
            };
            let value = value.unwrap_or_else(|error| {
                done.errors.push(error);
                Value::Null
            });
            done.data.insert(name, value);
        }
        done
    }

    fn set_quantities(
        &self,
        shop: &mut Shop,
        field: &'r Field<'static, String>,
        path: &str,
        done: &mut Executed,
    ) -> Result<Value, GraphqlError> {
        let input = argument(&field.arguments, "input", self.variables);
        let written = field.arguments.iter().find(|(name, _)| name == "input").map(|(_, value)| value);
        let mut places = vec![field.position];
        if let Some(Literal::Variable(used)) = written {
            let declared = self.operation.variables.iter().find(|variable| variable.name == *used);
            places.extend(declared.map(|variable| variable.position));
        }
        let problems = variables::check("InventorySetQuantitiesInput!", &input);
        if let Some(problem) = problems.first() {
            let message =
                format!("Argument 'input' on Field '{}' has an invalid value: {problem}", field.name);
            return Err(GraphqlError::new(message, "argumentLiteralsIncompatible")
                .at(field.position)
                .path(&[path]));
        }
        done.key = key(field, self.variables);
        let call = set_quantities::Call {
            input: &input,
            key: done.key.as_deref(),
            path,
            places: &places,
            at: self.at,
        };
        let outcome = set_quantities::run(shop, &call)?;
        done.effects.extend(outcome.effect.map(|detail| ("inventorySetQuantities", detail)));
        self.shape("InventorySetQuantitiesPayload", &outcome.payload, &field.selection_set)
    }

    fn refund(
        &self,
        shop: &mut Shop,
        field: &'r Field<'static, String>,
        path: &str,
        done: &mut Executed,
    ) -> Result<Value, GraphqlError> {
        let input = argument(&field.arguments, "input", self.variables);
        if let Some(problem) = variables::check("RefundInput!", &input).first() {
            let message = format!("Argument 'input' on Field 'refundCreate' has an invalid value: {problem}");
            return Err(GraphqlError::new(message, "argumentLiteralsIncompatible")
                .at(field.position)
                .path(&[path]));
        }
        done.key = key(field, self.variables);
        let key = done.key.as_deref();
        let call = refunds::Call { input: &input, key, path, place: field.position, at: self.at };
        let outcome = refunds::create(shop, &call)?;
        done.effects.extend(outcome.effect.map(|detail| ("refundCreate", detail)));
        self.shape("RefundCreatePayload", &outcome.payload, &field.selection_set)
    }

    fn subscribe(
        &self,
        shop: &mut Shop,
        field: &'r Field<'static, String>,
        done: &mut Executed,
    ) -> Result<Value, GraphqlError> {
        let arg = |name: &str| argument(&field.arguments, name, self.variables);
        let outcome =
            subscriptions::create(&mut shop.subscriptions, &arg("topic"), &arg("webhookSubscription"));
        done.effects.extend(outcome.effect.map(|detail| ("webhookSubscriptionCreate", detail)));
        self.shape("WebhookSubscriptionCreatePayload", &outcome.payload, &field.selection_set)
    }

    fn orders(
        &self,
        shop: &Shop,
        field: &'r Field<'static, String>,
        done: &mut Executed,
    ) -> Result<Value, GraphqlError> {
        let arg = |name: &str| argument(&field.arguments, name, self.variables);
        let text = |name: &str| arg(name).as_str().map(str::to_owned);
        let search = Search {
            query: text("query").unwrap_or_default(),
            sort_key: text("sortKey").unwrap_or_default(),
            reverse: arg("reverse") == Value::Bool(true),
            after: text("after"),
        };
        let (found, warnings) = search.run(shop.orders.values())?;
        done.warnings.extend(warnings);
        self.value(self.operation.root, field, &Value::Array(found))
    }

    fn variants(
        &self,
        shop: &Shop,
        field: &'r Field<'static, String>,
        path: &str,
        done: &mut Executed,
    ) -> Result<Value, GraphqlError> {
        let query = argument(&field.arguments, "query", self.variables);
        let (found, warnings) = stock::search(shop, query.as_str().unwrap_or_default(), path);
        done.warnings.extend(warnings);
        let items = field.name == "inventoryItems";
        let found = found.into_iter().map(|(variant, item)| if items { item } else { variant }).collect();
        self.value(self.operation.root, field, &found)
    }

    fn query(&self, shop: &Shop, field: &'r Field<'static, String>) -> Result<Value, GraphqlError> {
        let arg = |name: &str| argument(&field.arguments, name, self.variables);
        let source = match field.name.as_str() {
            "inventoryItem" => stock::item(shop, arg("id").as_str().unwrap_or_default()),
            "node" => stock::node(shop, arg("id").as_str().unwrap_or_default()),
            "nodes" => {
                let ids = arg("ids");
                let ids = ids.as_array().map_or(&[][..], Vec::as_slice);
                ids.iter().map(|id| stock::node(shop, id.as_str().unwrap_or_default())).collect()
            }
            "locations" => stock::locations(shop),
            "location" => stock::location(shop, arg("id").as_str()),
            "webhookSubscriptions" => subscriptions::list(&shop.subscriptions),
            "shop" => {
                json!({"id": "gid://shopify/Shop/1", "name": self.domain, "myshopifyDomain": self.domain})
            }
            _ => Value::Null,
        };
        self.value(self.operation.root, field, &source)
    }

    fn shape(
        &self,
        type_name: &str,
        source: &Value,
        selection: &'r SelectionSet<'static, String>,
    ) -> Result<Value, GraphqlError> {
        if source.is_null() {
            return Ok(Value::Null);
        }
        let type_name = match source.get("__typename").and_then(Value::as_str) {
            Some(actual) if !schema::possible(type_name).is_empty() => actual,
            _ => type_name,
        };
        let mut shaped = Map::new();
        for field in self.operation.fields(type_name, selection, self.variables) {
            let name = field.alias.as_ref().unwrap_or(&field.name).clone();
            let value = match field.name.as_str() {
                "__typename" => Value::String(type_name.to_owned()),
                "inventoryLevel" => {
                    let location = argument(&field.arguments, "locationId", self.variables);
                    let levels = source.get("inventoryLevels").and_then(Value::as_array);
                    let at = |level: &&Value| level.pointer("/location/id") == Some(&location);
                    let found = levels.and_then(|levels| levels.iter().find(at)).unwrap_or(&Value::Null);
                    self.value(type_name, field, found)?
                }
                "quantities" => {
                    let names = argument(&field.arguments, "names", self.variables);
                    let wanted = |entry: &&Value| {
                        names
                            .as_array()
                            .is_some_and(|names| names.iter().any(|name| Some(name) == entry.get("name")))
                    };
                    let all =
                        source.get("quantities").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
                    self.value(type_name, field, &all.iter().filter(wanted).cloned().collect())?
                }
                other => self.value(type_name, field, source.get(other).unwrap_or(&Value::Null))?,
            };
            shaped.insert(name, value);
        }
        Ok(Value::Object(shaped))
    }

    fn value(
        &self,
        type_name: &str,
        field: &'r Field<'static, String>,
        source: &Value,
    ) -> Result<Value, GraphqlError> {
        match schema::field(type_name, &field.name).map_or(Of::Scalar, |known| known.of) {
            Of::Scalar => Ok(source.clone()),
            Of::Object(of) => self.shape(of, source, &field.selection_set),
            Of::List(of) => {
                let items = source.as_array().map_or(&[][..], Vec::as_slice);
                items.iter().map(|item| self.shape(of, item, &field.selection_set)).collect()
            }
            Of::Connection(of) => {
                let page = self.page(field, source.as_array().map_or(&[][..], Vec::as_slice))?;
                self.shape(of, &page, &field.selection_set)
            }
        }
    }

    /// One page of a list; a cursor is the position after its item, unless the item brings its own: then what is before
    /// the page is not in the list any more.
    fn page(&self, field: &'r Field<'static, String>, all: &[Value]) -> Result<Value, GraphqlError> {
        let arg = |name: &str| argument(&field.arguments, name, self.variables);
        let Some(first) = arg("first").as_u64().and_then(|first| usize::try_from(first).ok()) else {
            let message = "you must provide one of first or last";
            return Err(GraphqlError::new(message, "BAD_REQUEST").at(field.position).path(&[&field.name]));
        };
        let after = match arg("after").as_str() {
            None => 0,
            // A place of its own kind was looked for already.
            Some(cursor) if cursor.contains('|') => 0,
            Some(cursor) => cursor.parse::<usize>().map_err(|_| {
                let message = "Invalid cursor for current pagination sort.";
                GraphqlError::new(message, "BAD_REQUEST").at(field.position).path(&[&field.name])
            })?,
        };
        let page: Vec<&Value> = all.iter().skip(after).take(first).collect();
        let cursor = |index: usize| {
            let own = page.get(index).and_then(|node| node.get("__cursor")).cloned();
            own.unwrap_or_else(|| Value::String((after + index + 1).to_string()))
        };
        let edges: Vec<Value> = page
            .iter()
            .enumerate()
            .map(|(index, node)| json!({"cursor": cursor(index), "node": node}))
            .collect();
        let ends = |index: Option<usize>| index.map_or(Value::Null, cursor);
        Ok(json!({
            "nodes": page,
            "edges": edges,
            "pageInfo": {
                "hasNextPage": after + page.len() < all.len(),
                "hasPreviousPage": after > 0,
                "startCursor": ends((!page.is_empty()).then_some(0)),
                "endCursor": ends(page.len().checked_sub(1))
            }
        }))
    }
}

/// The key of `@idempotent`; none when the directive is missing or its key empty.
pub fn key(field: &Field<'static, String>, variables: &Map<String, Value>) -> Option<String> {
    let directive = field.directives.iter().find(|directive| directive.name == "idempotent")?;
    let key = argument(&directive.arguments, "key", variables);
    key.as_str().filter(|key| !key.is_empty()).map(str::to_owned)
}
