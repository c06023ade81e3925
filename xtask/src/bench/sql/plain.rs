//! One plain insert of the rows that ingesting an order has written: what any function would have to write at least.
//!
//! The rows are read column by column, taken out and put back by one statement, prepared once for each number of lines.
//! The stock, which is a change and no row, is changed by the same statement.

use anyhow::{Context, Result, ensure};
use serde::Deserialize;
use sqlx::postgres::PgConnection;
use sqlx::{AssertSqlSafe, Row};

use crate::database;

/// Where an order's rows are, and how they are found; `$1` is its gid.
const TABLES: [(&str, &str); 7] = [
    ("event_store", "t.store = 'bannos' and t.ref_id = $1"),
    ("order_index", "t.shopify_order_gid = $1"),
    ("orders", "t.shopify_order_gid = $1"),
    ("order_line_items", "(t.store, t.order_id) = (select x.store, x.order_id from mine x)"),
    ("inventory_txn", "(t.store, t.order_id) = (select x.store, x.order_id from mine x)"),
    ("stage_events", "(t.store, t.order_id) = (select x.store, x.order_id from mine x)"),
    (
        "work_queue",
        "t.topic = 'inventory_push' and t.dedupe_key in (
            select concat_ws('/', i.sku, sum(h.delta), $1, 'event:' || e.id)
            from mine x
            join public.inventory_txn h on h.store = x.store and h.order_id = x.order_id
            join public.inventory_items i on i.id = h.item_id
            join public.event_store e on e.store = x.store and e.ref_id = $1
            group by i.sku, e.id
        )",
    ),
];

/// Takes rows out without asking anybody: the superuser's way.
const TAKE_OUT: &str = "set session_replication_role = replica";

/// The rows of one order.
#[derive(Clone, Debug)]
pub struct Rows {
    statement: String,
    values: Vec<Option<String>>,
}

#[derive(Debug, Deserialize)]
struct Cell {
    name: String,
    of: String,
    value: Option<String>,
}

impl Rows {
    /// Reads those of an order and takes them out of the tables, with its stock given back.
    pub async fn take(superuser: &mut PgConnection, gid: &str) -> Result<Self> {
        let mut own = Self { statement: String::new(), values: Vec::new() };
        let mut inserts = Vec::new();
        for (table, condition) in TABLES {
            let rows = read(superuser, table, condition, gid).await?;
            ensure!(!rows.is_empty(), "{gid} has no row in {table}");
            inserts.push(own.insert(table, rows));
        }
        own.statement = format!(
            "with {} update public.inventory_items i set ats = i.ats + h.delta
            from (select t.item_id, sum(t.delta)::integer as delta from inventory_txn t group by t.item_id) h
            where i.id = h.item_id",
            inserts.join(", ")
        );
        database::run_script(superuser, TAKE_OUT).await?;
        let mine =
            "with mine as (select store, order_id from public.order_index where shopify_order_gid = $1)";
        let stock = format!(
            "{mine} update public.inventory_items i set ats = i.ats - h.delta
            from (
                select t.item_id, sum(t.delta) as delta from public.inventory_txn t, mine x
                where t.store = x.store and t.order_id = x.order_id
                group by t.item_id
            ) h
            where i.id = h.item_id"
        );
        sqlx::query(AssertSqlSafe(stock)).bind(gid).execute(&mut *superuser).await?;
        for (table, condition) in TABLES.iter().rev().filter(|(table, _)| *table != "order_index") {
            let delete = format!("{mine} delete from public.{table} t where {condition}");
            sqlx::query(AssertSqlSafe(delete)).bind(gid).execute(&mut *superuser).await?;
        }
        sqlx::query("delete from public.order_index where shopify_order_gid = $1")
            .bind(gid)
            .execute(superuser)
            .await?;
        Ok(own)
    }

    /// The insert of a table's rows, with a parameter for each value that is not null.
    fn insert(&mut self, table: &str, rows: Vec<Vec<Cell>>) -> String {
        let mut names = String::new();
        let mut tuples = Vec::new();
        for row in rows {
            names = row.iter().map(|cell| format!("\"{}\"", cell.name)).collect::<Vec<_>>().join(", ");
            let mut tuple = Vec::new();
            for cell in row {
                tuple.push(match cell.value {
                    None => "null".to_owned(),
                    Some(value) => {
                        // Lists of words are written alike but for the brackets.
                        let list = value.strip_prefix('[').and_then(|value| value.strip_suffix(']'));
                        let list = list.filter(|_| cell.of.ends_with("[]")).map(|list| format!("{{{list}}}"));
                        let value = list.unwrap_or(value);
                        self.values.push(Some(value));
                        format!("${}::text::{}", self.values.len(), cell.of)
                    }
                });
            }
            tuples.push(format!("({})", tuple.join(", ")));
        }
        let back = if table == "inventory_txn" { " returning item_id, delta" } else { "" };
        format!(
            "{table} as (insert into public.{table} ({names}) overriding system value values {}{back})",
            tuples.join(", ")
        )
    }

    /// Puts them back.
    pub async fn put(self, connection: &mut PgConnection) -> Result<()> {
        let query = sqlx::query(AssertSqlSafe(self.statement));
        let query = self.values.into_iter().fold(query, |query, value| query.bind(value));
        query.execute(connection).await.context("the plain insert failed")?;
        Ok(())
    }
}

async fn read(
    superuser: &mut PgConnection,
    table: &str,
    condition: &str,
    gid: &str,
) -> Result<Vec<Vec<Cell>>> {
    let query = format!(
        "with mine as (select store, order_id from public.order_index where shopify_order_gid = $1)
        select (
            select jsonb_agg(jsonb_build_object(
                'name', a.attname, 'of', format_type(a.atttypid, a.atttypmod), 'value', to_jsonb(t) ->> a.attname
            ) order by a.attnum)
            from pg_catalog.pg_attribute a
            where a.attrelid = 'public.{table}'::regclass and a.attnum > 0 and not a.attisdropped
                and a.attgenerated = ''
        )::text as cells
        from public.{table} t
        where {condition}"
    );
    let rows = sqlx::query(AssertSqlSafe(query)).bind(gid).fetch_all(superuser).await?;
    let cells = |row: &sqlx::postgres::PgRow| anyhow::Ok(serde_json::from_str(row.try_get("cells")?)?);
    rows.iter().map(cells).collect()
}
