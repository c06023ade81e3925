//! What a path means: which function, and what is left for it.
//!
//! Knows no methods, no hosts and no bindings beyond how they are named. Paths are compared as they are sent:
//! nothing is decoded, so an encoded slash or dot never turns into a real one.

/// Where functions live.
pub const FUNCTIONS: &str = "/functions/v1/";

/// Where a path leads.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Route<'a> {
    /// `/functions/v1/<name>` or below.
    Function {
        /// The function, `order-ingest` for instance.
        name: &'a str,
        /// What follows the name, without slashes at either end; empty when nothing does.
        rest: &'a str,
    },
    /// `/edge/health`
    Health,
    /// Nowhere.
    Unknown,
}

/// Reads a path, without query.
#[must_use]
pub fn parse(path: &str) -> Route<'_> {
    if path == "/edge/health" {
        return Route::Health;
    }
    let Some(below) = path.strip_prefix(FUNCTIONS) else {
        return Route::Unknown;
    };
    let (name, rest) = below.split_once('/').unwrap_or((below, ""));
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if is_name(name) && (rest.is_empty() || rest.split('/').all(is_segment)) {
        Route::Function { name, rest }
    } else {
        Route::Unknown
    }
}

/// What follows a function's own name in the path of a request to it, `None` when the path is not its own.
#[must_use]
pub fn rest_of<'a>(path: &'a str, function: &str) -> Option<&'a str> {
    match parse(path) {
        Route::Function { name, rest } if name == function => Some(rest),
        _ => None,
    }
}

/// The service binding of a function: `order-ingest` is bound as `ORDER_INGEST`.
#[must_use]
pub fn binding_of(function: &str) -> String {
    function.replace('-', "_").to_ascii_uppercase()
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.len() <= 63 && name.bytes().all(|b| b.is_ascii_lowercase() || b == b'-')
}

fn is_segment(segment: &str) -> bool {
    !segment.is_empty()
        && segment.len() <= 128
        && segment.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_function_and_what_is_left_for_it() {
        let cases = [
            ("/functions/v1/order-ingest", "order-ingest", ""),
            ("/functions/v1/order-ingest/", "order-ingest", ""),
            ("/functions/v1/stage-actions/scan", "stage-actions", "scan"),
            ("/functions/v1/stage-actions/scan/", "stage-actions", "scan"),
            ("/functions/v1/settings/credentials/shopify", "settings", "credentials/shopify"),
        ];
        for (path, name, rest) in cases {
            assert_eq!(parse(path), Route::Function { name, rest }, "{path}");
        }
    }

    #[test]
    fn finds_health() {
        assert_eq!(parse("/edge/health"), Route::Health);
    }

    #[test]
    fn anything_else_is_unknown() {
        let cases = [
            "",
            "/",
            "/edge",
            "/edge/health/",
            "/functions/v1",
            "/functions/v1/",
            "/functions/v1//",
            "/functions/v2/order-ingest",
            "/functions/v1/Order-Ingest",
            "/functions/v1/order_ingest",
            "/functions/v1/order-ingest//x",
            "/functions/v1/order-ingest/../x",
            "/functions/v1/order-ingest/%2e%2e",
            "/functions/v1/é",
            "functions/v1/order-ingest",
        ];
        for path in cases {
            assert_eq!(parse(path), Route::Unknown, "{path}");
        }
    }

    #[test]
    fn a_function_knows_only_its_own_paths() {
        assert_eq!(rest_of("/functions/v1/stage-actions/scan", "stage-actions"), Some("scan"));
        assert_eq!(rest_of("/functions/v1/stage-actions", "stage-actions"), Some(""));
        assert_eq!(rest_of("/functions/v1/order-ingest", "stage-actions"), None);
    }

    #[test]
    fn names_bindings_as_the_configuration_does() {
        assert_eq!(binding_of("order-ingest"), "ORDER_INGEST");
        assert_eq!(binding_of("queue-worker"), "QUEUE_WORKER");
    }
}
