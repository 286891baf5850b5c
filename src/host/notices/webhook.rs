//! Notices by webhook: signed JSON, posted once.
//!
//! The field `oncegate-signature` is `t=SECONDS,ed25519=BASE64`: the Ed25519 signature (RFC 8032) of the seconds since 1970, a point, and
//! the body as it was sent. Whoever keeps to it knows who says it, and by the time that it is not an old notice said again.

use super::outside::is_outside;
use super::{Notice, Undelivered};
use crate::base::limits;
use crate::base::time::UnixTime;
use crate::host::transport::{Fetcher, NotTold, Telling};
use crate::message::crypto::{PrivateKey, Signer, SigningFailed};
use crate::rules::registry::{Endpoint, Url};
use crate::rules::situation::texts::line;
use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde::Serialize;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

/// Whoever tells webhooks.
pub(super) struct Webhooks {
    key: PrivateKey,
    /// Those that may be in the operator's own network.
    hosts: Vec<Url>,
    fetcher: Fetcher,
}

/// What is posted.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Body<'n> {
    id: String,
    case: String,
    event: &'n str,
    title: String,
    text: String,
    language: &'n str,
    link: Option<&'n str>,
    sent_at: String,
}

impl Webhooks {
    pub(super) fn new(key: PrivateKey, hosts: Vec<Url>, tls: Arc<rustls::ClientConfig>) -> Self {
        Self { key, hosts, fetcher: Fetcher::new(tls) }
    }

    pub(super) async fn send(&self, to: &Endpoint, notice: &Notice, now: UnixTime) -> Result<(), Undelivered> {
        let octets = body(notice, now)?;
        let signature = self.signature(now.as_ms() / 1000, &octets)?;
        let telling = Telling {
            media_type: "application/json",
            octets,
            headers: vec![("oncegate-signature", signature)],
            answer_bytes_max: limits::WEBHOOK_ANSWER_BYTES_MAX,
            deadline: Duration::from_millis(limits::WEBHOOK_MS),
        };
        let is_own = self.hosts.iter().any(|own| own.port == to.url.port && own.host.eq_ignore_ascii_case(&to.url.host));
        let told = self.fetcher.tell(to, telling, |address: IpAddr| is_own || is_outside(address)).await;
        match told {
            Ok(200..=299) => Ok(()),
            Ok(status @ (408 | 425 | 429 | 500..=599)) => {
                Err(Undelivered::Later(format!("the webhook answered with status {status}")))
            }
            Ok(status) => Err(Undelivered::Never(format!("the webhook answered with status {status}"))),
            Err(NotTold::Forbidden(_)) => {
                Err(Undelivered::Never("the webhook is in a private network, and not in webhook_hosts".to_owned()))
            }
            Err(NotTold::Failed(cause)) => Err(Undelivered::Later(format!("the webhook: {cause}"))),
        }
    }

    fn signature(&self, seconds: u64, octets: &[u8]) -> Result<String, Undelivered> {
        let signed = [format!("{seconds}.").as_bytes(), octets].concat();
        let failed = |SigningFailed| Undelivered::Later("the key of webhooks could not sign".to_owned());
        Ok(format!("t={seconds},ed25519={}", BASE64.encode(self.key.sign(&signed).map_err(failed)?)))
    }
}

fn body(notice: &Notice, now: UnixTime) -> Result<Vec<u8>, Undelivered> {
    let body = Body {
        id: notice.id.to_string(),
        case: notice.case.to_string(),
        event: notice.event.as_str(),
        title: line(&notice.title, limits::CATALOGUE_TEXT_MAX),
        text: line(&notice.text, usize::MAX),
        language: &notice.language,
        link: notice.link.as_deref(),
        sent_at: now.to_string(),
    };
    serde_json::to_vec(&body).map_err(|cause| Undelivered::Never(cause.to_string()))
}
