// What the database wants to know of an order, read from the body with JSON.parse. The same result as Ordak's own for
// orders as shops send them; without its care for bodies that are broken or hostile.

type Json = Record<string, unknown>;

const SIZE = /^(extra small|small|medium|large|extra large|xs|s|m|l|xl|xxl|\d+(\.\d+)?\s?("|inch|in|cm|kg|g|lb|oz)?)$/i;
const PRODUCED = /^_|_origin|_raw|gwp|_LocalDeliveryID/i;

function text(value: unknown): string | null {
  if (typeof value !== "string" && typeof value !== "number") return null;
  return String(value).replace(/\s+/g, " ").trim() || null;
}

function block(value: unknown): string | null {
  return typeof value === "string" || typeof value === "number" ? String(value).trim() || null : null;
}

function pairs(list: unknown): [string, string][] {
  const found: [string, string][] = [];
  for (const { name, value } of Array.isArray(list) ? (list as Json[]) : []) {
    const [known, content] = [text(name), block(value)];
    if (known !== null && content !== null) found.push([known, content]);
  }
  return found;
}

function idOf(gid: unknown, id: unknown): string | null {
  const digits = typeof gid === "string" ? gid.slice(gid.lastIndexOf("/") + 1) : "";
  return /^\d+$/.test(digits) ? digits : text(id);
}

function instant(value: unknown): string | null {
  const at = typeof value === "string" ? new Date(value) : null;
  return at === null || Number.isNaN(at.getTime()) ? null : at.toISOString().replace(".000Z", "Z");
}

function day(value: string | null): string | null {
  const words = value?.split("between")[0]?.trim() ?? "";
  const iso = /(\d{4})-(\d{2})-(\d{2})/.exec(words);
  if (iso) return iso[0];
  const local = /(\d{1,2})\/(\d{1,2})\/(\d{4})/.exec(words);
  if (local) return `${local[3]}-${local[2]!.padStart(2, "0")}-${local[1]!.padStart(2, "0")}`;
  const named = /(\d{1,2}) ([A-Za-z]+) (\d{4})/.exec(words);
  const at = named ? new Date(`${named[1]} ${named[2]} ${named[3]} UTC`) : null;
  return at === null || Number.isNaN(at.getTime()) ? null : at.toISOString().slice(0, 10);
}

function personName(person: unknown): string | null {
  const { name, first_name, last_name } = (person ?? {}) as Json;
  return text(name) ?? text([text(first_name), text(last_name)].filter(Boolean).join(" "));
}

function money(set: unknown, plain: unknown, presentment: boolean): string | null {
  const amount = (set as { presentment_money?: { amount?: unknown } } | undefined)?.presentment_money?.amount;
  return text((presentment ? amount : undefined) ?? plain);
}

function flavourOf(properties: [string, string][], variant: string | null): string | null {
  const told = properties
    .filter(([name]) => /flavour/i.test(name) && !PRODUCED.test(name))
    .flatMap(([, value]) => value.split(/[\n,/]/))
    .map((flavour) => flavour.trim())
    .filter(Boolean);
  if (told.length > 0) return told.join(", ");
  return tokens(variant).find((token) => !SIZE.test(token)) ?? null;
}

function tokens(variant: string | null): string[] {
  return (variant ?? "").split("/").map((token) => token.trim()).filter(Boolean);
}

function lineOf(line: Json, position: number, presentment: boolean) {
  const quantity = Number(line.quantity ?? 1);
  return {
    line_id: idOf(line.admin_graphql_api_id, line.id) ?? `n:${position}`,
    position,
    sku: text(line.sku),
    title: text(line.title) ?? text(line.name),
    variant_title: text(line.variant_title),
    quantity: Number(line.current_quantity ?? quantity),
    consumed: 0,
    price: money(line.price_set, line.price, presentment),
    gift_card: line.gift_card === true,
    properties: Object.fromEntries(pairs(line.properties)),
  };
}

/** The order of an `orders/create` delivery. */
export function normalize(order: Json) {
  const presentment = typeof order.presentment_currency === "string";
  const lines = (Array.isArray(order.line_items) ? order.line_items : []).map((line: Json, position) =>
    lineOf(line, position, presentment),
  );
  const primary = lines.find((line) => !line.gift_card && line.quantity > 0);
  const attributes = pairs(order.note_attributes);
  const attribute = (wanted: string) => attributes.find(([name]) => name.toLowerCase() === wanted)?.[1] ?? null;
  const tags = text(order.tags)?.split(",").map((tag) => tag.trim()) ?? [];
  const tag = tags.find((candidate) => /^(DEL|PICKUP):/i.test(candidate));
  const method = attribute("delivery method");
  const properties = Object.entries(primary?.properties ?? {});
  const id = idOf(order.admin_graphql_api_id, order.id);
  const read = {
    gid: `gid://shopify/Order/${id}`,
    shopify_id: id,
    snapshot: true,
    order_number: text(order.order_number),
    updated_at: instant(order.updated_at),
    topic_rank: 1,
    customer_name:
      personName(order.shipping_address) ?? personName(order.customer) ?? personName(order.billing_address),
    product_title: primary?.title ?? null,
    flavour: flavourOf(properties, primary?.variant_title ?? null),
    size:
      properties.find(([name]) => name.toLowerCase() === "size")?.[1] ??
      tokens(primary?.variant_title ?? null).find((token) => SIZE.test(token)) ??
      null,
    notes: [block(order.note), attribute("delivery instructions")].filter(Boolean).join(" • ") || null,
    due_date: day(attribute("local delivery date and time")) ?? day(tag ?? null),
    delivery_method: method !== null ? kind(method) : tag !== undefined ? kind(tag) : null,
    currency: text(order.presentment_currency) ?? text(order.currency),
    total_amount: money(
      order.current_total_price_set ?? order.total_price_set,
      order.current_total_price ?? order.total_price,
      presentment,
    ),
    payment_status: text(order.financial_status)?.toLowerCase() ?? null,
    cancelled_at: instant(order.cancelled_at),
    cancel_reason: text(order.cancel_reason),
    customer_id: idOf((order.customer as Json | null)?.admin_graphql_api_id, (order.customer as Json | null)?.id),
    missing_fields: [] as string[],
    refunds: Array.isArray(order.refunds) ? order.refunds.map((refund: Json) => text(refund.id)) : null,
    lines,
  };
  for (const [name, value] of Object.entries({
    customer: read.customer_name,
    product: read.product_title,
    due_date: read.due_date,
    flavour: read.flavour,
  })) {
    if (value === null) read.missing_fields.push(name);
  }
  return read;
}

function kind(method: string): "pickup" | "delivery" {
  return /pick ?up/i.test(method) ? "pickup" : "delivery";
}
