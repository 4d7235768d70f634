//! Asks for an Export Token, and makes sure that its link can be shown before anybody pays for it.

use super::{Needed, Order, Parts, fault};
use crate::qr::LinkCode;
use protocol::ExportToken;
use store::crash::{self, Point};
use visit::{Fault, FaultKind};

/// A token and its link, journalled.
pub(crate) async fn issue(parts: &Parts, order: &Order) -> Result<(ExportToken, String), Fault> {
    Needed { out: &order.out, least: order.min_free_space }.is_free(parts)?;
    let token = parts.api.generate().await.map_err(|error| fault::of_call(&error))?;
    crash::reached(Point::TokenReceived);
    let link = order.link.fill(&token);
    if let Err(error) = LinkCode::new(&link) {
        return Err(Fault::new(FaultKind::ProtocolBroken, error.to_string()));
    }
    let now = parts.clock.now();
    let expires_at = order.export_token_life.and_then(|life| now.checked_add(life).ok());
    parts
        .journal
        .token_issued(&order.id, &token, &link, expires_at, now)
        .await
        .map_err(|error| fault::of_disk(&error))?;
    Ok((token, link))
}
