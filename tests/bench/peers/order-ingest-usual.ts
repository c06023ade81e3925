// The webhook function as it is usually written: each step is a call of its own to the REST API, and rows of one table go in
// one call. It keeps what Ordak keeps of an order: event, order, lines, stock, ledger, work, trail. Not one transaction; what
// is left half done when a step fails is left to somebody else.

import { Call, credentials, type Env } from "./edge";
import { normalize } from "./normalize";
import { verified } from "./webhook";

type Json = Record<string, unknown>;

export default {
  async fetch(request: Request, env: Env): Promise<Response> {
    const call = new Call("order-ingest", request);
    const body = await verified(call, env);
    if (body instanceof Response) return body;
    call.route = request.headers.get("x-shopify-topic") ?? undefined;
    call.store = "bannos";
    const payload = JSON.parse(new TextDecoder().decode(body));
    const order = normalize(payload);
    const store = call.store;
    const id = `${store}-${order.order_number}`;

    const rest = async (method: string, path: string, rows?: unknown, prefer = "return=minimal"): Promise<Json[]> => {
      const answer = await fetch(`${env.SUPABASE_URL}/rest/v1/${path}`, {
        method,
        headers: { ...credentials(env.SUPABASE_SERVICE_ROLE_KEY), prefer },
        body: rows === undefined ? undefined : JSON.stringify(rows),
      });
      const text = await answer.text();
      if (!answer.ok) throw new Error(`${method} ${path}: ${answer.status} ${text}`);
      return text === "" ? [] : (JSON.parse(text) as Json[]);
    };

    const external = request.headers.get("x-shopify-webhook-id");
    await rest("POST", "usual_events", { source: "shopify", external_id: external, topic: call.route, payload });
    await rest("POST", "usual_orders", {
      store,
      id,
      shopify_order_gid: order.gid,
      order_number: order.order_number,
      customer_name: order.customer_name,
      product_title: order.product_title,
      flavour: order.flavour,
      size: order.size,
      notes: order.notes,
      due_date: order.due_date,
      delivery_method: order.delivery_method,
      currency: order.currency,
      total_amount: order.total_amount,
      payment_status: order.payment_status,
    });
    const lines = order.lines.map(({ line_id, sku, title, quantity, price }) => ({
      store,
      order_id: id,
      line_id,
      sku,
      title,
      quantity,
      price,
    }));
    await rest("POST", "usual_lines", lines);
    const stock = (filter: string) => `usual_stock?store=eq.${store}&sku=${filter}`;
    const levels = new Map<unknown, number>();
    const skus = order.lines.map(({ sku }) => sku).join(",");
    for (const { sku, ats } of await rest("GET", `${stock(`in.(${skus})`)}&select=sku,ats`)) levels.set(sku, Number(ats));
    for (const { sku, quantity } of order.lines) {
      // Subtract, and write if nobody else has written since; else read again.
      for (let tries = 0; ; tries++) {
        const ats = levels.get(sku);
        if (ats === undefined || tries > 20) throw new Error("no stock");
        const change = { ats: ats - quantity };
        const changed = await rest("PATCH", `${stock(`eq.${sku}`)}&ats=eq.${ats}`, change, "return=representation");
        if (changed.length > 0) break;
        const [level] = await rest("GET", `${stock(`eq.${sku}`)}&select=ats`);
        levels.set(sku, Number(level?.ats));
      }
    }
    await rest(
      "POST",
      "usual_ledger",
      order.lines.map(({ line_id, sku, quantity }) => ({ store, sku, order_id: id, line_id, delta: -quantity })),
    );
    await rest(
      "POST",
      "usual_queue",
      order.lines.map(({ sku, quantity }) => ({
        topic: "inventory_push",
        dedupe_key: `${sku}:${quantity}:${order.gid}`,
        payload: { sku },
      })),
    );
    const trail = (action: string, meta: Json) => ({ store, order_id: id, action, meta });
    await rest("POST", "usual_trail", [
      trail("order_allocated", { cause: external }),
      trail("order_ingested", { topic: call.route, outcome: "created" }),
    ]);
    return call.answer(200, JSON.stringify({ ok: true, data: { order_id: id, store, outcome: "created" } }), "created");
  },
};
