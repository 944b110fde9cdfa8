//! Checks of webhooks, and their signatures.

use pgrx::prelude::*;
use rules::address::is_public;
use rules::webhook::{self, Host};

use crate::error::{Result, internal, invalid_parameter_because};
use crate::gucs;

/// Raises an error when events may not be sent to this URL. Where a name leads to is looked at when they are sent.
#[pg_extern(stable, parallel_safe)]
fn _check_webhook_url(url: Option<&str>) -> Result<()> {
    let refused = |cause: String| invalid_parameter_because("invalid webhook URL", cause);
    let host = webhook::host(url.unwrap_or_default()).map_err(|cause| refused(format!("Webhook: {cause}.")))?;
    let is_private = match &host {
        Host::Address(address) => !is_public(*address),
        Host::Name(name) => name == "localhost" || name.ends_with(".localhost"),
    };
    if is_private && !gucs::webhook_private_networks() {
        return Err(refused(
            "Webhook: the address is one of this machine, of a private network, or reserved.".to_owned(),
        )
        .set_hint("A superuser may allow such addresses: memory_profile.webhook_private_networks."));
    }
    Ok(())
}

/// Raises an error when a webhook's secret does not have the form that it must have.
#[pg_extern(immutable, parallel_safe)]
fn _check_webhook_secret(secret: Option<&str>) -> Result<()> {
    webhook::key(secret.unwrap_or_default())
        .map(drop)
        .map_err(|cause| invalid_parameter_because("invalid webhook secret", format!("Webhook: {cause}.")))
}

/// The header `webhook-signature` of a message.
#[pg_extern(immutable, strict, parallel_safe)]
fn _webhook_signature(secret: &str, id: &str, sent_at: i64, body: &str) -> Result<String> {
    webhook::signature(secret, id, sent_at, body).map_err(internal)
}
