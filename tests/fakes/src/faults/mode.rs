//! The ways in which a request can go wrong, each with the name by which a test asks for it.

use serde::{Deserialize, Serialize};

macro_rules! modes {
    ($($(#[doc = $about:literal])+ $mode:ident = $name:literal,)+) => {
        /// What goes wrong. Unless said otherwise the request is not executed.
        #[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize)]
        pub enum Mode {
            $($(#[doc = $about])+ #[serde(rename = $name)] $mode,)+
        }

        impl Mode {
            /// Every mode, in the order of this file.
            pub const ALL: &[Self] = &[$(Self::$mode),+];

            /// The name used in requests and records.
            pub fn name(self) -> &'static str {
                match self {
                    $(Self::$mode => $name,)+
                }
            }
        }
    };
}

impl Mode {
    /// Whether the request is executed before anything goes wrong.
    pub fn executes(self) -> bool {
        matches!(
            self,
            Self::ResetMid
                | Self::ExecutedThenReset
                | Self::ExecutedThenHang
                | Self::ExecutedThenError
                | Self::HangMid
                | Self::Trickle
                | Self::MalformedJson
                | Self::TruncatedJson
                | Self::DeepJson
                | Self::HugeBody
                | Self::EmptyBody
                | Self::WrongContentType
                | Self::WrongEncoding
        )
    }
}

modes! {
    /// Answered rightly, but executed only after `delay_ms` (default 3 s). Meanwhile its idempotency key is in use.
    Slow = "slow",
    /// Never answered; the connection is cut after `delay_ms` (default 60 s).
    Hang = "hang",
    /// 429 with `Retry-After` in seconds (`retry_after`, default 2).
    TooManySeconds = "429_seconds",
    /// 429 with `Retry-After` as a date, `retry_after` seconds from now.
    TooManyDate = "429_date",
    /// 429 without a hint.
    TooMany = "429",
    /// Shopify: 200 with the error `THROTTLED`; elsewhere a bare 429.
    Throttled = "throttled",
    /// Shopify: 200 with `userErrors` carrying `code`, or with `errors` where nothing is changed; elsewhere a 400.
    UserErrors = "user_errors",
    /// 400, as for a request that makes no sense.
    BadRequest = "400",
    /// 402, as for a shop or an account that is not paid for.
    PaymentRequired = "402",
    /// 404, as for an address that is no more.
    NotFound = "404",
    /// 500 with a JSON body.
    InternalError = "500",
    /// 502 with an HTML body.
    BadGateway = "502_html",
    /// 503 with an empty body.
    Unavailable = "503",
    /// The connection closes before the first byte of an answer.
    ResetBefore = "reset_before_body",
    /// Executed; the connection closes in the middle of the body.
    ResetMid = "reset_mid_body",
    /// Executed; the connection closes before the first byte of the answer.
    ExecutedThenReset = "executed_then_reset",
    /// Executed; never answered; the connection is cut after `delay_ms` (default 60 s).
    ExecutedThenHang = "executed_then_hang",
    /// Executed; 500.
    ExecutedThenError = "executed_then_500",
    /// Executed; half of the body, then silence for `delay_ms` (default 60 s), then the connection is cut.
    HangMid = "hang_mid_body",
    /// Executed; the body comes byte by byte, `delay_ms` (default 250 ms) apart.
    Trickle = "trickle",
    /// Executed; 200 with a body that is not JSON.
    MalformedJson = "malformed_json",
    /// Executed; 200 with the first half of the body as if it were whole.
    TruncatedJson = "truncated_json",
    /// Executed; 200 with JSON that is nested 100 000 deep.
    DeepJson = "deep_json",
    /// Executed; 200 with `bytes` (default 64 MiB) of body.
    HugeBody = "huge_body",
    /// Executed; 200 without a body.
    EmptyBody = "empty_200",
    /// Executed; the right body, said to be HTML.
    WrongContentType = "wrong_content_type",
    /// Executed; the right body, said to be compressed.
    WrongEncoding = "wrong_encoding",
    /// 200 with a web page, as from a proxy on the way.
    WebPage = "html_200",
    /// 302 to a route that records whoever follows.
    Redirect = "redirect",
    /// 307 to it, which asks to send method and body along.
    RedirectWithBody = "redirect_307",
    /// 401, as after a token was revoked.
    RevokedToken = "revoked_token",
    /// 403.
    Forbidden = "forbidden",
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_mode_reads_back_under_its_own_name() {
        for mode in Mode::ALL {
            assert_eq!(serde_json::to_value(mode).unwrap(), mode.name());
            assert_eq!(serde_json::from_value::<Mode>(mode.name().into()).unwrap(), *mode);
        }
        assert!(Mode::ALL.len() >= 20);
    }
}
