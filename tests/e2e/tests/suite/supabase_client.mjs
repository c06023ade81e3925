// Does with the real supabase-js client what a kiosk's page does, straight on the REST API, and prints what came of
// each step as JSON. Argument: {url, anonKey, tokens: {staff, supervisor}, own, other, scanId, colleague}.

import { createClient } from "@supabase/supabase-js";

const { url, anonKey, tokens, own, other, scanId, colleague } = JSON.parse(process.argv[2]);
const signedIn = (token) => createClient(url, anonKey, { accessToken: async () => token });
const staff = signedIn(tokens.staff);
const supervisor = signedIn(tokens.supervisor);
const nobody = createClient(url, anonKey, { auth: { persistSession: false, autoRefreshToken: false } });

const steps = {
    scan: () => staff.rpc("scan", { p_scan: own, p_scan_id: scanId }),
    scanReplayed: () => staff.rpc("scan", { p_scan: own, p_scan_id: scanId }),
    scanNamed: () => staff.rpc("scan", { p_scan: own, p_action: "complete_filling" }),
    scanAhead: () => staff.rpc("scan", { p_scan: own, p_action: "complete_packing" }),
    scanOther: () => staff.rpc("scan", { p_scan: other }),
    assign: () => supervisor.rpc("assign_staff", { p_id: own, p_staff_id: colleague, p_note: "with care" }),
    assignByStaff: () => staff.rpc("assign_staff", { p_id: own }),
    order: () => staff.rpc("get_order_for_scan", { p_scan: own }),
    queue: () => staff.rpc("get_queue", { p_store: "bannos", p_limit: 2 }),
    queueOther: () => staff.rpc("get_queue", { p_store: "flourlane" }),
    dashboard: () => staff.rpc("get_orders_for_dashboard", { p_store: "bannos", p_period: "day" }),
    unassigned: () => staff.rpc("get_unassigned_counts", { p_store: "bannos" }),
    timeline: () => staff.rpc("get_order_timeline", { p_id: own }),
    readOwn: () => staff.from("orders").select("id, stage, assignee_id, priority").eq("id", own).single(),
    readOther: () => staff.from("orders").select("id").eq("id", other),
    readEvents: () => staff.from("stage_events").select("action").eq("order_id", own).order("id"),
    readStores: () => staff.from("stores").select("key"),
    readPayloads: () => staff.from("event_store").select("id").limit(1),
    readPayloadsAsSupervisor: () => supervisor.from("event_store").select("id").limit(1),
    insert: () => staff.from("orders").insert({ store: "bannos", id: "bannos-1", shopify_order_gid: "x" }),
    update: () => staff.from("orders").update({ stage: "Complete" }).eq("id", own),
    remove: () => staff.from("orders").delete().eq("id", own),
    promote: () => staff.from("staff").upsert({ user_id: colleague, name: "Me", role: "Admin" }),
    forgeEvent: () => staff.from("stage_events").insert({ store: "bannos", order_id: own, action: "x", source: "app" }),
    ingest: () => staff.rpc("replay_order", { p_store: "bannos", p_order_id: own }),
    manage: () => supervisor.rpc("set_staff_active", { p_user_id: colleague, p_active: false }),
    scanByNobody: () => nobody.rpc("scan", { p_scan: own }),
    readByNobody: () => nobody.from("orders").select("id"),
};

const answers = {};
for (const [name, step] of Object.entries(steps)) {
    const { data, error, status } = await step();
    answers[name] = { data, code: error?.code ?? null, status };
}
console.log(JSON.stringify(answers));
process.exit();
