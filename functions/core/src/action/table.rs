//! Every action and every read: its name, its RPC, its parameters.
//!
//! Knows no values: what fits a parameter is decided by its kind.

use super::{Action, Kind, Parameter};

const fn required(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true, nullable: false }
}

const fn optional(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: false, nullable: false }
}

const fn nullable(name: &'static str, kind: Kind) -> Parameter {
    Parameter { name, kind, required: true, nullable: true }
}

const ID: Parameter = required("id", Kind::Text);
/// The database honours it for the service role alone; for everybody else the token says who is calling.
const USER: Parameter = optional("user", Kind::Uuid);
const COMPLETION: &[Parameter] = &[ID, USER];
const STORE: Parameter = required("store", Kind::Text);

/// Every action that is posted.
pub const ACTIONS: &[Action] = &[
    Action {
        name: "handle_print_barcode",
        rpc: "handle_print_barcode",
        parameters: &[ID, USER, optional("ctx", Kind::Object)],
    },
    Action { name: "complete_filling", rpc: "complete_filling", parameters: COMPLETION },
    Action { name: "complete_covering", rpc: "complete_covering", parameters: COMPLETION },
    Action { name: "complete_decorating", rpc: "complete_decorating", parameters: COMPLETION },
    Action { name: "start_packing", rpc: "start_packing", parameters: COMPLETION },
    Action { name: "complete_packing", rpc: "complete_packing", parameters: COMPLETION },
    Action {
        name: "qc_return_to_decorating",
        rpc: "qc_return_to_decorating",
        parameters: &[ID, USER, required("reason", Kind::Text)],
    },
    Action {
        name: "assign_staff",
        rpc: "assign_staff",
        parameters: &[ID, nullable("staff_id", Kind::Uuid), optional("note", Kind::Text)],
    },
    Action {
        name: "set_storage",
        rpc: "set_storage",
        parameters: &[ID, nullable("storage", Kind::Text), USER],
    },
    Action {
        name: "scan",
        rpc: "scan",
        parameters: &[
            required("scan", Kind::Text),
            optional("action", Kind::Text),
            USER,
            optional("scan_id", Kind::Uuid),
        ],
    },
    Action {
        name: "upsert_staff",
        rpc: "upsert_staff",
        parameters: &[
            required("user_id", Kind::Uuid),
            required("name", Kind::Text),
            required("role", Kind::Text),
            optional("stores", Kind::Texts),
        ],
    },
    Action {
        name: "set_staff_active",
        rpc: "set_staff_active",
        parameters: &[required("user_id", Kind::Uuid), required("active", Kind::Flag)],
    },
    Action {
        name: "create_store",
        rpc: "create_store",
        parameters: &[
            required("key", Kind::Text),
            required("name", Kind::Text),
            required("shop_domain", Kind::Text),
            required("timezone", Kind::Text),
            required("origin_country", Kind::Text),
            required("currency", Kind::Text),
            optional("id_prefix", Kind::Text),
            optional("scan_letter", Kind::Text),
            optional("kitchen_enabled", Kind::Flag),
            optional("inventory_enabled", Kind::Flag),
            optional("courier_enabled", Kind::Flag),
            optional("wms_enabled", Kind::Flag),
            optional("customs_enabled", Kind::Flag),
            optional("storage_locations", Kind::Texts),
        ],
    },
];

/// Every read: its parameters come from the query.
pub const READS: &[Action] = &[
    Action { name: "order", rpc: "get_order_for_scan", parameters: &[required("scan", Kind::Text)] },
    Action { name: "timeline", rpc: "get_order_timeline", parameters: &[ID] },
    Action {
        name: "queue",
        rpc: "get_queue",
        parameters: &[
            STORE,
            optional("date_from", Kind::Day),
            optional("date_to", Kind::Day),
            optional("limit", Kind::Count),
            optional("after", Kind::Text),
        ],
    },
    Action {
        name: "dashboard",
        rpc: "get_orders_for_dashboard",
        parameters: &[STORE, optional("period", Kind::Text)],
    },
    Action { name: "unassigned", rpc: "get_unassigned_counts", parameters: &[STORE] },
    Action {
        name: "unassigned/list",
        rpc: "get_unassigned_list",
        parameters: &[
            STORE,
            optional("stage", Kind::Text),
            optional("limit", Kind::Count),
            optional("offset", Kind::Count),
        ],
    },
    Action { name: "staff", rpc: "get_staff", parameters: &[STORE] },
];
